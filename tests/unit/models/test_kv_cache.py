"""Reading a piece in parts, with a cache, is reading it at once."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from aurl.models.kv_cache import KVCache

CONTEXT = 24


def parts_of_the_context() -> st.SearchStrategy[list[int]]:
    """Lengths of consecutive parts, single rows among them, up to the whole context."""
    return st.lists(st.one_of(st.just(1), st.integers(1, 9)), min_size=1, max_size=CONTEXT).map(_cut)


def _cut(lengths: list[int]) -> list[int]:
    total = [min(CONTEXT, sum(lengths[:i])) for i in range(len(lengths) + 1)]
    return [b - a for a, b in itertools.pairwise(total) if b > a]


@pytest.mark.parametrize("sizes", [(11,), (5, 7, 3)])
@settings(max_examples=20)
@given(parts=parts_of_the_context(), seed=st.integers(0, 9))
@torch.no_grad()
def test_reading_in_parts_gives_the_logits_of_reading_at_once(build, rows, sizes, parts, seed):
    model = build(*sizes)
    tokens, targets = rows(model, sum(parts), seed=seed), rows(model, sum(parts), seed=seed + 100)
    cache = model.new_cache(2)
    hidden = torch.cat([model.hidden(part, cache) for part in tokens.split(parts, dim=1)], dim=1)
    assert cache.length == sum(parts)
    for field, whole in enumerate(model(tokens, targets)):
        assert torch.allclose(model.field_logits(hidden, field, targets[..., :field]), whole, atol=1e-5)


@torch.no_grad()
def test_a_shortened_cache_forgets_and_goes_on(build, rows):
    model = build(11)
    tokens, other = rows(model, 10), rows(model, 10, seed=5)
    cache = model.new_cache(2)
    model.hidden(torch.cat([tokens[:, :6], other[:, 6:]], 1), cache)
    cache.length = 6
    assert torch.allclose(model.hidden(tokens[:, 6:], cache), model.hidden(tokens)[:, 6:], atol=1e-5)


@torch.no_grad()
def test_a_full_cache_is_refused_and_left_as_it_was(build, rows):
    model = build(11)
    cache = model.new_cache(2)
    model.hidden(rows(model, CONTEXT - 1), cache)
    with pytest.raises(ValueError, match="the context is 24 tokens; 23 were read and 2 more came"):
        model.hidden(rows(model, 2), cache)
    model.hidden(rows(model, 1), cache)
    assert cache.length == CONTEXT
    with pytest.raises(ValueError, match="24 were read and 1 more"):
        model.hidden(rows(model, 1), cache)


def test_a_cache_holds_what_was_appended_and_no_more_than_fits():
    cache = KVCache(torch.zeros(2, 1, 3, 4, 5), torch.zeros(2, 1, 3, 4, 5))
    new = torch.ones(1, 3, 3, 5)
    keys, values = cache.append(1, new, 2 * new)
    assert torch.equal(keys, new)
    assert torch.equal(values, 2 * new)
    assert cache.keys[0].sum() == 0
    cache.length = 3
    with pytest.raises(ValueError, match="holds 4 tokens; 3 are in it and 3 more came"):
        cache.append(1, new, new)


def test_a_cache_has_the_precision_asked_for(build):
    cache = build(11).new_cache(3, torch.float64)
    assert cache.values.dtype == torch.float64
    assert cache.keys.shape == (2, 3, 2, CONTEXT, 16)
