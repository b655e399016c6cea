"""What the chord recognisers look at in each frame: pitch classes by duration, onset and register, place in the bar."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from aurl.studies.grid import CELLS, SILENT, Grid

Array = NDArray[Any]
CHANNELS = 6
"""Duration, onset, bass, top, low register, whole piece: each a distribution over pitch classes."""
PLACES = 6
"""Features without pitch: place in the bar, silence, density."""
_FLOOR = 1.0
"""Cells added to each sum, so that a frame of one short note weighs less than a full one."""


def pitch_features(grid: Grid) -> Array:
    """float32[frames, CHANNELS, 12]."""
    durations = grid.pitch_class_cells(grid.sounding)
    lowest = grid.lowest
    low_register = grid.sounding & (np.arange(len(grid.sounding))[:, None] <= lowest + 12)
    return np.stack(
        [
            _shares(durations),
            _shares(grid.onsets.astype(np.float32)),
            _extremes(lowest, len(grid)),
            _extremes(grid.highest, len(grid)),
            _shares(grid.pitch_class_cells(low_register)),
            np.broadcast_to(_shares(durations.sum(0, keepdims=True)), durations.shape),
        ],
        axis=1,
    )


def place_features(grid: Grid) -> Array:
    """float32[frames, PLACES]."""
    place = grid.beat_in_bar
    sounding = grid.sounding.sum(0).reshape(len(grid), CELLS).mean(1)
    columns = [place == 0, place % 2 == 0, place % 4 == 0, place == 4, sounding == 0, np.log1p(sounding)]
    return np.stack(columns, axis=1).astype(np.float32)


def _shares(weights: Array) -> Array:
    return np.asarray(weights / (weights.sum(1, keepdims=True) + np.float32(_FLOOR)), np.float32)


def _extremes(pitches: Array, frames: int) -> Array:
    """Share of the cells of each frame whose lowest (or highest) pitch is of each pitch class."""
    heard = np.flatnonzero(pitches != SILENT)
    counts = np.bincount(heard // CELLS * 12 + pitches[heard] % 12, minlength=frames * 12)
    return (counts.reshape(frames, 12) / CELLS).astype(np.float32)
