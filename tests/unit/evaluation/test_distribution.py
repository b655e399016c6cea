from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from aurl.evaluation.distribution import distances, is_inside
from aurl.utils.errors import CorpusError

RNG = np.random.default_rng(0)
REFERENCE = RNG.normal(10, 2, (40, 1))


def one(pieces, reference=REFERENCE):
    (row,) = distances(np.asarray(pieces, float).reshape(-1, 1), np.reshape(reference, (-1, 1)), ["it"]).metrics
    return row


def kernel_density(values):
    """scipy.stats.gaussian_kde in one dimension."""
    width = np.std(values, ddof=1) * len(values) ** -0.2
    return lambda x: np.exp(-0.5 * ((x - values[:, None]) / width) ** 2).mean(axis=0) / (width * np.sqrt(2 * np.pi))


def mgeval_overlap(ours, theirs):
    """mgeval's `overlap_area` of its intra-set and inter-set distances (Yang and Lerch 2018, utils.py)."""
    intra = np.array([abs(a - b) for i, a in enumerate(theirs) for j, b in enumerate(theirs) if i != j])
    inter = np.array([abs(a - b) for a in theirs for b in ours])
    places = np.linspace(min(intra.min(), inter.min()), max(intra.max(), inter.max()), 2001)
    densities = [kernel_density(side)(places) for side in (intra, inter)]
    step = places[1] - places[0]
    smaller = np.minimum(*densities)
    p, q = (density[densities[0] > 0] / density.sum() for density in densities)
    return (smaller.sum() - (smaller[0] + smaller[-1]) / 2) * step, np.sum(p * np.log(p / q))


@pytest.mark.parametrize(("mean", "spread"), [(10, 2), (11, 2), (13, 1), (10, 0.2), (10, 6)])
def test_overlap_and_divergence_are_those_of_mgeval(mean, spread):
    ours = RNG.normal(mean, spread, 25)
    overlap, divergence = mgeval_overlap(ours, REFERENCE[:, 0])
    assert one(ours).overlapped_area == pytest.approx(overlap, abs=1e-3)
    assert one(ours).divergence_nats == pytest.approx(divergence, rel=0.02, abs=1e-3)


def test_the_further_away_the_less_overlap_and_the_more_divergence():
    rows = [one(REFERENCE[::2] + shift) for shift in (0, 2, 5, 30)]
    overlaps, divergences, moved = zip(
        *[(row.overlapped_area, row.divergence_nats, row.wasserstein) for row in rows], strict=True
    )
    assert list(overlaps) == sorted(overlaps, reverse=True)
    assert list(divergences) == sorted(divergences)
    assert list(moved) == sorted(moved)
    assert overlaps[0] > 0.85
    assert overlaps[-1] < 0.01


def test_values_that_never_vary_overlap_with_themselves_alone():
    same, other = one([3] * 5, [3] * 8), one([4] * 5, [3] * 8)
    assert (same.overlapped_area, same.divergence_nats, same.wasserstein, same.inside) == (1, 0, 0, 1)
    assert other.overlapped_area == pytest.approx(0, abs=1e-6)
    assert other.divergence_nats > 10
    assert math.isinf(other.wasserstein)
    assert other.inside == 0


def test_a_shift_moves_values_by_as_much_in_spreads_of_the_reference():
    row = one(REFERENCE + 3)
    assert row.wasserstein == pytest.approx(3 / REFERENCE.std(ddof=1))
    assert one([0, 1, 3], [5, 6, 8]).wasserstein == pytest.approx(5 / np.std([5, 6, 8], ddof=1))
    assert one([0, 0, 0, 10], [0, 10]).wasserstein == pytest.approx(2.5 / np.std([0, 10], ddof=1))


def test_inside_is_from_one_to_ninety_nine_percent():
    reference = np.arange(101.0)
    assert one([0.9, 1, 99, 99.1], reference).inside == 0.5


def test_a_piece_is_inside_where_every_metric_is():
    reference = np.stack([np.arange(101.0), np.arange(101.0)], axis=1)
    pieces = np.array([[50, 50], [50, 200], [-5, 50], [50, 50.5]])
    told = distances(pieces, reference, ["left", "right"])
    assert [row.metric for row in told.metrics] == ["left", "right"]
    assert [row.inside for row in told.metrics] == [0.75, 0.75]
    assert told.inside_all == 0.5


def test_to_lack_a_metric_is_inside_where_the_reference_lacks_it_too():
    lacking, complete = np.arange(50.0), np.arange(50.0)
    lacking[0] = np.nan
    reference = np.stack([lacking, complete], axis=1)
    assert is_inside(np.full((1, 2), np.nan), reference).tolist() == [[True, False]]


def test_values_that_a_set_lacks_count_in_no_distance():
    holes = np.concatenate([REFERENCE[:, 0], [np.nan] * 9])
    with_holes, without = one(holes[10:], holes), one(REFERENCE[10:])
    assert with_holes.overlapped_area == without.overlapped_area
    assert with_holes.wasserstein == without.wasserstein


def test_a_metric_that_a_set_lacks_has_no_distances():
    for row in (one([np.nan, np.nan]), one([1, 2], [np.nan, np.nan]), one([1, 2], [5])):
        assert math.isnan(row.overlapped_area)
        assert math.isnan(row.divergence_nats)
        assert math.isnan(row.wasserstein)
    assert one([1, 2], [np.nan, np.nan]).inside == 0


@pytest.mark.parametrize(("pieces", "reference"), [(0, 5), (5, 0)])
def test_an_empty_set_is_refused(pieces, reference):
    with pytest.raises(CorpusError):
        distances(np.zeros((pieces, 2)), np.zeros((reference, 2)), ["a", "b"])


VALUES = st.one_of(st.floats(-1e6, 1e6), st.just(float("nan")), st.integers(0, 3).map(float))


@settings(max_examples=60)
@given(
    arrays(float, st.tuples(st.integers(1, 6), st.just(2)), elements=VALUES),
    arrays(float, st.tuples(st.integers(1, 6), st.just(2)), elements=VALUES),
)
def test_figures_of_any_two_sets_lie_in_their_ranges(pieces, reference):
    for row in distances(pieces, reference, ["a", "b"]).metrics:
        assert math.isnan(row.overlapped_area) or 0 <= row.overlapped_area <= 1.001
        assert math.isnan(row.divergence_nats) or -1e-9 <= row.divergence_nats < math.inf
        assert math.isnan(row.wasserstein) or row.wasserstein >= 0
        assert 0 <= row.inside <= 1
