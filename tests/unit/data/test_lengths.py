"""What contexts cost, on pieces whose tokens can be counted by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurl.data.lengths import CONTEXTS, PieceLengths, context_cost, strategy_cost
from aurl.data.tokenizers import EventTokenizer, EventTokenizerConfig
from aurl.music.score import Notes, Score, Track

STRATEGIES = ("sliding", "truncate", "adaptive")
lengths_of_pieces = st.lists(st.integers(2, 900), min_size=1, max_size=30)


def every_tenth(lengths):
    return [np.arange(0, length, 10, dtype=np.int32) for length in lengths]


@given(lengths_of_pieces, st.sampled_from(STRATEGIES))
def test_a_context_that_holds_every_piece_costs_nothing_but_padding(lengths, windows):
    cost = strategy_cost(np.array(lengths), every_tenth(lengths), 1000, windows)
    assert (cost.windows, cost.unseen_share, cost.repeated_share) == (len(lengths), 0, 0)
    assert 0 <= cost.padding_share < 1


@given(lengths_of_pieces, st.sampled_from(STRATEGIES), st.integers(2, 300))
def test_shares_add_up_to_what_the_windows_hold(lengths, windows, context):
    """What is held is a whole number of tokens, no more than the windows have room for."""
    cost = strategy_cost(np.array(lengths), every_tenth(lengths), context, windows)
    assert 0 <= cost.unseen_share < 1
    held = (1 - cost.unseen_share + cost.repeated_share) * sum(length - 1 for length in lengths)
    assert held == pytest.approx(round(held), abs=1e-6)
    assert round(held) <= cost.windows * context
    assert cost.repeated_share == 0 or windows != "truncate"


def test_truncating_loses_what_lies_behind_the_context():
    cost = strategy_cost(np.array([101, 51]), every_tenth([101, 51]), 50, "truncate")
    assert cost.unseen_share == pytest.approx(50 / 150)
    assert cost.padding_share == 0


def test_pieces_that_fit_are_counted_with_their_last_target():
    assert context_cost(np.array([257, 258]), every_tenth([257, 258]), 256).whole_share == 0.5


def tune(count):
    onset = np.arange(count) * 240
    columns = (np.full(count, value) for value in (200, 80, 0))
    duration, velocity, track = columns
    return Score(480, Notes(onset, duration, 60 + np.arange(count) % 12, velocity, track), (Track(),))


def test_the_least_context_that_holds_nearly_all_is_recommended():
    pieces = PieceLengths(EventTokenizer(EventTokenizerConfig()))
    added = [pieces.add(tune(count)) for count in [100] * 9 + [4000]]
    report = pieces.report()
    assert report.recommended == min(context for context in CONTEXTS if context >= added[0] - 1)
    assert report.percentiles["50"] == added[0]
    assert report.percentiles["100"] == added[-1]
    assert report.tokens == sum(added)
    assert report.tokens_per_note == pytest.approx(sum(added) / 4900)
    assert set(report.to_dict()["contexts"][0]["strategies"]) == set(STRATEGIES)


def test_the_largest_context_is_recommended_where_none_holds_most():
    pieces = PieceLengths(EventTokenizer(EventTokenizerConfig()))
    pieces.add(tune(6000))
    assert pieces.report().recommended == CONTEXTS[-1]
