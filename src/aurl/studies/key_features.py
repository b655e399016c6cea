"""What the key recogniser looks at: pitch classes by duration, onset and bass, and triads, in windows of two beats."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from aurl.studies.grid import CELLS, SILENT, Grid

Array = NDArray[Any]
WINDOW = 4
"""Frames of one window."""
CHANNELS = 7
"""Duration, bass, onset, major and minor triads, and those triads over their own root in the bass."""
EDGES = 4
"""Channels more for a whole passage: the bass of its first windows; bass and triads of its last."""
_FIRST, _LAST = 4, 3


def window_features(grid: Grid) -> Array:
    """float[windows, CHANNELS, 12], in cells that sound."""
    duration = _fold(np.minimum(grid.pitch_class_cells(grid.sounding), CELLS)) / (CELLS * WINDOW)
    heard = np.flatnonzero(grid.lowest != SILENT)
    lowest = np.bincount(heard // CELLS * 12 + grid.lowest[heard] % 12, minlength=len(grid) * 12).reshape(-1, 12)
    bass = _fold(lowest) / (CELLS * WINDOW)
    fifth = np.minimum(duration, np.roll(duration, -7, 1))
    major = np.minimum(fifth, np.roll(duration, -4, 1))
    minor = np.minimum(fifth, np.roll(duration, -3, 1))
    return np.stack([duration, bass, _fold(grid.onsets) / WINDOW, major, minor, major * bass, minor * bass], axis=1)


def passage_features(windows: Array) -> Array:
    """What a passage of windows is like as a whole: float[CHANNELS + EDGES, 12], square roots of shares."""
    first, last = windows[:_FIRST].mean(0), windows[-_LAST:].mean(0)
    edges = np.stack([first[1] / (first[1].sum() + 0.1), *(last[[1, 5, 6]] / (last[1].sum() + 0.1))])
    whole = windows.mean(0)
    return np.asarray(np.sqrt(np.concatenate([whole / (whole.sum(1, keepdims=True) + 1e-6), edges])))


def _fold(frames: Array) -> Array:
    """Sums over the frames of each window; the last one may be short."""
    padding = np.zeros((-len(frames) % WINDOW, frames.shape[1]), frames.dtype)
    return np.asarray(np.concatenate([frames, padding]).reshape(-1, WINDOW, frames.shape[1]).sum(1))
