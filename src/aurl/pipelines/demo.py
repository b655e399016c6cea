"""The whole path on the built-in chorales: MIDI files, corpus, model, music, and a look at what came out."""

from __future__ import annotations

import shutil
import time
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import numpy as np

from aurl.data.corpus import PrepareConfig
from aurl.data.store import Corpus
from aurl.data.tokenizers import TOKENIZERS, Tokenizer
from aurl.evaluation.metrics import compare, describe
from aurl.music.audio import write_wav
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
CANDIDATES = 8
"""Pieces it writes, to keep the one that is most like the music it learned from."""
LOOKED_AT = ("pitch_range", "note_density", "polyphony", "key_fit")
"""The metrics by which it chooses."""


def run_demo(out: Path, *, steps: int | None = None, seed: int = 0, quiet: bool = False) -> dict[str, Any]:
    """Prepare, train, generate, choose, compare with held-out chorales; run again, it goes on from what is there."""
    began = time.perf_counter()
    # anew each time, which takes a second: an updated Aurl may bring other chorales, or the same with another date
    prepare_corpus(["aurl:chorales"], out / "corpus", PrepareConfig(labels=()), overwrite=True, quiet=quiet)
    corpus = Corpus.open(out / "corpus")
    config = demo_config(out, steps)
    trained, tokenizer = train_model(config, quiet=quiet), TOKENIZERS.build(config.tokenizer)
    candidates = write_candidates(Path(trained["run"]), out / "candidates", seed, quiet=quiet)
    chosen = most_typical([read_midi(path) for path in candidates], canonical_scores(corpus, "train", tokenizer))
    midi = out / "piece.mid"
    shutil.copyfile(candidates[chosen], midi)
    piece, held_out = read_midi(midi), canonical_scores(corpus, "valid", tokenizer)
    write_wav(piece, midi.with_suffix(".wav"))
    picture = out / "piece.png"
    write_piano_roll([piece, held_out[0]], picture, title=["generated", "a real chorale, held out of training"])
    return {
        "midi": str(midi),
        "sound": str(midi.with_suffix(".wav")),
        "picture": str(picture),
        "candidates": f"{candidates[0].parent}, of which {candidates[chosen].name} was chosen",
        "model": trained["run"],
        "validation_bits_per_note": trained["best_validation_bits_per_note"],
        "minutes": (time.perf_counter() - began) / 60,
        "beside_held_out_chorales": {row.metric: row.summary() for row in compare([piece], held_out)},
    }


def demo_config(out: Path, steps: int | None) -> ExperimentConfig:
    """The experiment of `assets/demo.yaml`, in the folder `out`."""
    training = {"steps": steps} if steps else {}
    overrides = {"folder": str(out), "data": {"corpus": str(out / "corpus")}, "training": training}
    with as_file(files("aurl") / "assets" / "demo.yaml") as path:
        return load_config(ExperimentConfig, path).merged(overrides)


def write_candidates(model: Path, folder: Path, seed: int, *, quiet: bool) -> list[Path]:
    """Pieces of the seeds from `seed` on, as MIDI files."""
    request = {"seconds": SECONDS, "seed": seed, "variations": CANDIDATES}
    generate_pieces(model, Output(folder), overrides=request, quiet=quiet)
    return [folder / f"piece-{number}.mid" for number in range(1, CANDIDATES + 1)]


def most_typical(scores: list[Score], learned: list[Score]) -> int:
    """Index of the score whose metrics lie closest to the medians of `learned`.

    A distance is counted in spreads of the metric (half the span from 5 % to 95 %); the largest of a score decides.
    """
    values = np.array([[describe(score).get(name, np.nan) for name in LOOKED_AT] for score in learned])
    low, middle, high = np.nanquantile(values, [0.05, 0.5, 0.95], axis=0)
    ours = np.array([[describe(score).get(name, np.inf) for name in LOOKED_AT] for score in scores])
    distances = np.abs(ours - middle) / np.maximum(high - low, 1e-9)
    return int(distances.max(axis=1).argmin())


def canonical_scores(corpus: Corpus, split: str, tokenizer: Tokenizer) -> list[Score]:
    """The pieces of a split, as far as tokens can say them: what the model could write at best."""
    return [tokenizer.canonical(corpus.score(int(index)))[0] for index in corpus.indices(split)]
