"""What several metrics of one score need, worked out once: pitched notes, seconds, bars, positions in the bar.

Bars count from 0. Positions are `GRID` parts of a quarter note since the bar line, onsets rounded to them. Nothing here
grows with the length of a piece, only with its notes: a file whose last note lies a million bars away costs no more.
"""

from __future__ import annotations

from collections import deque
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aurl.music.score import Notes, Score
from aurl.studies.melody import skyline

GRID = 12
"""Parts of a quarter note to which onsets are rounded: sixteenths and triplets are exact."""
BAR, BEAT, HALF_BEAT, BETWEEN = 3, 2, 1, 0
"""Metrical levels: on the bar line, on a quarter note, on an eighth, elsewhere; the same in every metre."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class View:
    """The tables of one score; each is worked out when first asked for."""

    def __init__(self, score: Score) -> None:
        self.score = score

    @cached_property
    def pitched(self) -> Notes:
        """All notes but drums, in order of onset."""
        return self.score.notes.take(self.score.is_pitched)

    @cached_property
    def pitches(self) -> Ints:
        """MIDI pitch of each pitched note."""
        return self.pitched.pitch.astype(np.int64)

    @cached_property
    def seconds(self) -> tuple[Floats, Floats]:
        """Onset and end of each pitched note."""
        return seconds_of(self.score, self.pitched)

    @cached_property
    def cells(self) -> Ints:
        """Onset of each note, drums too, in `GRID` parts of a quarter note since the start."""
        beats = self.score.tempo_map.ticks_to_beats(self.score.notes.onset)
        return np.rint(beats * GRID).astype(np.int64)

    @cached_property
    def places(self) -> tuple[Ints, Ints]:
        """Bar and position of each note, drums too."""
        ticks = self.score.tempo_map.beats_to_ticks(self.cells / GRID)
        bars, beats = self.score.metre_map.ticks_to_bar_beat(ticks)
        return bars, np.rint(beats * GRID).astype(np.int64)

    @cached_property
    def pitched_places(self) -> tuple[Ints, Ints]:
        """Bar and position of each pitched note."""
        bars, positions = self.places
        return bars[self.score.is_pitched], positions[self.score.is_pitched]

    @cached_property
    def levels(self) -> Ints:
        """Metrical level of each note, drums too."""
        positions = self.places[1]
        on_beat, on_half = positions % GRID == 0, positions % (GRID // 2) == 0
        return np.select([positions == 0, on_beat, on_half], [BAR, BEAT, HALF_BEAT], BETWEEN)

    @cached_property
    def bar_count(self) -> int:
        """Bars that begin before the last note ends; 0 without notes."""
        if not len(self.score.notes):
            return 0
        last = max(self.score.end_ticks - 1, int(self.score.notes.onset[-1]))
        return max(int(self.score.metre_map.ticks_to_bar_beat(last)[0]), int(self.places[0][-1])) + 1

    @cached_property
    def skyline(self) -> tuple[Ints, Ints]:
        """Onset and pitch of the line on top: of each moment the highest note, unless a higher one still sounds."""
        notes = self.pitched.take(skyline(self.pitched))
        moments, firsts = np.unique(notes.onset, return_index=True)  # two at one moment are of one pitch
        return moments.astype(np.int64), notes.pitch[firsts].astype(np.int64)


_LATEST: deque[View] = deque(maxlen=1)


def view_of(score: Score) -> View:
    """The view of a score; that of the last one asked for is kept, as metrics come one after the other."""
    for view in tuple(_LATEST):
        if view.score is score:
            return view
    made = View(score)
    _LATEST.append(made)
    return made


def seconds_of(score: Score, notes: Notes) -> tuple[Floats, Floats]:
    """Onsets and ends, in order of onset."""
    return score.tempo_map.ticks_to_seconds(notes.onset), score.tempo_map.ticks_to_seconds(notes.end)


def entropy_bits(labels: NDArray[Any]) -> float:
    """Shannon entropy of how often each label occurs; NaN without any."""
    if not len(labels):
        return float("nan")
    counts = np.unique(labels, return_counts=True)[1]
    shares = counts / counts.sum()
    return float(-(shares * np.log2(shares)).sum()) + 0.0


def correlation(first: NDArray[Any], second: NDArray[Any]) -> float:
    """Pearson's, -1..1; NaN where either does not vary."""
    if not len(first) or not np.ptp(first) or not np.ptp(second):
        return float("nan")
    return float(np.corrcoef(first, second)[0, 1])


def mean(values: NDArray[Any]) -> float:
    """The mean; NaN of nothing."""
    return float(values.mean()) if len(values) else float("nan")
