from __future__ import annotations

import math

import pytest

from aurl.evaluation.metrics import METRICS
from metric_scores import bar_of, score_of

TUNE, OTHER = (60, 64, 67, 72), (60, 59, 62, 55)


def test_the_line_on_top_moves_whatever_is_below_it():
    score = score_of(*bar_of(0, 72, 74, 77, 77), (0, 4, 48), (1, 1, 52), (2, 1, 71), (3, 1, 90, 1))
    assert METRICS["mean_interval"](score) == pytest.approx((2 + 3 + 0) / 3)
    assert METRICS["step_share"](score) == pytest.approx(1 / 3)


def test_the_top_of_a_chord_is_its_highest_note_in_any_order_of_tracks():
    score = score_of((0, 1, 72), (0, 1, 60, 1), (1, 1, 62), (1, 1, 74, 1), tracks=(score_of().tracks[0],) * 2)
    assert METRICS["mean_interval"](score) == 2


def test_one_note_is_no_melody():
    assert math.isnan(METRICS["mean_interval"](score_of((0, 1, 60))))
    assert math.isnan(METRICS["step_share"](score_of((0, 1, 60))))


def test_a_tune_that_returns_at_another_height_has_the_same_contour():
    returned = score_of(*bar_of(0, *TUNE), *bar_of(4, *[pitch + 5 for pitch in TUNE]))
    upside_down = score_of(*bar_of(0, *TUNE), *bar_of(4, *[120 - pitch for pitch in TUNE]))
    assert METRICS["contour_similarity"](returned) == pytest.approx(1)
    assert METRICS["contour_similarity"](upside_down) == pytest.approx(-1)


def test_the_most_alike_of_the_bars_before_counts_and_none_nearer_than_four():
    score = score_of(*bar_of(0, *TUNE), *bar_of(1, *OTHER), *bar_of(5, *OTHER))
    assert METRICS["contour_similarity"](score) == pytest.approx(1)
    assert math.isnan(METRICS["contour_similarity"](score_of(*bar_of(0, *TUNE), *bar_of(3, *TUNE))))


def test_bars_without_movement_have_no_contour():
    flat = score_of(*[note for bar in range(12) for note in bar_of(bar, 60, 60, 60)])
    assert math.isnan(METRICS["contour_similarity"](flat))
