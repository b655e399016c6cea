"""Loudness brought to one level phrase by phrase, so that accents within a phrase stay as they are."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from aurl.data.preprocessing.base import transform
from aurl.music.score import Notes, Score
from aurl.utils.config import Config

Ints = NDArray[np.int64]


class NormaliseVelocityConfig(Config):
    """Moves the level of each phrase of a track towards a target; differences within a phrase stay exactly."""

    name: Literal["normalise_velocity"] = "normalise_velocity"
    target: int = Field(72, ge=1, le=127)
    """Median velocity of a phrase afterwards, unless its loudest or softest note forbids it."""
    strength: float = Field(1.0, ge=0, le=1)
    """Share of the way to the target."""
    rest_beats: float = Field(1.0, gt=0)
    """A silence of so many quarter notes ends a phrase of its track."""
    phrase_beats: float = Field(32.0, gt=0)
    """A phrase without rests ends after so many quarter notes."""


@transform(NormaliseVelocityConfig)
def normalise_velocity(score: Score, config: NormaliseVelocityConfig) -> Score:
    """`score` with the median velocity of each phrase at the target."""
    notes = score.notes
    phrase = _phrases(notes, config.rest_beats * score.ticks_per_beat, config.phrase_beats * score.ticks_per_beat)
    velocity = notes.velocity.astype(np.int64)
    order = np.argsort(phrase, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(phrase[order])) + 1):
        if len(rows):
            old = velocity[rows]
            shift = round(config.strength * (config.target - float(np.median(old))))
            velocity[rows] += np.clip(shift, min(0, 1 - old.min()), max(0, 127 - old.max()))
    return score.replace(notes=replace(notes, velocity=velocity))


def _phrases(notes: Notes, rest_ticks: float, phrase_ticks: float) -> Ints:
    """A number for each note's phrase: of one track, without a long rest, not too long."""
    phrase = np.zeros(len(notes), np.int64)
    first = 0
    for track in np.unique(notes.track):
        rows = np.flatnonzero(notes.track == track)
        onset = notes.onset[rows].astype(np.int64)
        sounding_until = np.maximum.accumulate(notes.end[rows])
        starts = np.append(True, onset[1:] - sounding_until[:-1] >= rest_ticks)
        begin = onset[np.flatnonzero(starts)][np.cumsum(starts) - 1]
        part = ((onset - begin) // phrase_ticks).astype(np.int64)
        changes = starts | np.append(False, np.diff(part) != 0)
        phrase[rows] = first + np.cumsum(changes)
        first = int(phrase[rows[-1]])
    return phrase
