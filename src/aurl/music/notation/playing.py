"""From what is written to what is played: repeats in order, ties joined, every time a whole tick.

- A first bar that is too short is an upbeat: the piece is moved so that it ends on a bar line.
- A later bar that does not fit the metre gets the metre again where it ends, so that the bar lines after it are right.
- Grace notes take a 32nd each from the time before the note they lead to.
- Notes without a dynamic sound at `DEFAULT_VELOCITY`.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from aurl.music.chords import Chord
from aurl.music.notation.unfolding import MOST_BARS, playing_order
from aurl.music.notation.written import Change, WrittenNote, WrittenScore
from aurl.music.repair.report import FaultLog
from aurl.music.score import (
    WHOLE_SCORE,
    KeySignatures,
    Notes,
    Score,
    Tempos,
    Texts,
    TimeSignatures,
    Track,
)
from aurl.utils.errors import ConfigError, MidiError

DEFAULT_VELOCITY = 80
GRACE_BEATS = Fraction(1, 8)
"""Quarter notes that a grace note lasts."""
USUAL_TICKS, MOST_TICKS = 480, 10_080
"""Ticks to the beat: a multiple of the first that holds every duration exactly, the second if there is none."""
LARGEST_MIDI_DIVISION = 0x7FFF
LATEST_BEAT = 20_000
"""Quarter notes; no piece is longer (2.8 hours at 120 to the minute), and MIDI could not hold its ticks."""
COMMON_TIME = (4, 4)


@dataclass
class Played:
    """One sounding note: onset and length in quarter notes, pitch, velocity, part."""

    onset: Fraction
    length: Fraction
    pitch: int
    velocity: int
    part: int


def play(written: WrittenScore, faults: FaultLog) -> Score:
    """The score that players would play from `written`; raises MidiError if it would be endless."""
    order = playing_order(written.marks)
    if order is None:
        faults.add("endless repeats", "the whole piece", f"not repeated: it would be over {MOST_BARS} bars")
        order = list(range(len(written.lengths)))
    starts, metres = _place_bars(written, order)
    if starts[-1] > LATEST_BEAT:
        raise MidiError("the piece is too long", found=f"{int(starts[-1])} beats", hint=f"at most {LATEST_BEAT}")
    performance = _Performance(written, order, starts)
    notes = [note for index in range(len(written.parts)) for note in performance.notes(index, faults)]
    return _build(written, performance, notes, metres, faults)


def _place_bars(written: WrittenScore, order: list[int]) -> tuple[list[Fraction], list[Change]]:
    """Start of each played bar and of the end, and the metres as changes at those starts (`bar` is unused)."""
    metre_of = _in_force(written.metres, len(written.lengths), COMMON_TIME)
    full = [Fraction(4 * numerator, denominator) for numerator, denominator in metre_of]
    first = written.lengths[order[0]]
    upbeat = full[order[0]] - first if len(order) > 1 and first < full[order[0]] else Fraction(0)
    now, position, metre = upbeat, upbeat, None
    starts: list[Fraction] = []
    metres = []
    for bar in order:
        length = written.lengths[bar]
        fits = metre == metre_of[bar] and (position == 0 or position + length <= full[bar])
        if not fits:
            metre = metre_of[bar]
            position = upbeat if not starts else Fraction(0)
            metres.append(Change(0, now if starts else Fraction(0), metre))
        starts.append(now)
        now += length
        position += length
        position = Fraction(0) if position == full[bar] else position
    return [*starts, now], metres


def _in_force(changes: Sequence[Change], bars: int, default: Any) -> list[Any]:
    """The value that holds in each bar as a whole: the last change at its start or before."""
    values, current, index = [], default, 0
    for bar in range(bars):
        while index < len(changes) and (changes[index].bar, changes[index].offset) <= (bar, 0):
            current = changes[index].value
            index += 1
        values.append(current)
    return values


class _Performance:
    """Bars in the order of playing, and when each starts."""

    def __init__(self, written: WrittenScore, order: list[int], starts: list[Fraction]) -> None:
        self.written, self.order, self.starts = written, order, starts

    def changes(self, changes: Sequence[Change]) -> list[tuple[Fraction, Any]]:
        """When each value begins to hold; after a jump, what holds on the page there."""
        played: list[tuple[Fraction, Any]] = []
        places = [(change.bar, change.offset) for change in changes]
        current: Any = None
        for bar, start in zip(self.order, self.starts, strict=False):
            first = bisect_right(places, (bar, Fraction(0)))
            last = bisect_right(places, (bar, Fraction(LATEST_BEAT)))
            here = [(start, changes[first - 1].value)] if first else []
            here += [(start + change.offset, change.value) for change in changes[first:last]]
            for time, value in here:
                if value != current:
                    played.append((time, value))
                    current = value
        return played

    def notes(self, index: int, faults: FaultLog) -> list[Played]:
        """The notes of one part, ties joined."""
        part = self.written.parts[index]
        sounding: dict[int, Played] = {}
        played: list[Played] = []
        velocities, semitones = self._levels(part.velocities), self._levels(part.semitones)
        for time, note in self._in_order(part.notes):
            onset = time - note.graces_left * GRACE_BEATS if note.graces_left else time
            length = GRACE_BEATS if note.graces_left else note.duration
            pitch = note.pitch + _value_at(semitones, time, 0)
            if (
                onset.numerator < 0
                or not 0 < length.numerator <= LATEST_BEAT * length.denominator
                or not 0 <= pitch <= 127
                or note.pitch < 0
            ):
                faults.add("note that cannot sound", f"bar {note.bar + 1}", "left out")
                continue
            before = sounding.pop(pitch, None) if note.tied_to_previous else None
            if before is not None and before.onset + before.length == onset:
                before.length += length
            else:
                velocity = note.velocity or _value_at(velocities, time, DEFAULT_VELOCITY)
                before = Played(onset, length, pitch, velocity, index)
                played.append(before)
            if note.tied_to_next:
                sounding[pitch] = before
        return played

    def _levels(self, changes: Sequence[Change]) -> list[tuple[float, Any]]:
        return [(_beats(time), value) for time, value in self.changes(changes)]

    def _in_order(self, notes: Sequence[WrittenNote]) -> list[tuple[Fraction, WrittenNote]]:
        by_bar: dict[int, list[WrittenNote]] = {}
        for note in notes:
            by_bar.setdefault(note.bar, []).append(note)
        timed = [
            (start + note.offset, note)
            for bar, start in zip(self.order, self.starts, strict=False)
            for note in by_bar.get(bar, ())
        ]
        return sorted(timed, key=lambda item: _beats(item[0]))

    def lyrics(self, index: int) -> list[tuple[Fraction, int, str, str]]:
        """Syllables of one part: each time a bar is played its next verse, the last one from then on."""
        by_bar: dict[int, list[Any]] = {}
        for syllable in self.written.parts[index].syllables:
            by_bar.setdefault(syllable.bar, []).append(syllable)
        times_played: dict[int, int] = {}
        sung = []
        for bar, start in zip(self.order, self.starts, strict=False):
            times_played[bar] = times_played.get(bar, 0) + 1
            here = by_bar.get(bar, [])
            verse = min(times_played[bar], max((syllable.verse for syllable in here), default=1))
            sung += [(start + s.offset, index, "lyric", s.text) for s in here if s.verse == verse]
        return sung


def _beats(time: Fraction) -> float:
    """A time to compare by: equal where the fractions are, and five times as fast."""
    return time.numerator / time.denominator


def _value_at(changes: list[tuple[float, Any]], time: Fraction, default: int) -> int:
    index = bisect_right(changes, (_beats(time), math.inf)) if changes else 0
    return int(changes[index - 1][1]) if index else default


def _build(
    written: WrittenScore, performance: _Performance, notes: list[Played], metres: list[Change], faults: FaultLog
) -> Score:
    lyrics = [row for index in range(len(written.parts)) for row in performance.lyrics(index)]
    chords = _chord_rows(performance.changes(written.chords), faults)
    times = [note.onset for note in notes] + [note.length for note in notes] + [row[0] for row in lyrics + chords]
    ticks = _resolution(times, faults)
    tempos, keys = performance.changes(written.tempos), performance.changes(written.keys)
    onsets = _ticks([note.onset for note in notes], ticks)
    ends = _ticks([note.onset + note.length for note in notes], ticks)
    texts = lyrics + chords
    return Score(
        ticks,
        Notes(onsets, np.maximum(ends - onsets, 1), *_columns([(n.pitch, n.velocity, n.part) for n in notes], 3)),
        tuple(Track(part.program, part.is_drum, part.name) for part in written.parts),
        Tempos(
            _ticks([time for time, _ in tempos], ticks), np.array([round(60e6 / bpm) for _, bpm in tempos], np.int64)
        ),
        TimeSignatures(_ticks([m.offset for m in metres], ticks), *_columns([m.value for m in metres], 2)),
        KeySignatures(_ticks([time for time, _ in keys], ticks), *_columns([key for _, key in keys], 2)),
        texts=Texts(_ticks([row[0] for row in texts], ticks), *_columns([row[1:] for row in texts], 3)),
        metadata={**written.metadata, **({"labels.chord": "given: chord symbols"} if chords else {})},
    )


def _chord_rows(chords: list[tuple[Fraction, Any]], faults: FaultLog) -> list[tuple[Fraction, int, str, str]]:
    rows: list[tuple[Fraction, int, str, str]] = []
    for time, text in chords:
        try:
            symbol = Chord.parse(text).symbol
        except ConfigError:
            faults.add("chord symbol that is not understood", repr(text), "left out")
            continue
        if not rows or rows[-1][-1] != symbol:
            rows.append((time, WHOLE_SCORE, "chord", symbol))
    return rows


def _resolution(times: list[Fraction], faults: FaultLog) -> int:
    """Ticks to the beat that hold all times, as far as MIDI can."""
    exact = math.lcm(USUAL_TICKS, *{time.denominator for time in times})
    if exact <= LARGEST_MIDI_DIVISION:
        return exact
    faults.add("rhythm finer than MIDI", "the whole piece", f"rounded to {MOST_TICKS} ticks a beat")
    return MOST_TICKS


def _ticks(times: list[Fraction], ticks_per_beat: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    return np.array([_rounded(time.numerator * ticks_per_beat, time.denominator) for time in times], np.int64)


def _rounded(numerator: int, denominator: int) -> int:
    """The nearest whole number, of two the even one: round() of a Fraction, without making one."""
    whole, rest = divmod(numerator, denominator)
    return whole + (2 * rest > denominator or (2 * rest == denominator and whole % 2))


def _columns(rows: Sequence[Sequence[Any]], width: int) -> list[Any]:
    if not rows:
        return [[] for _ in range(width)]
    return [np.array([*column, None], object)[:-1] for column in zip(*rows, strict=True)]
