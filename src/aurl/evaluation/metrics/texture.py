"""How much sounds, how long, how much at once. Only here do seconds count; the sustain pedal is not heard."""

from __future__ import annotations

import math

import numpy as np

from aurl.evaluation.metrics.view import Floats, seconds_of, view_of
from aurl.music.score import Score


def note_density(score: Score) -> float:
    """Notes per second."""
    seconds = score.duration_seconds
    return len(score.notes) / seconds if seconds else math.nan


def mean_duration(score: Score) -> float:
    """Mean length of a note in seconds."""
    onsets, ends = seconds_of(score, score.notes)
    return float((ends - onsets).mean()) if len(onsets) else math.nan


def polyphony(score: Score) -> float:
    """Mean number of notes that sound together, over the time in which any sounds (Dong et al. 2020, MusPy)."""
    onsets, ends = view_of(score).seconds
    sounding = _sounding_seconds(onsets, ends)
    return float((ends - onsets).sum()) / sounding if sounding else math.nan


def silence(score: Score) -> float:
    """Share of the time, 0..1, in which no note sounds."""
    seconds = score.duration_seconds
    return max(0.0, 1 - _sounding_seconds(*seconds_of(score, score.notes)) / seconds) if seconds else math.nan


def _sounding_seconds(onsets: Floats, ends: Floats) -> float:
    """Length of the union of the spans; `onsets` ascend."""
    latest = np.maximum.accumulate(np.append(0.0, ends))
    return float(latest[-1] - np.maximum(0, onsets - latest[:-1]).sum())
