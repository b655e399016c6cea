"""Figures of one score: what it holds by count, time and pitch.

Each takes a Score and returns a float; NaN where a score has nothing to measure (no notes, no pitched notes, no time).
Times are seconds from tick 0 to the end of the last note; the sustain pedal is not heard. Drums have no pitch: only
`note_density`, `silence` and `mean_duration` count them. A figure says what a score is like, not how good it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from aurl.music.score import Notes, Score
from aurl.music.theory import estimate_key

GRID = 12
"""Parts of a quarter note to which `repetition` rounds onsets: sixteenths and triplets are exact."""

Floats = NDArray[np.float64]


def pitch_range(score: Score) -> float:
    """Semitones from the lowest to the highest pitch."""
    pitches = _pitched(score).pitch
    return float(np.ptp(pitches)) if len(pitches) else math.nan


def mean_pitch(score: Score) -> float:
    """Mean MIDI pitch, each note counted once."""
    pitches = _pitched(score).pitch
    return float(pitches.mean()) if len(pitches) else math.nan


def note_density(score: Score) -> float:
    """Notes per second."""
    seconds = score.duration_seconds
    return len(score.notes) / seconds if seconds else math.nan


def mean_duration(score: Score) -> float:
    """Mean length of a note in seconds."""
    onsets, ends = _seconds(score, score.notes)
    return float((ends - onsets).mean()) if len(onsets) else math.nan


def polyphony(score: Score) -> float:
    """Mean number of notes that sound together, over the time in which any sounds (Dong et al. 2020, MusPy)."""
    onsets, ends = _seconds(score, _pitched(score))
    sounding = _sounding_seconds(onsets, ends)
    return float((ends - onsets).sum()) / sounding if sounding else math.nan


def silence(score: Score) -> float:
    """Share of the time, 0..1, in which no note sounds."""
    seconds = score.duration_seconds
    return max(0.0, 1 - _sounding_seconds(*_seconds(score, score.notes)) / seconds) if seconds else math.nan


def pitch_class_entropy(score: Score) -> float:
    """Entropy in bits of the notes by pitch class: 0 for one, 3.58 for all twelve alike (Dong et al. 2020, MusPy)."""
    counts = np.bincount(_pitched(score).pitch % 12)
    shares = counts[counts > 0] / max(1, counts.sum())
    return float(-(shares * np.log2(shares)).sum()) + 0.0 if len(shares) else math.nan


def key_fit(score: Score) -> float:
    """Correlation, -1..1, of how long pitch classes sound with the best key's profile (Krumhansl 1990, chapter 4)."""
    weights = pitch_class_seconds(score)
    return estimate_key(weights)[2] if weights.any() else math.nan


def pitch_class_seconds(score: Score) -> Floats:
    """How long each of the 12 pitch classes sounds, from C; what keys are estimated from."""
    notes = _pitched(score)
    onsets, ends = _seconds(score, notes)
    return np.bincount(notes.pitch % 12, weights=ends - onsets, minlength=12).astype(np.float64)


def repetition(score: Score) -> float:
    """Share of the bars, 0..1, that say what an earlier bar has said.

    A bar says its set of (onset since the bar line, pitch class), onsets rounded to `GRID` parts of a quarter note;
    octaves, lengths and loudness do not matter. Bars in which no pitched note begins are not counted.
    """
    contents = _bar_contents(score)
    return 1 - len(set(contents)) / len(contents) if contents else math.nan


METRICS: Mapping[str, Callable[[Score], float]] = {
    metric.__name__: metric
    for metric in (
        pitch_range,
        mean_pitch,
        note_density,
        mean_duration,
        polyphony,
        silence,
        pitch_class_entropy,
        key_fit,
        repetition,
    )
}


def _pitched(score: Score) -> Notes:
    return score.notes.take(score.is_pitched)


def _seconds(score: Score, notes: Notes) -> tuple[Floats, Floats]:
    """Onsets and ends, in order of onset."""
    return score.tempo_map.ticks_to_seconds(notes.onset), score.tempo_map.ticks_to_seconds(notes.end)


def _sounding_seconds(onsets: Floats, ends: Floats) -> float:
    """Length of the union of the spans; `onsets` ascend."""
    latest = np.maximum.accumulate(np.append(0.0, ends))
    return float(latest[-1] - np.maximum(0, onsets - latest[:-1]).sum())


def _bar_contents(score: Score) -> list[bytes]:
    """What each bar with an onset says, in order."""
    notes = _pitched(score)
    beats = np.rint(score.tempo_map.ticks_to_beats(notes.onset) * GRID) / GRID
    bars, positions = score.metre_map.ticks_to_bar_beat(score.tempo_map.beats_to_ticks(beats))
    rows = np.stack([bars, np.rint(positions * GRID).astype(np.int64), notes.pitch.astype(np.int64) % 12], axis=1)
    rows = np.unique(rows, axis=0)
    firsts = np.flatnonzero(np.diff(rows[:, 0])) + 1
    return [bar[:, 1:].tobytes() for bar in np.split(rows, firsts) if len(bar)]
