"""A piece as it is written: bars in the order of the page, before repeats are played.

Times are quarter notes (Fraction) from the start of a bar; bars are numbered from 0, the same in all parts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Literal, NamedTuple


class Change(NamedTuple):
    """Something that holds from a place on the page until the next of its kind."""

    bar: int
    offset: Fraction
    value: Any


class WrittenNote(NamedTuple):
    """One note head: MIDI pitch as written, `velocity` 0 where dynamics decide, and its ties.

    `graces_left` counts the grace notes from this one to the note they lead to; 0 for all other notes.
    """

    bar: int
    offset: Fraction
    duration: Fraction
    pitch: int
    velocity: int = 0
    tied_to_previous: bool = False
    tied_to_next: bool = False
    graces_left: int = 0


class Syllable(NamedTuple):
    """A syllable of a verse (from 1) of the lyrics."""

    bar: int
    offset: Fraction
    verse: int
    text: str


@dataclass(frozen=True)
class Marks:
    """What a bar says about the order of playing; `times` is how often what ends here is played (1: no repeat)."""

    repeat_starts: bool = False
    times: int = 1
    endings: frozenset[int] = frozenset()
    jump: Literal["", "start", "segno"] = ""
    segno: bool = False
    fine: bool = False
    coda: bool = False


@dataclass
class WrittenPart:
    """One staff or instrument."""

    name: str = ""
    program: int = 0
    is_drum: bool = False
    notes: list[WrittenNote] = field(default_factory=list)
    syllables: list[Syllable] = field(default_factory=list)
    velocities: list[Change] = field(default_factory=list)
    semitones: list[Change] = field(default_factory=list)
    """How much higher the instrument sounds than it is written."""


@dataclass
class WrittenScore:
    """A piece: the length of each bar, what changes in all parts at once, and the parts."""

    lengths: Sequence[Fraction]
    marks: Sequence[Marks]
    parts: Sequence[WrittenPart]
    metres: list[Change] = field(default_factory=list)
    """(numerator, denominator)"""
    keys: list[Change] = field(default_factory=list)
    """(sharps, is_minor)"""
    tempos: list[Change] = field(default_factory=list)
    """Quarter notes per minute."""
    chords: list[Change] = field(default_factory=list)
    """The text of each chord symbol."""
    metadata: Mapping[str, str] = field(default_factory=dict)
