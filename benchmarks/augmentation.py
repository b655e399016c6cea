"""What augmentation adds, what it leaves and what it costs: variety, musical statistics, drums, processor time.

    python benchmarks/augmentation.py [CORPUS_OR_PATH...] [--pieces 40] [--json]

Takes a prepared corpus, or music files, folders and archives, from which it prepares one in a temporary folder; the
built-in chorales when not given any. Evenly spaced pieces of its training split are augmented as in 12 epochs of
training, by all seven augmentations at their defaults, and by each alone.

Variety: distinct musical content, which is distinct runs of 16 successive rows of tokens of whole pieces, from any row
on: seen in 12 epochs with augmentation, over those of the pieces as they are, counted in a sample of one in eight by
their hash (which moves the ratio by about 2 %). Windows choose where a run is seen, not
what it says, so they add nothing. The bound is 12 times the runs of an epoch over the distinct ones without: above 12
where pieces repeat themselves or get more tokens. Runs are told apart by what a tokenizer keeps: `event` performed time
in 1/64 s and 32 levels of velocity, `note` steps of a beat. Statistics: mean and standard deviation over pieces of
density, polyphony and mean duration (`aurl.evaluation.metrics`) without and with, and the total variation distance (0
equal, 1 apart) of the histograms of pitch-class intervals between the highest notes of successive onsets (30 ms apart
at least); beside it that of two random halves of the pieces as they are, which is what chance makes. Drums: drum notes
heard, and those of a pitch of which their piece had fewer. Cost: process time of reading and encoding a piece
(`event`), without and with all seven, the least of 12 epochs. Loader: samples of 1,024 targets a second through the
loader of training, over the whole training split, in the first and second epoch: of process time without workers, of
wall time with two. Without augmentation tokens come from the token cache, filled before the clock runs.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from aurl.data.augmentation import AUGMENTATIONS, AugmentationConfig, Augmenter, augmented
from aurl.data.corpus import PrepareConfig, build_corpus
from aurl.data.dataset import TokenDataset
from aurl.data.embedded import chorales_archive
from aurl.data.store import Corpus
from aurl.data.tokenizers import EventTokenizer, NoteTokenizer, Tokenizer
from aurl.evaluation.metrics import METRICS
from aurl.music.score import Score
from aurl.training.loader import updates

EPOCHS, RUN = 12, 16
CONTEXT, BATCH_TOKENS = 1024, 8192
RUN_WEIGHTS, FIELD_WEIGHTS = np.random.default_rng(0).integers(1 << 63, size=(2, RUN), dtype=np.uint64) * 2 + 1
SAMPLED = 1 << 61
TOGETHER_SECONDS = 0.03
BY_PIECE = ("note_density", "polyphony", "mean_duration")
ALL: tuple[AugmentationConfig, ...] = tuple(AUGMENTATIONS.parse(name) for name in AUGMENTATIONS.names())  # type: ignore[misc]


def main() -> None:
    """Measure, then print figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="*", type=Path, metavar="CORPUS_OR_PATH", default=[chorales_archive()])
    parser.add_argument("--pieces", type=int, default=40, help="pieces for all but the loader")
    parser.add_argument("--json", action="store_true", help="print JSON only")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        path = options.paths[0]
        if not (path / "corpus.json").is_file():
            path = Path(folder)
            build_corpus(options.paths, path, PrepareConfig(labels=()))
        result = measure(Corpus.open(path), options.pieces)
    if options.json:
        print(json.dumps(result, indent=2))
    else:
        for name, value in flat(result):
            print(f"{name:58} {value:,.4g}" if isinstance(value, float) else f"{name:58} {value:,}")


def measure(corpus: Corpus, pieces: int) -> dict[str, Any]:
    """All figures."""
    indices = corpus.indices("train")
    rows = np.unique(np.linspace(0, len(indices) - 1, pieces).astype(int))
    plain = [corpus.score(int(indices[row])) for row in rows]
    varied = epochs_of(plain, ALL)
    return {
        "pieces": len(plain),
        "notes": sum(len(score.notes) for score in plain),
        "times_more_content": variety(plain, varied),
        "statistics": statistics(plain, varied),
        "drums": drums(plain, varied),
        "cost": cost(corpus, indices[rows]),
        "samples_per_second": {
            "plain": speed(corpus, (), 0),
            "all": speed(corpus, ALL, 0),
            "all, 2 workers, wall": speed(corpus, ALL, 2),
        },
    }


def epochs_of(plain: list[Score], augment: tuple[AugmentationConfig, ...]) -> list[list[Score]]:
    """The pieces in each epoch."""
    augmenter = Augmenter(augment, seed=0)
    return [
        [augmented(score, augmenter.draw(epoch, number)) for number, score in enumerate(plain)]
        for epoch in range(EPOCHS)
    ]


def variety(plain: list[Score], varied: list[list[Score]]) -> dict[str, float]:
    """Distinct runs over the epochs, over those of the pieces as they are; each augmentation alone as `event` alone."""
    event = EventTokenizer()
    result = {f"all, {name}": times_more(plain, varied, t) for name, t in (("event", event), ("note", NoteTokenizer()))}
    alone = zip(AUGMENTATIONS.names(), ALL, strict=True)
    return result | {name: times_more(plain, epochs_of(plain, (config,)), event) for name, config in alone}


def times_more(plain: list[Score], varied: list[list[Score]], tokenizer: Tokenizer) -> float:
    """How many times the distinct runs the epochs have."""
    found = np.unique(np.concatenate([runs(epoch, tokenizer) for epoch in varied]))
    return len(found) / len(runs(plain, tokenizer))


def runs(scores: list[Score], tokenizer: Tokenizer) -> np.ndarray:
    """A hash of each distinct run, of the eighth of all hashes that begins with zeros: whichever run has one counts."""
    found = []
    for score in scores:
        words = tokenizer.encode(score).astype(np.uint64) @ FIELD_WEIGHTS[: len(tokenizer.vocabulary.pad)]
        count = max(0, len(words) - RUN + 1)
        hashes = sum(
            (words[at : at + count] * weight for at, weight in enumerate(RUN_WEIGHTS)), np.zeros(count, np.uint64)
        )
        found.append(hashes[hashes < SAMPLED])
    return np.unique(np.concatenate(found))


def statistics(plain: list[Score], varied: list[list[Score]]) -> dict[str, dict[str, float]]:
    """Means and deviations over pieces, distances of intervals, without and with."""
    result: dict[str, dict[str, float]] = {}
    every = [score for epoch in varied for score in epoch]
    for metric in BY_PIECE:
        for name, scores in {"without": plain, "with": every}.items():
            values = [METRICS[metric](score) for score in scores]
            result.setdefault(metric, {})[f"mean {name}"] = float(np.nanmean(values))
            result[metric][f"deviation {name}"] = float(np.nanstd(values))
    order = np.random.default_rng(0).permutation(len(plain))
    halves = [intervals([plain[i] for i in order[start::2]]) for start in (0, 1)]
    whole = intervals(plain)
    result["pitch_class_interval_distance"] = {
        "with augmentation": apart(whole, intervals(every)),
        "of two halves": apart(*halves),
    }
    return result


def intervals(scores: list[Score]) -> np.ndarray:
    """Shares of the steps in pitch class, 0..11, between the highest notes of successive onsets."""
    counts = np.zeros(12)
    for score in scores:
        notes = score.notes.take(score.is_pitched)
        if len(notes):
            seconds = score.tempo_map.ticks_to_seconds(notes.onset)
            firsts = np.flatnonzero(np.append(True, np.diff(seconds) > TOGETHER_SECONDS))
            steps = np.diff(np.maximum.reduceat(notes.pitch.astype(int), firsts)) % 12
            counts += np.bincount(steps, minlength=12)
    return counts / counts.sum()


def apart(one: np.ndarray, other: np.ndarray) -> float:
    """Total variation distance."""
    return float(np.abs(one - other).sum() / 2)


def drums(plain: list[Score], varied: list[list[Score]]) -> dict[str, int]:
    """Drum notes heard in the epochs, and those of pitches of which their piece has fewer."""
    total, changed = 0, 0
    for epoch in varied:
        for before, after in zip(plain, epoch, strict=True):
            old, new = (np.bincount(s.notes.pitch[~s.is_pitched], minlength=128) for s in (before, after))
            total += int(new.sum())
            changed += int(np.maximum(0, new - old).sum())
    return {"notes": total, "transposed": changed}


def cost(corpus: Corpus, indices: np.ndarray) -> dict[str, float]:
    """Milliseconds of process time a piece."""
    tokenizer, augmenter = EventTokenizer(), Augmenter(ALL, seed=0)
    found = []
    for epoch in range(EPOCHS):
        times = [time.process_time()]
        for index in indices.tolist():
            tokenizer.encode(corpus.score(index))
        times.append(time.process_time())
        for index in indices.tolist():
            tokenizer.encode(augmented(corpus.score(index), augmenter.draw(epoch, index)))
        times.append(time.process_time())
        found.append(np.diff(times) * 1000 / len(indices))
    plain, varied = np.min(found, axis=0).tolist()
    return {"ms without": plain, "ms with all": varied, "times": varied / plain}


def speed(corpus: Corpus, augment: tuple[AugmentationConfig, ...], workers: int) -> dict[str, float]:
    """Samples a second in the first epochs; what workers use is not this process's time."""
    clock = time.perf_counter if workers else time.process_time
    settings: dict[str, Any] = {"split": "train", "context": CONTEXT, "batch_tokens": BATCH_TOKENS, "seed": 0}
    data = TokenDataset(corpus, EventTokenizer(), augment=augment, **settings)
    sizes = [data.batches_in_epoch(epoch) for epoch in (0, 1)]
    found = {}
    stream = updates(data, first=0, last=sum(sizes), accumulate=1, workers=workers, device=torch.device("cpu"))
    for epoch, size in enumerate(sizes):
        began = clock()
        targets = sum(next(stream)[0].tokens for _ in range(size))
        found[f"epoch {epoch}"] = targets / CONTEXT / (clock() - began)
    return found


def flat(values: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Nested figures with joined names."""
    rows = []
    for name, value in values.items():
        rows += flat(value, f"{prefix}{name}: ") if isinstance(value, dict) else [(prefix + name, value)]
    return rows


if __name__ == "__main__":
    main()
