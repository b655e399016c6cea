"""Which pitches a score uses, and how well they agree with a scale or a key. Drums have none."""

from __future__ import annotations

import math

import numpy as np

from aurl.evaluation.metrics.view import Floats, entropy_bits, mean, view_of
from aurl.music.score import Score
from aurl.music.theory import SCALES, estimate_key

_DEGREES = (np.arange(12)[:, None] + SCALES["major"]) % 12
"""Pitch classes of the major scale on each tonic, which are those of all natural minor ones too."""


def pitch_range(score: Score) -> float:
    """Semitones from the lowest to the highest pitch."""
    pitches = view_of(score).pitches
    return float(np.ptp(pitches)) if len(pitches) else math.nan


def mean_pitch(score: Score) -> float:
    """Mean MIDI pitch, each note counted once."""
    return mean(view_of(score).pitches)


def pitch_class_entropy(score: Score) -> float:
    """Entropy in bits of the notes by pitch class: 0 for one, 3.58 for all twelve alike (Dong et al. 2020, MusPy)."""
    return entropy_bits(view_of(score).pitches % 12)


def bar_pitch_class_entropy(score: Score) -> float:
    """The entropy in bits of each bar's notes by pitch class, mean over bars with any (Wu and Yang 2020, H1)."""
    view = view_of(score)
    bars, of_note = np.unique(view.pitched_places[0], return_inverse=True)
    counts = np.unique(of_note * 12 + view.pitches % 12, return_counts=True)
    totals = np.bincount(of_note, minlength=len(bars))
    return mean(np.log2(totals) - np.bincount(counts[0] // 12, counts[1] * np.log2(counts[1])) / totals)


def scale_consistency(score: Score) -> float:
    """Share of the notes, 0..1, in the major or natural minor scale that holds most (Mogren 2016; as in MusPy)."""
    counts = np.bincount(view_of(score).pitches % 12, minlength=12)
    total = counts.sum()
    return float(counts[_DEGREES].sum(axis=1).max() / total) if total else math.nan


def key_fit(score: Score) -> float:
    """Correlation, -1..1, of how long pitch classes sound with the best key's profile (Krumhansl 1990, chapter 4)."""
    weights = pitch_class_seconds(score)
    return estimate_key(weights)[2] if weights.any() else math.nan


def pitch_class_seconds(score: Score) -> Floats:
    """How long each of the 12 pitch classes sounds, from C; what keys are estimated from."""
    view = view_of(score)
    onsets, ends = view.seconds
    return np.bincount(view.pitches % 12, weights=ends - onsets, minlength=12).astype(np.float64)
