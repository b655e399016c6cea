"""Conversions between ticks, seconds, quarter-note beats and bar:beat, vectorised and exact through every change.

Ticks and bars are int64 counted from 0, beats are quarter notes. Sums stay whole numbers (ticks times microseconds,
ticks times denominator) until the one division that ends them, so nothing drifts over hundreds of changes and bars
need not be whole ticks. Of several changes at one tick the last counts. Before the first change there is MIDI's
default: 120 beats a minute, 4/4. Nothing here knows what a score is.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
DEFAULT_MICROSECONDS_PER_BEAT = 500_000
DEFAULT_METRE = (4, 4)


class TempoMap:
    """Ticks, beats and seconds of one piece; tempos are in microseconds per quarter note.

    `seconds_to_ticks(ticks_to_seconds(t)) == t` as long as float64 tells the seconds of neighbouring ticks apart:
    always, below 2 ** 51 ticks * microseconds (1,300 hours at 480 ticks to the beat), at any tempo but 0.
    """

    def __init__(self, times: ArrayLike, microseconds_per_beat: ArrayLike, ticks_per_beat: int) -> None:
        self.ticks_per_beat = ticks_per_beat
        self._times, (self._tempos,) = _changes(times, [microseconds_per_beat], [DEFAULT_MICROSECONDS_PER_BEAT])
        self._elapsed = _running_total(np.diff(self._times) * self._tempos[:-1])
        self._per_second = 1_000_000 * ticks_per_beat

    def ticks_to_seconds(self, ticks: ArrayLike) -> Floats:
        """Seconds from the start of the piece."""
        ticks = np.asarray(ticks, np.int64)
        at = _segment(self._times, ticks)
        return np.asarray((self._elapsed[at] + (ticks - self._times[at]) * self._tempos[at]) / self._per_second)

    def seconds_to_ticks(self, seconds: ArrayLike) -> Ints:
        """The tick nearest to each time."""
        elapsed = np.rint(np.asarray(seconds, np.float64) * self._per_second).astype(np.int64)
        at = _segment(self._elapsed, elapsed)
        tempo = np.maximum(self._tempos[at], 1)
        return np.asarray(self._times[at] + (2 * (elapsed - self._elapsed[at]) + tempo) // (2 * tempo))

    def ticks_per_second(self, ticks: ArrayLike) -> Floats:
        """The tempo in force at each tick, one number for all where it never changes."""
        return np.asarray(self._per_second / np.maximum(self._tempos[_segment(self._times, np.asarray(ticks))], 1))

    def ticks_to_beats(self, ticks: ArrayLike) -> Floats:
        """Quarter notes from the start of the piece."""
        return np.asarray(np.asarray(ticks, np.int64) / self.ticks_per_beat)

    def beats_to_ticks(self, beats: ArrayLike) -> Ints:
        """The tick nearest to each beat."""
        return np.asarray(np.rint(np.asarray(beats, np.float64) * self.ticks_per_beat).astype(np.int64))


class MetreMap:
    """Ticks and bar:beat of one piece; a signature starts a new bar where it stands, even inside a bar.

    Signatures of 0 beats, or of 0 as a note value, are ignored.
    """

    def __init__(self, times: ArrayLike, numerators: ArrayLike, denominators: ArrayLike, ticks_per_beat: int) -> None:
        self.ticks_per_beat = ticks_per_beat
        valid = (np.asarray(numerators) > 0) & (np.asarray(denominators) > 0)
        columns = [np.asarray(numerators)[valid], np.asarray(denominators)[valid]]
        self._times, (numerator, self._denominators) = _changes(np.asarray(times)[valid], columns, DEFAULT_METRE)
        self._bar_lengths = 4 * ticks_per_beat * numerator  # in ticks * denominator, a whole number
        last_ticks = np.diff(self._times) - 1
        self._first_bars = _running_total(last_ticks * self._denominators[:-1] // self._bar_lengths[:-1] + 1)

    def ticks_to_bar_beat(self, ticks: ArrayLike) -> tuple[Ints, Floats]:
        """The bar of each tick, and quarter notes since that bar began."""
        ticks = np.asarray(ticks, np.int64)
        at = _segment(self._times, ticks)
        denominator = self._denominators[at]
        bars, rest = np.divmod((ticks - self._times[at]) * denominator, self._bar_lengths[at])
        return np.asarray(self._first_bars[at] + bars), np.asarray(rest / (denominator * self.ticks_per_beat))

    def bar_to_ticks(self, bars: ArrayLike, beats: ArrayLike = 0.0) -> Ints:
        """The first whole tick at or after `beats` quarter notes into each bar."""
        bars = np.asarray(bars, np.int64)
        at = _segment(self._first_bars, bars)
        denominator = self._denominators[at]
        offset = np.rint(np.asarray(beats, np.float64) * self.ticks_per_beat * denominator).astype(np.int64)
        distance = (bars - self._first_bars[at]) * self._bar_lengths[at] + offset
        return np.asarray(self._times[at] - (-distance // denominator))


def _changes(times: ArrayLike, columns: list[Any], default: Any) -> tuple[Ints, list[Ints]]:
    """Changes in order of time, the last of each tick only, with one at tick 0."""
    ticks = np.asarray(times, np.int64)
    order = np.argsort(ticks, kind="stable")
    keep = order[np.append(np.diff(ticks[order]) != 0, True)] if len(order) else order
    missing = 0 if len(keep) and ticks[keep[0]] <= 0 else 1
    start = np.zeros(missing, np.int64)
    values = [np.asarray(column, np.int64)[keep] for column in columns]
    full = [np.concatenate([start + first, column]) for first, column in zip(default, values, strict=True)]
    return np.concatenate([start, ticks[keep]]), full


def _running_total(steps: Ints) -> Ints:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(steps)])


def _segment(starts: Ints, values: Ints) -> NDArray[np.intp]:
    """Index of the last start at or before each value; 0 before the first."""
    if len(starts) == 1:
        return np.zeros((), np.intp)  # for all of them: half of all pieces never change, and this is five times faster
    return np.asarray(np.maximum(np.searchsorted(starts, values, side="right") - 1, 0))
