"""What augmentation adds and what it leaves: distinct windows, musical statistics, drums, speed.

    python benchmarks/augmentation.py [CORPUS_OR_PATH...] [--epochs 20] [--pieces 200] [--json]

Takes a prepared corpus, or music files, folders and archives, from which it prepares one in a temporary folder; the
built-in chorales when not given any. All seven augmentations are on, at their defaults, for every piece and epoch.
Variety: distinct windows (exact tokens) over the epochs, with and without, and distinct runs of 16 tokens from any
token on, which windows that only begin elsewhere do not add to. Statistics: overlap (1 is equal; the common area of two
histograms) of pieces as they are and augmented once: pitch-class intervals between the highest notes of successive
onsets (30 ms apart at least), and density, polyphony and mean duration by piece, of `aurl.evaluation.metrics`, in 10
equal bins up to 1.5 times the largest; beside it the same overlap of two random halves of the pieces as they are, which
is what chance leaves. Drums: drum notes whose pitch any augmentation changed. Strategies: share of the targets of all
pieces that an epoch sees, windows that begin a bar by the tokenizer's clock. Speed: samples of 1,024 targets a second
of wall time, in epochs 0 and 1, by the loader of training.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from itertools import count, takewhile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from aurl.data.augmentation import AUGMENTATIONS, AugmentationConfig, Augmenter, augmented
from aurl.data.corpus import PrepareConfig, build_corpus
from aurl.data.dataset import TokenDataset
from aurl.data.embedded import chorales_archive
from aurl.data.store import Corpus
from aurl.data.tokenizers import EventTokenizer
from aurl.data.windows import bar_starts
from aurl.evaluation.metrics import METRICS
from aurl.music.score import Score
from aurl.training.loader import updates

CONTEXT, BATCH_TOKENS, SAMPLE = 1024, 8192, 1024
RUN = 16
TOGETHER_SECONDS = 0.03
BY_PIECE = ("note_density", "polyphony", "mean_duration")
BINS = 10
ALL: tuple[AugmentationConfig, ...] = tuple(AUGMENTATIONS.parse(name) for name in AUGMENTATIONS.names())  # type: ignore[misc]


def main() -> None:
    """Measure, then print figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="*", type=Path, metavar="CORPUS_OR_PATH", default=[chorales_archive()])
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--pieces", type=int, default=200, help="pieces for the statistics")
    parser.add_argument("--json", action="store_true", help="print JSON only")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        path = options.paths[0]
        if not (path / "corpus.json").is_file():
            path = Path(folder)
            build_corpus(options.paths, path, PrepareConfig())
        result = measure(Corpus.open(path), options.epochs, options.pieces)
    if options.json:
        print(json.dumps(result, indent=2))
    else:
        for name, value in flat(result):
            print(f"{name:58} {value:,.4g}" if isinstance(value, float) else f"{name:58} {value:,}")


def measure(corpus: Corpus, epochs: int, pieces: int) -> dict[str, Any]:
    """All figures."""
    indices = corpus.indices("train")
    plain = [corpus.score(int(index)) for index in indices[:: max(1, len(indices) // pieces)][:pieces]]
    augmenter = Augmenter(ALL, seed=0)
    varied = [augmented(score, augmenter.draw(0, number)) for number, score in enumerate(plain)]
    return {
        "pieces": len(indices),
        "variety": variety(corpus, epochs),
        "overlap": overlaps(plain, varied),
        "drums": drums(plain, varied),
        "windows": {name: strategy(corpus, name) for name in ("sliding", "truncate", "adaptive")},
        "samples_per_second": {
            "plain": speed(corpus, (), 0),
            **{f"all augmentations, {workers} workers": speed(corpus, ALL, workers) for workers in (0, 2)},
        },
    }


def variety(corpus: Corpus, epochs: int) -> dict[str, Any]:
    """Distinct windows and runs over the epochs."""
    result: dict[str, Any] = {}
    weights = np.random.default_rng(0).integers(1, 2**63, RUN, dtype=np.uint64) | np.uint64(1)
    for name, augment in (("without", ()), ("with", ALL)):
        data = dataset(corpus, augment)
        windows, runs = set(), np.zeros(0, np.uint64)
        for batch in takewhile(lambda batch: batch.epoch < epochs, map(data.batch, count())):
            found = [runs]
            for row, mask in zip(batch.targets[..., 0], batch.mask[..., 0], strict=True):
                tokens = row[mask].astype(np.uint64)
                windows.add(hash(tokens.tobytes()))
                if len(tokens) >= RUN:
                    found.append(np.lib.stride_tricks.sliding_window_view(tokens, RUN) @ weights)
            runs = np.unique(np.concatenate(found))
        result |= {f"distinct_windows_{name}": len(windows), f"distinct_runs_{name}": len(runs)}
    for what in ("windows", "runs"):
        result[f"times_more_{what}"] = result[f"distinct_{what}_with"] / result[f"distinct_{what}_without"]
    return result


def overlaps(plain: list[Score], varied: list[Score]) -> dict[str, float]:
    """Overlap of each statistic with augmentation, and of two halves without."""
    order = np.random.default_rng(0).permutation(len(plain))
    halves = [[plain[i] for i in order[start::2]] for start in (0, 1)]
    result = {}
    for name, (one, other) in {"augmented": (plain, varied), "chance": tuple(halves)}.items():
        result[f"pitch_class_intervals_{name}"] = common(intervals(one), intervals(other), np.arange(13))
        for metric in BY_PIECE:
            values = [np.array([METRICS[metric](score) for score in scores]) for scores in (one, other)]
            reference = np.array([METRICS[metric](score) for score in plain])
            top = 1.5 * float(np.nanmax(reference))
            clipped = [np.clip(found[~np.isnan(found)], 0, top) for found in values]
            result[f"{metric}_{name}"] = common(*clipped, np.linspace(0, top, BINS + 1))
    return result


def intervals(scores: list[Score]) -> np.ndarray:
    """Steps in pitch class, 0..11, between the highest notes of successive onsets."""
    found = []
    for score in scores:
        notes = score.notes.take(score.is_pitched)
        if len(notes):
            seconds = score.tempo_map.ticks_to_seconds(notes.onset)
            firsts = np.flatnonzero(np.append(True, np.diff(seconds) > TOGETHER_SECONDS))
            found.append(np.diff(np.maximum.reduceat(notes.pitch.astype(int), firsts)) % 12)
    return np.concatenate(found)


def common(one: np.ndarray, other: np.ndarray, edges: np.ndarray) -> float:
    """Common area of two histograms."""
    shares = [np.histogram(values, edges)[0] / max(1, len(values)) for values in (one, other)]
    return float(np.minimum(*shares).sum())


def drums(plain: list[Score], varied: list[Score]) -> dict[str, int]:
    """Drum notes, and drum sounds that were not there before."""
    total, changed = 0, 0
    for before, after in zip(plain, varied, strict=True):
        old, new = (score.notes.take(~score.is_pitched).pitch for score in (before, after))
        total += len(old)
        changed += int((np.maximum(0, np.bincount(new, minlength=128) - np.bincount(old, minlength=128))).sum())
    return {"notes": total, "transposed": changed}


def strategy(corpus: Corpus, windows: str) -> dict[str, float]:
    """What an epoch sees, averaged over four."""
    data = dataset(corpus, (), windows=windows)
    tokenizer, seen, begin_bars, number = data.tokenizer, 0, 0, 0
    for epoch in range(4):
        plan = data._plan(epoch)
        for row in zip(plan.pieces.tolist(), plan.places.tolist(), plan.lengths.tolist(), strict=True):
            window = data._window(epoch, *row)
            tokens = data._piece(row[0], epoch).tokens
            starts = bar_starts(tokenizer.clock(tokens).bars) if windows != "truncate" else np.zeros(1, int)
            first = start_of(window, tokens)
            begin_bars += int(np.isin(first, starts))
            seen, number = seen + len(window) - 1, number + 1
    return {"share_of_targets_per_epoch": seen / 4 / (data.lengths - 1).sum(), "begin_a_bar": begin_bars / number}


def start_of(window: np.ndarray, tokens: np.ndarray) -> int:
    """Where a window that is a view of the tokens begins."""
    return (window.__array_interface__["data"][0] - tokens.__array_interface__["data"][0]) // tokens.strides[0]


def speed(corpus: Corpus, augment: tuple[AugmentationConfig, ...], workers: int) -> dict[str, float]:
    """Samples a second in the first epochs."""
    data = dataset(corpus, augment)
    sizes = [data.batches_in_epoch(epoch) for epoch in (0, 1)]
    found = {}
    stream = updates(data, first=0, last=sum(sizes), accumulate=1, workers=workers, device=torch.device("cpu"))
    for epoch, size in enumerate(sizes):
        began = time.perf_counter()
        targets = sum(next(stream)[0].tokens for _ in range(size))
        found[f"epoch {epoch}"] = targets / SAMPLE / (time.perf_counter() - began)
    return found


def dataset(corpus: Corpus, augment: tuple[AugmentationConfig, ...], windows: str = "sliding") -> TokenDataset:
    return TokenDataset(
        corpus,
        EventTokenizer(),
        split="train",
        context=CONTEXT,
        batch_tokens=BATCH_TOKENS,
        seed=0,
        augment=augment,
        windows=windows,  # type: ignore[arg-type]
    )


def flat(values: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Nested figures with joined names."""
    rows = []
    for name, value in values.items():
        rows += flat(value, f"{prefix}{name}: ") if isinstance(value, dict) else [(prefix + name, value)]
    return rows


if __name__ == "__main__":
    main()
