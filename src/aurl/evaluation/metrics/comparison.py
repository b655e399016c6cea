"""Metrics of scores beside those of real music: does a figure lie within the middle nine tenths of the reference?

What lies outside is unlike the reference; what lies inside need not be good. Knows nothing of models.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from aurl.evaluation.metrics.catalogue import METRICS
from aurl.music.score import Score
from aurl.utils.errors import CorpusError


@dataclass(frozen=True)
class MetricRow:
    """One metric of some scores, and its quantiles over the reference."""

    metric: str
    values: tuple[float, ...]
    """One for each score that has the metric."""
    reference_5_percent: float
    reference_median: float
    reference_95_percent: float

    @property
    def inside(self) -> bool:
        """Whether the median of the values lies within the reference's 5 % and 95 %."""
        return self.reference_5_percent <= float(np.median(self.values)) <= self.reference_95_percent

    def summary(self) -> str:
        """The row in words."""
        where = "inside" if self.inside else "outside"
        span = f"{self.reference_5_percent:.3g} to {self.reference_95_percent:.3g}"
        return f"{np.median(self.values):.3g}, {where} {span} (median {self.reference_median:.3g})"


Reference = dict[str, tuple[float, float, float]]
"""The 5 %, 50 % and 95 % quantiles of each metric over real music."""
ANY = "any"
"""What stands for all genres together, where references are kept by genre."""
NEARNESS = 0.01
"""What distance from the medians weighs beside lying outside: it decides between pieces with as much inside."""
COMPARED = (
    "pitch_range", "mean_pitch", "note_density", "mean_duration", "polyphony", "silence", "pitch_class_entropy",
    "key_fit", "repetition",
)  # fmt: skip
"""The metrics that a comparison shows: few enough to read, and plain words to a musician."""


def reference_of(scores: Iterable[Score], names: Collection[str] = tuple(METRICS)) -> Reference:
    """Where the named metrics of `scores` lie."""
    described = [describe(score, names) for score in scores]
    found: Reference = {}
    for name in names:
        known = [figures[name] for figures in described if name in figures]
        if known:
            low, middle, high = np.quantile(known, [0.05, 0.5, 0.95]).tolist()
            found[name] = (low, middle, high)
    return found


def unlikeness(score: Score, reference: Reference) -> float:
    """Share of the reference's metrics, 0..1, that lie outside the 5 % to 95 % of real music, where a piece has them.

    Of pieces with as many inside, that is less which is nearer to the medians: up to `NEARNESS` is added, for the mean
    distance in spreads from 5 % to 95 %.
    """
    known = {name: told for name, told in reference.items() if name in METRICS}
    ours, found = describe(score, known), []
    for name, (low, middle, high) in known.items():
        value = ours.get(name, math.inf)
        distance = abs(value - middle) / max(high - low, 1e-9)
        found.append(float(not low <= value <= high) + NEARNESS * min(distance, 1.0))
    return sum(found) / max(1, len(found))


def describe(score: Score, names: Collection[str] = tuple(METRICS)) -> dict[str, float]:
    """The named metrics, those that `score` has: one without pitched notes has no `mean_pitch`."""
    values = {name: METRICS[name](score) for name in names}
    return {name: value for name, value in values.items() if not math.isnan(value)}


def compare(scores: Sequence[Score], reference: Sequence[Score]) -> list[MetricRow]:
    """A row for each metric of COMPARED that scores and reference both have; raises CorpusError without reference."""
    if not reference:
        raise CorpusError("there are no reference pieces to compare with", hint="prepare a corpus with a valid split")
    return beside(scores, reference_of(reference, COMPARED))


def beside(scores: Sequence[Score], reference: Mapping[str, Sequence[float]]) -> list[MetricRow]:
    """A row for each metric of COMPARED that the scores have and whose quantiles over real music are known."""
    ours = [describe(score, COMPARED) for score in scores]
    rows = []
    for name in (name for name in COMPARED if name in reference):
        low, middle, high = reference[name]
        values = tuple(figures[name] for figures in ours if name in figures)
        if values:
            rows.append(MetricRow(name, values, low, middle, high))
    return rows
