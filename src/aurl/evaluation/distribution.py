"""How far the metrics of some pieces lie from those of a reference, metric by metric, as distributions.

Sets are float arrays [pieces, metrics], as `metrics.features` makes them; NaN where a piece lacks a metric. The overlap
and the divergence are those of the distances within the reference and the distances between the sets (Yang and Lerch
2018, mgeval): two sets alike in spread but not in place, or in place but not in spread, differ in both. Densities are
Gaussian kernels with Scott's bandwidth over all ordered pairs, looked at where distances were found, as there; unlike
there, both are read at the same places for the divergence. Knows no scores.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aurl.utils.errors import CorpusError

PLACES = 2048
"""Places at which densities are read; pairs are gathered there first, so that cost does not grow with their number."""
NARROWEST = 4.0
"""Least bandwidth in steps between places: below it distances that are all the same would fall between them."""
RANGE = (0.01, 0.99)
"""The quantiles of the reference between which a piece is inside."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class MetricDistance:
    """One metric of some pieces beside that of a reference; NaN where a set has fewer than two pieces with it."""

    metric: str
    overlapped_area: float
    """0 for sets that are worlds apart, about 1 for sets of one kind."""
    divergence_nats: float
    """Kullback-Leibler, of the distances between the sets from those within the reference; 0 for sets of one kind."""
    wasserstein: float
    """Mean distance that values have to move, in standard deviations of the reference; infinite where it has none."""
    inside: float
    """Share of the pieces, 0..1, in the reference's 1-99 % range."""


@dataclass(frozen=True)
class Distances:
    """All metrics of some pieces beside those of a reference."""

    metrics: tuple[MetricDistance, ...]
    inside_all: float
    """Share of the pieces, 0..1, that are inside by every metric at once."""


def distances(pieces: Floats, reference: Floats, names: Sequence[str]) -> Distances:
    """Compare two sets by each of the named columns; raises CorpusError for a set without pieces."""
    for what, rows in (("pieces to evaluate", pieces), ("reference pieces", reference)):
        if not len(rows):
            raise CorpusError(f"there are no {what}", hint="give at least one, better fifty")
    inside = is_inside(pieces, reference)
    found = [
        MetricDistance(name, *_divergences(ours, theirs), _wasserstein(ours, theirs), float(share))
        for name, ours, theirs, share in zip(
            names, _columns(pieces), _columns(reference), inside.mean(axis=0), strict=True
        )
    ]
    return Distances(tuple(found), float(inside.all(axis=1).mean()))


def is_inside(pieces: Floats, reference: Floats) -> NDArray[np.bool_]:
    """Whether each metric of each piece lies in the reference's 1-99 % range: [pieces, metrics].

    A piece that lacks a metric is inside when more than 1 % of the reference lack it too.
    """
    bounds = [np.quantile(column, RANGE) if len(column) else (math.nan, math.nan) for column in _columns(reference)]
    low, high = np.array(bounds).T
    may_lack = np.isnan(reference).mean(axis=0) > RANGE[0]
    return np.asarray(np.where(np.isnan(pieces), may_lack, (low <= pieces) & (pieces <= high)))


def _columns(rows: Floats) -> list[Floats]:
    """The values of each metric that are known."""
    return [column[~np.isnan(column)] for column in rows.T]


def _divergences(ours: Floats, theirs: Floats) -> tuple[float, float]:
    """Overlapped area and Kullback-Leibler divergence of the distances within `theirs` and from `ours` to `theirs`."""
    if len(theirs) < 2 or not len(ours):
        return math.nan, math.nan
    apart = np.abs(theirs[:, None] - theirs)
    within, between = apart[~np.eye(len(theirs), dtype=bool)], np.abs(ours[:, None] - theirs).ravel()
    low, high = min(within.min(), between.min()), max(within.max(), between.max())
    if low == high:
        return 1.0, 0.0
    first, second = (density((values - low) / (high - low)) for values in (within, between))
    overlap = float(np.trapezoid(np.minimum(first, second), dx=1 / (PLACES - 1)))
    tiny = np.finfo(np.float64).tiny
    p, q = (np.maximum(density / density.sum(), tiny) for density in (first, second))
    return overlap, float(np.sum(p * np.log(p / q)))


def density(values: Floats) -> Floats:
    """Gaussian kernel density, by Scott's bandwidth, of values in 0..1 at evenly spaced places from 0 to 1."""
    last = PLACES - 1
    width = max(float(values.std(ddof=1)) * len(values) ** -0.2 * last, NARROWEST)
    left = np.minimum(np.floor(values * last).astype(np.int64), last - 1)
    right_share = values * last - left
    counts = np.bincount(left, 1 - right_share, PLACES) + np.bincount(left + 1, right_share, PLACES)
    kernel = np.exp(-((np.arange(-last, PLACES) / width) ** 2) / 2) * last / (width * math.sqrt(2 * math.pi))
    return np.convolve(kernel, counts / len(values), "valid")


def _wasserstein(ours: Floats, theirs: Floats) -> float:
    """The first Wasserstein distance in standard deviations of `theirs`."""
    if len(theirs) < 2 or not len(ours):
        return math.nan
    values = np.sort(np.concatenate([ours, theirs]))
    shares = [np.searchsorted(np.sort(side), values[:-1], side="right") / len(side) for side in (ours, theirs)]
    moved = float(np.abs(shares[0] - shares[1]) @ np.diff(values))
    spread = float(theirs.std(ddof=1)) if np.ptp(theirs) else 0.0
    if not spread:
        return math.inf if moved else 0.0
    return moved / spread
