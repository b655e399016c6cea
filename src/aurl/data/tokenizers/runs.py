"""Runs of equal values in columns, and changes that hold until the next: what grids of tokenizers are resolved with."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


def starts_run(*columns: NDArray[Any]) -> NDArray[np.bool_]:
    """Where a row differs from the row before in any of the columns; the first row does."""
    new = np.zeros(len(columns[0]), np.bool_)
    new[:1] = True
    for column in columns:
        new[1:] |= column[1:] != column[:-1]
    return new


def ends_run(*columns: NDArray[Any]) -> NDArray[np.bool_]:
    """Where the next row differs in any of the columns; the last row ends one."""
    return starts_run(*(column[::-1] for column in columns))[::-1]


def last_changes(step: Ints, value: Ints, before: int) -> tuple[Ints, Ints]:
    """The last value of each step, without repetitions, after the value `before` at step 0; `step` ascends."""
    step, value = np.append(0, step), np.append(before, value)
    last = ends_run(step)
    step, value = step[last], value[last]
    changes = starts_run(value)
    return step[changes], value[changes]
