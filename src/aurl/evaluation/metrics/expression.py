"""How loudly notes are played, by MIDI velocity 1..127; drums count as notes."""

from __future__ import annotations

import math

from aurl.evaluation.metrics.view import correlation, mean, view_of
from aurl.music.score import Score


def mean_velocity(score: Score) -> float:
    """Mean velocity."""
    return mean(score.notes.velocity)


def velocity_spread(score: Score) -> float:
    """Standard deviation of the velocities."""
    return float(score.notes.velocity.std()) if len(score.notes) else math.nan


def velocity_pitch_correlation(score: Score) -> float:
    """Correlation, -1..1, of loudness with height: high notes are played louder (Friberg et al. 2006, high loud)."""
    pitched = view_of(score).pitched
    return correlation(pitched.velocity, pitched.pitch)


def velocity_beat_correlation(score: Score) -> float:
    """Correlation, -1..1, of loudness with metrical level, from the bar line down (Drake and Palmer 1993, accents)."""
    return correlation(score.notes.velocity, view_of(score).levels)
