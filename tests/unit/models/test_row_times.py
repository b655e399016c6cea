"""Musical time: the same for whole windows as row by row, and what attention makes of it."""

import numpy as np
import pytest
import torch
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st

from aurl.data.tokenizers import NoteTokenizer
from aurl.data.tokenizers.note_tasks import Hole, arrange, split_bars
from aurl.data.tokenizers.row_clock import START, RowClock, RowClockConfig
from aurl.models.attention import Rotary
from aurl.models.row_times import RowTimes
from aurl.utils.errors import ConfigError
from random_scores import scores

TOKENIZER = NoteTokenizer()
CONFIG = TOKENIZER.row_clock


SMALL_CLOCK = RowClockConfig(
    when=0, what=1, bar=0, first_metre=1, metre_steps=(4, 6, 8), common_metre=1, future=4, now=(5, 6)
)


def one_by_one(config, tokens):
    """The times that the clock tells row by row."""
    steps, state, clock = [], START, RowClock(config)
    for row in tokens.tolist():
        step, state = clock.advance(row, state)
        steps.append(step)
    return steps


@settings(max_examples=40, phases=[Phase.generate])
@given(scores(), st.booleans())
def test_a_window_at_once_has_the_times_of_its_rows_one_by_one(score, with_hole):
    tokens = TOKENIZER.encode(score)[:-1]
    bars = len(split_bars(tokens, TOKENIZER.layout)[1])
    if with_hole and bars > 1:
        tokens = arrange(tokens, TOKENIZER.layout, hole=Hole(0, min(8, bars - 1)))
    steps = RowTimes(CONFIG)(torch.from_numpy(tokens.astype(np.int64))[None])[0]
    assert steps.tolist() == one_by_one(CONFIG, tokens)


@settings(max_examples=100)
@given(st.lists(st.tuples(st.sampled_from([0, 0, 3]), st.integers(0, 7)), min_size=1, max_size=30))
def test_rows_in_any_order_have_the_same_times_too(drawn):
    rows, is_bar_next = [], False
    for when, what in drawn:  # after `now` comes a bar, before any metre
        if not (is_bar_next and not when and 1 <= what <= 3):
            rows.append((when, what))
        is_bar_next = (is_bar_next or what == 5) and what != 0 if not when else is_bar_next
    assume(rows)
    steps = RowTimes(SMALL_CLOCK)(torch.tensor([rows]))[0]
    assert steps.tolist() == one_by_one(SMALL_CLOCK, np.array(rows))


@pytest.mark.parametrize("head_width", [8, 16, 64, 128])
def test_a_bar_later_the_pairs_that_turn_once_a_bar_stand_as_before(head_width):
    rotary = Rotary(head_width, 64, 1e4, musical_time=True)
    steps = torch.tensor([[0, 7, 96, 103, 6144 * 9 + 7]])
    cos, sin = rotary(3, 5, steps)
    assert cos.shape == (1, 5, 1, head_width // 2)
    timed = slice(head_width // 2 - len(rotary.periods), None)
    bar = int((rotary.periods == 96).nonzero())
    for table in (cos, sin):
        assert torch.equal(table[0, 0, 0, timed][bar], table[0, 2, 0, timed][bar])
        assert torch.equal(table[0, 1, 0, timed][bar], table[0, 4, 0, timed][bar])
    assert torch.equal(cos[0, :, :, : timed.start], rotary.cos[3:8])


@torch.no_grad()
def test_times_matter_by_their_distance_alone(build):
    model = build(5, 4, 9, musical_time=True, row_clock=CONFIG)
    tokens = torch.randint(4, (1, 8, 3), generator=torch.Generator().manual_seed(0))
    steps = torch.tensor([[0, 12, 24, 30, 96, 100, 192, 200]])
    read = model.hidden(tokens, steps=steps)
    assert torch.allclose(read, model.hidden(tokens, steps=steps + 4 * 6144 * 3), atol=1e-5)
    assert not torch.allclose(read, model.hidden(tokens, steps=2 * steps), atol=1e-2)


@torch.no_grad()
def test_cached_is_uncached_with_the_same_times(build):
    model = build(200, 4, 700, musical_time=True, row_clock=CONFIG)
    tokens = torch.stack([torch.randint(n, (2, 10)) for n in (200, 4, 700)], -1)
    steps = RowTimes(CONFIG)(tokens)
    whole, cache = model.hidden(tokens), model.new_cache(2)
    parts = [model.hidden(tokens[:, a:b], cache, steps[:, a:b]) for a, b in ((0, 4), (4, 5), (5, 10))]
    assert torch.allclose(whole, torch.cat(parts, 1), atol=1e-5)
    cache.length = 4
    with pytest.raises(ValueError, match="times"):
        model.hidden(tokens[:, 4:5], cache)


def test_tokens_without_bars_have_no_musical_time(build):
    with pytest.raises(ConfigError, match="musical time"):
        build(774, musical_time=True)
