"""What stands above and below the notes, as MusicXML elements: tempo, sections, chords, words, dynamics, pedal.

Each mark is a step and an element. Printed tempos are those that differ clearly from the last printed one; dynamics
are those of four bars at a time. What is not printed is kept for players: every tempo in a `sound`, every velocity with
its note.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple
from xml.etree.ElementTree import Element, SubElement

import numpy as np

from aurl.music.chords import NO_CHORD, Chord
from aurl.music.engraving.page import Bar, Page
from aurl.music.engraving.spelling import letter_of, place_in_key
from aurl.music.engraving.staves import Part
from aurl.utils.errors import ConfigError

KINDS = {
    "maj": "major", "min": "minor", "dim": "diminished", "aug": "augmented", "sus2": "suspended-second",
    "sus4": "suspended-fourth", "7": "dominant", "maj7": "major-seventh", "min7": "minor-seventh",
    "dim7": "diminished-seventh", "hdim7": "half-diminished", "maj6": "major-sixth",
}  # fmt: skip
"""MusicXML's names of our chord qualities."""
SUFFIXES = {"maj": "", "min": "m", "min7": "m7", "hdim7": "m7b5", "maj6": "6"}
CLEAR_CHANGE = 0.06
"""Share of the tempo by which it must change to be printed again."""
LEVELS = ((30, "ppp"), (42, "pp"), (56, "p"), (70, "mp"), (84, "mf"), (98, "f"), (112, "ff"), (128, "fff"))
"""Velocities below which each dynamic is meant."""
CLEAR_STEP = 10
"""Velocities by which the level must change to be printed again."""
BARS_OF_A_PHRASE = 4


class Mark(NamedTuple):
    """An element that belongs to a step."""

    step: int
    element: Element


def add(parent: Element, tag: str, content: object = None, /, **attributes: str) -> Element:
    """A new child with this text in it."""
    child = SubElement(parent, tag, {name.replace("_", "-"): value for name, value in attributes.items()})
    if content is not None:
        child.text = str(content)
    return child


def score_marks(page: Page) -> list[Mark]:
    """Marks of the whole score, which stand in its first part, in order."""
    marks = [*_tempos(page), *_words(page, "section", "rehearsal"), *_words(page, "marker", "words"), *_chords(page)]
    return sorted(marks, key=lambda mark: mark.step)


def part_marks(page: Page, part: Part) -> list[Mark]:
    """Marks of one part, in order."""
    return sorted([*_dynamics(page, part), *_pedals(page, part)], key=lambda mark: mark.step)


def _direction(kind: str, text: object = None, *, placement: str = "above", **attributes: str) -> Element:
    direction = Element("direction", placement=placement)
    add(add(direction, "direction-type"), kind, text, **attributes)
    return direction


def _tempos(page: Page) -> Iterator[Mark]:
    printed = 0.0
    tempos = page.score.tempos
    steps = page.steps(tempos.time).tolist()
    valid = [(step, 60e6 / us) for step, us in zip(steps, tempos.microseconds_per_beat.tolist(), strict=True) if us]
    for step, bpm in [(page.bars[0].start, 120.0)] * (not valid or valid[0][0] > page.bars[0].start) + valid:
        sound = Element("sound", tempo=f"{bpm:.6g}")
        if abs(bpm - printed) <= CLEAR_CHANGE * printed:
            yield Mark(step, sound)
            continue
        printed = bpm
        bar = next(bar for bar in page.bars if step < bar.end or bar is page.bars[-1])
        unit, dots, quarters = _beat_unit(bar)
        direction = _direction("metronome")
        metronome = direction[0][0]
        add(metronome, "beat-unit", unit)
        if dots:
            add(metronome, "beat-unit-dot")
        add(metronome, "per-minute", round(bpm / quarters))
        direction.append(sound)
        yield Mark(step, direction)


def _beat_unit(bar: Bar) -> tuple[str, bool, float]:
    """The note value that is counted in a metre, whether dotted, and its quarters."""
    if bar.numerator % 3 == 0 and bar.denominator == 8:
        return "quarter", True, 1.5
    return ("half", False, 2.0) if bar.denominator == 2 else ("quarter", False, 1.0)


def _words(page: Page, kind: str, element: str) -> Iterator[Mark]:
    texts = page.score.texts.of(kind)  # type: ignore[arg-type]
    for step, text in zip(page.steps(texts.time).tolist(), texts.text.tolist(), strict=True):
        if words := printable(text):
            yield Mark(step, _direction(element, words))


def printable(text: str) -> str:
    """The characters of a text that XML can hold."""
    return "".join(letter for letter in text if letter.isprintable()).strip()


def _chords(page: Page) -> Iterator[Mark]:
    texts = page.score.texts.of("chord")
    for step, text in zip(page.steps(texts.time).tolist(), texts.text.tolist(), strict=True):
        try:
            chord = Chord.parse(text)
        except ConfigError:
            continue
        yield Mark(step, _harmony(chord, page.key_at(step).tonic))


def _harmony(chord: Chord, tonic: int) -> Element:
    """A chord symbol, spelled in the key."""
    harmony = Element("harmony")
    root = add(harmony, "root")
    if chord.root is None:
        add(root, "root-step", "C", text="")
        add(harmony, "kind", "none", text=NO_CHORD)
        return harmony
    _spelled(root, "root", chord.root, tonic)
    add(harmony, "kind", KINDS[chord.quality], text=SUFFIXES.get(chord.quality, chord.quality))
    if chord.bass is not None:
        _spelled(add(harmony, "bass"), "bass", chord.bass, tonic)
    return harmony


def _spelled(parent: Element, name: str, pitch_class: int, tonic: int) -> None:
    letter, alter = letter_of(int(place_in_key(pitch_class, tonic)))
    add(parent, f"{name}-step", letter)
    if alter:
        add(parent, f"{name}-alter", alter)


def _dynamics(page: Page, part: Part) -> Iterator[Mark]:
    """The level of each phrase's median velocity, where it differs clearly from the last one printed."""
    notes = page.score.notes
    rows = np.flatnonzero(np.isin(notes.track, part.tracks))
    starts = np.array([bar.start for bar in page.bars])
    phrases = (np.searchsorted(starts, page.onset[rows], side="right") - 1) // BARS_OF_A_PHRASE
    printed: tuple[float, str] = (-99.0, "")
    for phrase in np.unique(phrases).tolist():
        here = rows[phrases == phrase]
        median = float(np.median(notes.velocity[here]))
        level = next(name for top, name in LEVELS if median < top)
        if level == printed[1] or abs(median - printed[0]) < CLEAR_STEP:
            continue
        printed = median, level
        direction = _direction("dynamics", placement="below")
        add(direction[0][0], level)
        yield Mark(int(page.onset[here].min()), direction)


def _pedals(page: Page, part: Part) -> Iterator[Mark]:
    pedals = page.score.pedals
    mine = pedals.take(np.isin(pedals.track, part.tracks[:1]))
    last = page.bars[-1].end
    for start, end in zip(
        page.steps(mine.onset).tolist(), page.steps(mine.onset + mine.duration).tolist(), strict=True
    ):
        if start < min(end, last):
            yield Mark(start, _direction("pedal", placement="below", type="start", line="yes", number="1"))
            yield Mark(min(end, last), _direction("pedal", placement="below", type="stop", line="yes", number="1"))
