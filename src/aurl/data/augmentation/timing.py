"""Augmentations of when things happen: tempo, swing, and a player's imprecision.

`stretch` changes tempos and no tick, so a metrical grid stays. `swing` and `humanise` move notes off the grid: they
are for tokenizers that hear performed time, and wasted on one that counts in steps of a beat.
"""

from __future__ import annotations

from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from aurl.data.augmentation.base import AugmentationConfig, augmentation
from aurl.data.augmentation.sound import as_velocity
from aurl.music.score import Score, Tempos
from aurl.music.timing import DEFAULT_MICROSECONDS_PER_BEAT
from aurl.music.transforms import retime

Ints = NDArray[np.int64]
SLOWEST = 2**24 - 1
"""Most microseconds a beat that MIDI stores."""
CLIPPED = 2.5
"""Deviations are at most so many standard deviations."""


class StretchConfig(AugmentationConfig):
    """Plays a piece faster or slower."""

    name: Literal["stretch"] = "stretch"
    shortest: float = Field(0.8, ge=0.25, le=4)
    """Least length, as a share of the original."""
    longest: float = Field(1.2, ge=0.25, le=4)
    """Greatest length; lengths between are as likely in proportion (uniform in their logarithm)."""

    @model_validator(mode="after")
    def _is_range(self) -> Self:
        if self.shortest > self.longest:
            raise ValueError("shortest must not exceed longest")
        return self


@augmentation(StretchConfig)
def stretch(score: Score, rng: np.random.Generator, config: StretchConfig) -> Score:
    """`score` with every tempo scaled alike."""
    factor = np.exp(rng.uniform(np.log(config.shortest), np.log(config.longest)))
    tempos = score.tempos
    if not len(tempos) or tempos.time[0] > 0:
        tempos = Tempos.join([Tempos(np.array([0]), np.array([DEFAULT_MICROSECONDS_PER_BEAT])), tempos])
    scaled = np.clip(np.rint(tempos.microseconds_per_beat * factor), 1, SLOWEST).astype(np.int64)
    return score.replace(tempos=tempos.replace(microseconds_per_beat=scaled))


class SwingConfig(AugmentationConfig):
    """Delays the off-beat eighths, and bends all between."""

    name: Literal["swing"] = "swing"
    most: float = Field(2 / 3, gt=0.5, le=0.75)
    """Latest place of the off-beat eighth in its beat: 0.5 is straight, 2/3 the triplet feel."""


@augmentation(SwingConfig)
def swing(score: Score, rng: np.random.Generator, config: SwingConfig) -> Score:
    """`score` with every table bent alike within each quarter note; beats stay."""
    delay, beat = 2 * rng.uniform(0.5, config.most) - 1, score.ticks_per_beat

    def bent(ticks: Ints) -> Ints:
        place = ticks % beat
        return ticks + np.rint(delay * np.minimum(place, beat - place)).astype(np.int64)

    return retime(score, bent)


class HumaniseConfig(AugmentationConfig):
    """Plays imprecisely: onsets, ends and velocities deviate by chance."""

    name: Literal["humanise"] = "humanise"
    milliseconds: float = Field(8.0, ge=0, le=100)
    """Standard deviation of onsets, and of ends."""
    velocity: float = Field(4.0, ge=0, le=40)
    """Standard deviation of velocities."""


@augmentation(HumaniseConfig)
def humanise(score: Score, rng: np.random.Generator, config: HumaniseConfig) -> Score:
    """`score` with each note moved a little by itself; what is not a note stays."""
    notes = score.notes
    deviations = rng.standard_normal((3, len(notes)), np.float32)
    np.minimum(np.maximum(deviations, -CLIPPED, out=deviations), CLIPPED, out=deviations)
    ticks = config.milliseconds / 1000 * score.tempo_map.ticks_per_second(notes.onset)
    moves = np.rint(deviations[:2] * ticks).astype(np.int64)
    onset = np.maximum(notes.onset + moves[0], 0)
    duration = np.maximum(notes.end + moves[1] - onset, 1)
    velocity = as_velocity(notes.velocity + config.velocity * deviations[2])
    return score.replace(notes=notes.replace(onset=onset, duration=duration, velocity=velocity))
