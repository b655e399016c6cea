"""The grid on which studies look at a score: frames of half a beat, each of four cells, and what sounds in them.

Beats are quarter notes. A note covers the cells nearest to its onset and end, at least one, so small deviations of a
player do not matter. Drums are not heard. Nothing depends on resolution, tempo or absolute pitch: pitch classes count
from that of the first note, so a transposed score gives the very same arrays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aurl.music.score import Score

Array = NDArray[Any]
CELLS = 4
"""Cells of one frame."""
MOST_FRAMES = 1 << 13
"""A longer score (over 4,096 beats) gets frames of 1, 2, 4 ... beats."""
SILENT = 255
"""The lowest and highest pitch of a cell in which nothing sounds."""


@dataclass(frozen=True)
class Grid:
    """What sounds where: n frames, `CELLS * n` cells."""

    frame_beats: float
    origin: int
    """Pitch class 0 of the grid, as a pitch class from C."""
    sounding: Array
    """bool[pitches, cells]; row 0 is of pitch class `origin`, and the number of rows is a multiple of 12."""
    onsets: Array
    """int[frames, 12]: notes that begin, by pitch class."""
    beat_in_bar: Array
    """Half-beats since the bar began, of each frame, int."""

    def __len__(self) -> int:
        return len(self.onsets)

    @property
    def starts(self) -> Array:
        """Beats at which the frames begin."""
        return np.arange(len(self)) * self.frame_beats

    def pitch_class_cells(self, sounding: Array) -> Array:
        """Cells that sound, by frame and pitch class: float32[frames, 12]."""
        octaves = sounding.reshape(-1, 12, len(self) * CELLS).sum(0, dtype=np.float32)
        return np.asarray(octaves.reshape(12, len(self), CELLS).sum(2).T)

    @property
    def lowest(self) -> Array:
        """Index of the lowest pitch that sounds in each cell; SILENT where none does."""
        return np.where(self.sounding.any(0), self.sounding.argmax(0), SILENT)

    @property
    def highest(self) -> Array:
        """Index of the highest pitch that sounds in each cell; SILENT where none does."""
        top = len(self.sounding) - 1 - self.sounding[::-1].argmax(0)
        return np.where(self.sounding.any(0), top, SILENT)


def make_grid(score: Score) -> Grid:
    """Lay a score's pitched notes on the grid; a score without any has no frames."""
    notes = score.notes.take(score.is_pitched)
    if not len(notes):
        return Grid(0.5, 0, np.zeros((12, 0), bool), np.zeros((0, 12), int), np.zeros(0, int))
    frame_beats = 0.5
    while (end := _to_cells(notes.end, score, frame_beats).max()) > MOST_FRAMES * CELLS:
        frame_beats *= 2
    start = _to_cells(notes.onset, score, frame_beats)
    stop = np.maximum(_to_cells(notes.end, score, frame_beats), start + 1)
    frames = -(-max(int(end), int(stop.max())) // CELLS)
    origin = int(notes.pitch[0]) % 12
    base = int(notes.pitch.min()) - (int(notes.pitch.min()) - origin) % 12
    pitch = notes.pitch.astype(np.int64) - base
    onsets = np.bincount(start // CELLS * 12 + pitch % 12, minlength=frames * 12).reshape(frames, 12)
    sounding = _sounding(pitch, start, stop, frames * CELLS)
    return Grid(frame_beats, origin, sounding, onsets, _bar_positions(score, frames, frame_beats))


def _to_cells(ticks: Array, score: Score, frame_beats: float) -> Array:
    return np.rint(ticks.astype(np.int64) * CELLS / (score.ticks_per_beat * frame_beats)).astype(np.int64)


def _sounding(pitch: Array, start: Array, stop: Array, cells: int) -> Array:
    rows = (int(pitch.max()) // 12 + 1) * 12
    width = cells + 1
    changes = np.bincount(pitch * width + start, minlength=rows * width)
    changes -= np.bincount(pitch * width + stop, minlength=rows * width)
    return np.asarray(changes.reshape(rows, width).cumsum(1)[:, :-1] > 0)


def _bar_positions(score: Score, frames: int, frame_beats: float) -> Array:
    ticks = np.rint(np.arange(frames) * (frame_beats * score.ticks_per_beat)).astype(np.int64)
    return np.rint(score.metre_map.ticks_to_bar_beat(ticks)[1] * 2).astype(np.int64)
