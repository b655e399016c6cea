"""How far a figure may be trusted: bootstrap intervals over pieces, of one figure or of a paired difference.

Pieces are drawn, not notes: the notes of a piece depend on one another, and their number would make any difference
look certain (Efron, Tibshirani 1993, ch. 6 and 13: percentile intervals). One seed gives one interval.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aurl.utils.errors import CorpusError

Floats = NDArray[np.float64]
Statistic = Callable[[Floats], Any]
"""From values `[n, k]`, a row a piece, to one figure."""


@dataclass(frozen=True)
class Interval:
    """A figure and the interval that it lies in, at some level of confidence."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def ratio_of_sums(values: Floats) -> float:
    """The sum of the first column over that of the second, as in bits per note; nan where the second is nothing."""
    over, under = values.sum(axis=0)
    return float(over / under) if under else float("nan")


def bootstrap(
    values: ArrayLike, statistic: Statistic, *, seed: int = 0, repeats: int = 1000, level: float = 0.95
) -> Interval:
    """`statistic` of all rows of `values` `[n, k]`, and where it lies when n rows are drawn anew with replacement.

    Draws in which the statistic is nan are passed over. Raises CorpusError where there are no rows.
    """
    rows = np.asarray(values, np.float64)
    if not len(rows):
        raise CorpusError("there are no pieces to draw from", hint="choose another split")
    draws = np.random.default_rng(seed).integers(0, len(rows), (repeats, len(rows)))
    found = np.array([statistic(rows[drawn]) for drawn in draws], np.float64)
    found = found[~np.isnan(found)]
    tail = 50 * (1 - level)
    low, high = np.percentile(found, [tail, 100 - tail]) if len(found) else (np.nan, np.nan)
    return Interval(float(statistic(rows)), float(low), float(high))


def paired_difference(
    first: ArrayLike,
    second: ArrayLike,
    statistic: Statistic = ratio_of_sums,
    *,
    seed: int = 0,
    repeats: int = 1000,
    level: float = 0.95,
) -> Interval:
    """`statistic` of `first` less that of `second`, whose rows are the same pieces and are drawn together.

    What makes a piece easy or hard for both falls out of the difference. Raises CorpusError for other numbers of rows.
    """
    one, other = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if len(one) != len(other):
        found = f"{len(one)} and {len(other)}"
        raise CorpusError("only figures of the same pieces can be compared", found=found, hint="score one split")
    columns = one.shape[1]
    return bootstrap(
        np.concatenate([one, other], axis=1),
        lambda rows: statistic(rows[:, :columns]) - statistic(rows[:, columns:]),
        seed=seed,
        repeats=repeats,
        level=level,
    )
