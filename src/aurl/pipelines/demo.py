"""A piece of three minutes by the built-in model, in every form that Aurl writes."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from aurl import DEFAULT_MODEL
from aurl.evaluation.metrics import beside
from aurl.generation.export import Format
from aurl.music.engraving import require_engraver
from aurl.pipelines.generate import Output, write_shown
from aurl.pipelines.model import Model
from aurl.utils.errors import MissingExtraError
from aurl.utils.progress import progress_bar

SETTINGS: Mapping[str, Any] = {
    "style": "pop", "bars": 72, "tempo": 96,
    "sections": "auto", "constraints": ["reprise", "cadence"], "transforms": ["ritardando"], "best_of": 4,
}  # fmt: skip
"""Three minutes with a form, in which what returns sounds as it did, and an end; of four the one most like songs."""
FORMATS: tuple[Format, ...] = ("mid", "wav", "png", "html", "musicxml")


def run_demo(out: Path, *, seed: int = 0, quiet: bool = False) -> dict[str, Any]:
    """Compose, write every file, and compare with the music that the model learned from; tells the time of each."""
    began = time.perf_counter()
    seconds: dict[str, float] = {}

    def done(stage: str) -> None:
        seconds[stage] = time.perf_counter() - began - sum(seconds.values())

    forms = formats()
    Output(out, also=forms).prepare()
    model = Model.load(DEFAULT_MODEL)
    done("load")
    (piece,) = write_shown(model, {**SETTINGS, "seed": seed}, quiet=quiet)
    done("compose")
    files: dict[str, list[str]] = {}
    with progress_bar("writing", total=len(forms), unit="files", quiet=quiet) as bar:
        for form in forms:
            files[form] = [str(path) for path in piece.save(out / f"piece.{form}")]
            done(form)
            bar.advance()
    rows = beside([piece.score], model.reference(SETTINGS["style"]))
    return {
        "files": files,
        "minutes_of_music": piece.score.duration_seconds / 60,
        "notes": len(piece.score.notes),
        "form": " ".join(piece.score.texts.of("section").text.tolist()),
        "seed": piece.seed,
        "beside_the_music_it_learned_from": {row.metric: row.summary() for row in rows},
        "seconds": {**seconds, "all": time.perf_counter() - began},
    }


def formats() -> tuple[Format, ...]:
    """The forms that can be written here: pages too, where the engraver is installed."""
    with suppress(MissingExtraError):
        require_engraver(".pdf")
        return (*FORMATS, "svg", "pdf")
    return FORMATS
