"""Intervals hold the truth as often as they say, follow their seed, and pairs take out what pieces share."""

import math

import numpy as np
import pytest

from aurl.evaluation.statistics import Interval, bootstrap, paired_difference, ratio_of_sums
from aurl.utils.errors import CorpusError


def mean(values):
    return values[:, 0].mean()


def pieces(seed, count=60):
    """Bits and notes of pieces of many lengths; 10 bits a note in the long run."""
    rng = np.random.default_rng(seed)
    notes = rng.integers(100, 3000, count)
    return np.stack([notes * rng.normal(10, 2, count), notes], axis=1)


def test_the_value_is_that_of_all_rows_and_lies_in_the_interval():
    values = pieces(0)
    interval = bootstrap(values, ratio_of_sums)
    assert interval.value == values[:, 0].sum() / values[:, 1].sum()
    assert interval.low < interval.value < interval.high


def test_about_95_of_100_intervals_hold_the_truth_and_about_half_of_half_ones():
    found = [bootstrap(pieces(seed), ratio_of_sums, repeats=100) for seed in range(150)]
    narrow = [bootstrap(pieces(seed), ratio_of_sums, repeats=100, level=0.5) for seed in range(150)]
    assert 0.88 <= np.mean([interval.low <= 10 <= interval.high for interval in found]) <= 0.99
    assert 0.4 <= np.mean([interval.low <= 10 <= interval.high for interval in narrow]) <= 0.6


def test_an_interval_of_a_mean_is_as_wide_as_theory_says():
    values = np.random.default_rng(1).normal(size=(400, 1))
    interval = bootstrap(values, mean, repeats=2000)
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.07)


def test_one_seed_gives_one_interval_and_another_seed_another():
    values = pieces(2)
    assert bootstrap(values, ratio_of_sums, seed=3) == bootstrap(values, ratio_of_sums, seed=3)
    assert bootstrap(values, ratio_of_sums, seed=3) != bootstrap(values, ratio_of_sums, seed=4)


def test_pieces_that_are_all_the_same_leave_no_doubt():
    assert bootstrap(np.ones((5, 2)), ratio_of_sums) == Interval(1.0, 1.0, 1.0)


def test_draws_without_a_figure_are_passed_over():
    values = np.array([[1.0, 0.0], [2.0, 1.0], [4.0, 1.0]])
    assert bootstrap(values, ratio_of_sums).high <= 6
    nothing = bootstrap(np.zeros((3, 2)), ratio_of_sums)
    assert all(map(math.isnan, (nothing.value, nothing.low, nothing.high)))


def test_no_pieces_is_an_error_of_the_user():
    with pytest.raises(CorpusError, match="no pieces"):
        bootstrap(np.empty((0, 2)), ratio_of_sums)


def test_a_small_difference_between_pairs_is_seen_where_pieces_differ_by_far_more():
    easy = pieces(5)
    hard = easy + easy[:, 1:] * [0.1, 0]
    difference = paired_difference(hard, easy)
    assert (difference.value, difference.low) == (pytest.approx(0.1), pytest.approx(0.1))
    unpaired = [bootstrap(values, ratio_of_sums) for values in (easy, hard)]
    assert unpaired[1].low < unpaired[0].high


def test_a_model_beside_itself_differs_by_nothing():
    assert paired_difference(pieces(6), pieces(6)) == Interval(0.0, 0.0, 0.0)


def test_other_numbers_of_pieces_cannot_be_paired():
    with pytest.raises(CorpusError, match="same pieces"):
        paired_difference(pieces(0, 10), pieces(0, 11))


def test_an_interval_reads_as_a_figure_with_its_ends():
    assert str(Interval(10.3812, 9.9, 10.81)) == "10.381 [9.900, 10.810]"
