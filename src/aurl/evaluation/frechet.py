"""Frechet distance: how far apart two sets of vectors lie, by their means m and their covariances C.

    |m1 - m2|^2 + tr(C1) + tr(C2) - 2 tr((C1^1/2 C2 C1^1/2)^1/2)        (Dowson, Landau 1982; Heusel et al. 2017)

Between finite sets it is too large, by about a constant over their size. So it is measured on shares of both sets, and
a line through those against 1 / share tells, at 0, the distance of infinite sets (Chong, Forsyth 2020, there for one
set); sets of one kind may come out a little below 0. That holds for several vectors a dimension only: means are
compared in all dimensions, covariances in those in which the reference varies most, one for `VECTORS_A_DIMENSION`
vectors of the smaller set. Covariances are not shrunk: that would be a bias of another order.

Distances to one reference can be compared between sets of one size.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aurl.evaluation.statistics import Interval
from aurl.utils.errors import CorpusError

Floats = NDArray[np.float64]
VECTORS_A_DIMENSION = 4
SHARES = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""Of both sets, on which the distance is measured."""
PARTS = 4
"""Of each share that are drawn."""
LINES = 16
"""Drawn for the distance itself, of which the mean is taken."""
FAR = 3.0
"""Standard deviations."""
FEWEST = 8
"""Vectors in a set, below which nothing can be said."""


def standardised(features: ArrayLike, reference: ArrayLike) -> Floats:
    """Figures `[n, k]` of various units, nan for none, in standard deviations from the mean of the reference `[m, k]`.

    Columns that do not vary in the reference are left out, and a row without a figure lies `FAR` from the mean.
    """
    ours, theirs = np.asarray(features, np.float64), np.asarray(reference, np.float64)
    ours, theirs = (rows[:, (~np.isnan(theirs)).sum(axis=0) > 1] for rows in (ours, theirs))
    mean, spread = np.nanmean(theirs, axis=0), np.nanstd(theirs, axis=0)
    varied = spread > 1e-9 * np.maximum(1, np.abs(mean))
    scaled = (ours[:, varied] - mean[varied]) / spread[varied]
    return np.where(np.isnan(scaled), FAR, scaled)


def frechet(
    generated: ArrayLike, reference: ArrayLike, *, seed: int = 0, repeats: int = 200, level: float = 0.95
) -> Interval:
    """The distance of infinite sets, and where it lies when the vectors `[n, d]` and `[m, d]` of both are drawn anew.

    What is drawn anew from a finite set is already at the distance of that set, not of the infinite one: the interval
    is that of the difference between the two (the basic bootstrap of Davison and Hinkley 1997, section 5.2).
    """
    ours, theirs = _checked(generated, reference)
    rng = np.random.default_rng(seed)
    value = float(np.mean([infinite_distance(ours, theirs, rng) for _ in range(LINES)]))  # parts are drawn by chance
    finite = frechet_distance(ours, theirs, _main_directions(ours, theirs))
    drawn = [infinite_distance(_drawn_anew(ours, rng), _drawn_anew(theirs, rng), rng) for _ in range(repeats)]
    tail = 50 * (1 - level)
    low, high = np.percentile(drawn, [tail, 100 - tail])
    return Interval(value, float(value + finite - high), float(value + finite - low))


def infinite_distance(generated: ArrayLike, reference: ArrayLike, rng: np.random.Generator) -> float:
    """What the distance of `[n, d]` and `[m, d]` tends to as both sets grow; raises CorpusError for small sets."""
    ours, theirs = _checked(generated, reference)
    basis = _main_directions(ours, theirs)
    shares = np.repeat(SHARES, PARTS)
    distances = [frechet_distance(_part(ours, share, rng), _part(theirs, share, rng), basis) for share in shares]
    return float(np.polynomial.Polynomial.fit(1 / shares, distances, 1)(0))


def frechet_distance(generated: ArrayLike, reference: ArrayLike, basis: Floats | None = None) -> float:
    """The distance of two finite sets; covariances are compared in the directions `basis` [d, k], or else in all."""
    ours, theirs = np.asarray(generated, np.float64), np.asarray(reference, np.float64)
    apart = ours.mean(axis=0) - theirs.mean(axis=0)
    if basis is not None:
        ours, theirs = ours @ basis, theirs @ basis
    one, other = np.atleast_2d(np.cov(ours, rowvar=False)), np.atleast_2d(np.cov(theirs, rowvar=False))
    values, vectors = np.linalg.eigh(one)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    common = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ other @ root), 0)).sum()
    return float(apart @ apart + np.trace(one) + np.trace(other) - 2 * common)


def _main_directions(ours: Floats, theirs: Floats) -> Floats:
    """The orthogonal directions [d, k] in which `theirs` vary most, as many as the vectors allow."""
    count = min(len(ours), len(theirs)) // VECTORS_A_DIMENSION
    return np.asarray(np.linalg.svd(theirs - theirs.mean(axis=0), full_matrices=False)[2][:count].T)


def _drawn_anew(rows: Floats, rng: np.random.Generator) -> Floats:
    return np.asarray(rows[rng.integers(0, len(rows), len(rows))])


def _part(rows: Floats, share: float, rng: np.random.Generator) -> Floats:
    return np.asarray(rows[rng.permutation(len(rows))[: round(share * len(rows))]])


def _checked(generated: ArrayLike, reference: ArrayLike) -> tuple[Floats, Floats]:
    ours, theirs = np.asarray(generated, np.float64), np.asarray(reference, np.float64)
    if min(len(ours), len(theirs)) < FEWEST:
        found = f"{len(ours)} beside {len(theirs)}"
        raise CorpusError("too few pieces for a distance of distributions", found=found, hint=f"give {FEWEST} or more")
    return ours, theirs
