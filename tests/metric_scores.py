"""Small scores for the tests of metrics: notes as tuples, in beats."""

from __future__ import annotations

from typing import Any

import numpy as np

from aurl.music.score import Notes, Score, Track

PIANO, DRUMS = Track(), Track(is_drum=True)
Beats = tuple[float, ...]


def score_of(*notes: Beats, tracks: tuple[Track, ...] = (PIANO, DRUMS), velocity: Any = 80, **tables: Any) -> Score:
    """A score of (onset beat, beats, pitch[, track]) at 120 beats a minute: a beat is half a second."""
    onset, beats, pitch, track = zip(*[(*note, 0)[:4] for note in notes], strict=True) if notes else [()] * 4
    velocities = np.broadcast_to(velocity, len(pitch))
    rows = Notes(np.array(onset) * 480, np.array(beats) * 480, np.array(pitch, int), velocities, np.array(track, int))
    return Score(480, rows, tracks, **tables)


def bar_of(bar: int, *pitches: int, beats: float = 1) -> list[Beats]:
    """Pitches one after the other from a bar line of 4/4 on."""
    return [(4 * bar + place * beats, beats, pitch) for place, pitch in enumerate(pitches)]
