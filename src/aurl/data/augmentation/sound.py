"""Augmentations of what sounds: key, loudness, instruments, which notes."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from aurl.data.augmentation.base import Amount, AugmentationConfig, augmentation
from aurl.music.score import Score, Track
from aurl.music.transforms import transpose, transposition_range

FAMILY = 8
"""General MIDI's programs come in families of eight."""
ALONE = {47, 55, *range(112, 128)}
"""Programs that nothing stands in for: timpani, orchestra hit, percussion and sound effects."""
FAMILIES = [[p for p in range(first, first + FAMILY) if p not in ALONE] for first in range(0, 128, FAMILY)]


class TransposeConfig(AugmentationConfig):
    """Moves a piece up or down, keys and chord symbols along, drums never."""

    name: Literal["transpose"] = "transpose"
    semitones: int = Field(12, ge=1, le=12)
    """Furthest move either way, each as likely, as far as the piece stays on a piano."""


@augmentation(TransposeConfig)
def move(score: Score, rng: np.random.Generator, config: TransposeConfig) -> Score:
    """`score` moved by semitones within the range of a piano; one that is off it already stays."""
    low, high = transposition_range(score)
    return transpose(score, int(rng.integers(max(low, -config.semitones), min(high, config.semitones) + 1)))


class VelocityConfig(AugmentationConfig):
    """Plays a piece louder or softer, with a swell over its length."""

    name: Literal["velocity"] = "velocity"
    scale: Amount = 0.2
    """Largest change of all velocities, as a share."""
    curve: Amount = 0.15
    """Largest depth of a swell of one to three waves over the piece, as a share."""


@augmentation(VelocityConfig)
def play_louder(score: Score, rng: np.random.Generator, config: VelocityConfig) -> Score:
    """`score` with velocities scaled; notes of one moment keep their order of loudness."""
    scale, depth = 1 + config.scale * rng.uniform(-1, 1), config.curve * rng.random()
    waves, phase = rng.uniform(1, 3), rng.random()
    notes = score.notes
    turns = 2 * np.pi * waves / max(1, notes.onset.max(initial=0))
    gain = scale * (1 + depth * np.sin(notes.onset * turns + 2 * np.pi * phase))
    return score.replace(notes=notes.replace(velocity=as_velocity(notes.velocity * gain)))


def as_velocity(values: NDArray[np.float64]) -> NDArray[np.uint8]:
    """The nearest velocities that sound."""
    return np.asarray(np.minimum(np.maximum(values + 0.5, 1), 127), np.uint8)


class InstrumentsConfig(AugmentationConfig):
    """Gives parts to other instruments of the same General MIDI family."""

    name: Literal["instruments"] = "instruments"


@augmentation(InstrumentsConfig)
def substitute(score: Score, rng: np.random.Generator, config: InstrumentsConfig) -> Score:  # noqa: ARG001
    """`score` with each program replaced by one of its family, the same for all its tracks; drums stay."""
    programs = sorted({track.program for track in score.tracks if not track.is_drum} - ALONE)
    families = [FAMILIES[p // FAMILY] for p in programs]
    places = rng.random(len(programs)).tolist()
    chosen = {p: family[int(x * len(family))] for p, family, x in zip(programs, families, places, strict=True)}
    tracks = [t if t.is_drum else Track(chosen.get(t.program, t.program), name=t.name) for t in score.tracks]
    return score.replace(tracks=tuple(tracks))


class DropoutConfig(AugmentationConfig):
    """Leaves notes out."""

    name: Literal["dropout"] = "dropout"
    share: float = Field(0.05, ge=0, lt=1)
    """Chance of each note."""


@augmentation(DropoutConfig)
def leave_out(score: Score, rng: np.random.Generator, config: DropoutConfig) -> Score:
    """`score` without some of its notes; one stays at least."""
    kept = rng.random(len(score.notes), np.float32) >= config.share
    if not kept.any():
        kept[:1] = True
    return score.replace(notes=score.notes.take(kept))
