"""The rows of the `note` tokenizer and the grid they say, one way and the other; all of it vectorised.

Writing packs every row into one integer (step, who, what, how long, touch, from the highest bits to the lowest), so
that one sort puts them in the order of the piece. Reading finds the step of every row by running sums.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aurl.data.tokenizers.event_grid import GridPedals
from aurl.data.tokenizers.note_bars import Bars
from aurl.data.tokenizers.note_grid import LAST_STEP, NO_NUDGE, NUDGE_BITS, PITCH_BITS, Changes, NoteColumns, NoteGrid
from aurl.data.tokenizers.note_vocabulary import (
    BAR_COUNTS,
    COMMON_METRE,
    DENSITIES,
    DRUM_KIT,
    FREE,
    HOW_LONG,
    HOW_LOUD,
    LONGEST_SHIFT,
    NUDGE,
    POLYPHONIES,
    SLOTS,
    STEPS_PER_QUARTER,
    STEPS_PER_SECOND,
    WHAT,
    WHEN,
    WHO,
    NoteLayout,
    is_within,
)
from aurl.data.tokenizers.runs import Ints, starts_run

Rows = NDArray[np.uint16]

# A row as an integer: step | who (5 bits) | what (12) | how long (7) | how loud (6) | nudge (3).
_LOUD, _LONG, _WHAT, _WHO, _STEP = 3, 9, 16, 28, 33
_ONE_OF_EACH = (1 << _LOUD) + 1
"""Added to a touch: bins and nudges are told from 1 on."""
_UNPLAYED = DRUM_KIT + 1
"""Program of a slot without notes."""


def write_tokens(grid: NoteGrid, layout: NoteLayout) -> Rows:
    """The rows `[t, f]` of a resolved grid, from `start` to `end`."""
    prefix = _prefix(grid, layout)
    body = _body(grid, layout)
    step, who = body >> _STEP, body >> _WHO & 31
    rows = np.zeros((len(prefix) + len(body) + 1, len(layout.vocabulary.fields)), np.uint16)
    rows[: len(prefix), WHAT] = prefix
    rows[-1, WHAT] = layout.first["end"]
    inner = rows[len(prefix) : -1]
    what = body >> _WHAT & 4095
    if grid.bars is not None:
        bar = np.cumsum(what == layout.first["bar"]) - 1
        inner[:, WHEN] = (step - grid.bars.starts[bar] + 1) * (what >= layout.first["tempo"])
    else:
        inner[:, WHEN] = np.diff(step, prepend=0) + 1
    inner[:, WHO], inner[:, WHAT] = who, what
    inner[:, HOW_LONG] = body >> _LONG & 127
    inner[:, HOW_LOUD] = body >> _LOUD & 63
    if layout.has_nudge:
        inner[:, NUDGE] = body & 7
    return rows


def _prefix(grid: NoteGrid, layout: NoteLayout) -> list[int]:
    """`what` of the rows before the first bar."""
    controls = control_values(grid, layout)
    told = [layout.first["start"], *(layout.first[kind] + controls[kind] for kind in layout.controls)]
    if grid.bars is not None:
        told.append(layout.first["metre"] + int(grid.bars.metres[0]))
    told.append(layout.first["tempo"] + int(grid.tempos.value[0]))
    return told + [layout.first["program"] + program for program in grid.programs]


def control_values(grid: NoteGrid, layout: NoteLayout) -> dict[str, int]:
    """What the controls of a piece are, 0 where it is not known; the music tells the last four itself."""
    notes = grid.notes
    values = {kind: layout.names(kind).index(grid.names.get(kind, FREE)) for kind in ("style", "composer")}
    values["key"] = int(grid.keys.value[0]) + 1 if len(grid.keys.step) and grid.keys.step[0] == 0 else 0
    values["density"] = values["polyphony"] = 0
    if len(notes.start):
        length = int((notes.start + notes.length).max())
        units = length / (STEPS_PER_QUARTER if layout.is_metrical else STEPS_PER_SECOND)
        values["density"] = bisect_right(DENSITIES, len(notes.start) / units) + 1
        values["polyphony"] = min(max(round(int(notes.length.sum()) / length), 1), len(POLYPHONIES))
    if grid.bars is not None:
        values["bars"] = bar_count_class(len(grid.bars.metres))
    return values


def bar_count_class(bars: int) -> int:
    """The value of the control `bars` for a piece of so many."""
    return bisect_right(BAR_COUNTS, bars)


def _body(grid: NoteGrid, layout: NoteLayout) -> Ints:
    """All rows after the prefix but the `end`, packed, in order."""
    first = layout.first
    voice, notes = grid.notes.voice.astype(np.int64), grid.notes
    is_drum = np.array([program == DRUM_KIT for program in grid.programs] or [False])
    slot = voice >> PITCH_BITS
    what = (voice & (1 << PITCH_BITS) - 1) + np.where(is_drum, first["drum"], first["pitch"])[slot]
    packed = [
        (notes.start << _STEP) + (slot + 1 << _WHO) + (what << _WHAT)
        + (layout.nearest_class[notes.length] + 1 << _LONG) + (notes.touch + _ONE_OF_EACH)
    ]  # fmt: skip
    for kind, (step, value) in (("section", grid.sections), ("chord", grid.chords)):
        packed.append((step << _STEP) + (first[kind] + value << _WHAT))
    later = grid.keys.step > 0
    packed.append((grid.keys.step[later] << _STEP) + (first["key"] + 1 + grid.keys.value[later] << _WHAT))
    packed.append((grid.tempos.step[1:] << _STEP) + (first["tempo"] + grid.tempos.value[1:] << _WHAT))
    pedals = grid.pedals
    packed.append((pedals.step << _STEP) + (pedals.instrument + 1 << _WHO) + (first["sustain"] + pedals.down << _WHAT))
    if grid.bars is None:
        return _with_waits(np.sort(np.concatenate(packed), kind="stable"), first["wait"])
    starts, metres = grid.bars
    changes = np.flatnonzero(starts_run(metres))[1:]
    packed += [
        (starts[:-1] << _STEP) + (first["bar"] << _WHAT),
        (starts[changes] << _STEP) + (first["metre"] + metres[changes] << _WHAT),
    ]
    return np.sort(np.concatenate(packed), kind="stable")


def _with_waits(body: Ints, wait: int) -> Ints:
    """Rows that wait inside gaps too long for one shift."""
    step = body >> _STEP
    gap = np.diff(step, prepend=0)
    if gap.max(initial=0) <= LONGEST_SHIFT:
        return body
    count = np.maximum(gap - 1, 0) // LONGEST_SHIFT
    nth = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count) + 1
    waits = (np.repeat(step - gap, count) + nth * LONGEST_SHIFT << _STEP) + (wait << _WHAT)
    return np.sort(np.concatenate([body, waits]), kind="stable")


def known_rows(tokens: NDArray[Any], layout: NoteLayout) -> Rows:
    """The rows, those with a value beyond the vocabulary as `pad`."""
    sizes = np.array(layout.vocabulary.sizes)
    rows = np.asarray(tokens)
    if len(rows) and not (rows.min() >= 0 and (rows.max(axis=0) < sizes).all()):
        rows = np.where(((rows >= 0) & (rows < sizes)).all(axis=1, keepdims=True), rows, layout.vocabulary.pad)
    return np.asarray(rows, np.uint16)


def until_end(rows: Rows, layout: NoteLayout) -> Rows:
    """The rows before the first `end`."""
    ends = np.flatnonzero(rows[:, WHAT] == layout.first["end"])
    return rows[: ends[0]] if len(ends) else rows


class Timeline:
    """The step of every row, and the bars; what stands before the first bar row is in it."""

    def __init__(self, rows: Rows, layout: NoteLayout) -> None:
        when, what = rows[:, WHEN].astype(np.int64), rows[:, WHAT]
        self.bars: Bars | None = None
        if not layout.is_metrical:
            self.step = np.cumsum(np.maximum(when - 1, 0))
            self.is_on_time = self.step < LAST_STEP
            return
        is_bar = what == layout.first["bar"]
        number = np.cumsum(is_bar)
        begins = np.flatnonzero(when)
        opened = int(number[begins[0]] > 0) if len(begins) else 1
        self.bar = np.maximum(number - opened, 0)
        self.bars = Bars.of(_metres_in_force(what, self.bar, layout))
        self.step = self.bars.starts[self.bar] + np.maximum(when - 1, 0)
        self.is_on_time = (self.step < self.bars.starts[self.bar + 1]) & (self.step < LAST_STEP)


def _metres_in_force(what: Rows, bar: Ints, layout: NoteLayout) -> Ints:
    """The metre of each bar: the last told in it or before."""
    count = int(bar[-1]) + 1 if len(bar) else 1
    told = np.flatnonzero(is_within(what, layout.first["metre"], layout.end["metre"]))
    last = np.full(count, -1)
    last[bar[told]] = told  # the last of several wins
    row = np.maximum.accumulate(last)
    metres = what[row].astype(np.int64) - layout.first["metre"] if len(told) else np.zeros(count, np.int64)
    return np.where(row < 0, COMMON_METRE, metres)


def read_tokens(rows: Rows, layout: NoteLayout) -> NoteGrid:
    """The grid that known rows say, not yet resolved."""
    time = Timeline(rows, layout)
    what = rows[:, WHAT]

    def changes(kind: str, skip: int = 0) -> Changes:
        first = layout.first[kind] + skip
        at = np.flatnonzero(is_within(what, first, layout.end[kind]) & time.is_on_time)
        at = at[np.argsort(time.step[at], kind="stable")]
        return Changes(time.step[at], what[at].astype(np.int64) - first)

    notes, programs = _read_notes(rows, time, layout)
    return NoteGrid(
        programs=programs,
        notes=notes,
        tempos=changes("tempo"),
        keys=changes("key", skip=1),
        sections=changes("section"),
        chords=changes("chord"),
        pedals=_read_pedals(rows, time, layout),
        bars=time.bars,
        names=_read_names(what, layout),
    )


def _read_notes(rows: Rows, time: Timeline, layout: NoteLayout) -> tuple[NoteColumns, list[int]]:
    """Notes that say all that a note must, of a slot that plays such notes; and the program of each slot."""
    what = rows[:, WHAT]
    is_note = (what >= layout.first["pitch"]) & time.is_on_time & (rows[:, WHEN] > 0)
    is_note &= (rows[:, WHO] > 0) & (rows[:, HOW_LONG] > 0) & (rows[:, HOW_LOUD] > 0)
    at = np.flatnonzero(is_note)
    note = rows[at]
    slot, pitch = note[:, WHO] - np.uint16(1), note[:, WHAT] - np.uint16(layout.first["pitch"])
    is_drum = pitch >= 128
    programs = _slot_programs(what, slot, is_drum, layout)
    fits = is_drum == (np.array(programs) == DRUM_KIT)[slot]
    voice = slot << np.uint16(PITCH_BITS) | pitch & np.uint16(127)
    nudge = np.where(note[:, NUDGE] > 0, note[:, NUDGE] - 1, NO_NUDGE) if layout.has_nudge else NO_NUDGE
    touch = (note[:, HOW_LOUD].astype(np.int64) - 1 << NUDGE_BITS) + nudge
    start = time.step[at]
    notes = NoteColumns(start, layout.durations[note[:, HOW_LONG].astype(np.int64) - 1], voice, touch)
    if not fits.all():
        notes = notes.take(fits)
    if (notes.start[1:] < notes.start[:-1]).any():
        notes = notes.take(np.argsort(notes.start, kind="stable"))
    return notes, programs


def _slot_programs(what: Rows, slot: NDArray[np.uint16], is_drum: NDArray[np.bool_], layout: NoteLayout) -> list[int]:
    """Of all 16 slots: as declared, else drums where the first note is a drum's, else the first program."""
    declared = what[is_within(what, layout.first["program"], layout.end["program"])][:SLOTS].astype(np.int64)
    programs = np.zeros(SLOTS, np.int64)
    if slot.max(initial=0) >= len(declared):
        first = np.unique(slot, return_index=True)[1]
        programs[slot[first]] = is_drum[first] * DRUM_KIT
    programs[: len(declared)] = declared - layout.first["program"]
    return [int(program) for program in programs]


def _read_pedals(rows: Rows, time: Timeline, layout: NoteLayout) -> GridPedals:
    is_pedal = is_within(rows[:, WHAT], layout.first["sustain"], layout.end["sustain"])
    at = np.flatnonzero(is_pedal & (rows[:, WHO] > 0) & (rows[:, WHEN] > 0) & time.is_on_time)
    at = at[np.argsort(time.step[at], kind="stable")]
    slot = rows[at, WHO].astype(np.int64) - 1
    return GridPedals(time.step[at], slot, rows[at, WHAT] > layout.first["sustain"])


def _read_names(what: Rows, layout: NoteLayout) -> dict[str, str]:
    """Style and composer, the last that are told."""
    names = {}
    for kind in ("style", "composer"):
        told = what[is_within(what, layout.first[kind] + 1, layout.end[kind])]
        if len(told):
            names[kind] = layout.names(kind)[int(told[-1]) - layout.first[kind]]
    return names
