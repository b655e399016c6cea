"""The measures of one part as MusicXML elements: attributes, marks, and the notes of each voice of each staff."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from xml.etree.ElementTree import Element

import numpy as np

from aurl.music.engraving.drums import drum
from aurl.music.engraving.keys import Key
from aurl.music.engraving.marks import Mark, add, printable
from aurl.music.engraving.measures import ChordsByBar, Voice, Written, accidentals, write_voice
from aurl.music.engraving.metre import STEPS
from aurl.music.engraving.page import Bar, Page
from aurl.music.engraving.rhythm import Piece
from aurl.music.engraving.spelling import Name
from aurl.music.engraving.staves import CLEFS, Part

FORTE = 0.9
"""Velocity of one per cent of `dynamics`."""
VOICES_OF_A_STAFF = 4
"""Voices are numbered through a part; each staff has room for so many."""
PLACED_BEFORE = ("direction-type", "root", "kind", "bass")
"""Elements of a mark that stand before its offset."""


def instrument_id(part: int, pitch: int | None) -> str:
    """The id of a part's instrument, or of one of its drums."""
    return f"P{part}-I{1 if pitch is None else pitch + 1}"


class Look(NamedTuple):
    """How the notes of a staff's bar look: staff from 0, whether voices show by their stems, printed accidentals."""

    staff: int
    has_stems: bool
    accidentals: dict[tuple[int, int], str]


class PartWriter:
    """Writes the measures of one part, one after the other."""

    def __init__(
        self, page: Page, part: Part, number: int, names: dict[int, Name], signatures: list[Key], marks: Sequence[Mark]
    ) -> None:
        self.page, self.layout, self.number, self.names, self.signatures = page, part, number, names, signatures
        self.marks = sorted(marks, key=lambda mark: mark.step)
        self.voices = [[ChordsByBar(chords) for chords in staff.voices] for staff in part.staves]
        self.first_voices = np.cumsum([1] + [max(VOICES_OF_A_STAFF, len(staff.voices)) for staff in part.staves])
        self.lyrics = self._lyrics()

    def _lyrics(self) -> dict[int, str]:
        """The words of this part by step."""
        texts = self.page.score.texts.of("lyric")
        mine = texts.take(np.isin(texts.track, self.layout.tracks))
        steps = self.page.steps(mine.time).tolist()
        return {step: words for step, text in zip(steps, mine.text.tolist(), strict=True) if (words := printable(text))}

    def part(self) -> Element:
        """The part with all its measures; to be asked for once."""
        part = Element("part", id=f"P{self.number}")
        first = 0 if self.page.bars[0].offset else 1
        for index, bar in enumerate(self.page.bars):
            measure = add(part, "measure", number=str(index + first))
            if not bar.is_whole:
                measure.set("implicit", "yes")
            self._measure(measure, index, bar)
        add(add(measure, "barline", location="right"), "bar-style", "light-heavy")
        return part

    def _measure(self, measure: Element, index: int, bar: Bar) -> None:
        self._attributes(measure, index, bar)
        due = [mark for mark in self.marks if mark.step < bar.end or bar is self.page.bars[-1]]
        self.marks = self.marks[len(due) :]
        sharps = 0 if self.layout.track.is_drum else self.signatures[index].sharps
        written = 0
        for staff, chords_of_voices in enumerate(self.voices):
            within = [chords.within(bar) for chords in chords_of_voices]
            voices = [write_voice(n, chords, bar) for n, chords in enumerate(within) if chords or not n]
            look = Look(staff, len(voices) > 1, accidentals(voices, self.names, sharps))
            for voice in voices:
                if written:
                    add(add(measure, "backup"), "duration", written)
                written = self._voice(measure, bar, voice, look, due)
                due = []

    def _voice(self, measure: Element, bar: Bar, voice: Voice, look: Look, marks: list[Mark]) -> int:
        """Write a voice of a bar, the marks among its notes; returns its steps."""
        number = int(self.first_voices[look.staff]) + voice.number
        if voice.silence:
            forward = add(measure, "forward")
            add(forward, "duration", voice.silence)
            add(forward, "voice", number)
        place = bar.start + voice.silence
        for item in voice.pieces:
            end = place + item.length
            here = [mark for mark in marks if mark.step < end or item is voice.pieces[-1]]
            marks = marks[len(here) :]
            for mark in here:
                measure.append(_placed(mark, mark.step - place))
            if item.chord is None:
                self._rest(measure, item, number, look, is_bar=bar.is_whole and item.length == bar.length)
            for row in item.chord.notes if item.chord else ():
                self._note(measure, item, row, number, look)
            place = end
        return place - bar.start

    def _rest(self, measure: Element, item: Written, voice: int, look: Look, *, is_bar: bool) -> None:
        note = add(measure, "note")
        add(note, "rest", **({"measure": "yes"} if is_bar else {}))
        add(note, "duration", item.length)
        add(note, "voice", voice)
        if not is_bar:
            _value(note, item.piece)
        self._staff(note, look.staff)
        _tuplet(note, item.piece)

    def _note(self, measure: Element, item: Written, row: int, voice: int, look: Look) -> None:
        """One note head of a chord."""
        assert item.chord is not None
        is_first = row == item.chord.notes[0]
        note = add(measure, "note", dynamics=f"{int(self.page.score.notes.velocity[row]) / FORTE:.2f}")
        if not is_first:
            add(note, "chord")
        self._pitch(note, row)
        add(note, "duration", item.length)
        for tie in _ties(item):
            add(note, "tie", type=tie)
        if self.layout.track.is_drum:
            add(note, "instrument", id=instrument_id(self.number, int(self.page.score.notes.pitch[row])))
        add(note, "voice", voice)
        _value(note, item.piece, look.accidentals.get((item.start, row)))
        if look.has_stems:
            add(note, "stem", "down" if (voice - int(self.first_voices[look.staff])) % 2 else "up")
        if self.layout.track.is_drum and (head := drum(int(self.page.score.notes.pitch[row])).head):
            add(note, "notehead", head)
        self._staff(note, look.staff)
        if is_first:
            for number, beam in enumerate(item.piece.beams, 1):
                add(note, "beam", beam, number=str(number))
        _tuplet(note, item.piece if is_first else None, _ties(item))
        if is_first and not item.from_previous and (words := self.lyrics.pop(item.start, None)):
            add(add(note, "lyric"), "text", words)

    def _pitch(self, note: Element, row: int) -> None:
        name = self.names[row]
        kind, prefix = ("unpitched", "display-") if self.layout.track.is_drum else ("pitch", "")
        pitch = add(note, kind)
        add(pitch, f"{prefix}step", name.letter)
        if name.alter:
            add(pitch, "alter", name.alter)
        add(pitch, f"{prefix}octave", name.octave)

    def _staff(self, note: Element, staff: int) -> None:
        if len(self.layout.staves) > 1:
            add(note, "staff", staff + 1)

    def _attributes(self, measure: Element, index: int, bar: Bar) -> None:
        attributes = Element("attributes")
        bars, before = self.page.bars, max(index - 1, 0)
        if not index:
            add(attributes, "divisions", STEPS)
        key = self.signatures[index]
        if (not index or key[1:] != self.signatures[before][1:]) and not self.layout.track.is_drum:
            element = add(attributes, "key")
            add(element, "fifths", key.sharps)
            add(element, "mode", "minor" if key.is_minor else "major")
        if not index or (bar.numerator, bar.denominator) != (bars[before].numerator, bars[before].denominator):
            time = add(attributes, "time")
            add(time, "beats", bar.numerator)
            add(time, "beat-type", bar.denominator)
        if not index:
            self._clefs(attributes)
        if len(attributes):
            measure.append(attributes)

    def _clefs(self, attributes: Element) -> None:
        staves = self.layout.staves
        if len(staves) > 1:
            add(attributes, "staves", len(staves))
        for number, staff in enumerate(staves, 1):
            sign, line, octaves, _ = CLEFS[staff.clef]
            clef = add(attributes, "clef", **({"number": str(number)} if len(staves) > 1 else {}))
            add(clef, "sign", sign)
            add(clef, "line", line)
            if octaves:
                add(clef, "clef-octave-change", octaves)


def _placed(mark: Mark, offset: int) -> Element:
    """A mark so many steps after the place where it stands."""
    element = mark.element
    if offset:
        after = [index for index, child in enumerate(element) if child.tag in PLACED_BEFORE]
        shift = Element("offset")
        shift.text = str(offset)
        element.insert(after[-1] + 1 if after else 0, shift)
    return element


def _ties(item: Written) -> list[str]:
    return ["stop"] * item.from_previous + ["start"] * item.to_next


def _value(note: Element, piece: Piece, accidental: str | None = None) -> None:
    """Note value, accidental and tuplet, in MusicXML's order."""
    add(note, "type", piece.value.name)
    for _ in range(piece.value.dots):
        add(note, "dot")
    if accidental:
        add(note, "accidental", accidental)
    if piece.tuplet:
        modification = add(note, "time-modification")
        add(modification, "actual-notes", 3)
        add(modification, "normal-notes", 2)
        add(modification, "normal-type", piece.tuplet.value)


def _tuplet(note: Element, piece: Piece | None, ties: Sequence[str] = ()) -> None:
    """Ties and the ends of tuplets."""
    ends = ["start"] * piece.opens + ["stop"] * piece.closes if piece else []
    if not ties and not ends:
        return
    notations = add(note, "notations")
    for tie in ties:
        add(notations, "tied", type=tie)
    for end in ends:
        tuplet = add(notations, "tuplet", type=end)
        if piece and end == "start":
            tuplet.set("bracket", "yes" if piece.is_bracketed else "no")
