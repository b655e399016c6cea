"""Constraints on the pitch of notes: in a scale, in chords, in a range. Drums are free."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field, model_validator

from aurl.data.tokenizers.note_grid import chord_index
from aurl.data.tokenizers.note_vocabulary import KEYS, STEPS_PER_QUARTER, WHAT, WHEN, WHO, NoteLayout
from aurl.generation.constraints.base import CONSTRAINTS, Mask, Rule, RuleConfig, checked
from aurl.generation.constraints.tracks import TrackChoice, Tracks
from aurl.generation.hearing import HeardPiece
from aurl.generation.progressions import Progression
from aurl.music.chords import Chord
from aurl.music.score import Score
from aurl.music.theory import SCALES, estimate_key, parse_key, parse_pitch, pitch_name
from aurl.utils.errors import ConfigError

PITCHES = np.arange(128)
_CLOSE = 1e-6
"""Bars: what begins a tick early counts as on time."""


def pitch_mask(layout: NoteLayout, pitches: NDArray[np.bool_]) -> Mask:
    """All of `what`, but of the notes that are no drum's only `pitches` `[128]`."""
    mask = np.ones(layout.size, np.bool_)
    mask[layout.first["pitch"] : layout.end["pitch"]] = pitches
    return mask


def of_classes(classes: Iterable[int]) -> NDArray[np.bool_]:
    """The pitches `[128]` of these pitch classes."""
    return np.isin(PITCHES % 12, list(classes))


def _read_key(value: Any) -> Any:
    if isinstance(value, str):
        parse_key(value)
    return value


def _read_pitch(value: Any) -> Any:
    return parse_pitch(value) if isinstance(value, str) and not value.isdigit() else value


Key = Annotated[str | None, BeforeValidator(checked(_read_key))]
Pitch = Annotated[int, BeforeValidator(checked(_read_pitch)), Field(ge=0, le=127)]


class ScaleConfig(RuleConfig):
    """Notes of a scale only."""

    name: Literal["scale"] = "scale"
    key: Key = None
    """Tonic and mode, like "D minor"; when not given, the key that the piece itself tells, where it tells one."""
    scale: str | None = None
    """The scale on the tonic, like dorian or blues; when not given, that of the key, major or natural minor."""

    @model_validator(mode="after")
    def _known(self) -> Self:
        if self.scale is not None and self.scale not in SCALES:
            raise ConfigError("unknown scale", found=repr(self.scale), hint=f"known: {', '.join(SCALES)}")
        return self

    def classes(self, tonic: int, is_minor: bool) -> set[int]:
        """The pitch classes of the scale in a key."""
        return {(tonic + step) % 12 for step in SCALES[self.scale or ("minor" if is_minor else "major")]}


@CONSTRAINTS.register(ScaleConfig)
class Scale(Rule[ScaleConfig]):
    """Notes of a scale only."""

    fields = (WHAT,)

    def __init__(self, config: ScaleConfig, layout: NoteLayout) -> None:
        super().__init__(config, layout)
        keys = [parse_key(key) for key in ([config.key] if config.key else KEYS)]
        self.masks = [pitch_mask(layout, of_classes(config.classes(*key))) for key in keys]

    def mask(self, piece: HeardPiece, field: int, chosen: Sequence[int]) -> Mask | None:  # noqa: ARG002
        """The pitches of the scale in force."""
        if chosen[WHO] == 0:
            return None
        if self.config.key:
            return self.masks[0]
        key = piece.keys.at(piece.bar_start + chosen[WHEN] - 1)
        return None if key < 0 else self.masks[key]

    def score(self, score: Score) -> float:
        """The share of notes in the scale; without a key told, in that of the key that the notes suggest."""
        notes = score.notes.take(score.is_pitched)
        if not len(notes):
            return 1.0
        labels = score.texts.of("key")
        if self.config.key:
            keys, starts = [parse_key(self.config.key)], np.zeros(1)
        elif len(labels):
            keys, starts = [parse_key(text) for text in labels.text.tolist()], labels.time
        else:
            weights = np.bincount(notes.pitch % 12, weights=notes.duration, minlength=12)
            keys, starts = [estimate_key(weights)[:2]], np.zeros(1)
        tables = np.array([of_classes(self.config.classes(*key)) for key in keys])
        at = np.maximum(np.searchsorted(starts, notes.onset, side="right") - 1, 0)
        return float(tables[at, notes.pitch].mean())


class ChordsConfig(RuleConfig):
    """Notes that begin under a chord belong to it."""

    name: Literal["chords"] = "chords"
    progression: str
    """Symbols ("Am F C G"), Roman numerals in `key`, or a lead sheet's file; begins again until the piece ends."""
    key: Key = None
    """Of Roman numerals."""
    bass: bool = False
    """Whether the lowest track begins each chord with its bass note: the one after the slash, or else the root."""

    @model_validator(mode="after")
    def _readable(self) -> Self:
        Progression.read(self.progression, self.key)
        return self


@CONSTRAINTS.register(ChordsConfig)
class Chords(Rule[ChordsConfig]):
    """Chord tones only; if soft, on the beats only. `chord` rows say the progression's chords."""

    fields = (WHAT,)

    def __init__(self, config: ChordsConfig, layout: NoteLayout) -> None:
        super().__init__(config, layout)
        self.progression = Progression.read(config.progression, config.key)
        self._tones: dict[frozenset[int], Mask] = {}
        self._labels: dict[Chord, Mask] = {}
        self._places: dict[tuple[int, int], list[tuple[int, Chord]]] = {}

    def mask(self, piece: HeardPiece, field: int, chosen: Sequence[int]) -> Mask | None:  # noqa: ARG002
        """The tones of the chord in force, or its name."""
        if chosen[WHEN] == 0:
            return None
        begins, chord = self._at(piece, step := chosen[WHEN] - 1)
        who = chosen[WHO]
        if who == 0:
            return self._label(chord)
        if chord.root is None or (not self.is_hard and step % STEPS_PER_QUARTER):
            return None
        if self.config.bass and step == begins and who == piece.bass:
            part = piece.parts.get(who)
            if part is None or not part.at(piece.bar_start + step):
                return self._of(frozenset([chord.root if chord.bass is None else chord.bass]))
        return self._of(chord.pitch_classes)

    def _at(self, piece: HeardPiece, step: int) -> tuple[int, Chord]:
        place = (max(piece.bar, 0) % len(self.progression.bars), piece.bar_length)
        if place not in self._places:
            self._places[place] = self.progression.in_bar(*place)
        return next(entry for entry in reversed(self._places[place]) if entry[0] <= step)

    def _of(self, classes: frozenset[int]) -> Mask:
        if classes not in self._tones:
            self._tones[classes] = pitch_mask(self.layout, of_classes(classes))
        return self._tones[classes]

    def _label(self, chord: Chord) -> Mask:
        """Of the names of chords only this one's."""
        if chord not in self._labels:
            mask = np.ones(self.layout.size, np.bool_)
            mask[self.layout.first["chord"] : self.layout.end["chord"]] = False
            mask[self.layout.first["chord"] + (chord_index(chord.symbol) or 0)] = True
            self._labels[chord] = mask
        return self._labels[chord]

    def score(self, score: Score) -> float:
        """The share of notes that begin under a chord and belong to it; if soft, of those on the beats."""
        notes = score.notes.take(score.is_pitched)
        bar, beat = score.metre_map.ticks_to_bar_beat(notes.onset)
        starts, ends = score.metre_map.bar_to_ticks(bar), score.metre_map.bar_to_ticks(bar + 1)
        bars = self.progression.bars
        entries = [(number + float(share), chord) for number, chords in enumerate(bars) for share, chord in chords]
        place = bar % len(bars) + (notes.onset - starts) / np.maximum(ends - starts, 1) + _CLOSE
        at = np.searchsorted([begins for begins, _ in entries], place, side="right") - 1
        counts = np.array([chord.root is not None for _, chord in entries])[at]
        if not self.is_hard:
            counts = counts & (beat == np.rint(beat))
        fits = np.array([of_classes(chord.pitch_classes) for _, chord in entries])[at, notes.pitch]
        return float(fits[counts].mean()) if counts.any() else 1.0


class RangeConfig(RuleConfig):
    """Pitches between two."""

    name: Literal["range"] = "range"
    low: Pitch = 0
    """Lowest pitch, a name ("C3") or a number."""
    high: Pitch = 127
    """Highest pitch, likewise."""
    tracks: Tracks = ()
    """The tracks that keep to it; all when none are named."""

    @model_validator(mode="after")
    def _ascends(self) -> Self:
        if self.low > self.high:
            found = f"{pitch_name(self.low)} to {pitch_name(self.high)}"
            raise ConfigError("the lowest pitch of a range is above its highest", found=found)
        return self


@CONSTRAINTS.register(RangeConfig)
class Range(Rule[RangeConfig]):
    """Pitches between two."""

    fields = (WHAT,)

    def __init__(self, config: RangeConfig, layout: NoteLayout) -> None:
        super().__init__(config, layout)
        self.tracks = TrackChoice(config.tracks)
        self.within = pitch_mask(layout, np.clip(PITCHES, config.low, config.high) == PITCHES)

    def mask(self, piece: HeardPiece, field: int, chosen: Sequence[int]) -> Mask | None:  # noqa: ARG002
        """The pitches of the range, for the tracks that keep to it."""
        return self.within if self.tracks.has(chosen[WHO], piece.programs) else None

    def score(self, score: Score) -> float:
        """The share of these tracks' notes in the range."""
        pitch = score.notes.pitch[score.is_pitched & self.tracks.of_score(score)]
        return float(((pitch >= self.config.low) & (pitch <= self.config.high)).mean()) if len(pitch) else 1.0
