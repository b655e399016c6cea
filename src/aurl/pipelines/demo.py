"""The whole path on the built-in chorales: MIDI files, corpus, model, music, and a look at what came out."""

from __future__ import annotations

import time
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from aurl.data.corpus import PrepareConfig
from aurl.data.store import Corpus
from aurl.evaluation.metrics import compare
from aurl.music.midi import read_midi
from aurl.music.picture import write_piano_roll
from aurl.music.score import Score
from aurl.pipelines.experiment import ExperimentConfig
from aurl.pipelines.generate import Output, generate_pieces
from aurl.pipelines.prepare import prepare_corpus
from aurl.pipelines.train import train_model
from aurl.utils.config import load_config

SECONDS = 60.0
"""Length of the piece that the demo writes."""


def run_demo(out: Path, *, steps: int | None = None, seed: int = 0, quiet: bool = False) -> dict[str, Any]:
    """Prepare, train, generate, compare with the chorales held out; run again, it goes on from what is there."""
    began = time.perf_counter()
    corpus = out / "corpus"
    prepare_corpus(["aurl:chorales"], corpus, PrepareConfig(), quiet=quiet)
    trained = train_model(demo_config(out, corpus, steps), quiet=quiet)
    midi = out / "piece.mid"
    request = {"seconds": SECONDS, "seed": seed}
    generate_pieces(Path(trained["run"]), Output(midi, wav=True, png=True), overrides=request, quiet=quiet)
    piece, held_out = read_midi(midi), validation_scores(Corpus.open(corpus))
    picture = out / "beside_real.png"
    write_piano_roll([piece, held_out[0]], picture, title=["generated", "a real chorale, held out of training"])
    return {
        "midi": str(midi),
        "sound": str(midi.with_suffix(".wav")),
        "pictures": [str(midi.with_suffix(".png")), str(picture)],
        "model": trained["run"],
        "validation_bits_per_note": trained["best_validation_bits_per_note"],
        "minutes": (time.perf_counter() - began) / 60,
        "beside_held_out_chorales": {row.metric: row.summary() for row in compare([piece], held_out)},
    }


def demo_config(out: Path, corpus: Path, steps: int | None) -> ExperimentConfig:
    """The experiment of `assets/demo.yaml`, in the folder `out`."""
    overrides = [f"folder={out}", f"data.corpus={corpus}"]
    overrides += [f"training.steps={steps}"] if steps else []
    with as_file(files("aurl") / "assets" / "demo.yaml") as path:
        return load_config(ExperimentConfig, path, overrides)


def validation_scores(corpus: Corpus) -> list[Score]:
    """The held-out pieces of a corpus."""
    return [corpus.score(index) for index in corpus.indices("valid")]
