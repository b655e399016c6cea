"""Rows of `note` in the order of a task: what is given stands before what is to be written.

*Some tracks*: the prefix ends in `fill:k` for each track to be written (k - 1 is the slot; 0 stands for the labels,
which belong to no track), so that a bar without them is not mistaken for a whole one; each bar tells its given rows
first, then, for each of these tracks, `fill:k` and its rows. The model sees the whole bar of the others while it
writes; a piece of any length passes through a sliding window (Ens and Pasquier 2020, MMM, fill tracks by tracks of the
whole piece; here bars alternate). *Some bars*: `future`, the bars that follow the hole, `now:n`, then the n bars of the
hole, the past being where it always is (Bavarian et al. 2022, fill in the middle, in their terms the order
prefix-suffix-middle). A bar that another metre precedes tells its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from aurl.data.tokenizers.note_vocabulary import (
    COMMON_METRE,
    LONGEST_HOLE,
    SLOTS,
    WHAT,
    WHEN,
    WHO,
    NoteLayout,
    is_within,
)
from aurl.data.tokenizers.tasks import TasksConfig

Rows = NDArray[Any]
Whos = NDArray[np.bool_]
"""Which of the 17 values of `who` are to be written: labels, then the slots."""
LABELS = 0
"""The `who` of chords, keys, sections and tempos."""
FUTURE_BARS = 4
"""Bars after a hole that are told, at most."""


class Hole(NamedTuple):
    """Bars to be written: the first, from 0, and how many."""

    first: int
    bars: int


def in_future(what: Rows, layout: NoteLayout) -> NDArray[np.bool_]:
    """Which rows are a copy of later music: from `future` to `now`, both included."""
    opens, closes = (is_within(what, *layout.span(kind)) for kind in ("future", "now"))
    if not opens.any():
        return np.zeros(len(what), np.bool_)
    last = np.maximum.accumulate(np.where(opens | closes, np.arange(len(what)), -1))
    return np.asarray((opens[last] & (last >= 0)) | closes)


def row_of(kind: str, value: int, layout: NoteLayout) -> Rows:
    """The untimed row `[1, f]` with a value of one range of `what`."""
    row = np.zeros((1, len(layout.vocabulary.fields)), np.int64)
    row[0, WHAT] = layout.first[kind] + value
    return row


def split_bars(rows: Rows, layout: NoteLayout) -> tuple[Rows, list[Rows]]:
    """What stands before the first bar, and the rows of each bar."""
    starts = np.flatnonzero(rows[:, WHAT] == layout.first["bar"])
    head, *bars = np.split(rows, starts)
    return head, bars


def metres(head: Rows, bars: list[Rows], layout: NoteLayout) -> list[int]:
    """The metre in force in each bar."""
    first, end = layout.span("metre")
    current, found = first + COMMON_METRE, []
    for rows in (head, *bars):
        told = rows[is_within(rows[:, WHAT], first, end), WHAT]
        current = int(told[-1]) if len(told) else current
        found.append(current - first)
    return found[1:]


def arrange(rows: Rows, layout: NoteLayout, *, writes: Whos | None = None, hole: Hole | None = None) -> Rows:
    """Plain rows in the order of a task; `hole` ends before the last bar, what lies after its future is left out."""
    head, bars = split_bars(rows if hole is None else rows[rows[:, WHAT] != layout.first["end"]], layout)
    in_force = metres(head, bars, layout)
    if writes is not None:
        head = np.concatenate([head, *fills(writes, layout)])
        bars = [fill_order(bar, writes, layout) for bar in bars]
    if hole is None:
        return np.concatenate([head, *bars])
    first, after = hole.first, hole.first + hole.bars
    told = bars[after : after + FUTURE_BARS]
    before = in_force[first - 1] if first else _metre_of(head, layout)
    written = bars[first:after]
    future = future_rows(told, in_force[after], before, hole.bars, layout)
    end_metre = in_force[after + len(told) - 1]
    opening = with_metre(written[0], in_force[first], end_metre, layout)
    return np.concatenate([head, *bars[:first], future, opening, *written[1:]])


def future_rows(bars: list[Rows], metre: int, before: int, hole_bars: int, layout: NoteLayout) -> Rows:
    """`future`, the bars after a hole, `now:n`; `metre` is the first one's, `before` the one in force so far."""
    first, *others = bars
    return np.concatenate([
        row_of("future", 0, layout),
        with_metre(first, metre, before, layout),
        *others,
        row_of("now", hole_bars - 1, layout),
    ])  # fmt: skip


def reopened(rows: Rows, at: int, metre: int, layout: NoteLayout) -> Rows:
    """The opening of the bar of `metre` before row `at`, after the future and what is left of its hole, if in one."""
    what, bar = rows[:at, WHAT], row_of("bar", 0, layout)
    opens, closes = (np.flatnonzero(is_within(what, *layout.span(kind))) for kind in ("future", "now"))
    opens = opens[opens < closes[-1]] if len(closes) else opens[:0]
    if not len(opens):
        return bar
    future, now = int(opens[-1]), int(closes[-1])
    hole_bars = int(what[now]) - layout.first["now"] + 1
    left = hole_bars + 1 - int(np.count_nonzero(what[now:] == layout.first["bar"]))
    told = split_bars(rows[future + 1 : now], layout)[1]
    if left < 1 or not told:
        return bar
    again = future_rows(told, _metre_of(rows[:future], layout), metre, min(left, hole_bars), layout)
    is_told = is_within(rows[at : at + 1, WHAT], *layout.span("metre")).any()
    return np.concatenate([again, bar if is_told else with_metre(bar, metre, _metre_of(rows[:now], layout), layout)])


def with_metre(bar: Rows, metre: int, before: int, layout: NoteLayout) -> Rows:
    """A bar that tells its metre if another is in force and it does not tell it anyway."""
    if metre == before or is_within(bar[1:2, WHAT], *layout.span("metre")).any():
        return bar
    return np.concatenate([bar[:1], row_of("metre", metre, layout), bar[1:]])


def fills(writes: Whos, layout: NoteLayout) -> list[Rows]:
    """The `fill` rows `[1, f]` of what is to be written."""
    return [row_of("fill", who, layout) for who in np.flatnonzero(writes).tolist()]


def fill_order(bar: Rows, writes: Whos, layout: NoteLayout) -> Rows:
    """A bar: what is given, then of each of `writes` in turn `fill` and its rows."""
    is_written = writes[bar[:, WHO]] & (bar[:, WHEN] > 0)
    ends = bar[:, WHAT] == layout.first["end"]
    parts = [bar[~is_written & ~ends]]
    for who in np.flatnonzero(writes).tolist():
        parts += [row_of("fill", who, layout), bar[is_written & (bar[:, WHO] == who)]]
    return np.concatenate([*parts, bar[ends]])


def _metre_of(head: Rows, layout: NoteLayout) -> int:
    return metres(head[:0], [head], layout)[0]


def freed(rows: Rows, layout: NoteLayout, kinds: Iterable[str]) -> Rows:
    """Rows `[..., f]` whose controls of `kinds` are not given."""
    changed = rows.copy()
    what, is_untimed = changed[..., WHAT], changed[..., WHEN] == 0
    for kind in kinds:
        what[is_untimed & is_within(what, *layout.span(kind))] = layout.first[kind]
    return changed


def drawn_task(rows: Rows, layout: NoteLayout, config: TasksConfig, rng: np.random.Generator) -> Rows:
    """A window of plain rows as a task that is drawn for it, where there is one that it has music for."""
    shares = rng.random(3)
    chances = rng.random(len(layout.controls))
    chance = 1.0 if shares[2] < config.free / 2 else config.free
    rows = freed(rows, layout, [kind for kind, drawn in zip(layout.controls, chances, strict=True) if drawn < chance])
    writes = _drawn_writes(rows, rng) if shares[0] < config.tracks else None
    whole = _whole_bars(rows, layout)
    hole = _drawn_hole(whole, layout, rng) if shares[1] < config.infill else None
    if writes is None and hole is None:
        return rows
    return arrange(rows if hole is None else whole, layout, writes=writes, hole=hole)


def _whole_bars(rows: Rows, layout: NoteLayout) -> Rows:
    """A window without its last bar, which may be cut, unless the piece ends in it."""
    starts = np.flatnonzero(rows[:, WHAT] == layout.first["bar"])
    is_whole = not len(starts) or rows[-1, WHAT] == layout.first["end"]
    return rows if is_whole else rows[: starts[-1]]


def _drawn_writes(rows: Rows, rng: np.random.Generator) -> Whos | None:
    """One or more of what sounds in the window, but not all of it."""
    there = np.unique(rows[rows[:, WHEN] > 0, WHO])
    if len(there) < 2:
        return None
    writes = np.zeros(SLOTS + 1, np.bool_)
    writes[rng.choice(there, int(rng.integers(1, len(there))), replace=False)] = True
    return writes


def _drawn_hole(rows: Rows, layout: NoteLayout, rng: np.random.Generator) -> Hole | None:
    """A hole after which some of the whole bars are left, but no more than are told."""
    bars = int((rows[:, WHAT] == layout.first["bar"]).sum())
    if bars < 2:
        return None
    after = bars - int(rng.integers(1, min(FUTURE_BARS, bars - 1) + 1))
    missing = int(rng.integers(1, min(LONGEST_HOLE, after) + 1))
    return Hole(after - missing, missing)
