"""The grammar of the `event` tokenizer: the order of one moment's events, and notes that begin and end in turn.

A moment is told as tempo, note-offs, pedals, note-ons. The order is a table: its state is the kind of the last token,
for an instrument token also how far the moment has come, and what the piece has declared so far: nothing, an
instrument, or an instrument and a velocity. Notes need both, pedals need an instrument. On top of the table, only a
note that sounds can end, and only one that does not can begin. A piece may end while notes sound: they end with it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from itertools import product
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from aurl.data.tokenizers import event_vocabulary as ev
from aurl.data.tokenizers.grammar import NO_LIMITS, Bools, Grammar, NoteLimits, TableGrammar

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


_ALL = (1 << ev.PITCH_COUNT) - 1


class EventState(NamedTuple):
    """What matters of the tokens so far."""

    place: int
    """The state of the table."""
    instrument: int = 0
    """The current one; before one is named, the first."""
    clock: int = 0
    """Steps gone by."""
    sounding: tuple[int, ...] = (0,) * ev.INSTRUMENT_COUNT
    """Which pitches of each instrument sound, bit by bit."""
    began: Mapping[tuple[int, int], int] = MappingProxyType({})
    """With a limit of time, when each (instrument, pitch) that sounds began."""


class EventGrammar(Grammar):
    """The table of the order of events, and which notes sound since when."""

    def __init__(self, limits: NoteLimits = NO_LIMITS) -> None:
        self.limits = limits
        self.table = moment_table()
        self.initial = EventState(self.table.initial, began={})  # a proxy would not cross to another process
        self._can_end_notes = self.table.legal[self.table.following[:, ev.INSTRUMENT], ev.NOTE_OFF].tolist()

    def limited(self, limits: NoteLimits) -> Grammar:
        """This grammar within `limits`: time passes no further than to where a note has lasted long enough."""
        return EventGrammar(limits)

    def mask(self, state: EventState, field: int, chosen: Sequence[int]) -> Bools:
        """The legal values `[774]`; the one field is 0."""
        sounding, limit = state.sounding, self.limits.polyphony
        has_room = not math.isfinite(limit) or sum(map(int.bit_count, sounding)) < limit
        legal = self.table.mask(state.place, field, chosen) & _notes(sounding[state.instrument], has_room)
        if not has_room or _ALL in sounding:
            can_end = self._can_end_notes[state.place]
            named = [(has_room and pitches != _ALL) or (can_end and pitches > 0) for pitches in sounding]
            legal[ev.INSTRUMENT :] &= named
        if state.began:
            self._limit_time(state, legal)
        return legal

    def _limit_time(self, state: EventState, legal: Bools) -> None:
        """Time goes no further than to the end of the note that is due first; what is overdue must end."""
        left = max(self._longest_steps - (state.clock - min(state.began.values())), 1)
        legal[ev.SHIFT + left : ev.VELOCITY] = False
        overdue = [note for note, begun in state.began.items() if state.clock - begun >= self._longest_steps]
        here = [pitch for instrument, pitch in overdue if instrument == state.instrument]
        if here and self.table.legal[state.place, ev.NOTE_OFF]:
            allowed = [ev.NOTE_OFF + pitch for pitch in here]
        elif overdue and self._can_end_notes[state.place]:
            named = {ev.INSTRUMENT + instrument for instrument, _ in overdue}
            allowed = [value for value in named if legal[value]]
        else:
            return
        legal[:] = False
        legal[allowed] = True

    @property
    def _longest_steps(self) -> int:
        return max(1, int(self.limits.seconds * ev.STEPS_PER_SECOND))

    def advance(self, state: EventState, row: Sequence[int]) -> EventState:
        """The state after a row of one value."""
        value, place = row[0], self.table.advance(state.place, row)
        _, instrument, clock, sounding, began = state
        if value >= ev.INSTRUMENT:
            instrument = value - ev.INSTRUMENT
        elif ev.NOTE_ON <= value < ev.SHIFT:
            pitch, begins = (value - ev.NOTE_ON) % ev.PITCH_COUNT, value < ev.NOTE_OFF
            pitches = sounding[instrument] & ~(1 << pitch) | begins << pitch
            sounding = (*sounding[:instrument], pitches, *sounding[instrument + 1 :])
            if math.isfinite(self.limits.seconds):
                began = {note: step for note, step in began.items() if note != (instrument, pitch)}
                began |= {(instrument, pitch): clock} if begins else {}
        elif ev.SHIFT <= value < ev.VELOCITY:
            clock += value - ev.SHIFT + 1
        return EventState(place, instrument, clock, sounding, began)

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


@lru_cache(maxsize=1024)
def _notes(pitches: int, has_room: bool) -> Bools:
    """What an instrument can play of which these pitches sound, all else being legal."""
    legal, sounds = np.ones(ev.SIZE, np.bool_), [bool(pitches >> pitch & 1) for pitch in range(ev.PITCH_COUNT)]
    legal[ev.NOTE_ON : ev.NOTE_OFF] = np.logical_not(sounds) & has_room
    legal[ev.NOTE_OFF : ev.SHIFT] = sounds
    legal[ev.VELOCITY : ev.SUSTAIN_ON] = has_room and pitches != _ALL
    return legal


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
