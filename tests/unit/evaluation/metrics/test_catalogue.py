from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aurl.evaluation.metrics import METRICS, features
from metric_scores import score_of
from random_scores import scores

SHARES = ("silence", "repetition", "scale_consistency", "chord_changes", "chord_irregularity", "step_share",
          "longest_loop", "self_similarity_4", "self_similarity_8", "self_similarity_16")  # fmt: skip
NOT_PITCHED = {"note_density", "mean_duration", "silence", "onset_entropy", "syncopation", "groove_consistency",
               "longest_loop", "mean_velocity", "velocity_spread", "velocity_beat_correlation"}  # fmt: skip
A = [(0, 1, 60), (0, 4, 48), (1, 0.5, 62), (1.5, 0.5, 64), (2, 2, 66), (4, 1, 67), (4, 4, 43), (5.5, 1.5, 71),
     (8, 3, 60), (8, 3.5, 64), (8, 2, 67)]  # fmt: skip
B = [(0, 4, 57), (1, 1, 60), (7 / 3, 2 / 3, 64), (4, 0.25, 68), (4.25, 0.25, 69), (4.5, 0.5, 71), (13, 2, 61)]
DRUMS = [(0, 0.25, 36), (1, 0.25, 42), (2, 0.25, 38), (3, 0.25, 42), (4, 0.25, 36), (6, 0.25, 38)]


@pytest.mark.parametrize(
    ("notes", "drums", "muspy"),
    [
        (A, [], (28, 2.0, 2.413088436425758, 1.0, 0.96875)),
        (B, [], (14, 1.2380952380952381, 2.521640636343318, 0.8571428571428571, 0.9444444444444444)),
        (A, DRUMS, (28, 2.0, 2.413088436425758, 1.0, 0.9583333333333334)),
    ],
)
def test_what_muspy_measures_too_comes_out_the_same(notes, drums, muspy):
    """Values of MusPy 0.5.0, resolution 12, measure resolution 48."""
    score = score_of(*notes, *[(*drum, 1) for drum in drums])
    names = ("pitch_range", "polyphony", "pitch_class_entropy", "scale_consistency", "groove_consistency")
    assert [METRICS[name](score) for name in names] == pytest.approx(list(muspy))


def test_a_score_without_notes_has_no_figures():
    assert all(math.isnan(metric(score_of())) for metric in METRICS.values())


def test_drums_have_no_pitch():
    drums = score_of(*[(beat, 1, 36 + beat % 2, 1) for beat in range(40)], velocity=[60 + beat for beat in range(40)])
    assert {name for name, metric in METRICS.items() if not math.isnan(metric(drums))} == NOT_PITCHED


@settings(max_examples=25)
@given(scores())
def test_every_metric_of_any_score_is_a_number_or_nan(score):
    for name, metric in METRICS.items():
        value = metric(score)
        assert isinstance(value, float)
        assert not math.isinf(value)
        assert name not in SHARES or math.isnan(value) or -1e-9 <= value <= 1 + 1e-9


@settings(max_examples=25)
@given(
    st.lists(st.tuples(st.integers(0, 80), st.integers(0, 8), st.integers(0, 115)), min_size=1, max_size=40),
    st.integers(1, 12),
)
def test_only_the_mean_pitch_hears_a_transposition(notes, semitones):
    score, higher = score_of(*notes), score_of(*[(on, length, pitch + semitones) for on, length, pitch in notes])
    for name in set(METRICS) - {"mean_pitch"}:
        assert METRICS[name](higher) == pytest.approx(METRICS[name](score), nan_ok=True, abs=1e-9)
    assert METRICS["mean_pitch"](higher) == pytest.approx(METRICS["mean_pitch"](score) + semitones)


def test_features_are_all_metrics_in_their_order_whichever_score_comes_first():
    both = features([score_of(*A), score_of(*B)])
    assert both.shape == (2, len(METRICS))
    assert np.array_equal(both[::-1], features([score_of(*B), score_of(*A)]), equal_nan=True)
    assert both[:, list(METRICS).index("pitch_range")].tolist() == [28, 14]
    assert features([]).shape == (0, len(METRICS))


def test_a_note_a_hundred_thousand_bars_away_costs_nothing():
    score = score_of((0, 1, 60), (1, 1, 62), (400_000, 4, 64))
    assert all(isinstance(metric(score), float) for metric in METRICS.values())
