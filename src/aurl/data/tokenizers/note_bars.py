"""Bar lines on the metrical grid: where each bar begins, in steps of 1/24 quarter, and which metre it has.

A bar of the grid is a metre of the vocabulary from beginning to end. So a bar that a metre change cuts short becomes a
bar of the metre that is left of it, one longer than eight quarters becomes several equal ones, and one that no
sixteenth measures is filled up to the next sixteenth: what follows moves by less than a sixteenth, and is counted.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from aurl.data.tokenizers.note_vocabulary import COMMON_METRE, LONGEST_BAR, METRE_STEPS, METRES, STEPS_PER_QUARTER
from aurl.data.tokenizers.runs import Ints
from aurl.music.score import Score

LAST_BAR = 1 << 16
"""Music is read as far as this bar."""
SIXTEENTH = STEPS_PER_QUARTER // 4
_INDEX = {metre: index for index, metre in enumerate(METRES)}
_LENGTHS = range(1, LONGEST_BAR // SIXTEENTH + 1)
_OF_SIXTEENTHS = np.array([_INDEX[next((n * d // 16, d) for d in (4, 8, 16) if n * d % 16 == 0)] for n in _LENGTHS])
"""The metre of a bar of 1, 2 ... sixteenths, in the longest note value that measures it."""


class Bars(NamedTuple):
    """Step at which each bar begins, one more for the end of the last, and each bar's metre."""

    starts: Ints
    metres: Ints

    @classmethod
    def of(cls, metres: Ints) -> Bars:
        """Bars of these metres from step 0 on."""
        return cls(np.append(0, np.cumsum(METRE_STEPS[metres])), metres)

    def fitted(self, end: int) -> Bars:
        """As many bars as begin before step `end`, one at least, the last metre going on where there are too few."""
        missing = end - int(self.starts[-1])
        if missing > 0 or not len(self.metres):
            last = int(self.metres[-1]) if len(self.metres) else COMMON_METRE
            more = max(1, -(-missing // int(METRE_STEPS[last])))
            return Bars.of(np.append(self.metres, np.full(more, last)))
        count = max(1, int(np.searchsorted(self.starts[:-1], end)))
        return Bars(self.starts[: count + 1], self.metres[:count])


class BarLines:
    """The bars of a score, and the steps of its ticks."""

    def __init__(self, score: Score, last_tick: int, *, divisions: int = 1) -> None:
        """Ticks are rounded to 1/`divisions` of a step, 1 or 4."""
        self.score, self.divisions = score, divisions
        count = min(int(score.metre_map.ticks_to_bar_beat(last_tick)[0]) + 1, LAST_BAR)
        ticks = score.metre_map.bar_to_ticks(np.arange(count + 1))
        metres, self._whole = _metres(score, ticks)
        self._parts, lengths = _parts(metres, self._whole)
        self._is_plain = bool((self._parts == 1).all() and (lengths == self._whole).all())
        self.metres = np.repeat(np.where(metres < 0, _OF_SIXTEENTHS[lengths // SIXTEENTH - 1], metres), self._parts)
        self.bars = Bars.of(self.metres)
        if self._is_plain and count > 1:
            drift = ticks * STEPS_PER_QUARTER - self.bars.starts * score.ticks_per_beat
            self._is_plain = not drift.any()

    def quarter_steps(self, ticks: NDArray[Any]) -> Ints:
        """The place of each tick, rounded, in quarters of a step: 96 to the quarter note."""
        per_quarter, quarters = self.divisions * STEPS_PER_QUARTER, 4 // self.divisions
        if self._is_plain:
            return np.rint(ticks * (per_quarter / self.score.ticks_per_beat)).astype(np.int64) * quarters
        bar, beat = self.score.metre_map.ticks_to_bar_beat(ticks)
        bar = np.minimum(bar, len(self._parts) - 1)
        place = np.rint(beat * per_quarter).astype(np.int64) * quarters
        over = (place + 2) // 4 - self._whole[bar]  # what is rounded to the bar line belongs to the next bar
        starts = 4 * self.bars.starts[np.append(0, np.cumsum(self._parts))]
        nudge = np.clip(place - 4 * self._whole[bar], -2, 1)
        return np.asarray(np.where(over >= 0, starts[bar + 1] + nudge, starts[bar] + place))

    @property
    def changed(self) -> int:
        """How many bars of the score are not one bar of the same length on the grid."""
        lengths = np.add.reduceat(np.append(METRE_STEPS[self.metres], 0), _first(self._parts)) * (self._parts > 0)
        return int(np.count_nonzero((self._parts != 1) | (lengths != self._whole)))


def _metres(score: Score, ticks: Ints) -> tuple[Ints, Ints]:
    """Of the bars between `ticks`: the metre where a whole bar of it is in the vocabulary, else -1; length in steps."""
    table = score.time_signatures
    valid = (table.numerator > 0) & (table.denominator > 0)
    times, numerators, denominators = (column[valid] for column in (table.time, table.numerator, table.denominator))
    pairs = list(zip(numerators.tolist(), denominators.tolist(), strict=True))
    pairs.append((4, 4))  # in force before the first, found there by -1
    at = np.searchsorted(times, ticks[:-1], side="right") - 1
    whole = np.array([4 * n / d for n, d in pairs])[at]
    length = np.diff(ticks) / score.ticks_per_beat
    is_cut = length < whole - 1 / score.ticks_per_beat
    metres = np.where(is_cut, -1, np.array([_INDEX.get(pair, -1) for pair in pairs])[at])
    steps = np.rint(STEPS_PER_QUARTER * np.where(is_cut, length, whole)).astype(np.int64)
    return metres, np.where(metres < 0, steps, METRE_STEPS[metres])


def _parts(metres: Ints, steps: Ints) -> tuple[Ints, Ints]:
    """Into how many bars each bar is divided, none if it has no length, and the length of those."""
    parts = -(-steps // LONGEST_BAR)
    filled = -(-steps // (SIXTEENTH * np.maximum(parts, 1))) * SIXTEENTH
    return parts, np.where(metres < 0, np.maximum(filled, SIXTEENTH), steps)


def _first(parts: Ints) -> Ints:
    return np.asarray(np.cumsum(parts) - parts)
