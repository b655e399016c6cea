"""A piece ends with a cadence: the dominant in the second half of the last bar but one, the tonic in the last.

In the last bar notes begin on its first beat only, last as long as the bar, and belong to the tonic's triad; the bass
plays the tonic, and before it the dominant. Chords that are named agree, and a piece that names chords names the last.
It works where the number of bars is known, and the key.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import Field

from aurl.data.tokenizers.note_vocabulary import CHORDS, HOW_LONG, SLOTS, WHAT, WHEN, WHO, NoteLayout
from aurl.generation.constraints.base import CONSTRAINTS, Mask, Rule, RuleConfig
from aurl.generation.constraints.pitches import Key, of_classes, pitch_mask
from aurl.generation.hearing import HeardPiece
from aurl.music.chords import Chord
from aurl.music.score import Score
from aurl.music.theory import estimate_key, parse_key

DOMINANT = 7


class CadenceConfig(RuleConfig):
    """The piece ends with dominant and tonic."""

    name: Literal["cadence"] = "cadence"
    key: Key = None
    """The key of the ending; when not given, the one that the piece itself tells, where it tells one."""
    bars: int | None = Field(None, ge=2)
    """Bars of the piece; without it there is no ending to prepare."""


@CONSTRAINTS.register(CadenceConfig)
class Cadence(Rule[CadenceConfig]):
    """Dominant, tonic, long last notes."""

    fields = (WHEN, WHO, WHAT, HOW_LONG)

    def __init__(self, config: CadenceConfig, layout: NoteLayout) -> None:
        super().__init__(config, layout)
        self._last = (config.bars or 0) - 1
        self._key = parse_key(config.key) if config.key else None
        self._chords = [Chord.parse(symbol).pitch_classes for symbol in CHORDS]

    def mask(self, piece: HeardPiece, field: int, chosen: Sequence[int]) -> Mask | None:
        """What leads to the ending; anything in the bars before it, and where no key is known."""
        if self._last < 1 or piece.bar > self._last or piece.bar < 0:
            return None
        if field == HOW_LONG:
            return self._lengths(piece, chosen)
        if piece.bar < self._last - 1:
            return None
        is_last = piece.bar == self._last
        if field == WHAT:
            return self._pitches(piece, chosen, is_last=is_last)
        if field == WHEN:
            return self._times(piece) if is_last else self._until_prepared(piece)
        return self._closing_tracks(piece, chosen) if is_last else self._preparing_tracks(piece, chosen)

    def _key_of(self, piece: HeardPiece, step: int) -> tuple[int, bool] | None:
        if self._key:
            return self._key
        key = piece.keys.at(step)
        return None if key < 0 else (key % 12, key >= 12)

    def _pitches(self, piece: HeardPiece, chosen: Sequence[int], *, is_last: bool) -> Mask | None:
        """Tones of the dominant, then of the tonic; the bass begins with their root, the others stay above it."""
        time, who = chosen[WHEN] - 1, chosen[WHO]
        key = self._key_of(piece, piece.bar_start + time)
        if key is None or time < 0 or (not is_last and 2 * time < piece.bar_length):
            return None
        chord = _tonic(*key) if is_last else Chord((key[0] + DOMINANT) % 12, "7")
        if who == 0:
            return self._names(chord, is_last=is_last)
        here = {other: part.at(piece.bar_start + time) for other, part in piece.pitched.items()}
        bass = here.get(piece.bass)
        if who == piece.bass and not bass:
            root = of_classes([chord.root or 0])
            below = root.copy()
            below[1 + min((pitch for notes in here.values() for pitch, _ in notes), default=127) :] = False
            return pitch_mask(self.layout, below if below.any() else root)
        above = of_classes(chord.pitch_classes)
        above[: min((pitch for pitch, _ in bass or ()), default=0)] = False
        return pitch_mask(self.layout, above)

    def _names(self, chord: Chord, *, is_last: bool) -> Mask:
        """Of the chords' names the tonic's, or those of which all tones belong to the dominant."""
        tones = set(chord.pitch_classes)
        mask = np.ones(self.layout.size, np.bool_)
        mask[slice(*self.layout.span("chord"))] = [
            bool(named) and (set(named) == tones if is_last else set(named) <= tones) for named in self._chords
        ]
        return mask

    def _is_prepared(self, piece: HeardPiece) -> bool:
        """Whether a note has begun in the second half of the bar, or none can be asked for."""
        half = piece.bar_start + piece.bar_length / 2
        begun = any(part.onsets[-1] >= half for part in piece.pitched.values())
        return begun or piece.fill >= 0 or not piece.bass

    def _until_prepared(self, piece: HeardPiece) -> Mask | None:
        """The bar does not end before a note has begun in its second half."""
        if self._is_prepared(piece):
            return None
        mask = np.ones(self.sizes[WHEN], np.bool_)
        mask[0] = False
        return mask

    def _preparing_tracks(self, piece: HeardPiece, chosen: Sequence[int]) -> Mask | None:
        """The second half of the bar is opened by a track with pitches."""
        if 2 * (chosen[WHEN] - 1) < piece.bar_length or self._is_prepared(piece):
            return None
        return np.array([0 < who <= len(piece.programs) and not piece.is_drum(who) for who in range(SLOTS + 1)])

    def _has_closed(self, piece: HeardPiece) -> bool:
        """Whether the bass has begun the last bar, or cannot."""
        bass = piece.bass
        return not bass or piece.fill >= 0 or bool(bass in piece.parts and piece.parts[bass].at(piece.bar_start))

    def _times(self, piece: HeardPiece) -> Mask:
        """The first beat, and no end of the bar before the bass has played."""
        mask = np.zeros(self.sizes[WHEN], np.bool_)
        mask[0], mask[1] = self._has_closed(piece), True
        return mask

    def _closing_tracks(self, piece: HeardPiece, chosen: Sequence[int]) -> Mask | None:
        """On the first beat the chord's name, if chords are named, then nothing that comes after the bass before it."""
        if chosen[WHEN] == 1 and self._is_misnamed(piece):
            return np.asarray(np.arange(SLOTS + 1) == 0)
        return np.arange(SLOTS + 1) <= piece.bass if chosen[WHEN] == 1 and not self._has_closed(piece) else None

    def _is_misnamed(self, piece: HeardPiece) -> bool:
        """Whether another chord than the tonic is in force, and its name can still be said."""
        key, named = self._key_of(piece, piece.bar_start), piece.chords.at(piece.bar_start)
        if key is None or named < 0 or piece.who or piece.fill >= 0:
            return False
        tonic = _tonic(*key)
        says = self.layout.first["chord"] + CHORDS.index(tonic.symbol)
        return set(self._chords[named]) != set(tonic.pitch_classes) and piece.floor <= says

    def _lengths(self, piece: HeardPiece, chosen: Sequence[int]) -> Mask | None:
        """No note lasts into the last bar, as far as can be told before it; those of the last bar end with it."""
        bars = self._last - piece.bar
        room = max(bars, 1) * piece.bar_length - (chosen[WHEN] - 1)
        durations = self.layout.durations
        if not (chosen[WHEN] and chosen[WHO]) or room < 1 or (bars and room >= durations[-1]):
            return None
        longest = int(np.searchsorted(durations, room, side="right"))
        mask = np.zeros(self.sizes[HOW_LONG], np.bool_)
        mask[0] = chosen[WHAT] < self.layout.first["pitch"]
        mask[1 if bars else longest : longest + 1] = True
        return mask

    def score(self, score: Score) -> float:
        """The mean of: bass on the tonic, dominant before it, triad in the last bar, its notes lasting to its end."""
        notes = score.notes.take(score.is_pitched)
        if not len(notes):
            return 0.0
        bars = score.metre_map.ticks_to_bar_beat(notes.onset)[0]
        last = int(bars[-1]) if self.config.bars is None else self._last
        start, end = score.metre_map.bar_to_ticks(np.array([last, last + 1])).tolist()
        final, before = notes.take(bars == last), notes.take(bars == last - 1)
        if not len(final):
            return 0.0
        tonic, is_minor = self._key or self._told_key(score)
        triad = _tonic(tonic, is_minor).pitch_classes
        dominant = Chord((tonic + DOMINANT) % 12, "7").pitch_classes
        half = (start + int(score.metre_map.bar_to_ticks(last - 1))) / 2 if last else 0
        prepared = before.take(before.onset >= half)
        checks = [
            float(final.pitch[final.onset == final.onset.min()].min() % 12 == tonic),
            float(np.isin(prepared.pitch % 12, list(dominant)).mean()) if len(prepared) else 0.0,
            float(np.isin(final.pitch % 12, list(triad)).mean()),
            float(np.minimum((final.end - start) / (end - start), 1).mean()),
        ]
        return sum(checks) / len(checks)

    def _told_key(self, score: Score) -> tuple[int, bool]:
        """The last key that a score tells, or the one that its notes suggest."""
        labels = score.texts.of("key")
        if len(labels):
            return parse_key(labels.text[-1])
        notes = score.notes.take(score.is_pitched)
        return estimate_key(np.bincount(notes.pitch % 12, weights=notes.duration, minlength=12))[:2]


def _tonic(tonic: int, is_minor: bool) -> Chord:
    return Chord(tonic, "min" if is_minor else "maj")
