"""What a corpus holds, as plain numbers: collected one score at a time, a few bytes kept of each piece.

`statistics` returns nested names and values fit for JSON. A distribution is either `measure` (a value of each piece:
count, mean, percentiles and a histogram) or `counts` (how often each name occurs). Seconds, MIDI pitches, quarter notes
a minute. What a figure means is told where it is computed; metrics are given by the caller, who knows them.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aurl.data.lengths import PieceLengths
from aurl.data.quality import max_polyphony
from aurl.data.store import Corpus
from aurl.data.tokenizers import Tokenizer
from aurl.music.score import Score
from aurl.music.theory import PROGRAM_NAMES, estimate_key, key_name

BINS = 32
PERCENTILES = {"min": 0, "5 %": 5, "25 %": 25, "median": 50, "75 %": 75, "95 %": 95, "max": 100}
LARGEST_CLUSTERS = 20
LABELS = ("chord", "key", "section")
Metric = Callable[[Score], float]


@dataclass
class Gathered:
    """What has been seen so far."""

    values: dict[str, list[float]] = field(default_factory=dict)
    counts: dict[str, Counter[str]] = field(default_factory=dict)
    pitches: NDArray[np.int64] = field(default_factory=lambda: np.zeros(128, np.int64))
    velocities: NDArray[np.int64] = field(default_factory=lambda: np.zeros(128, np.int64))

    def add_value(self, name: str, value: float) -> None:
        """One more piece's value of a measure."""
        self.values.setdefault(name, []).append(value)

    def add_names(self, name: str, names: Sequence[str]) -> None:
        """Count each name once for a piece."""
        self.counts.setdefault(name, Counter()).update(set(names))


def statistics(
    corpus: Corpus,
    tokenizers: Mapping[str, Tokenizer],
    *,
    metrics: Mapping[str, Metric],
    on_piece: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """Everything that a report shows; `metrics` of each score are among the measures."""
    gathered = Gathered()
    lengths = {name: PieceLengths(tokenizer) for name, tokenizer in tokenizers.items()}
    sources: dict[int, list[str]] = {}
    for index in range(len(corpus)):
        score, known = corpus.score(index), corpus.metadata(index)
        _gather(gathered, score, known, metrics)
        for name, pieces in lengths.items():
            gathered.add_value(f"tokens ({name})", pieces.add(score))
        sources.setdefault(int(corpus.clusters[index]), []).append(known["source"])
        on_piece()
    told = corpus.description
    return {
        "corpus": {
            "pieces": told.pieces, "compositions": told.compositions, "notes": told.notes,
            "hours": told.seconds / 3600, "files": told.input_files, "fingerprint": told.fingerprint,
        },
        "splits": dict(corpus.splits),
        "measures": {name: measure(values) for name, values in gathered.values.items()},
        "notes": {"pitch": gathered.pitches.tolist(), "velocity": gathered.velocities.tolist()},
        "counts": {name: dict(counts.most_common()) for name, counts in gathered.counts.items()},
        "lengths": {name: pieces.report().to_dict() for name, pieces in lengths.items()},
        "duplicates": _duplicates(list(sources.values())),
        "repairs": told.repairs,
        "failures": told.failures,
        "ignored": told.ignored,
    }  # fmt: skip


def measure(values: Sequence[float]) -> dict[str, Any]:
    """Mean, percentiles and a histogram of values, those that are not finite left aside."""
    known = np.array([value for value in values if math.isfinite(value)])
    if not len(known):
        return {"count": 0}
    top = float(np.percentile(known, 99))  # one piece of many hours must not flatten the picture of all others
    low = float(known.min())
    counts, edges = np.histogram(np.minimum(known, top), BINS, (low, top if top > low else low + 1))
    percentiles = {name: float(np.percentile(known, percent)) for name, percent in PERCENTILES.items()}
    histogram = {"edges": edges.tolist(), "counts": counts.tolist()}
    return {"count": len(known), "mean": float(known.mean()), **percentiles, "histogram": histogram}


def _gather(gathered: Gathered, score: Score, known: Mapping[str, str], metrics: Mapping[str, Metric]) -> None:
    notes = score.notes
    gathered.add_value("notes", len(notes))
    gathered.add_value("seconds", score.duration_seconds)
    gathered.add_value("most notes at once", max_polyphony(score))
    gathered.add_value("tracks", len(np.unique(notes.track)))
    for name, metric in metrics.items():
        gathered.add_value(name.replace("_", " "), metric(score))
    gathered.pitches += np.bincount(notes.pitch[score.is_pitched], minlength=128)
    gathered.velocities += np.bincount(notes.velocity, minlength=128)
    signatures = score.time_signatures
    metres = [f"{n}/{d}" for n, d in zip(signatures.numerator, signatures.denominator, strict=True)]
    tempos = [f"{10 * round(bpm / 10)}" for bpm in score.tempos.bpm]
    playing = [score.tracks[track] for track in np.unique(notes.track)]
    gathered.add_names("key", _keys(score))
    gathered.add_names("metre", metres or ["none given"])
    gathered.add_names("tempo in bpm", tempos or ["none given"])
    gathered.add_names("instrument", ["Drums" if t.is_drum else PROGRAM_NAMES[t.program] for t in playing])
    gathered.add_names("label", _labels(score))
    for name in ("genre", "composer", "format"):
        gathered.add_names(name, [known[name]] if known.get(name) else [])


def _keys(score: Score) -> list[str]:
    """The keys that labels name, or else the one that all notes suggest by how long they last."""
    named = [str(text) for text in score.texts.of("key").text]
    if named:
        return named
    notes = score.notes.take(score.is_pitched)
    weights = np.bincount(notes.pitch % 12, weights=notes.duration, minlength=12)
    tonic, is_minor, fit = estimate_key(weights)
    return [key_name(tonic, is_minor)] if fit else []


def _labels(score: Score) -> list[str]:
    """Such as `chord: detected`: where labels are from, by kind."""
    told = {kind: score.metadata.get(f"labels.{kind}", "") for kind in LABELS}
    return [f"{kind}: {origin.partition(':')[0]}" for kind, origin in told.items() if origin]


def _duplicates(clusters: Sequence[list[str]]) -> dict[str, Any]:
    """How many pieces are near-duplicates of another, and the largest clusters of them by their sources."""
    shared = sorted((cluster for cluster in clusters if len(cluster) > 1), key=len, reverse=True)
    return {
        "clusters": len(shared),
        "pieces": sum(map(len, shared)),
        "sizes": {str(size): count for size, count in sorted(Counter(map(len, shared)).items())},
        "largest": shared[:LARGEST_CLUSTERS],
    }
