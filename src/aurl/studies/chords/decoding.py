"""The likeliest sequence of chords, given how well each fits each frame and where chords begin (Viterbi 1967)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def best_path(fits: Array, change_costs: Array) -> Array:
    """The state of each frame that maximises the sum of `fits`[frames, states] less the cost of each change.

    A change to any other state costs `change_costs[t]` at frame t, which makes a step linear in the number of states.
    """
    frames, states = fits.shape
    if not frames:
        return np.zeros(0, np.int64)
    came_from = np.empty(frames, np.int64)
    changed = np.empty((frames, states), bool)
    total = fits[0].astype(np.float64)
    for t in range(1, frames):
        came_from[t] = best = total.argmax()
        rival = total[best] - change_costs[t]
        np.less(total, rival, out=changed[t])
        np.maximum(total, rival, out=total)
        total += fits[t]
    path = np.empty(frames, np.int64)
    path[-1] = total.argmax()
    for t in range(frames - 1, 0, -1):
        path[t - 1] = came_from[t] if changed[t, path[t]] else path[t]
    return path
