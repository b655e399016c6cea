"""From a trained model and a request to files of music."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast, get_args

from aurl.generation.export import Format, export
from aurl.generation.generator import GeneratedPiece, Progress
from aurl.generation.runtimes.opening import RuntimeFormat
from aurl.models.config import DeviceName
from aurl.models.onnx_graph import GraphFormat
from aurl.music.audio import Synthesizer, require_ogg, require_synthesizer
from aurl.music.engraving import require_engraver
from aurl.pipelines.model import Model, Piece
from aurl.utils.errors import ConfigError, UnknownNameError
from aurl.utils.files import make_folder
from aurl.utils.progress import progress_bar

NOT_MIDI = {
    ".midi", ".wav", ".png", ".mp3", ".ogg", ".flac", ".xml", ".musicxml", ".mxl", ".svg", ".pdf", ".html", ".json",
    ".yaml", ".py",
}  # fmt: skip
"""Endings of names that are meant as files of another kind, not as folders."""


FORMS = ("torch", *get_args(GraphFormat))


@dataclass(frozen=True)
class Output:
    """Where pieces are written, and in which forms besides MIDI."""

    path: Path
    also: tuple[str, ...] = ()
    soundfont: Path | None = None
    fluidsynth: bool = False

    def prepare(self) -> None:
        """Make the folder, and raise now what would otherwise stop the writing after all the work."""
        for form in self.also:
            require("format", form, get_args(Format))
        if self.path.suffix.lower() in NOT_MIDI and not self.path.is_dir():
            raise ConfigError(
                f"the output {self.path} is neither a .mid file nor a folder",
                hint="--out piece.mid writes one piece; --also wav,png adds files beside it",
            )
        is_heard = {"wav", "ogg"} & set(self.also)
        if (self.soundfont or self.fluidsynth) and not is_heard:
            raise ConfigError("there is no sound to render", hint="add --also wav")
        if is_heard:
            require_synthesizer(self.soundfont, self.synthesizer)
        if "ogg" in self.also:
            require_ogg()
        for form in {"svg", "pdf"} & set(self.also):
            require_engraver(f".{form}")
        make_folder(self.stem(0, 1).parent)

    @property
    def formats(self) -> tuple[Format, ...]:
        """The formats of all files, MIDI first."""
        return ("mid", *(cast(Format, form) for form in self.also if form != "mid"))

    @property
    def synthesizer(self) -> Synthesizer:
        """Who renders the sound."""
        return "fluidsynth" if self.fluidsynth else "builtin"

    def stem(self, index: int, pieces: int) -> Path:
        """Path without suffix of one piece: the file asked for, or one numbered beside it or in the folder."""
        if self.path.suffix.lower() != ".mid":
            return self.path / f"piece-{index + 1}"
        return self.path.with_suffix("") if pieces == 1 else self.path.with_name(f"{self.path.stem}-{index + 1}")


def generate_pieces(
    model: Path,
    output: Output,
    *,
    prompt: Path | None = None,
    rewrite: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
    device: str = "auto",
    form: str | None = None,
    quiet: bool = False,
) -> dict[str, Any]:
    """Generate by the settings saved with `model`, `settings` winning; returns where the pieces are and what they are.

    Raises CheckpointError for the model, MidiError for the prompt, ConfigError and GenerationError for the request.
    """
    began = time.perf_counter()
    require("device", device, get_args(DeviceName))
    if form is not None:
        require("form", form, FORMS)
    output.prepare()
    loaded = Model.load(model, device=cast(DeviceName, device), form=cast(RuntimeFormat | None, form))
    pieces = write_shown(loaded, settings or {}, prompt=prompt, rewrite=rewrite, quiet=quiet)
    files = [write_piece(piece, output.stem(index, len(pieces)), output) for index, piece in enumerate(pieces)]
    told = [facts(piece.generated, has_prompt=prompt is not None) for piece in pieces]
    return {
        "pieces": {", ".join(map(str, paths)): each for each, paths in zip(told, files, strict=True)},
        "seconds_taken": time.perf_counter() - began,
    }


def write_shown(
    model: Model,
    settings: Mapping[str, Any],
    *,
    prompt: Path | None = None,
    rewrite: Mapping[str, Any] | None = None,
    quiet: bool = False,
) -> list[Piece]:
    """The pieces of a request (see `Model.write`), with a progress bar."""
    config = model.request(settings)
    wanted = None if rewrite else config.seconds or config.bars
    unit = "bars" if config.bars else "seconds of music"
    with progress_bar("generating", total=math.ceil(wanted) if wanted else None, unit=unit, quiet=quiet) as bar:

        def show(progress: Progress) -> None:
            bar.update(int(progress.done), tokens_per_second=progress.tokens_per_second)

        return model.write(settings, prompt=prompt, rewrite=rewrite, on_progress=show)


def require(what: str, name: str, known: Iterable[str]) -> None:
    """Raise UnknownNameError unless `name` is known."""
    if name not in known:
        raise UnknownNameError.among(what, name, known)


def write_piece(piece: Piece, stem: Path, output: Output) -> list[Path]:
    """Write one piece in the forms asked for, one without notes as MIDI alone; returns the files."""
    return export(
        piece.generated,
        stem,
        output.formats if len(piece.score.notes) else ("mid",),
        soundfont=output.soundfont,
        synthesizer=output.synthesizer,
        provenance=piece.provenance,
    )


def facts(piece: GeneratedPiece, *, has_prompt: bool) -> dict[str, Any]:
    """What a user wants to know of a piece at a glance."""
    told = {
        "seed": piece.seed,
        "prompt_tokens": piece.prompt_tokens - 1 if has_prompt else 0,  # the start token is nobody's prompt
        "seconds": piece.score.duration_seconds,
        "notes": len(piece.score.notes),
        "tokens": len(piece.tokens),
        "stopped_by": piece.stopped_by,
        "fallbacks": piece.fallbacks,
    }
    broken = {name: count for name, count in piece.dropped.items() if count}
    return {**told, "constraints_dropped": broken} if broken else told
