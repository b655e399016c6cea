"""Pitches brought into a range or into one key."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator

from aurl.data.preprocessing.base import transform
from aurl.music.score import Score
from aurl.music.theory import estimate_key, parse_key
from aurl.music.transforms import transpose
from aurl.utils.config import Config
from aurl.utils.errors import MidiError

A_MINOR_TONIC = 9


class FoldRangeConfig(Config):
    """Moves notes outside a range by octaves into it."""

    name: Literal["fold_range"] = "fold_range"
    lowest: int = Field(21, ge=0, le=127)
    """Lowest MIDI pitch allowed."""
    highest: int = Field(108, ge=0, le=127)
    """Highest MIDI pitch allowed; at least eleven semitones above the lowest."""

    @model_validator(mode="after")
    def _holds_an_octave(self) -> Self:
        if self.highest - self.lowest < 11:
            raise ValueError("the range must hold each of the twelve pitch classes")
        return self


@transform(FoldRangeConfig)
def fold_range(score: Score, config: FoldRangeConfig) -> Score:
    """`score` with every pitched note in the range, in the octave nearest to its own."""
    pitch = score.notes.pitch.astype(np.int64)
    up = np.maximum(0, -((pitch - config.lowest) // 12)) * 12
    down = np.maximum(0, -((config.highest - pitch) // 12)) * 12
    return score.replace(notes=replace(score.notes, pitch=np.where(score.is_pitched, pitch + up - down, pitch)))


class TransposeConfig(Config):
    """Moves a whole piece, its keys and chord symbols with it; drums stay."""

    name: Literal["transpose"] = "transpose"
    by: int | Literal["C"] = "C"
    """Semitones, or C: to C major or A minor, by the key labelled first or else estimated from the notes."""


@transform(TransposeConfig)
def transpose_piece(score: Score, config: TransposeConfig) -> Score:
    """`score` moved; raises MidiError where no octave of the new key keeps it within MIDI's pitches."""
    pitch = score.notes.pitch[score.is_pitched].astype(np.int64)
    low, high = -int(pitch.min(initial=127)), 127 - int(pitch.max(initial=0))
    choices = [config.by] if isinstance(config.by, int) else _ways_to_c(score)
    for semitones in choices:
        if not len(pitch) or low <= semitones <= high:
            return transpose(score, semitones)
    raise MidiError("the piece would leave the pitches of MIDI", found=f"it can move by {low} to {high} semitones")


def _ways_to_c(score: Score) -> list[int]:
    """The nearest way to C major or A minor, then that of the other octave."""
    labels = score.texts.of("key").text
    if len(labels):
        tonic, is_minor = parse_key(labels[0])
    else:
        notes = score.notes.take(score.is_pitched)
        tonic, is_minor, _ = estimate_key(np.bincount(notes.pitch % 12, weights=notes.duration, minlength=12))
    up = ((A_MINOR_TONIC if is_minor else 0) - tonic) % 12
    return [up, up - 12] if up <= 6 else [up - 12, up]
