"""Humdrum **kern: one piece a file, spine by spine to `written.WrittenScore`.

Each kern spine is a part, the top staff (the last spine) first; what it splits into are voices of that part. Read are
**kern, **dynam, **text, **silbe, **mxhm and **harte; bars end where any bar line stands. Not read: `*>[A,B]` orders
(repeats and the endings `*>B1` say the same), `!!ignore`, layout and ornaments.
"""

from __future__ import annotations

import math
import re
from fractions import Fraction
from typing import Any

from aurl.music.notation.kern_spines import CHORDS, DYNAMICS, KERN, NO_STAFF, VERSES, Spine, arrange, following, heading
from aurl.music.notation.kern_tokens import (
    ACCENT,
    PROGRAMS,
    Sound,
    chord_symbol,
    level,
    metronome,
    program_named,
    sharps,
    sound,
    tempo,
    tonic,
)
from aurl.music.notation.library import LARGEST_METRE, MOST_NOTES, NOTE_VALUES, REPEATED, refuse_metres
from aurl.music.notation.written import Change, Marks, Syllable, WrittenNote, WrittenPart, WrittenScore
from aurl.utils.errors import MidiError

METRES = re.compile(r"(?:^|\t)\*M([0-9][^\t\n]*)", re.MULTILINE)
FINEST = 2**100
"""Parts of a quarter note; a piece that needs more has no rhythm."""
_METRE = re.compile(r"\*M([0-9+]+)/([0-9]+)")
_REFERENCE = re.compile(r"!!!(OTL|COM|OMD)[0-9]{0,2}(?:@@?\w+)?:[ \t]*(.*)")
_REFERENCES = {"OTL": "title", "COM": "composer"}


def read_kern(text: str, name: str) -> WrittenScore:
    """Read a piece; raises MidiError."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    refuse_metres(METRES.findall(text), name)
    page = _Page()
    try:
        for line in text.split("\n"):
            page.read(line)
        return page.written()
    except ValueError as error:
        raise MidiError(f"cannot read {name} as Humdrum kern", found=f"line {page.lines}: {error}") from None


class _Page:
    """What has been read so far; times are whole numbers, `unit` to the quarter note, `now` that of the next line."""

    def __init__(self) -> None:
        self.spines: list[Spine] = []
        self.parts: list[WrittenPart] = []
        self.unit, self.now, self.line_start, self.bar_start = 1, 0, 0, 0
        self.undated: list[list[str]] = []
        self.lengths: list[Fraction] = []
        self.section, self.ending = "", 0
        self.endings, self.repeat_starts, self.repeat_ends = [0], set[int](), set[int]()
        self.metres: list[Change] = []
        self.keys: list[Change] = []
        self.tempos: list[Change] = []
        self.chords: list[Change] = []
        self.metadata: dict[str, str] = {}
        self.marked: tuple[Any, ...] = ()
        self.lines, self.notes = 0, 0

    def read(self, line: str) -> None:
        """Take one line; raises ValueError for what no kern file holds."""
        self.lines += 1
        if line.startswith("!!") or not line.strip():
            self._refer(line)
            return
        if line.startswith("**") and not self.spines:
            if self.parts:
                raise ValueError("a second piece")
            self._arrange(heading(line.split("\t")))
            return
        if line.count("\t") + 1 != len(self.spines):
            raise ValueError(f"{line.count(chr(9)) + 1} columns where {len(self.spines)} spines are")
        cells = line.split("\t")
        if line[0] == "*":
            self._interpret(cells)
        elif line[0] == "=":
            self._end_bar(cells)
        elif line[0] == "!":
            self._mark_tempo(line)
        else:
            self._sound(cells)

    def written(self) -> WrittenScore:
        """The whole piece."""
        self._date()
        for spine in self.spines:
            self._lead(spine)
        if self.now > self.bar_start:
            self._close_bar()
        if not self.parts or not self.lengths:
            raise ValueError("there is no music")
        marks = [
            Marks(bar in self.repeat_starts, REPEATED if bar in self.repeat_ends else 1, frozenset({ending} - {0}))
            for bar, ending in zip(range(len(self.lengths)), self.endings, strict=False)
        ]
        return WrittenScore(
            self.lengths, marks, self.parts[::-1], self.metres, self.keys, self.tempos, self.chords, self.metadata
        )

    def _refer(self, line: str) -> None:
        found = _REFERENCE.match(line)
        if not found or not found[2].strip():
            return
        if found[1] in _REFERENCES:
            self.metadata.setdefault(_REFERENCES[found[1]], found[2].strip())
        else:
            self._mark_tempo(found[2])

    def _mark_tempo(self, text: str) -> None:
        """Hold to a metronome mark in a text, which says what its beat is; a *MM beside it often does not."""
        if bpm := metronome(text):
            self._set(self.tempos, bpm)
            self.marked = self._place()

    # Data

    def _sound(self, cells: list[str]) -> None:
        """A line of data: every sound starts now; the next line is where the first of those that sound ends."""
        sounds = [sound(c) if s.kind == KERN and c != "." else None for s, c in zip(self.spines, cells, strict=True)]
        if not any(sounds):
            self.undated.append(cells)
            return
        self._date()
        place = self._place()
        accented = self._annotate(cells, place)
        starts = False
        for spine, heard in zip(self.spines, sounds, strict=True):
            if heard and heard.is_grace:
                spine.graces.append((*place, heard))
            elif heard:
                self._strike(spine, heard, place, ACCENT if spine.staff in accented else 0)
                starts = True
        self.line_start = self.now
        ends = [spine.end for spine in self.spines if spine.end > self.now] if starts else []
        self.now = min(ends, default=self.now)

    def _place(self) -> tuple[int, Fraction]:
        """The bar of the next line, and how far in it (quarter notes)."""
        return len(self.lengths), Fraction(self.now - self.bar_start, self.unit)

    def _strike(self, spine: Spine, heard: Sound, place: tuple[int, Fraction], velocity: int) -> None:
        if spine.graces:
            self._lead(spine)
        units = self._units(heard.duration)
        if spine.end > self.now:
            raise ValueError("a note before the one before it has ended")
        spine.end = self.now + units
        bar, offset = place
        self.parts[spine.staff].notes += [
            WrittenNote(bar, offset, heard.duration, head.pitch, velocity, head.tied_to_previous, head.tied_to_next)
            for head in heard.heads
        ]
        self._count(len(heard.heads))

    def _units(self, duration: Fraction) -> int:
        """A duration (quarter notes) in units, made finer if they do not hold it."""
        if self.unit % duration.denominator:
            finer = duration.denominator // math.gcd(self.unit, duration.denominator)
            self.unit *= finer
            if self.unit > FINEST:
                raise ValueError("durations that have no common measure")
            self.now, self.line_start, self.bar_start = (
                finer * time for time in (self.now, self.line_start, self.bar_start)
            )
            for spine in self.spines:
                spine.end *= finer
        return duration.numerator * (self.unit // duration.denominator)

    def _lead(self, spine: Spine) -> None:
        """Write the grace notes that wait for what they lead to."""
        for left, (bar, offset, grace) in zip(range(len(spine.graces), 0, -1), spine.graces, strict=True):
            self.parts[spine.staff].notes += [
                WrittenNote(bar, offset, Fraction(0), *head[:1], 0, *head[1:], left) for head in grace.heads
            ]
            self._count(len(grace.heads))
        spine.graces = []

    def _count(self, heads: int) -> None:
        self.notes += heads
        if self.notes > MOST_NOTES:
            raise ValueError(f"over {MOST_NOTES} notes")

    def _date(self) -> None:
        """Lines in which no note starts share the time since the line before them evenly."""
        if not self.undated:
            return
        start = Fraction(self.line_start - self.bar_start, self.unit)
        step = Fraction(self.now - self.line_start, self.unit * (len(self.undated) + 1))
        for index, cells in enumerate(self.undated, 1):
            self._annotate(cells, (len(self.lengths), start + index * step))
        self.undated = []

    def _annotate(self, cells: list[str], place: tuple[int, Fraction]) -> set[int]:
        """Dynamics, lyrics and chord symbols of a line; the staves that are accented."""
        accented: set[int] = set()
        for spine, cell in zip(self.spines, cells, strict=True):
            if cell == "." or spine.kind == KERN:
                continue
            if spine.kind in CHORDS:
                self.chords.append(Change(*place, chord_symbol(cell)))
            elif spine.kind == DYNAMICS:
                velocity, accents = level(cell)
                accented.update(spine.staves if accents else ())
                for staff in spine.staves if velocity else ():
                    self.parts[staff].velocities.append(Change(*place, velocity))
            elif spine.kind in VERSES and spine.staff != NO_STAFF and cell.strip(" -_|"):
                syllable = cell.strip().lstrip("-").replace("|", "")
                self.parts[spine.staff].syllables.append(Syllable(*place, spine.verse, syllable))
        return accented

    # Bars

    def _end_bar(self, cells: list[str]) -> None:
        """A bar line; of several in one place, all count."""
        self._date()
        if self.now > self.bar_start:
            self._close_bar()
        bar = len(self.lengths)
        if bar and any(":|" in cell or ":!" in cell for cell in cells):
            self.repeat_ends.add(bar - 1)
        if any("|:" in cell or "!:" in cell for cell in cells):
            self.repeat_starts.add(bar)

    def _close_bar(self) -> None:
        self.lengths.append(Fraction(self.now - self.bar_start, self.unit))
        self.endings.append(self.ending)
        self.bar_start = self.line_start = self.now

    def _enter(self, label: str) -> None:
        """The section `*>B`, or an ending of it, `*>B1`; it holds for bars that start here or later."""
        name, number = re.fullmatch(r"(.*?)([0-9]{0,3})", label, re.DOTALL).groups()  # type: ignore[union-attr]
        is_ending = bool(number) and bool(self.section) and name.startswith(self.section)
        self.ending = int(number) if is_ending else 0
        self.section = self.section if number else name
        if self.now == self.bar_start:
            self.endings[-1] = self.ending

    # Interpretations

    def _interpret(self, cells: list[str]) -> None:
        if cells[0].startswith("*>") and "[" not in cells[0]:
            self._enter(cells[0][2:].strip())
        changed = following(self.spines, cells)
        if changed is not None:
            self._date()
            for spine in set(self.spines) - set(changed):
                self._lead(spine)
            self._arrange(changed)
            return
        for spine, cell in zip(self.spines, cells, strict=True):
            if cell.startswith("*part"):
                spine.part = cell
                arrange(self.spines)
            elif spine.kind == KERN and cell != "*":
                self._hold(self.parts[spine.staff], cell)

    def _arrange(self, spines: list[Spine]) -> None:
        """Go on with these spines, and a part for each kern spine that is new."""
        self.spines = spines
        self.parts += [WrittenPart() for _ in range(len(self.parts), 1 + max((s.staff for s in spines), default=0))]

    def _hold(self, part: WrittenPart, cell: str) -> None:
        """What a kern spine says of itself or of the piece."""
        if metre := _METRE.match(cell):
            numerator, denominator = sum(int(n) for n in metre[1].split("+") if n), int(metre[2])
            if 1 <= numerator <= LARGEST_METRE and denominator in NOTE_VALUES:
                self._set(self.metres, (numerator, denominator))
        elif (count := sharps(cell)) is not None:
            self._set(self.keys, (count, False))
        elif key := tonic(cell):
            if not self.keys or self.keys[-1].value[0] == key[0]:
                self._set(self.keys, key)
        elif bpm := tempo(cell):
            if self.marked != self._place():
                self._set(self.tempos, bpm)
        else:
            self._name(part, cell)

    def _name(self, part: WrittenPart, cell: str) -> None:
        """What instrument a part is for; later names are headings."""
        if cell == "*clefX":
            part.is_drum = True
        elif cell[2:] in PROGRAMS and cell.startswith("*I"):
            part.program = PROGRAMS[cell[2:]]
        elif cell.startswith('*I"') and not self.now:
            part.name = cell[3:].strip()
            part.program = program_named(part.name)

    def _set(self, changes: list[Change], value: Any) -> None:
        """Note a change; of several at one place the rightmost spine's holds."""
        change = Change(*self._place(), value)
        if changes and changes[-1][:2] == change[:2]:
            changes[-1] = change
        elif not changes or changes[-1].value != value:
            changes.append(change)
