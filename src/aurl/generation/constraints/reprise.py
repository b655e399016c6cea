"""A section that returns recalls how it went before, note by note as far as the model agrees.

Each field of a row leans towards the next note of the earlier passage that has not been passed yet, then towards what
else is said of it; chords, where the model writes them, likewise. Leaning multiplies the model's own odds, so what it
finds impossible here stays so: the recall is varied where harmony, the way on, or chance wants it otherwise. Like the
match models of data compression (Mahoney 2005, PAQ6) it leans more, the better the bar has matched. Loudness is free.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from aurl.data.tokenizers.note_grid import section_index
from aurl.data.tokenizers.note_vocabulary import HOW_LONG, WHAT, WHEN, WHO, NoteLayout
from aurl.generation.constraints.base import CONSTRAINTS, Bias, Lean
from aurl.generation.hearing import NONE_YET, HeardPiece, Labels
from aurl.music.chords import QUALITIES
from aurl.music.score import Score
from aurl.utils.config import Config

AS_ALIKE = 0.7
"""Cosine of the bars of real sections that return (POP909); what is more alike keeps the wish no better."""
EIGHTHS = 16
"""Of the longest bar."""
PITCHES = 128
Row = tuple[int, ...]


class RepriseConfig(Config):
    """Sections that return sound as they did."""

    name: Literal["reprise"] = "reprise"
    strength: float = Field(2.5, gt=0, le=100)
    """Added to the logit of what the earlier passage goes on with: 1 makes its odds 2.7 times better, 2.5 12 times."""
    lag: int = Field(8, ge=1, le=256)
    """Bars back to what is recalled, where no sections are told."""


class Passage(NamedTuple):
    """Earlier music that is recalled now, in steps or in bars."""

    delay: int
    """From a moment of it to the one that corresponds."""
    end: int
    """The moment before which it ends."""


@CONSTRAINTS.register(RepriseConfig)
class Reprise(Lean[RepriseConfig]):
    """What the earlier passage says next is likelier."""

    fields = (WHEN, WHO, WHAT, HOW_LONG)

    def __init__(self, config: RepriseConfig, layout: NoteLayout) -> None:
        super().__init__(config, layout)
        self._class_of = {steps: index for index, steps in enumerate(layout.durations.tolist(), 1)}

    def lean(self, piece: HeardPiece, field: int, chosen: Sequence[int]) -> Bias | None:
        """Towards the next note of the passage, and the chord before it; after the last, to the next bar."""
        passage = self._passage(piece)
        if passage is None or (chosen and not chosen[WHEN]):
            return None
        told, shift = tuple(chosen), passage.delay - piece.bar_start + 1
        last = min(piece.bar_length, passage.end - 1 + shift)
        least = max((piece.time + 1, piece.who, piece.floor), (*told, 0, 0, 0)[: WHAT + 1])
        rows = [row for row in self._following(piece, shift, least) if row[WHEN] <= last]
        if not rows and last == piece.bar_length:
            rows = [(0,)]
        values = [row[field] for row in rows if row[:field] == told and len(row) > field]
        if not values:
            return None
        bias = np.zeros(self.sizes[field], np.float32)
        bias[values] = self.config.strength * self._faith(piece, shift)
        return bias

    def _passage(self, piece: HeardPiece) -> Passage | None:
        """The one that corresponds to the place of the last row."""
        if piece.sections.steps:
            return recalled(piece.sections, piece.bar_start + piece.time)
        first = piece.bar - self.config.lag
        return Passage(piece.bar_start - piece.starts[first], piece.starts[first + 1]) if first >= 0 else None

    def _following(self, piece: HeardPiece, shift: int, least: Row) -> list[Row]:
        """Of what the passage says from `least` on the next note, and the chord before it.

        A step of the passage and `shift` are the `when` of now.
        """
        note = min(self._notes(piece, shift, least), default=(self.sizes[WHEN],))
        chords = () if piece.fill > 0 else self._chords(piece, shift, least)
        return [*(chord for chord in chords if chord < note), note]

    def _notes(self, piece: HeardPiece, shift: int, least: Row) -> Iterator[Row]:
        """The next note of each track."""
        for who, part in piece.parts.items():
            if piece.fill not in (NONE_YET, who):
                continue
            kind = "drum" if piece.is_drum(who) else "pitch"
            first, end = self.layout.span(kind)
            at = bisect_left(part.onsets, least[WHEN] - shift)
            for onset, notes in zip(part.onsets[at : at + 2], part.notes[at : at + 2], strict=True):
                up = _transposition(piece, onset, shift) if kind == "pitch" else 0
                rows = ((onset + shift, who, first + pitch + up, self._class_of[stop - onset]) for pitch, stop in notes)
                yield from sorted(row for row in rows if row >= least and first <= row[WHAT] < end)[:1]

    def _chords(self, piece: HeardPiece, shift: int, least: Row) -> Iterator[Row]:
        """The chord that the passage has at `least` and the next after it, unless they are in force anyway."""
        here, chords = least[WHEN] - shift, piece.chords
        at = bisect_right(chords.steps, here)
        for step in (here, *chords.steps[at : at + 1]):
            chord = _transposed(chords.at(step), _transposition(piece, step, shift))
            row = (step + shift, 0, self.layout.first["chord"] + chord)
            if row >= least and chord not in (NONE_YET, chords.at(step + shift + piece.bar_start - 1)):
                yield row

    def _faith(self, piece: HeardPiece, shift: int) -> float:
        """The share of the bar's notes so far that the passage has too, with one more that it has.

        So a bar that begins as it was goes on as it was, and one that goes its own way is let go.
        """
        bar, same = piece.bars[-1], 1
        for when, who, what, _ in bar:
            step = when - shift
            up = 0 if piece.is_drum(who) else _transposition(piece, step, shift)
            pitch = (what - self.layout.first["pitch"]) % PITCHES - up
            same += any(pitch == before for before, _ in piece.parts[who].at(step))
        return same / (len(bar) + 1)

    def score(self, score: Score) -> float:
        """How alike bars and those they recall are by pitch classes and eighths, 1 for as alike as in real music."""
        vectors = _bar_vectors(score)
        told, sections = score.texts.of("section"), Labels()
        for bar, name in zip(score.metre_map.ticks_to_bar_beat(told.time)[0].tolist(), told.text, strict=True):
            sections.add(bar, section_index(name) or 0)
        lag, bars = self.config.lag, range(len(vectors))
        found = [recalled(sections, bar) for bar in bars] if len(told) else [Passage(lag, bar) for bar in bars]
        pairs = [(bar, bar - passage.delay) for bar, passage in enumerate(found) if passage and bar >= passage.delay]
        norms = np.linalg.norm(vectors, axis=1)
        alike = [vectors[a] @ vectors[b] / (norms[a] * norms[b]) for a, b in pairs if norms[a] and norms[b]]
        return min(1.0, float(np.mean(alike)) / AS_ALIKE) if alike else 1.0


def recalled(sections: Labels, now: int) -> Passage | None:
    """How the section went before that has come to `now`; None if it was not there, or not as long.

    Of several that before which most sections had the same names as now, else the first: the theme.
    """
    steps, names = sections.steps, sections.values
    last = bisect_right(steps, now) - 1
    earlier = [n for n in range(last) if names[n] == names[last] and now - steps[last] + steps[n] < steps[n + 1]]
    if not earlier:
        return None

    def same_before(section: int) -> int:
        pairs = zip(reversed(names[:section]), reversed(names[:last]), strict=False)
        return next((n for n, (then, now) in enumerate(pairs) if then != now), section)

    best = max(earlier, key=same_before)
    return Passage(steps[last] - steps[best], steps[best + 1])


def _transposition(piece: HeardPiece, step: int, shift: int) -> int:
    """Semitones, -6 to 5, from the key at a step of the passage to that of now; 0 where the mode has changed."""
    then, now = piece.keys.at(step), piece.keys.at(step + shift + piece.bar_start - 1)
    return (now - then + 6) % 12 - 6 if min(then, now) >= 0 and then // 12 == now // 12 else 0


def _transposed(chord: int, semitones: int) -> int:
    """The number of a chord (0: none), transposed."""
    return chord if chord < 1 else (chord - 1 + semitones * len(QUALITIES)) % (12 * len(QUALITIES)) + 1


def _bar_vectors(score: Score) -> NDArray[np.float64]:
    """Onsets of each bar by eighth and pitch class `[bars, eighths * 12]`, drums left out."""
    notes = score.notes.take(score.is_pitched)
    bars, beats = score.metre_map.ticks_to_bar_beat(notes.onset)
    vectors = np.zeros((int(bars.max(initial=-1)) + 1, EIGHTHS * 12))
    eighths = np.minimum(np.floor(2 * beats + 1e-6).astype(np.int64), EIGHTHS - 1)
    np.add.at(vectors, (bars, eighths * 12 + notes.pitch % 12), 1)
    return vectors
