"""One staff of one bar: its voices as pieces in order of time, and the accidentals that are printed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from aurl.music.engraving.metre import Value, metre
from aurl.music.engraving.page import Bar
from aurl.music.engraving.rhythm import Piece, Segment, notate
from aurl.music.engraving.spelling import LETTERS, Name
from aurl.music.engraving.staves import Chord

WHOLE = Value("whole", 0)
ACCIDENTALS = {-2: "flat-flat", -1: "flat", 0: "natural", 1: "sharp", 2: "double-sharp"}


class Written(NamedTuple):
    """A piece, its chord (None: a rest), and whether it is tied to what precedes and follows it; `start` in steps."""

    start: int
    piece: Piece
    chord: Chord | None
    from_previous: bool
    to_next: bool

    @property
    def length(self) -> int:
        """Steps."""
        return self.piece.end - self.piece.start


@dataclass
class Voice:
    """A voice of one bar: steps of silence before what is written, and its pieces; number from 0 within the staff."""

    number: int
    silence: int
    pieces: list[Written]


class ChordsByBar:
    """The chords of a voice, looked up bar by bar in order."""

    def __init__(self, chords: Sequence[Chord]) -> None:
        self._chords, self._next = chords, 0

    def within(self, bar: Bar) -> list[Chord]:
        """The chords that sound in a bar; bars must be asked for in order."""
        while self._next < len(self._chords) and self._chords[self._next].end <= bar.start:
            self._next += 1
        found = self._next
        while found < len(self._chords) and self._chords[found].start < bar.end:
            found += 1
        return list(self._chords[self._next : found])


def write_voice(number: int, chords: Sequence[Chord], bar: Bar) -> Voice:
    """The pieces of a voice in a bar, one rest for a whole silent one; rests around an inner voice are left out."""
    if not chords and bar.is_whole:
        rest = Piece(bar.offset, bar.offset + bar.length, WHOLE, None)
        return Voice(0, 0, [Written(bar.start, rest, None, False, False)])
    shift = bar.offset - bar.start
    segments, place = [], bar.start
    for index, chord in enumerate(chords):
        start, end = max(chord.start, bar.start), min(chord.end, bar.end)
        if start > place:
            segments.append(Segment(place + shift, start + shift, None))
        segments.append(Segment(start + shift, end + shift, index))
        place = end
    if place < bar.end:
        segments.append(Segment(place + shift, bar.end + shift, None))
    pieces = notate(segments, metre(bar.numerator, bar.denominator))
    written = [_written(piece, chords, piece.start - shift, piece.end - shift) for piece in pieces]
    return _without_outer_rests(number, written) if number else Voice(0, 0, written)


def _written(piece: Piece, chords: Sequence[Chord], start: int, end: int) -> Written:
    if piece.chord is None:
        return Written(start, piece, None, False, False)
    chord = chords[piece.chord]
    return Written(start, piece, chord, start > chord.start, end < chord.end)


def _without_outer_rests(number: int, written: list[Written]) -> Voice:
    is_free = [item.chord is None and item.piece.tuplet is None for item in written]
    first = is_free.index(False)
    last = len(written) - is_free[::-1].index(False)
    return Voice(number, sum(item.length for item in written[:first]), written[first:last])


def accidentals(voices: Sequence[Voice], names: dict[int, Name], sharps: int) -> dict[tuple[int, int], str]:
    """The printed accidentals of a staff's bar, by step and row of the note: where a name differs from what holds."""
    holds: dict[tuple[str, int], int] = {}
    printed = {}
    for item in sorted((item for voice in voices for item in voice.pieces), key=lambda item: item.start):
        for row, name in _named(item, names):
            place = name.letter, name.octave
            if item.from_previous:
                continue
            if holds.get(place, signature_alter(name.letter, sharps)) != name.alter:
                printed[item.start, row] = ACCIDENTALS[name.alter]
            holds[place] = name.alter
    return printed


def _named(item: Written, names: dict[int, Name]) -> Iterator[tuple[int, Name]]:
    for row in item.chord.notes if item.chord else ():
        yield row, names[row]


def signature_alter(letter: str, sharps: int) -> int:
    """What a signature does to a letter."""
    place = LETTERS.index(letter)
    return int(place < sharps) - int(place >= 7 + sharps)
