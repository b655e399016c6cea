"""Writing part of a piece anew, or adding to it: bars filled in, tracks replaced or added, chords found.

What is to be written are cells, bars by tracks; all else is locked. The model reads the locked cells as `note` rows in
the order of the task (`aurl.data.tokenizers.note_tasks`), and what it wrote is set into the score that was given: the
rest of that score comes back as it was, to the tick.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from aurl.data.tokenizers.note import NoteTokenizer
from aurl.data.tokenizers.note_grid import bar_lines, track_slots
from aurl.data.tokenizers.note_tasks import (
    FUTURE_BARS,
    LABELS,
    fill_order,
    fills,
    future_rows,
    metres,
    split_bars,
    with_metre,
)
from aurl.data.tokenizers.note_vocabulary import LONGEST_HOLE, METRE_STEPS, SLOTS, WHEN, WHO
from aurl.generation.conditions import masks, program_rows
from aurl.generation.length import Length
from aurl.generation.plan import BarPlan, Plan, Rows
from aurl.generation.splicing import Cells
from aurl.music.score import Score
from aurl.utils.config import Config
from aurl.utils.errors import ConfigError

_RANGE = re.compile(r"(\d+)(?:-(\d*))?")


class Rewrite(Config):
    """What of a given piece is to be written anew, and what is to be added to it; the rest is locked."""

    bars: str | None = Field(None, examples=["5-8", "1-4,13-"])
    """Numbers of the bars, from 1; all bars when not given."""
    tracks: tuple[int, ...] = ()
    """Numbers of the tracks, from 1, as `aurl info` lists them; all when none of tracks is said anything."""
    lock_bars: str | None = None
    """Bars to leave as they are, in place of `bars` to write."""
    lock_tracks: tuple[int, ...] = ()
    """Tracks to leave as they are, in place of `tracks` to write."""
    add: tuple[str, ...] = ()
    """Instruments to add, each as a new track."""
    harmonise: bool = False
    """Write chord symbols."""

    @property
    def is_of_parts(self) -> bool:
        """Whether only some of what sounds is to be written."""
        return bool(self.tracks or self.lock_tracks or self.add or self.harmonise)

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        for what in ("bars", "tracks"):
            if getattr(self, what) and getattr(self, f"lock_{what}"):
                raise ConfigError(f"{what} are either written or locked", hint=f"give {what} or lock_{what}, not both")
        return self


class Rewriting:
    """One piece, what of it is to be written, the plan of doing so, and the piece that comes of it."""

    def __init__(self, score: Score, rewrite: Rewrite, tokenizer: NoteTokenizer) -> None:
        """Raises ConfigError for bars and tracks that are not there, or if nothing or everything would be written."""
        self.score, self.layout = score, tokenizer.layout
        if not (rewrite.bars or rewrite.lock_bars or rewrite.is_of_parts):
            raise ConfigError("nothing is to be written", hint="name bars or tracks, add an instrument, or harmonise")
        self._slots = _sounding(score)
        self._added = program_rows(rewrite.add, self.layout)
        self.writes = self._writes(rewrite) if rewrite.is_of_parts else None
        self._ticks, self._steps = self._places()
        head, bars = split_bars(tokenizer.encode(score)[:-1].astype(np.int64), self.layout)
        in_force = metres(head, bars, self.layout)
        ends = np.append(0, np.cumsum(METRE_STEPS[in_force]))
        count = int(np.searchsorted(ends[:-1], self._steps[-1]))  # what is rounded up to the end would open one more
        self._bars, self._metres, self._ends = bars[:count], in_force[:count], ends[: count + 1]
        numbers = _numbers(rewrite.lock_bars or rewrite.bars or "1-", len(self._ticks) - 1)
        if rewrite.lock_bars:
            numbers = [bar for bar in range(len(self._ticks) - 1) if bar not in numbers]
            if not numbers:
                raise ConfigError("nothing is to be written", found=f"bars {rewrite.lock_bars} locked")
        self._is_written = np.isin(np.searchsorted(self._steps, self._ends[:-1], side="right") - 1, numbers)
        self.cells = Cells(
            score=score,
            slots=tuple(self._slots),
            added=0 if self._added is None else len(self._added),
            writes=self.writes,
            grid_bars=self._ends,
            is_written=self._is_written,
            spans=tuple((int(self._ticks[bar]), int(self._ticks[bar + 1])) for bar in numbers),
            steps=self._steps,
            ticks=self._ticks,
        )
        self.plan = self._plan()
        added = [] if self._added is None else [self._added]
        told = [] if self.writes is None else fills(self.writes, self.layout)
        self.head = np.concatenate([head, *added, *told, self.plan.bars[0].opening])

    @property
    def length(self) -> Length:
        """How far the piece is written: to the end of the last bar that is to be."""
        return Length("bars", float(np.flatnonzero(self._is_written)[-1] + 1), math.inf)

    def _writes(self, rewrite: Rewrite) -> NDArray[np.bool_]:
        writes = np.zeros(SLOTS + 1, np.bool_)
        writes[LABELS] = rewrite.harmonise
        for number in (*rewrite.tracks, *rewrite.lock_tracks):
            if number - 1 not in self._slots:
                there = ", ".join(str(track + 1) for track in self._slots)
                raise ConfigError(f"track {number} has no notes", found=f"tracks {there}", hint="`add` adds a track")
            writes[self._slots.index(number - 1) + 1] = True
        if rewrite.lock_tracks:
            writes[1 : len(self._slots) + 1] ^= True
            if not writes.any() and not rewrite.add:
                raise ConfigError("nothing is to be written", found="all tracks locked", hint="lock fewer, or add one")
        first, count = len(self._slots) + 1, len(rewrite.add)
        if first + count > SLOTS + 1:
            raise ConfigError(f"a piece has {SLOTS} tracks at most", found=len(self._slots) + count)
        writes[first : first + count] = True
        return writes

    def _places(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The beginning of every bar of the score, and the end, in ticks and in steps."""
        metre_map = self.score.metre_map
        count = int(metre_map.ticks_to_bar_beat(max(self.score.end_ticks - 1, 0))[0]) + 1
        ticks = metre_map.bar_to_ticks(np.arange(count + 1))
        return ticks, (bar_lines(self.score, self.layout).quarter_steps(ticks) + 2) >> 2

    def _plan(self) -> Plan:
        """Given bars at once, then the bars that are written, one after another."""
        steps: list[BarPlan] = []
        done = 0
        for first, stop in _runs(self._is_written):
            pending = [self._given(bar) for bar in self._bars[done:first]]
            for bar in range(first, stop):
                steps.append(self._step(bar, stop, pending))
                pending = []
            done = stop
        is_chord_alone = ("metre", "tempo", "key", "section") if self.writes is not None else ("metre",)
        told = masks(self.layout, labels=self.writes is not None, fixed=is_chord_alone)
        return Plan(bars=dict(enumerate(steps)), stop=len(steps), masks=told)

    def _given(self, bar: Rows) -> Rows:
        return bar if self.writes is None else fill_order(bar, self.writes, self.layout)

    def _step(self, bar: int, stop: int, pending: Sequence[Rows]) -> BarPlan:
        """One bar to be written, after the rows that are `pending`; the hole ends before bar `stop`."""
        rows = self._bars[bar]
        if self.writes is None:
            opening, given = rows[rows[:, WHEN] == 0], rows[(rows[:, WHEN] > 0) & (rows[:, WHO] == LABELS)]
            parts: list[Rows] = []
        else:
            is_kept = (rows[:, WHEN] == 0) | ~self.writes[rows[:, WHO]]
            first, *parts = fills(self.writes, self.layout)
            opening, given = np.concatenate([rows[is_kept], first]), rows[:0]
        before = self._metres[bar - 1] if bar else self._metres[0]
        following = self._following(stop)
        if following and stop - bar == min(LONGEST_HOLE, stop - self._hole_start(bar)):
            told = [self._given(self._bars[n]) for n in following]
            future = future_rows(told, self._metres[stop], before, stop - bar, self.layout)
            opening = np.concatenate(
                [future, with_metre(opening, self._metres[bar], self._metres[following[-1]], self.layout)]
            )
        opening = np.concatenate([*pending, opening])
        return BarPlan(opening, tuple(row[None] for row in given), tuple(parts))

    def _hole_start(self, bar: int) -> int:
        """The first bar of the hole that `bar` is in."""
        locked = np.flatnonzero(~self._is_written[:bar])
        return int(locked[-1]) + 1 if len(locked) else 0

    def _following(self, stop: int) -> range:
        """The locked bars from `stop` on, as many as a model is told."""
        written = np.flatnonzero(self._is_written[stop:])
        end = stop + int(written[0]) if len(written) else len(self._bars)
        return range(stop, min(end, stop + FUTURE_BARS))

    def finished(self, tokens: NDArray[Any]) -> Score:
        """The given score with what `tokens` say of the cells that were to be written."""
        return self.cells.filled(tokens, self.layout)


def _sounding(score: Score) -> list[int]:
    """The tracks with notes, in the order of their slots."""
    programs, _ = track_slots(score)
    tracks = np.unique(score.notes.track)
    if len(tracks) > len(programs):
        raise ConfigError(f"a piece has {SLOTS} tracks at most", found=f"{len(tracks)} tracks with notes")
    return [int(track) for track in tracks]


def _numbers(text: str, bars: int) -> list[int]:
    """The numbers, from 0, of bars told from 1: "5-8,13-"; raises ConfigError."""
    found: set[int] = set()
    for part in text.replace(" ", "").split(","):
        match = _RANGE.fullmatch(part)
        first = int(match[1]) if match else 0
        last = first if match and match[2] is None else int(match[2] or bars) if match else 0
        if not 1 <= first <= last <= bars:
            raise ConfigError("not bars of this piece", found=f"{part!r} of {bars} bars", hint='write them like "5-8"')
        found |= set(range(first - 1, last))
    return sorted(found)


def _runs(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First and end of each run of True."""
    edges = np.flatnonzero(np.diff(mask.astype(np.int8), prepend=0, append=0))
    return [(int(first), int(stop)) for first, stop in edges.reshape(-1, 2)]
