"""The grammar of the `event` tokenizer: the order in which one moment's events may follow each other.

A moment is told as tempo, note-offs, pedals, note-ons. A state is the kind of the last token, for an instrument token
also how far the moment has come, and what the piece has declared so far: nothing, an instrument, or an instrument and
a velocity. Notes need both, pedals need an instrument. Which notes sound is not part of the state, so a note-off
without a note is legal; decoding passes it over.
"""

from __future__ import annotations

from functools import cache
from itertools import product

import numpy as np

from aurl.data.tokenizers import event_vocabulary as ev
from aurl.data.tokenizers.grammar import TableGrammar

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


@cache
def event_grammar() -> TableGrammar:
    """The tables of the grammar, 42 states by 774 values."""
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
