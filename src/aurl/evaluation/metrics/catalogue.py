"""All metrics of one score by name.

Each takes a Score and returns a float; NaN where a score has nothing to measure (no notes, no pitched notes, no second
bar). Drums have no pitch. A figure says what a score is like, not how good it is. Long pieces use more of the keyboard
and come back to more: `pitch_range`, `repetition`, `chord_irregularity` and `contour_similarity` compare pieces of like
length.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from aurl.evaluation.metrics import expression, harmony, melody, pitch, rhythm, structure, texture
from aurl.evaluation.metrics.view import Floats
from aurl.music.score import Score

METRICS: Mapping[str, Callable[[Score], float]] = {
    metric.__name__: metric
    for metric in (
        pitch.pitch_range,
        pitch.mean_pitch,
        texture.note_density,
        texture.mean_duration,
        texture.polyphony,
        texture.silence,
        pitch.pitch_class_entropy,
        pitch.key_fit,
        structure.repetition,
        pitch.bar_pitch_class_entropy,
        pitch.scale_consistency,
        rhythm.onset_entropy,
        rhythm.syncopation,
        rhythm.groove_consistency,
        rhythm.duration_entropy,
        harmony.chord_changes,
        harmony.chord_irregularity,
        harmony.consonance,
        melody.mean_interval,
        melody.step_share,
        melody.contour_similarity,
        structure.self_similarity_4,
        structure.self_similarity_8,
        structure.self_similarity_16,
        structure.longest_loop,
        expression.mean_velocity,
        expression.velocity_spread,
        expression.velocity_pitch_correlation,
        expression.velocity_beat_correlation,
    )
}


def features(scores: Sequence[Score]) -> Floats:
    """Every metric of every score: float[scores, METRICS], NaN where a score has none."""
    rows = [[metric(score) for metric in METRICS.values()] for score in scores]
    return np.array(rows, np.float64).reshape(len(scores), len(METRICS))
