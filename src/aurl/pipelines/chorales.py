"""The whole path on the built-in chorales: MIDI files, corpus, model, music, and a look at what came out."""

from __future__ import annotations

import time
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from aurl.data.corpus import PrepareConfig
from aurl.data.store import Corpus
from aurl.data.tokenizers import TOKENIZERS, Tokenizer
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
"""Length of the piece that it writes."""
CANDIDATES = 8
"""Pieces it writes, to keep the one that is most like the music it learned from."""


def train_on_chorales(out: Path, *, steps: int | None = None, seed: int = 0, quiet: bool = False) -> dict[str, Any]:
    """Prepare, train, generate, choose, compare with held-out chorales; run again, it goes on from what is there."""
    began = time.perf_counter()
    # anew each time, which takes a second: an updated Aurl may bring other chorales, or the same with another date
    prepare_corpus(["aurl:chorales"], out / "corpus", PrepareConfig(labels=()), overwrite=True, quiet=quiet)
    corpus = Corpus.open(out / "corpus")
    config = demo_config(out, steps)
    trained, tokenizer = train_model(config, quiet=quiet), TOKENIZERS.build(config.tokenizer)
    midi = out / "piece.mid"
    settings = {"seconds": SECONDS, "seed": seed, "best_of": CANDIDATES}
    written = generate_pieces(Path(trained["run"]), Output(midi, also=("wav", "html")), settings=settings, quiet=quiet)
    piece, held_out = read_midi(midi), canonical_scores(corpus, "valid", tokenizer)
    picture = out / "piece.png"
    write_piano_roll([piece, held_out[0]], picture, title=["generated", "a real chorale, held out of training"])
    return {
        "midi": str(midi),
        "sound": str(midi.with_suffix(".wav")),
        "page": str(midi.with_suffix(".html")),
        "picture": str(picture),
        "seed": next(iter(written["pieces"].values()))["seed"],
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


def canonical_scores(corpus: Corpus, split: str, tokenizer: Tokenizer) -> list[Score]:
    """The pieces of a split, as far as tokens can say them: what the model could write at best."""
    return [tokenizer.canonical(corpus.score(int(index)))[0] for index in corpus.indices(split)]
