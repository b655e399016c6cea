from __future__ import annotations

import math

import pytest

from aurl.evaluation.metrics import METRICS
from metric_scores import score_of

BEATS = (0, 1, 1.5, 1.75)


def played(velocities, pitches=(60, 62, 64, 65), track=0):
    notes = [(onset, 0.25, pitch, track) for onset, pitch in zip(BEATS, pitches, strict=True)]
    return score_of(*notes, velocity=velocities)


def test_loudness_has_a_mean_and_a_spread_and_drums_are_played_too():
    for track in (0, 1):
        assert METRICS["mean_velocity"](played([60, 80, 60, 80], track=track)) == 70
        assert METRICS["velocity_spread"](played([60, 80, 60, 80], track=track)) == 10


def test_high_notes_may_be_louder():
    assert METRICS["velocity_pitch_correlation"](played([60, 62, 64, 65])) == pytest.approx(1)
    assert METRICS["velocity_pitch_correlation"](played([65, 64, 62, 60], (60, 61, 63, 65))) == pytest.approx(-1)


def test_strong_beats_may_be_louder():
    """The four onsets lie on the bar line, a quarter, an eighth and a sixteenth."""
    assert METRICS["velocity_beat_correlation"](played([90, 80, 70, 60])) == pytest.approx(1)
    assert METRICS["velocity_beat_correlation"](played([60, 70, 80, 90])) == pytest.approx(-1)


def test_what_does_not_vary_correlates_with_nothing():
    assert math.isnan(METRICS["velocity_pitch_correlation"](played(80)))
    assert math.isnan(METRICS["velocity_pitch_correlation"](played([60, 70, 80, 90], (60,) * 4)))
    assert math.isnan(METRICS["velocity_beat_correlation"](played(80)))
    assert math.isnan(METRICS["velocity_pitch_correlation"](played([60, 70, 80, 90], track=1)))
