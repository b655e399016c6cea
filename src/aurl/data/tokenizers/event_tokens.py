"""The stream of `event` tokens and the grid it says, one way and the other; all of it vectorised.

Writing packs every event into one integer (step, kind, instrument, value, velocity, from the highest bits to the
lowest), so that one sort puts them in the order of the stream. Reading packs time, velocity and instrument into one
integer a token and sums their changes, so that one running sum tells all three.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from aurl.data.tokenizers import event_vocabulary as ev
from aurl.data.tokenizers.event_grid import (
    LAST_STEP,
    PITCH_MASK,
    VOICE_BITS,
    Grid,
    GridNotes,
    cut,
    merge,
    resolve_pedals,
    resolve_tempos,
)
from aurl.data.tokenizers.runs import Ints, starts_run

Ids = NDArray[np.uint16]

# An event as an integer: step | kind (2 bits) | instrument (4) | value (10) | velocity (5); instrument and value are a
# voice whose pitch has become a token.
_VALUE, _INSTRUMENT, _KIND, _STEP = 5, 15, 19, 21
_TEMPO, _OFF, _PEDAL, _ON = (kind << _KIND for kind in range(4))

# The state while decoding: instrument | velocity bin (8 bits) | steps.
_STEPS_STATE_BITS = 40
_VELOCITY_STATE = _STEPS_STATE_BITS
_INSTRUMENT_STATE = _STEPS_STATE_BITS + 8


def write_tokens(grid: Grid) -> Ids:
    """The tokens `[t]`: up to four an event (shift, instrument, velocity, the event), those not needed left out."""
    events = _events(grid)
    step, event = events >> _STEP, events & (1 << _STEP) - 1
    gap = step.copy()
    gap[1:] -= step[:-1]
    rows = np.zeros((len(events) + 1, 4), np.uint16)  # 0 stands for nothing, and at the very first place for `start`
    rows[:-1, 0] = np.where(gap, gap + (ev.SHIFT - 1), 0)
    rows[:-1, 1] = _changes(event >> _INSTRUMENT & 15, np.flatnonzero(event >= _OFF), ev.INSTRUMENT)
    rows[:-1, 2] = _changes(event & 31, np.flatnonzero(event >= _ON), ev.VELOCITY)
    rows[:-1, 3] = event >> _VALUE & PITCH_MASK
    rows[-1, 0] = ev.END
    tokens = rows.ravel()
    needed = tokens != 0
    needed[0] = True
    return np.asarray(tokens[needed])


def _events(grid: Grid) -> Ints:
    """All events in order, with empty ones inside gaps too long for one shift."""
    notes, pedals = grid.notes, grid.pedals
    voice = notes.voice.astype(np.int64) << _VALUE
    pedal = pedals.instrument << VOICE_BITS | np.where(pedals.down, ev.SUSTAIN_ON, ev.SUSTAIN_OFF)
    events = np.concatenate([
        grid.tempos.step << _STEP | (ev.TEMPO + grid.tempos.tempo) << _VALUE,
        (notes.end << _STEP) + (voice + (_OFF | ev.NOTE_OFF << _VALUE)),
        pedals.step << _STEP | _PEDAL | pedal << _VALUE,
        (notes.start << _STEP) + (voice + (_ON | ev.NOTE_ON << _VALUE)) + notes.velocity,
    ])  # fmt: skip
    events.sort(kind="stable")  # merges the ascending runs that voices are: a third of the time of the default sort
    step = events >> _STEP
    gap = step[1:] - step[:-1]
    if gap.max(initial=0) <= ev.LONGEST_SHIFT:
        return events
    count = np.maximum(gap - 1, 0) // ev.LONGEST_SHIFT
    nth = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count) + 1
    fillers = np.repeat(step[:-1], count) + nth * ev.LONGEST_SHIFT << _STEP
    return np.sort(np.concatenate([events, fillers]), kind="stable")


def _changes(values: Ints, where: NDArray[np.intp], first_token: int) -> Ids:
    """At the indices `where`, the token of a value that differs from the one before; 0 elsewhere."""
    tokens = np.zeros(len(values), np.uint16)
    here = values[where]
    tokens[where] = (here + first_token) * starts_run(here)
    return tokens


def known_ids(tokens: NDArray[Any]) -> Ids:
    """The ids `[t]`, those beyond the vocabulary as `unknown`."""
    ids = np.asarray(tokens).reshape(-1)
    if ids.dtype == np.uint16 and (not len(ids) or ids.max() < ev.SIZE):
        return ids
    return np.where((ids >= 0) & (ids < ev.SIZE), ids, ev.UNKNOWN).astype(np.uint16)


def within(ids: Ids, first: int, count: int) -> NDArray[np.bool_]:
    """Which ids lie in `first .. first + count - 1`; smaller ones wrap around to large ones."""
    return np.asarray(ids - np.uint16(first) < count)


def steps_passed(ids: Ids) -> Ids:
    """The time each token lets pass."""
    return np.asarray((ids - np.uint16(ev.SHIFT - 1)) * within(ids, ev.SHIFT, ev.LONGEST_SHIFT))


def bpm_at(ids: Ids) -> Ints:
    """The tempo in force at each token."""
    at = np.flatnonzero(within(ids, ev.TEMPO, ev.TEMPO_COUNT))
    bpm = np.append(120, ev.BPM[ids[at].astype(np.int64) - ev.TEMPO])
    return np.repeat(bpm, np.diff(np.concatenate([[0], at, [len(ids)]])))


def read_tokens(ids: Ids) -> Grid:
    """The grid that tokens say; its notes are resolved, in order of start."""
    ends = np.flatnonzero(ids == ev.END)
    if len(ends):
        ids = ids[: ends[0]]
    state = _states(ids)
    last_step = int(state[-1] & (1 << _STEPS_STATE_BITS) - 1) if len(state) else 0
    if last_step > LAST_STEP:
        return read_tokens(ids[state & (1 << _STEPS_STATE_BITS) - 1 <= LAST_STEP])
    step = state & (1 << _STEPS_STATE_BITS) - 1
    tempo = np.flatnonzero(within(ids, ev.TEMPO, ev.TEMPO_COUNT))
    pedal = np.flatnonzero(within(ids, ev.SUSTAIN_ON, 2))
    return Grid(
        _read_notes(ids, state, last_step),
        resolve_tempos(step[tempo], ids[tempo].astype(np.int64) - ev.TEMPO),
        resolve_pedals(step[pedal], state[pedal] >> _INSTRUMENT_STATE, ids[pedal] == ev.SUSTAIN_ON),
    )


def _states(ids: Ids) -> Ints:
    """Time, velocity and instrument after each token, packed in one integer, by one running sum of their changes."""
    change = steps_passed(ids).astype(np.int64)
    for first, count, default, place in (
        (ev.VELOCITY, ev.VELOCITY_COUNT, ev.DEFAULT_VELOCITY_BIN, _VELOCITY_STATE),
        (ev.INSTRUMENT, ev.INSTRUMENT_COUNT, 0, _INSTRUMENT_STATE),
    ):
        at = np.flatnonzero(within(ids, first, count))
        values = np.append(default, ids[at].astype(np.int64) - first)
        change[at] = (values[1:] - values[:-1]) << place
    if len(change):
        change[0] += ev.DEFAULT_VELOCITY_BIN << _VELOCITY_STATE
    return np.cumsum(change, out=change)


def _read_notes(ids: Ids, state: Ints, last_step: int) -> GridNotes:
    """Pair note-ons with what ends them: the next event of their voice, or the end of the piece."""
    at = np.flatnonzero(within(ids, ev.NOTE_ON, 2 * ev.PITCH_COUNT))
    state, ids = state[at], ids[at]
    is_on = ids < ev.NOTE_OFF
    step = state & (1 << _STEPS_STATE_BITS) - 1
    pitch = ids - np.where(is_on, np.uint16(ev.NOTE_ON), np.uint16(ev.NOTE_OFF))
    voice = (state >> _INSTRUMENT_STATE - VOICE_BITS).astype(np.uint16) & ~np.uint16(PITCH_MASK) | pitch
    order = np.argsort(voice, kind="stable")
    by_voice, times = voice[order], step[order]
    ends = np.full(len(order), last_step)
    np.copyto(ends[:-1], times[1:], where=by_voice[1:] == by_voice[:-1])
    end = np.empty_like(ends)
    end[order] = ends
    velocity = state >> _VELOCITY_STATE & 31
    notes = GridNotes(step, end, voice, velocity).take(np.flatnonzero(is_on))
    lasting = notes.end > notes.start
    if lasting.all():
        return notes
    notes = GridNotes(notes.start, np.maximum(notes.end, notes.start + 1), notes.voice, notes.velocity)
    return cut(merge(notes.take(notes.start < LAST_STEP)))
