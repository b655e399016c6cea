"""The grammar of the `event` tokenizer: the order of one moment's events, and notes that begin and end in turn.

A moment is told as tempo, note-offs, pedals, note-ons. The order is a table: its state is the kind of the last token,
for an instrument token also how far the moment has come, and what the piece has declared so far: nothing, an
instrument, or an instrument and a velocity. Notes need both, pedals need an instrument. On top of the table, only a
note that sounds can end, and only one that does not can begin. A piece may end while notes sound: they end with it.
"""

from __future__ import annotations

import math
from functools import cache
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aurl.data.tokenizers import event_vocabulary as ev
from aurl.data.tokenizers.grammar import NO_LIMITS, Bools, Grammar, Ints, NoteLimits, States, TableGrammar

_RANGES = {
    "start": (ev.START, ev.END),
    "end": (ev.END, ev.PAD),
    "pad": (ev.PAD, ev.UNKNOWN),
    "unknown": (ev.UNKNOWN, ev.NOTE_ON),
    "on": (ev.NOTE_ON, ev.NOTE_OFF),
    "off": (ev.NOTE_OFF, ev.SHIFT),
    "shift": (ev.SHIFT, ev.VELOCITY - 1),
    "long shift": (ev.VELOCITY - 1, ev.VELOCITY),
    "velocity": (ev.VELOCITY, ev.SUSTAIN_ON),
    "pedal": (ev.SUSTAIN_ON, ev.TEMPO),
    "tempo": (ev.TEMPO, ev.INSTRUMENT),
    "instrument": (ev.INSTRUMENT, ev.SIZE),
}
"""The kinds of token, each a range of values; a shift of the longest size is a kind of its own."""

_ANY_SHIFT = {"shift", "long shift"}
_FOLLOWERS = {
    "nothing": {"start"},
    "start": {"tempo"},
    "end": {"pad"},
    "pad": {"pad"},
    "tempo": _ANY_SHIFT | {"off", "instrument", "pedal", "velocity", "on", "end"},
    "long shift": _ANY_SHIFT | {"tempo", "off", "instrument", "pedal", "velocity", "on"},
    "shift": {"tempo", "off", "instrument", "pedal", "velocity", "on"},
    "off": _ANY_SHIFT | {"off", "instrument", "pedal", "velocity", "on", "end"},
    "pedal": _ANY_SHIFT | {"instrument", "velocity", "on", "end"},
    "on": _ANY_SHIFT | {"instrument", "velocity", "on"},
    "velocity": {"on"},
    "instrument before pedals": {"off", "pedal", "velocity", "on"},
    "instrument after pedals": {"pedal", "velocity", "on"},
    "instrument after notes": {"velocity", "on"},
}
"""The kinds that may follow each kind, when the declarations that they need have been made."""

_INSTRUMENT_AFTER = {
    "pedal": "instrument after pedals",
    "instrument after pedals": "instrument after pedals",
    "on": "instrument after notes",
    "velocity": "instrument after notes",
    "instrument after notes": "instrument after notes",
}
"""How far the moment has come when an instrument is named, where that is past its note-offs."""

_NEEDS = {"off": 2, "on": 2, "pedal": 1, "velocity": 1}
"""Declarations without which a kind is illegal: 1 an instrument, 2 also a velocity."""

_STATES = list(product(_FOLLOWERS, range(3)))
_INDEX = {state: index for index, state in enumerate(_STATES)}


_PLACE, _INSTRUMENT, _CLOCK, _BEGAN = 0, 1, 2, 3
"""Columns of a state: the state of the table, the current instrument, the steps gone by, and for each instrument and
pitch when its note began, counted from 1; 0 is silence."""


class EventGrammar(Grammar):
    """The table of the order of events, and which notes sound since when; states are `[b, 3 + 16 * 88]`."""

    def __init__(self, limits: NoteLimits = NO_LIMITS) -> None:
        self.limits = limits
        self.table = moment_table()
        self._can_end_notes = self.table.legal[self.table.following[:, ev.INSTRUMENT], ev.NOTE_OFF]

    def limited(self, limits: NoteLimits) -> Grammar:
        """This grammar within `limits`: time passes no further than to where a note has lasted long enough."""
        return EventGrammar(limits)

    def start(self, batch: int) -> States:
        """Nothing told, the first instrument, silence."""
        states = np.zeros((batch, _BEGAN + ev.INSTRUMENT_COUNT * ev.PITCH_COUNT), np.int64)
        states[:, _PLACE] = self.table.initial
        return states

    def masks(self, states: States, field: int, chosen: Ints) -> Bools:
        """The legal values `[b, 774]`; the one field is 0."""
        place, began, rows = states[:, _PLACE], _began(states), np.arange(len(states))
        legal, sounding = self.table.masks(place, field, chosen), began > 0
        here = sounding[rows, states[:, _INSTRUMENT]]
        has_room = (sounding.sum(axis=(1, 2)) < self.limits.polyphony)[:, None]
        legal[:, ev.NOTE_ON : ev.NOTE_OFF] &= ~here & has_room
        legal[:, ev.NOTE_OFF : ev.SHIFT] &= here
        legal[:, ev.VELOCITY : ev.SUSTAIN_ON] &= ~here.all(axis=1, keepdims=True) & has_room
        can_begin, can_end = ~sounding.all(axis=2) & has_room, self._can_end_notes[place, None] & sounding.any(axis=2)
        legal[:, ev.INSTRUMENT :] &= can_begin | can_end
        if math.isfinite(self.limits.seconds):
            age = np.where(sounding, states[:, _CLOCK, None, None] + 1 - began, -ev.LONGEST_SHIFT)
            left = np.maximum(self._longest_steps - age.max(axis=(1, 2)), 1)
            legal[:, ev.SHIFT : ev.VELOCITY] &= np.arange(1, ev.LONGEST_SHIFT + 1) <= left[:, None]
            self._force_ends(legal, place, states[:, _INSTRUMENT], age >= self._longest_steps)
        return legal

    def _force_ends(self, legal: Bools, place: States, instrument: States, overdue: Bools) -> None:
        """Where notes can end and some are `overdue` `[b, 16, 88]`, leave only what ends them, or leads there."""
        here = overdue[np.arange(len(overdue)), instrument] & self.table.legal[place, ev.NOTE_OFF, None]
        there = overdue.any(axis=2) & self._can_end_notes[place, None]
        for row in np.flatnonzero(here.any(axis=1) | there.any(axis=1)):
            is_here = here[row].any()
            named = legal[row, ev.INSTRUMENT :] & there[row]
            legal[row] = False
            legal[row, ev.NOTE_OFF : ev.SHIFT] = here[row]
            legal[row, ev.INSTRUMENT :] = named & (not is_here)

    @property
    def _longest_steps(self) -> int:
        return max(1, int(self.limits.seconds * ev.STEPS_PER_SECOND))

    def advance(self, states: States, rows: NDArray[Any]) -> States:
        """The states after `rows` `[b, 1]`."""
        after, ids = states.copy(), rows[:, 0].astype(np.int64)
        after[:, _PLACE] = self.table.advance(states[:, _PLACE], rows)
        named = ids >= ev.INSTRUMENT
        after[named, _INSTRUMENT] = ids[named] - ev.INSTRUMENT
        notes = np.flatnonzero((ids >= ev.NOTE_ON) & (ids < ev.SHIFT))
        begins, pitches = ids[notes] < ev.NOTE_OFF, (ids[notes] - ev.NOTE_ON) % ev.PITCH_COUNT
        _began(after)[notes, states[notes, _INSTRUMENT], pitches] = begins * (states[notes, _CLOCK] + 1)
        shifts = (ids >= ev.SHIFT) & (ids < ev.VELOCITY)
        after[shifts, _CLOCK] += ids[shifts] - ev.SHIFT + 1
        return after

    def first_illegal(self, tokens: NDArray[Any]) -> int | None:
        """Index of the first illegal token, values beyond the vocabulary among them; limits are not looked at."""
        first = self.table.first_illegal(tokens)
        instrument, sounding = 0, set[tuple[int, int]]()
        for index, value in enumerate(tokens[:first, 0].tolist()):
            if value >= ev.INSTRUMENT:
                instrument = value
            elif ev.NOTE_ON <= value < ev.SHIFT:
                ends, pitch = divmod(value - ev.NOTE_ON, ev.PITCH_COUNT)
                note = (instrument, pitch)
                if bool(ends) != (note in sounding):
                    return index
                sounding ^= {note}
        return first


def _began(states: States) -> States:
    """When the notes `[b, 16, 88]` of `states` began, a view."""
    return states[:, _BEGAN:].reshape(len(states), ev.INSTRUMENT_COUNT, ev.PITCH_COUNT)


@cache
def moment_table() -> TableGrammar:
    """The order of a moment's events as tables, 42 states by 774 values."""
    legal = np.zeros((len(_STATES), ev.SIZE), np.bool_)
    following = np.zeros((len(_STATES), ev.SIZE), np.int64)
    for index, (last, declared) in enumerate(_STATES):
        for kind, (first, end) in _RANGES.items():
            legal[index, first:end] = kind in _FOLLOWERS[last] and declared >= _NEEDS.get(kind, 0)
            following[index, first:end] = _INDEX[_next_state(last, declared, kind)]
    return TableGrammar(legal, following, _INDEX["nothing", 0])


def _next_state(last: str, declared: int, kind: str) -> tuple[str, int]:
    """Where a token leads, legal or not; `unknown` says nothing and changes nothing."""
    match kind:
        case "unknown":
            return last, declared
        case "start":
            return "start", 0
        case "velocity":
            return "velocity", 2
        case "instrument":
            return _INSTRUMENT_AFTER.get(last, "instrument before pedals"), max(declared, 1)
    return kind, declared
