from __future__ import annotations

import math

import pytest

from aurl.evaluation.metrics import METRICS
from aurl.music.score import TimeSignatures
from metric_scores import bar_of, score_of

WALTZ = {"time_signatures": TimeSignatures([0], [3], [4])}


def test_onsets_spread_over_the_bar_have_more_entropy_than_onsets_on_one_place():
    assert METRICS["onset_entropy"](score_of(*[(4 * bar, 1, 60) for bar in range(8)])) == 0
    assert METRICS["onset_entropy"](score_of(*bar_of(0, 60, 62, 64, 65), *bar_of(1, 60, 62, 64, 65))) == 2


def test_a_chord_is_one_moment_and_drums_make_moments():
    melody = [(0, 1, 60), (2, 1, 62)]
    assert METRICS["onset_entropy"](score_of(*melody, (0, 1, 64), (0, 1, 67))) == 1
    assert METRICS["onset_entropy"](score_of(*melody, (1, 1, 36, 1), (3, 1, 36, 1))) == 2


@pytest.mark.parametrize(
    ("onsets", "levels"),
    [
        ([0, 1, 2, 3, 4], 0),  # on every beat
        ([0, 0.5, 1, 1.5], 0),  # after an offbeat comes its beat
        ([0, 4, 8], 0),  # nothing is stronger than the bar line
        ([0, 1.5, 2.5], 1 / 2),  # an eighth (1) with the beat (2) unplayed; the last onset has nothing after it
        ([0, 3.5, 4.5], 2 / 2),  # an eighth (1) tied over the bar line (3)
        ([0, 3.5, 8], 2 / 2),  # a whole bar unplayed is passed once
        ([3, 5], 1),  # a beat (2) with the bar line (3) unplayed
        ([0.25, 0.75], 1),  # a sixteenth (0) with the eighth (1) unplayed
        ([1 / 3, 2 / 3, 1], 1 / 2),  # a triplet passes the eighth between
    ],
)
def test_an_onset_is_syncopated_as_far_as_something_stronger_goes_by(onsets, levels):
    assert METRICS["syncopation"](score_of(*[(onset, 0.25, 60) for onset in onsets])) == pytest.approx(levels)


def test_syncopation_knows_the_metre():
    notes = [(2, 0.5, 60), (4, 0.5, 60)]  # across the bar line of 3/4, across no bar line of 4/4
    assert METRICS["syncopation"](score_of(*notes, **WALTZ)) == 1
    assert METRICS["syncopation"](score_of(*notes)) == 0


def test_bars_of_one_rhythm_are_consistent_whatever_they_play():
    groove = score_of(*bar_of(0, 60, 62, 64), *bar_of(1, 71, 70, 69), *bar_of(2, 40, 41, 42))
    assert METRICS["groove_consistency"](groove) == 1


def test_each_onset_without_its_like_in_the_next_bar_costs_a_position():
    score = score_of(*bar_of(0, 60, 62, 64, 65), *bar_of(1, 60, 62), (6.5, 1, 60), (7.25, 0.5, 36, 1))
    assert METRICS["groove_consistency"](score) == pytest.approx(1 - 4 / 48)
    assert math.isnan(METRICS["groove_consistency"](score_of(*bar_of(0, 60, 62, 64, 65))))


def test_a_bar_of_three_beats_has_thirty_six_positions():
    score = score_of((0, 1, 60), (3, 1, 60), (4, 1, 60), **WALTZ)
    assert METRICS["groove_consistency"](score) == pytest.approx(1 - 1 / 36)


def test_lengths_are_counted_on_the_grid_and_drums_have_none():
    score = score_of((0, 1, 60), (1, 1.01, 60), (2, 0.5, 60), (3, 0.49, 60), (0, 3, 36, 1))
    assert METRICS["duration_entropy"](score) == 1
