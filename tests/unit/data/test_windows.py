"""The plan of an epoch from the lengths of pieces alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurl.data.windows import BLOCK_PIECES, at_bar, bar_starts, first_token, plan_epoch


@given(
    lengths=st.lists(st.integers(2, 500), min_size=1, max_size=40),
    context=st.integers(2, 100),
    spare=st.integers(0, 400),
    seed=st.integers(0, 9),
    windows=st.sampled_from(["sliding", "truncate", "adaptive"]),
)
def test_any_plan_fits_pieces_and_batches(lengths, context, spare, seed, windows):
    rng, totals = np.random.default_rng(seed), np.array(lengths)
    plan = plan_epoch(totals, windows=windows, context=context, batch_tokens=context + spare, rng=rng)
    rows = zip(plan.places.tolist(), totals[plan.pieces].tolist(), plan.lengths.tolist(), strict=True)
    starts = np.array([first_token(*row) for row in rows])
    assert (starts >= 0).all()
    assert (starts + plan.lengths < totals[plan.pieces]).all()
    assert (plan.lengths == np.minimum(context, totals[plan.pieces] - 1)).all()
    rows = np.concatenate([np.arange(len(plan.pieces))[batch] for batch in plan.batches])
    assert sorted(rows) == list(range(len(plan.pieces)))
    for batch in plan.batches:
        assert len(plan.lengths[batch]) * plan.lengths[batch].max() <= context + spare


def test_little_of_a_batch_is_padding():
    lengths = np.exp(np.random.default_rng(0).normal(6, 1, 2000)).astype(np.int64) + 2
    plan = plan_epoch(lengths, windows="sliding", context=512, batch_tokens=8192, rng=np.random.default_rng(0))
    cells = sum(len(plan.lengths[batch]) * plan.lengths[batch].max() for batch in plan.batches)
    assert plan.lengths.sum() / cells > 0.9


def test_an_epoch_uses_pieces_block_by_block():
    lengths = np.random.default_rng(0).integers(2, 2000, 1000)
    plan = plan_epoch(lengths, windows="sliding", context=512, batch_tokens=2048, rng=np.random.default_rng(0))
    first_quarter = plan.batches[: len(plan.batches) // 5]
    assert len(np.unique(np.concatenate([plan.pieces[batch] for batch in first_quarter]))) <= BLOCK_PIECES


@given(
    place=st.floats(0, 1, exclude_max=True),
    length=st.integers(1, 100),
    total=st.integers(2, 300),
    bars=st.lists(st.integers(0, 3), min_size=2, max_size=300),
)
def test_a_window_that_begins_a_bar_is_never_empty(place, length, total, bars):
    starts = bar_starts(np.cumsum(bars)[:total])
    first = at_bar(first_token(place, total, length), starts, total, length)
    assert 0 <= first < total - 1


@pytest.mark.parametrize(("first", "found"), [(0, 0), (1, 10), (10, 10), (31, 35), (36, 35)])
def test_windows_begin_at_the_next_bar_while_enough_is_left(first, found):
    assert at_bar(first, np.array([0, 10, 35, 48]), 50, 8) == found


def test_bars_begin_where_their_number_grows():
    assert bar_starts(np.array([0, 0, 1, 1, 3])).tolist() == [0, 2, 4]
