"""From a trained model and a request to files of music."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aurl.data.tokenizers import TOKENIZERS, Tokenizer
from aurl.generation.export import Format, export
from aurl.generation.generator import GeneratedPiece, GenerationConfig, Progress, generate
from aurl.generation.runtimes.torch_runtime import TorchRuntime
from aurl.models.pretrained import load_model
from aurl.music.audio import Synthesizer, require_synthesizer
from aurl.music.io import read_music
from aurl.music.score import Score
from aurl.utils.config import merge
from aurl.utils.errors import ConfigError
from aurl.utils.files import make_folder
from aurl.utils.progress import progress_bar

NOT_MIDI = {".midi", ".wav", ".png", ".mp3", ".ogg", ".flac", ".xml", ".musicxml", ".json", ".yaml", ".py"}
"""Endings of names that are meant as files of another kind, not as folders."""


@dataclass(frozen=True)
class Output:
    """Where pieces are written, and in which forms besides MIDI."""

    path: Path
    wav: bool = False
    png: bool = False
    soundfont: Path | None = None
    fluidsynth: bool = False

    def prepare(self) -> None:
        """Make the folder, and raise now what would otherwise stop the writing after all the work."""
        if self.path.suffix.lower() in NOT_MIDI and not self.path.is_dir():
            raise ConfigError(
                f"the output {self.path} is neither a .mid file nor a folder",
                hint="--out piece.mid writes one piece; --wav and --png add files beside it",
            )
        if (self.soundfont or self.fluidsynth) and not self.wav:
            raise ConfigError("there is no sound to render", hint="add --wav")
        if self.wav:
            require_synthesizer(self.soundfont, self.synthesizer)
        make_folder(self.stem(0, 1).parent)

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
    overrides: Mapping[str, Any] | None = None,
    quiet: bool = False,
) -> dict[str, Any]:
    """Generate by the settings saved with `model`, `overrides` winning; returns where the pieces are and what they are.

    Raises CheckpointError for the model, MidiError for the prompt, ConfigError and GenerationError for the request.
    """
    began = time.perf_counter()
    output.prepare()
    given = read_music(prompt)[0] if prompt is not None else None
    network, experiment = load_model(model)
    tokenizer = TOKENIZERS.build(TOKENIZERS.parse(experiment["tokenizer"]))
    config = request(experiment.get("generation", {}), overrides or {})
    pieces = run_request(TorchRuntime(network), tokenizer, config, prompt=given, quiet=quiet)
    files = [write_piece(piece, output.stem(index, len(pieces)), output) for index, piece in enumerate(pieces)]
    told = [facts(piece, has_prompt=given is not None) for piece in pieces]
    return {
        "pieces": {", ".join(map(str, paths)): each for each, paths in zip(told, files, strict=True)},
        "seconds_taken": time.perf_counter() - began,
    }


def request(saved: Mapping[str, Any], overrides: Mapping[str, Any]) -> GenerationConfig:
    """The saved settings with `overrides` merged in; a length among them replaces the saved one, whatever its unit."""
    lengths = {"seconds", "bars"}
    kept = {k: v for k, v in saved.items() if not (k in lengths and lengths & overrides.keys())}
    return GenerationConfig.parse(merge(kept, overrides))


def run_request(
    runtime: TorchRuntime, tokenizer: Tokenizer, config: GenerationConfig, *, prompt: Score | None, quiet: bool
) -> list[GeneratedPiece]:
    """Generate with a progress bar that counts the music written."""
    wanted = config.seconds or config.bars
    unit = "bars" if config.bars else "seconds of music"
    with progress_bar("generating", total=math.ceil(wanted) if wanted else None, unit=unit, quiet=quiet) as bar:

        def show(progress: Progress) -> None:
            bar.update(int(progress.done), tokens_per_second=progress.tokens_per_second)

        return generate(runtime, tokenizer, config, prompt=prompt, on_progress=show)


def write_piece(piece: GeneratedPiece, stem: Path, output: Output) -> list[Path]:
    """Write one piece in the forms asked for; returns the files."""
    formats: list[Format] = ["mid"]
    formats += ["wav"] if output.wav else []
    formats += ["png"] if output.png else []
    return export(piece, stem, formats, soundfont=output.soundfont, synthesizer=output.synthesizer)


def facts(piece: GeneratedPiece, *, has_prompt: bool) -> dict[str, Any]:
    """What a user wants to know of a piece at a glance."""
    return {
        "seed": piece.seed,
        "prompt_tokens": piece.prompt_tokens - 1 if has_prompt else 0,  # the start token is nobody's prompt
        "seconds": piece.score.duration_seconds,
        "notes": len(piece.score.notes),
        "tokens": len(piece.tokens),
        "stopped_by": piece.stopped_by,
        "fallbacks": piece.fallbacks,
    }
