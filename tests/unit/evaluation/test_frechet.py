"""The Frechet distance, against closed forms and the true distance of the distributions that were drawn from."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurl.evaluation.frechet import FAR, frechet, frechet_distance, infinite_distance, standardised
from aurl.utils.errors import CorpusError


def normal(seed: int, rows: int, columns: int, *, shift: float = 0, scale: float = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(shift, scale, (rows, columns))


@given(st.integers(0, 100), st.floats(0.1, 10), st.floats(-5, 5))
def test_in_one_dimension_it_is_that_of_means_and_deviations(seed, scale, shift):
    one, other = normal(seed, 20, 1), normal(seed + 1, 30, 1, shift=shift, scale=scale)
    expected = (one.mean() - other.mean()) ** 2 + (one.std(ddof=1) - other.std(ddof=1)) ** 2
    assert frechet_distance(one, other) == pytest.approx(expected, abs=1e-7)


@given(st.integers(0, 100), st.integers(1, 6))
def test_it_is_symmetric_unmoved_by_turns_and_nothing_between_equal_sets(seed, columns):
    one, other = normal(seed, 30, columns), normal(seed + 1, 20, columns, shift=1, scale=2)
    turn = np.linalg.qr(normal(seed, columns, columns))[0]
    distance = frechet_distance(one, other)
    assert frechet_distance(other, one) == pytest.approx(distance)
    assert frechet_distance(one @ turn, other @ turn) == pytest.approx(distance)
    assert frechet_distance(one, one) == pytest.approx(0, abs=1e-6)


def test_commuting_covariances_have_a_closed_form():
    one = np.array([[1.0, 2], [-1, 2], [1, -2], [-1, -2]])
    other = one[:, ::-1] + [3, 0]
    a, b = np.std(one, axis=0, ddof=1)
    assert frechet_distance(one, other) == pytest.approx(9 + 2 * (a - b) ** 2)


@pytest.mark.parametrize("shift", [0, 0.5])
def test_extrapolation_removes_most_of_the_bias(shift):
    true = 10 * shift**2
    sets = [(normal(2 * n, 60, 10, shift=shift), normal(2 * n + 1, 80, 10)) for n in range(20)]
    rng = np.random.default_rng(0)
    bias = np.mean([infinite_distance(*each, rng) for each in sets]) - true
    assert abs(bias) < 0.3 * (np.mean([frechet_distance(*each) for each in sets]) - true)


def test_the_interval_holds_the_true_distance_nearly_always():
    true, held = 6 * 0.16, 0
    for trial in range(12):
        found = frechet(normal(trial, 50, 6, shift=0.4), normal(trial + 100, 60, 6), repeats=25, seed=trial)
        held += found.low <= true <= found.high
    assert held >= 10


def test_one_seed_gives_one_interval_that_tells_far_from_near():
    reference, near, far = (normal(seed, 60, 5, shift=shift) for seed, shift in ((0, 0), (1, 0), (2, 1)))
    assert frechet(near, reference, repeats=30) == frechet(near, reference, repeats=30)
    assert frechet(near, reference, repeats=30).high < frechet(far, reference, repeats=30).low


def test_more_dimensions_than_vectors_are_looked_at_where_the_reference_varies():
    wide = np.concatenate([normal(0, 40, 2, scale=10), normal(1, 40, 200, scale=0.1)], axis=1)
    other = np.concatenate([normal(2, 40, 2, scale=20), normal(3, 40, 200, scale=0.1)], axis=1)
    whole, leading = (infinite_distance(*pair, np.random.default_rng(0)) for pair in _cut(other, wide))
    assert whole == pytest.approx(leading, rel=0.1)
    moved = wide.copy()
    moved[:, 100] += 50
    assert infinite_distance(moved, wide, np.random.default_rng(0)) > 2000


def _cut(one: np.ndarray, other: np.ndarray) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    """Both sets whole, and their first two columns."""
    return (one, other), (one[:, :2], other[:, :2])


def test_few_vectors_are_refused():
    with pytest.raises(CorpusError, match="too few"):
        frechet(normal(0, 3, 2), normal(1, 50, 2))


def test_figures_are_told_in_deviations_of_the_reference():
    reference = np.array([[1.0, 5, 7, np.nan], [3, 5, np.nan, np.nan], [5, 5, 9, np.nan]])
    scaled = standardised(reference, reference)
    assert scaled.shape == (3, 2)
    assert scaled[:, 0].mean() == pytest.approx(0)
    assert scaled[:, 0].std() == pytest.approx(1)
    assert scaled[1, 1] == FAR
    assert standardised([[np.nan, 0, 8, 1]], reference).tolist() == [[FAR, 0]]
