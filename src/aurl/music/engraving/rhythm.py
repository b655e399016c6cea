"""Durations to note values: a voice of one bar becomes notes, rests and ties, tuplets and beams; nothing is lost.

Every place of the grid of 1/24 quarter is a place of the plain values (down to the 32nd) or of triplets within a part
of the bar (down to the triplet 64th), so any rhythm can be written exactly. Of the parts of the bar in which a triplet
would do, the ones are taken that need the fewest notes, ties counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import NamedTuple

from aurl.music.engraving.metre import (
    IN_TUPLET,
    PLAIN,
    SHORTEST,
    TUPLET_CELLS,
    Metre,
    Node,
    Value,
    divide,
    tuplet_metre,
)

BEAMS = {"eighth": 1, "16th": 2, "32nd": 3, "64th": 4}
"""How many beams each value has."""
_THIRDS = {3: "64th", 6: "32nd", 12: "16th", 24: "eighth", 48: "quarter", 96: "half"}


class Segment(NamedTuple):
    """What a voice does from one place of the bar to another: a chord (its number) or silence (None)."""

    start: int
    end: int
    chord: int | None


class Tuplet(NamedTuple):
    """A part of the bar filled with three for two of a value."""

    start: int
    length: int

    @property
    def value(self) -> str:
        """Of which there are three."""
        return _THIRDS[self.length]


@dataclass
class Piece:
    """One written note, chord or rest."""

    start: int
    end: int
    value: Value
    chord: int | None
    tuplet: Tuplet | None = None
    opens: bool = False
    """Whether it is the first of its tuplet."""
    closes: bool = False
    """Whether it is the last."""
    is_bracketed: bool = True
    """Whether its tuplet needs a bracket: one beam alone shows what belongs to it."""
    beams: list[str] = field(default_factory=list)
    """From the first beam on: begin, continue, end, forward hook, backward hook."""


def notate(segments: Sequence[Segment], metre: Metre) -> list[Piece]:
    """The pieces of segments that follow each other without gaps."""
    tuplets = choose_tuplets(segments, metre)
    pieces = [piece for segment in segments for piece in _pieces(segment, tuplets, metre)]
    _beam(pieces, metre)
    for tuplet in tuplets:
        inside = [piece for piece in pieces if piece.tuplet == tuplet]
        inside[0].opens = inside[-1].closes = True
        first_beams = [piece.beams[0] if piece.beams else "" for piece in inside]
        is_one_beam = first_beams == ["begin", *["continue"] * (len(inside) - 2), "end"]
        inside[0].is_bracketed = not is_one_beam
    return pieces


def choose_tuplets(segments: Sequence[Segment], metre: Metre) -> list[Tuplet]:
    """The parts of the bar that are written as tuplets, in order."""
    if not any(segment.start % SHORTEST or segment.end % SHORTEST for segment in segments):
        return []
    return _cover(metre.tree, segments)[1]


def _cover(node: Node, segments: Sequence[Segment]) -> tuple[int, list[Tuplet]]:
    """The cheapest tuplets in a part of the bar, and how many notes and ties they cost."""
    inside = [segment for segment in segments if segment.start < node.end and segment.end > node.start]
    if not any(node.start < place < node.end and place % SHORTEST for s in inside for place in (s.start, s.end)):
        return 0, []
    parts = [_cover(child, inside) for child in node.children]
    split = sum(cost for cost, _ in parts), [tuplet for _, tuplets in parts for tuplet in tuplets]
    is_whole = segments and inside[0].start <= node.start and inside[-1].end >= node.end
    if node.length not in TUPLET_CELLS or not is_whole:
        return split
    where, cost = tuplet_metre(node.length), 0
    for segment in inside:
        start, end = max(segment.start, node.start) - node.start, min(segment.end, node.end) - node.start
        ties = (segment.start < node.start) + (segment.end > node.end)
        cost += ties + len(divide(start, end, where, IN_TUPLET, is_rest=segment.chord is None))
    return split if parts and split[0] <= cost else (cost, [Tuplet(node.start, node.length)])


def _pieces(segment: Segment, tuplets: Sequence[Tuplet], metre: Metre) -> list[Piece]:
    """A segment cut at the tuplets it touches, each part in the values that hold there."""
    pieces: list[Piece] = []
    place = segment.start
    for tuplet in [*tuplets, Tuplet(segment.end, 0)]:
        free, end = min(tuplet.start, segment.end), min(tuplet.start + tuplet.length, segment.end)
        if place < free:
            spans = divide(place, free, metre, PLAIN, is_rest=segment.chord is None)
            pieces += [Piece(a, b, PLAIN[b - a], segment.chord) for a, b in spans]
            place = free
        if place < end:
            start, where = tuplet.start, tuplet_metre(tuplet.length)
            spans = divide(place - start, end - start, where, IN_TUPLET, is_rest=segment.chord is None)
            pieces += [Piece(start + a, start + b, IN_TUPLET[b - a], segment.chord, tuplet) for a, b in spans]
            place = end
    return pieces


def _beam(pieces: Sequence[Piece], metre: Metre) -> None:
    """Beam short notes beat by beat, plain eighths by half bars where two beats make one.

    A beam holds a tuplet whole or lies within it: Verovio loses time where they cross.
    """
    groups = {start: index for index, (start, _) in enumerate(metre.beats)}
    ends = [end for _, end in metre.beats]

    def beat(piece: Piece) -> int:
        return next(index for index, end in enumerate(ends) if piece.start < end)

    if len(groups) == 4 and not metre.is_strict:
        for first in (0, 2):
            half = [piece for piece in pieces if first <= beat(piece) < first + 2]
            is_plain = all(p.value == ("eighth", 0) and p.chord is not None and p.tuplet is None for p in half)
            if is_plain and half and half[0].start == metre.beats[first][0]:
                ends[first] = ends[first + 1]
    broken = {p.tuplet for p in pieces if not _is_short(p)}
    for _, group in groupby(pieces, key=beat):
        for (is_short, _), run in groupby(
            group, key=lambda p: (_is_short(p), p.tuplet if p.tuplet in broken else None)
        ):
            notes = list(run)
            if is_short and len(notes) > 1:
                _beam_run(notes)


def _is_short(piece: Piece) -> bool:
    return piece.chord is not None and piece.value.name in BEAMS


def _beam_run(notes: Sequence[Piece]) -> None:
    counts = [BEAMS[note.value.name] for note in notes]
    for index, note in enumerate(notes):
        before = counts[index - 1] if index else 0
        after = counts[index + 1] if index + 1 < len(notes) else 0
        for level in range(1, counts[index] + 1):
            joins, goes_on = before >= level, after >= level
            if joins or goes_on:
                note.beams.append("continue" if joins and goes_on else "end" if joins else "begin")
            else:
                note.beams.append("backward hook" if before else "forward hook")
