"""Do distances between sets of music rank what must be ranked: real, little spoilt, much spoilt, shuffled?

    python benchmarks/sanity.py --corpus CORPUS [--model MODEL] [--pieces 100] [--draws 200] [--seed 0] [--json]

The held-out pieces of CORPUS (its split `valid`, else every second one of `train`) are spoilt in four ways: 5 % or 40
% of the notes moved, half of them by up to an octave and half by up to a quarter note; the bars put in random order;
the pitches, times and lengths of all notes exchanged. Beside them stand pieces of a Markov chain as long. Their
Frechet distance to `pieces` of `train`, extrapolated to infinite sets, is taken by hand features and, with MODEL, by
its own embedding. Held-out pieces and reference are drawn anew `draws` times, the same for all: told is in which
share of the draws two distances stand in their order. For hand features also: those that bars in random order leave
as they are.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aurl.data.store import Corpus
from aurl.data.tokenizers import TOKENIZERS
from aurl.evaluation.frechet import frechet, infinite_distance, standardised
from aurl.evaluation.metrics import METRICS, features
from aurl.music.score import Score

Floats = NDArray[np.float64]
ORDER = ("real", "5 % moved", "40 % moved", "notes shuffled")
"""From the nearest to the farthest."""
UNCHANGED = 0.1
"""Standard deviations of the reference by which a figure moves on average and counts as unchanged."""


def moved(share: float) -> Callable[[Score, np.random.Generator], Score]:
    """A share of the notes moved in pitch or in time."""

    def spoil(score: Score, rng: np.random.Generator) -> Score:
        notes, beat = score.notes, score.ticks_per_beat
        chosen = rng.random(len(notes)) < share
        in_pitch = chosen & (rng.random(len(notes)) < 0.5)
        steps = rng.integers(1, 13, len(notes)) * rng.choice([-1, 1], len(notes)) * in_pitch
        ticks = rng.integers(1, 5, len(notes)) * rng.choice([-1, 1], len(notes)) * (chosen & ~in_pitch) * beat // 4
        pitch = np.clip(notes.pitch.astype(int) + steps, 0, 127)
        return score.replace(notes=notes.replace(pitch=pitch, onset=np.abs(notes.onset + ticks)))

    return spoil


def bars_shuffled(score: Score, rng: np.random.Generator) -> Score:
    """The bars of the commonest length in random order; a note stays in its bar."""
    bars = score.metre_map.ticks_to_bar_beat(score.notes.onset)[0]
    starts = score.metre_map.bar_to_ticks(np.arange(bars.max(initial=0) + 2))
    lengths = np.diff(starts)
    alike = np.flatnonzero(lengths == np.bincount(lengths).argmax())
    to = np.arange(len(lengths))
    to[alike] = rng.permutation(alike)
    return score.replace(notes=score.notes.replace(onset=score.notes.onset + starts[to[bars]] - starts[bars]))


def notes_shuffled(score: Score, rng: np.random.Generator) -> Score:
    """Every note with the pitch of one note, the time of another and the length of a third."""
    notes = score.notes
    onset, pitch, duration = (rng.permutation(column) for column in (notes.onset, notes.pitch, notes.duration))
    return score.replace(notes=notes.replace(onset=onset, pitch=pitch, duration=duration))


def markov(known: list[Score]) -> Callable[[Score, np.random.Generator], Score]:
    """Notes each of which follows the one before as one of the same pitch was followed in `known`."""
    moves = []
    for score in known:
        notes = score.notes.sorted()
        steps, lengths = np.diff(notes.onset) / score.ticks_per_beat, notes.duration[1:] / score.ticks_per_beat
        moves.append(np.stack([notes.pitch[:-1], notes.pitch[1:], steps, lengths, notes.velocity[1:]]))
    before, *after = np.concatenate(moves, axis=1)
    order = np.argsort(before, kind="stable")
    starts = np.searchsorted(before[order], np.arange(129))

    def write(score: Score, rng: np.random.Generator) -> Score:
        pitch, chosen = int(rng.choice(before)), np.zeros(len(score.notes), np.int64)
        for number in range(len(chosen)):
            if starts[pitch] == starts[pitch + 1]:  # it was only ever the last
                pitch = int(rng.choice(before))
            chosen[number] = order[rng.integers(starts[pitch], starts[pitch + 1])]
            pitch = int(after[0][chosen[number]])
        pitches, steps, lengths, velocities = (column[chosen] for column in after)
        beat = score.ticks_per_beat
        columns = {"onset": np.rint(np.cumsum(steps) * beat), "duration": np.maximum(np.rint(lengths * beat), 1)}
        return score.replace(notes=score.notes.replace(**columns, pitch=pitches, velocity=velocities))

    return write


SPOILT: dict[str, Callable[[Score, np.random.Generator], Score]] = {
    "real": lambda score, _: score,
    "5 % moved": moved(0.05),
    "40 % moved": moved(0.4),
    "bars shuffled": bars_shuffled,
    "notes shuffled": notes_shuffled,
}


def embedding_of(model_path: Path) -> Callable[[list[Score]], Floats]:
    """The mean hidden state of each piece."""
    import torch

    from aurl.evaluation.embedding import embed
    from aurl.models.pretrained import load_model

    torch.set_num_threads(1)
    model, experiment = load_model(model_path)
    tokenizer = TOKENIZERS.build(TOKENIZERS.parse(experiment["tokenizer"]))
    return lambda scores: embed(model, tokenizer, scores)


def ranked(sets: dict[str, Floats], reference: Floats, draws: int, seed: int) -> dict[str, Any]:
    """The distance of each set, and the share of draws in which they stand in order."""
    table = np.zeros((draws, len(sets)))
    for draw in range(draws):
        rng = np.random.default_rng([seed, draw])
        theirs = reference[rng.integers(0, len(reference), len(reference))]
        held = rng.integers(0, len(sets["real"]), len(sets["real"]))
        parts = int(rng.integers(1 << 32))
        table[draw] = [infinite_distance(rows[held], theirs, np.random.default_rng(parts)) for rows in sets.values()]
    by = dict(zip(sets, table.T, strict=True))
    pairs = [*pairwise(ORDER), ("real", "bars shuffled")]
    return {
        "distances": {name: vars(frechet(rows, reference, seed=seed, repeats=draws)) for name, rows in sets.items()},
        "in order": {f"{near} < {far}": float((by[near] < by[far]).mean()) for near, far in pairs},
        "all in order": float((np.diff(np.stack([by[name] for name in ORDER]), axis=0) > 0).all(axis=0).mean()),
    }


def unchanged_by_bars(sets: dict[str, Floats], reference: Floats) -> list[str]:
    """Hand features that stay where they are when bars are put in random order."""
    spread = np.nanstd(reference, axis=0)
    change = np.abs(np.nanmean(sets["bars shuffled"] - sets["real"], axis=0))
    return [name for name, by, of in zip(METRICS, change, spread, strict=True) if by < UNCHANGED * of]


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Every figure."""
    began, corpus = time.process_time(), Corpus.open(options.corpus)
    rng = np.random.default_rng(options.seed)
    train, held = corpus.indices("train"), corpus.indices("valid")
    if not len(held):
        train, held = train[::2], train[1::2]
    train, held = (np.sort(rng.permutation(part)[: options.pieces]) for part in (train, held))
    real = [corpus.score(int(piece)) for piece in held]
    known = [corpus.score(int(piece)) for piece in train]
    ways = SPOILT | {"Markov": markov(known)}
    spoilt = {name: [spoil(score, rng) for score in real] for name, spoil in ways.items()}
    figures = {name: features(scores) for name, scores in spoilt.items()}
    reference = features(known)
    result: dict[str, Any] = {"held-out pieces": len(real), "reference pieces": len(known), "draws": options.draws}
    scaled = {name: standardised(rows, reference) for name, rows in figures.items()}
    result["hand features"] = ranked(scaled, standardised(reference, reference), options.draws, options.seed)
    result["hand features"]["unchanged by bars shuffled"] = unchanged_by_bars(figures, reference)
    if options.model:
        vectors = embedding_of(options.model)
        embedded = {name: vectors(scores) for name, scores in spoilt.items()}
        result["embedding"] = ranked(embedded, vectors(known), options.draws, options.seed)
    return result | {"cpu_seconds": time.process_time() - began}


def show(result: dict[str, Any]) -> None:
    """Print the table."""
    for kind, value in result.items():
        if not isinstance(value, dict):
            print(f"{kind:44}{value:.4g}")
            continue
        print(f"\n{kind}: distance to the reference, 95 %")
        for name, distance in value["distances"].items():
            print(f"  {name:42}{distance['value']:.3f}  [{distance['low']:.3f}, {distance['high']:.3f}]")
        for name, share in (value["in order"] | {"all in order": value["all in order"]}).items():
            print(f"  {name:42}{share:.3f}")
        if names := value.get("unchanged by bars shuffled"):
            print(f"  unchanged by bars shuffled: {', '.join(names)}\n")


def main() -> None:
    """Measure, then print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--pieces", type=int, default=100, help="at most, of the reference and of the held-out ones")
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print JSON only")
    options = parser.parse_args()
    result = measure(options)
    if options.json:
        print(json.dumps(result, indent=2))
    else:
        show(result)


if __name__ == "__main__":
    main()
