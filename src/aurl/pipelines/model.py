"""A trained model in Python: load it, ask it for music, keep what it wrote.

    import aurl

    model = aurl.load()  # the built-in one; or aurl.load("runs/dev")
    piece = model.generate(bars=16, key="D minor", tempo=96, seed=7)
    piece.save("piece.mid", "piece.wav")

What can be asked for are the settings of `GenerationConfig`, its `conditions` and its `sampling`, by their names.
"""

from __future__ import annotations

import html
import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import yaml
from numpy.typing import NDArray

from aurl.data.preprocessing import parse_step
from aurl.data.tokenizers import TOKENIZERS, Tokenizer
from aurl.evaluation.metrics import ANY, Reference, unlikeness
from aurl.generation.conditions import Conditions
from aurl.generation.engine import Runtime
from aurl.generation.generator import GeneratedPiece, GenerationConfig, Progress, generate
from aurl.generation.rewriting import Rewrite
from aurl.generation.runtimes.opening import RuntimeFormat, open_runtime
from aurl.generation.sampling import SamplingConfig
from aurl.models.config import DeviceName
from aurl.music.score import Score
from aurl.utils.config import Config, merge
from aurl.utils.errors import AurlError, ConfigError, GenerationError

if TYPE_CHECKING:
    from aurl.generation.export import Format

Music = Score | Path | str
"""A score, or a file of any format that Aurl reads."""
PLAYERS = (("afplay",), ("paplay",), ("aplay", "-q"), ("ffplay", "-nodisp", "-autoexit", "-loglevel", "error"))
"""Programs that play a WAV file, the first found is used."""


@dataclass(frozen=True)
class Piece:
    """A piece that a model wrote."""

    generated: GeneratedPiece
    """How it came about."""
    provenance: str = ""
    """The model and the settings, as the files tell them."""

    @property
    def score(self) -> Score:
        """The music."""
        return self.generated.score

    @property
    def seed(self) -> int:
        """The seed that makes this piece again."""
        return self.generated.seed

    @property
    def tokens(self) -> NDArray[np.int64]:
        """The rows `[t, f]` that were given and written."""
        return self.generated.tokens

    def save(self, *paths: Path | str) -> list[Path]:
        """Write a file for each path, in the format that its suffix says: .mid, .wav, .png, .html, .musicxml ..."""
        from aurl.generation.export import export

        written = []
        for path in map(Path, paths):
            form = cast("Format", path.suffix.removeprefix(".").lower())
            written += export(self.generated, path.with_suffix(""), [form], provenance=self.provenance)
        return written

    def play(self) -> None:
        """Play the piece with a player of this computer, until it ends; raises AurlError where there is none."""
        player = next((command for command in PLAYERS if shutil.which(command[0])), None)
        if player is None:
            names = ", ".join(command[0] for command in PLAYERS)
            raise AurlError(
                "no program to play sound", found=f"none of {names}", hint='piece.save("piece.wav") writes it'
            )
        with tempfile.TemporaryDirectory() as folder:
            (path,) = self.save(Path(folder) / "piece.wav")
            subprocess.run([*player, str(path)], check=True)

    def _repr_html_(self) -> str:
        """A piano roll that plays, for notebooks."""
        from aurl.music.html_roll import html_roll

        page = html.escape(html_roll(self.score, f"seed {self.seed}"), quote=True)
        return f'<iframe srcdoc="{page}" style="width: 100%; height: 480px; border: 0"></iframe>'


class Model:
    """A trained model, ready to write music."""

    def __init__(self, runtime: Runtime, experiment: Mapping[str, Any]) -> None:
        """`experiment` is what was saved with the model: its tokenizer, its settings, what it learned from."""
        self.runtime, self.experiment = runtime, experiment
        self.tokenizer: Tokenizer = TOKENIZERS.build(TOKENIZERS.parse(experiment["tokenizer"]))

    @classmethod
    def load(
        cls,
        path: Path | str,
        *,
        device: DeviceName = "auto",
        form: RuntimeFormat | None = None,
        threads: int = 1,
    ) -> Model:
        """The model in the folder of a run, a checkpoint, or an export, or "aurl:small"; raises CheckpointError."""
        return cls(*open_runtime(Path(path), device=device, form=form, threads=threads))

    def generate(self, **settings: Any) -> Piece:
        """A piece from nothing: `bars` or `seconds`, `seed`, `key`, `chords`, `instruments`, `temperature` ..."""
        return self.write(settings)[0]

    def continue_(self, music: Music, **settings: Any) -> Piece:
        """`music` and what follows it; a length counts from the beginning of `music`."""
        return self.write(settings, prompt=music)[0]

    def infill(self, music: Music, bars: str, **settings: Any) -> Piece:
        """`music` with other bars, "5-8", that lead from what comes before to what comes after; the rest is kept."""
        return self.write(settings, prompt=music, rewrite={"bars": bars})[0]

    def replace(self, music: Music, tracks: Sequence[int], **settings: Any) -> Piece:
        """`music` with other tracks, by number from 1; the rest is kept."""
        return self.write(settings, prompt=music, rewrite={"tracks": tuple(tracks)})[0]

    def accompany(self, music: Music, add: Sequence[str], **settings: Any) -> Piece:
        """`music` with tracks added for these instruments."""
        return self.write(settings, prompt=music, rewrite={"add": tuple(add)})[0]

    def harmonise(self, music: Music, **settings: Any) -> Piece:
        """`music` with chord symbols."""
        return self.write(settings, prompt=music, rewrite={"harmonise": True})[0]

    def write(
        self,
        settings: Mapping[str, Any],
        *,
        prompt: Music | None = None,
        rewrite: Mapping[str, Any] | None = None,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> list[Piece]:
        """Any request: as many pieces as its `variations`, the model's own settings holding where it says nothing.

        Raises ConfigError for settings, MidiError for `prompt`, GenerationError for what the model has not learned.
        """
        config = self.request(settings, is_rewritten=bool(rewrite))
        given = prompt if prompt is None or isinstance(prompt, Score) else _read(Path(prompt))
        asked = Rewrite.parse(dict(rewrite)) if rewrite else None
        if asked is not None and (refused := {"bars", "seconds", "transforms"} & settings.keys()):
            hint = f"leave out {' and '.join(sorted(refused))}"
            raise ConfigError("a rewritten piece keeps its length and what is locked", hint=hint)
        self._check_trained(config, asked)
        style = config.conditions.style
        reference = self.reference(style)
        pieces = generate(
            self.runtime,
            self.tokenizer,
            config,
            prompt=given,
            rewrite=asked,
            ensembles=self.experiment.get("ensembles", {}).get((style or "").lower(), ()),
            unlikeness=lambda score: unlikeness(score, reference),
            on_progress=on_progress,
        )
        told = config.model_dump(mode="json", exclude_defaults=True, exclude={"seed", "variations"})
        name = self.experiment.get("name", "unnamed")
        return [Piece(piece, f"model {name}; settings {json.dumps(told)}") for piece in pieces]

    def reference(self, style: str | None = None) -> Reference:
        """Where the metrics of the music lie that the model learned from, of one style if it kept them apart."""
        kept: dict[str, Reference] = self.experiment.get("references", {})
        return kept.get(style or ANY, kept.get(ANY, {}))

    def request(self, settings: Mapping[str, Any], *, is_rewritten: bool = False) -> GenerationConfig:
        """The model's own settings with `settings` in their place; a length replaces one of another unit."""
        asked = nested(settings)
        lengths = {"seconds", "bars"}
        saved = self.experiment.get("generation", {})
        kept = {name: value for name, value in saved.items() if not (name in lengths and lengths & asked.keys())}
        if is_rewritten and kept.get("rewriting"):
            kept["sampling"] = kept["rewriting"]
        return GenerationConfig.parse(merge(kept, asked))

    def _check_trained(self, config: GenerationConfig, rewrite: Rewrite | None) -> None:
        trained = self.experiment.get("data", {}).get("tasks", {})
        needed = {
            "tracks": rewrite is not None and rewrite.is_of_parts,
            "infill": rewrite is not None and not rewrite.is_of_parts,
            "free": config.guidance != 1,
        }
        for task, is_needed in needed.items():
            if is_needed and not trained.get(task):
                what = "guided" if task == "free" else "asked to write parts of a piece"
                raise GenerationError(
                    f"this model was not trained to be {what}",
                    found=f"data.tasks.{task} 0",
                    hint=f"train one with data.tasks.{task}=0.3",
                )


def _read(path: Path) -> Score:
    from aurl.music.io import read_music

    return read_music(path)[0]


def constraint_of(told: str) -> Any:
    """A constraint as YAML tells it on the command line: `scale: {key: D minor}`, or a name alone."""
    try:
        value = yaml.safe_load(told)
    except yaml.YAMLError:
        value = None
    if isinstance(value, Mapping) and len(value) == 1:
        ((name, settings),) = value.items()
        value = {"name": name, **settings} if isinstance(settings, Mapping) else None
    if not isinstance(value, str) and not (isinstance(value, Mapping) and "name" in value):
        raise ConfigError("not a constraint", found=repr(told), hint="write it like 'scale: {key: D minor}'")
    return value


def nested(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings by name, those of `conditions` and `sampling` in their places."""
    asked: dict[str, Any] = {}
    for name, given in settings.items():
        value = given
        if name in READ:
            value = [READ[name](told) if isinstance(told, str) else told for told in given]
        part = next((part for part, kind in PARTS.items() if name in kind.model_fields), None)
        if part is None:
            asked[name] = value
        else:
            asked.setdefault(part, {})[name] = value
    return asked


READ: dict[str, Callable[[str], Any]] = {"constraints": constraint_of, "transforms": parse_step}
"""How the command line says the items of a list."""
PARTS: dict[str, type[Config]] = {"conditions": Conditions, "sampling": SamplingConfig}
