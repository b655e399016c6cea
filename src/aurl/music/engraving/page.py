"""A score on the grid of the page: bars and notes in whole steps, 24 to the quarter, and the keys in force.

Times are snapped to the nearest step, which quantised music meets within a rounding; music that does not is a
performance and is refused, for its note values would mean nothing. Bar lines are moved to the nearest 32nd. A first
bar that is silent for at least half its length, or shorter than what follows, is an upbeat.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from aurl.music.engraving.keys import Key, keys_in_force
from aurl.music.engraving.metre import SHORTEST, STEPS, metre, metre_length
from aurl.music.score import Score
from aurl.music.timing import DEFAULT_METRE
from aurl.utils.errors import MidiError

Ints = NDArray[np.int64]
NEAR = 0.15
"""Of a step: what lies as near to the grid counts as on it."""
SHARE_ON_GRID = 0.8
"""Of the onsets; of those of a performance a third is."""
LONGEST_BAR = 8 * 4 * STEPS


class Bar(NamedTuple):
    """A bar: its first step, its length, the place in the metre where it begins (an upbeat's is late), its metre."""

    start: int
    length: int
    offset: int
    numerator: int
    denominator: int

    @property
    def end(self) -> int:
        """The first step of the next bar."""
        return self.start + self.length

    @property
    def is_whole(self) -> bool:
        """Whether it is as long as its metre says."""
        return self.length == metre_length(self.numerator, self.denominator)


@dataclass(frozen=True)
class Page:
    """What is to be notated; `onset` and `end` are steps, in the order of the score's notes."""

    score: Score
    onset: Ints
    end: Ints
    bars: list[Bar]
    keys: list[Key]
    """In force for spelling, their times in steps; the first from 0."""

    @classmethod
    def of(cls, score: Score) -> Page:
        """Snap a score; raises MidiError for one without notes, off the grid, or in a metre that has no notation."""
        if not len(score.notes):
            raise MidiError("a score without notes has no notation")
        if share_on_grid(score) < SHARE_ON_GRID:
            raise MidiError(
                "the notes are not on the grid of a metre, so they have no note values",
                found=f"{share_on_grid(score):.0%} of the onsets on 24ths of a quarter",
                hint="quantise first: aurl transform IN -o OUT.mid quantise",
            )
        onset, end = to_steps(score, score.notes.onset), to_steps(score, score.notes.end)
        end = np.maximum(end, onset + 1)
        keys = [key._replace(time=int(to_steps(score, np.array(key.time)))) for key in keys_in_force(score)]
        return cls(score, onset, end, _bars(score, int(onset.min()), int(end.max())), keys)

    def steps(self, ticks: NDArray[Any]) -> Ints:
        """Ticks on the grid, nothing before the first bar."""
        return np.maximum(to_steps(self.score, ticks), self.bars[0].start)

    def key_at(self, step: int) -> Key:
        """The key in force."""
        return next(key for key in reversed(self.keys) if key.time <= max(step, 0))


def to_steps(score: Score, ticks: NDArray[Any]) -> Ints:
    """The step nearest to each tick."""
    return np.asarray((2 * STEPS * ticks.astype(np.int64) + score.ticks_per_beat) // (2 * score.ticks_per_beat))


def share_on_grid(score: Score) -> float:
    """Share of the onsets that are on the grid, but for a rounding to ticks."""
    steps = score.notes.onset * (STEPS / score.ticks_per_beat)
    near = np.maximum(NEAR, 0.51 * STEPS / score.ticks_per_beat)
    return float((np.abs(steps - np.rint(steps)) <= near).mean())


def _bars(score: Score, first_onset: int, end: int) -> list[Bar]:
    bars = list(_all_bars(score, end))
    upbeat, follower = bars[0], bars[1] if len(bars) > 1 else bars[0]
    if not upbeat.is_whole or (upbeat.numerator, upbeat.denominator) != (follower.numerator, follower.denominator):
        missing = metre_length(follower.numerator, follower.denominator) - upbeat.length
        if missing > 0 and (follower.is_whole or follower is upbeat):
            bars[0] = Bar(0, upbeat.length, missing, follower.numerator, follower.denominator)
    elif len(bars) > 1 and 2 * first_onset >= upbeat.length and first_onset < upbeat.end:
        beats = metre(upbeat.numerator, upbeat.denominator).beats
        silent = max(start for start, _ in beats if start <= first_onset)
        bars[0] = upbeat._replace(start=silent, length=upbeat.length - silent, offset=silent)
    return bars


def _all_bars(score: Score, end: int) -> Iterator[Bar]:
    """Bars from step 0 on; those that a change of metre cuts short are shorter than their metre."""
    changes = [change for change in _metres(score) if change[0] < end]
    for (start, *signature), (following, *_) in pairwise([*changes, (end, 0, 0)]):
        length = metre_length(*signature)
        last = -(-(end - start) // length) * length + start if start == changes[-1][0] else following
        for place in range(start, last, length):
            yield Bar(place, min(length, last - place), 0, *signature)


def _metres(score: Score) -> list[tuple[int, int, int]]:
    """Step, numerator and denominator of each change, one at step 0, each on a 32nd."""
    table = score.time_signatures
    changes = {0: DEFAULT_METRE}
    steps = to_steps(score, table.time)
    for step, numerator, denominator in zip(
        steps.tolist(), table.numerator.tolist(), table.denominator.tolist(), strict=True
    ):
        if not numerator or not denominator:
            continue
        if denominator not in (1, 2, 4, 8, 16, 32) or metre_length(numerator, denominator) > LONGEST_BAR:
            raise MidiError("a metre that is not written here", found=f"{numerator}/{denominator}",
                            hint="metres are over 1 to 32, their bars up to eight whole notes long")  # fmt: skip
        changes[round(step / SHORTEST) * SHORTEST] = (numerator, denominator)
    return [(step, *metre) for step, metre in sorted(changes.items())]
