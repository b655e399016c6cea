from __future__ import annotations

import math

import numpy as np
import pytest

from aurl.evaluation.metrics import METRICS, pitch_class_seconds
from metric_scores import bar_of, score_of

C_MAJOR = [0, 2, 4, 5, 7, 9, 11, 12]


def test_range_and_mean_are_of_pitched_notes_alone():
    score = score_of((0, 4, 60), (0, 2, 64), (2, 2, 67), (6, 2, 72), (6, 1, 20, 1))
    assert METRICS["pitch_range"](score) == 12
    assert METRICS["mean_pitch"](score) == pytest.approx(65.75)
    assert METRICS["pitch_class_entropy"](score) == pytest.approx(1.5)


def test_a_scale_fits_its_key_better_than_all_semitones():
    scale = score_of(*[(beat, 1, 60 + step) for beat, step in enumerate(C_MAJOR)])
    chromatic = score_of(*[(beat, 1, 60 + beat) for beat in range(12)])
    assert METRICS["key_fit"](scale) > 0.8
    assert METRICS["key_fit"](chromatic) == 0


def test_a_profile_played_as_durations_fits_perfectly():
    """Notes as long as the numbers of the minor profile on A (Krumhansl 1990, table 2.1)."""
    profile = [6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17]
    score = score_of(*[(10 * step, length, 57 + step) for step, length in enumerate(profile)])
    assert METRICS["key_fit"](score) == pytest.approx(1, abs=1e-5)


def test_pitch_classes_sound_as_long_as_their_notes():
    seconds = pitch_class_seconds(score_of((0, 2, 60), (1, 1, 72), (0, 4, 45), (0, 4, 38, 1)))
    assert np.allclose(seconds, [1.5, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0])


def test_entropy_of_all_pitch_classes_alike_is_log2_12():
    everything = score_of(*[(0, 1, 60 + step) for step in range(12)])
    assert METRICS["pitch_class_entropy"](everything) == pytest.approx(math.log2(12))
    assert METRICS["pitch_class_entropy"](score_of((0, 1, 60), (1, 1, 72))) == 0


def test_bars_may_each_use_few_pitch_classes_where_the_piece_uses_many():
    """One bar of one class, one of two alike, one of four alike: 0, 1 and 2 bits."""
    score = score_of(*bar_of(0, 60, 72, 48), *bar_of(1, 62, 64, 62, 64), *bar_of(3, 65, 67, 69, 71))
    assert METRICS["bar_pitch_class_entropy"](score) == pytest.approx(1)
    assert METRICS["pitch_class_entropy"](score) > 2


@pytest.mark.parametrize("tonic", [60, 63, 69])
def test_a_scale_is_consistent_on_any_tonic_and_a_note_outside_takes_its_share(tonic):
    scale = [(beat, 1, tonic + step) for beat, step in enumerate(C_MAJOR)]
    assert METRICS["scale_consistency"](score_of(*scale)) == 1
    assert METRICS["scale_consistency"](score_of(*scale, (8, 1, tonic + 6))) == pytest.approx(8 / 9)
