"""A model sees the past only, its heads the fields before theirs only, and it learns."""

from __future__ import annotations

import math

import pytest
import torch
from jaxtyping import TypeCheckError

from aurl.models.config import MusicModelConfig
from aurl.models.music_model import MusicModel
from aurl.utils.errors import ConfigError


def all_of(targets):
    return torch.ones(targets.shape, dtype=torch.bool)


FIELDS = pytest.mark.parametrize("sizes", [(11,), (5, 7, 3)])


@FIELDS
@torch.no_grad()
def test_the_future_does_not_change_what_was_said(build, rows, sizes):
    model = build(*sizes)
    tokens = rows(model, 12)
    changed = tokens.clone()
    changed[:, 7:] = (changed[:, 7:] + 1) % torch.tensor(sizes)
    before, after = model.hidden(tokens), model.hidden(changed)
    assert torch.equal(before[:, :7], after[:, :7])
    assert not torch.isclose(before[:, 7:], after[:, 7:]).all(-1).any()


@torch.no_grad()
def test_the_past_matters_in_its_order(build, rows):
    model = build(11)
    tokens = torch.tensor([[[1], [2], [3], [4]], [[2], [1], [3], [4]]])
    swapped = model.hidden(tokens)[:, -1]
    assert not torch.allclose(swapped[0], swapped[1])


@torch.no_grad()
def test_a_head_sees_the_fields_before_its_own_and_no_other(build, rows):
    model = build(5, 7, 3, 4)
    tokens, targets = rows(model, 6), rows(model, 6, seed=2)
    logits = model(tokens, targets)
    for changed_field, size in enumerate(model.config.vocabulary_sizes):
        changed = targets.clone()
        changed[..., changed_field] = (changed[..., changed_field] + 1) % size
        for field, (before, after) in enumerate(zip(logits, model(tokens, changed), strict=True)):
            assert torch.equal(before, after) == (field <= changed_field)


@FIELDS
@torch.no_grad()
def test_forward_is_the_heads_one_after_another(build, rows, sizes):
    model = build(*sizes)
    tokens, targets = rows(model, 6), rows(model, 6, seed=2)
    hidden = model.hidden(tokens)
    for field, logits in enumerate(model(tokens, targets)):
        assert torch.equal(logits, model.field_logits(hidden, field, targets[..., :field]))
        assert logits.shape[-1] == sizes[field]


@torch.no_grad()
def test_fields_that_do_not_count_cost_nothing_and_change_nothing(build, rows):
    model = build(5, 7, 3)
    tokens, targets = rows(model, 6), rows(model, 6, seed=2)
    mask = torch.rand(targets.shape) < 0.5
    nll = model.nll(tokens, targets, mask)
    assert (nll[~mask] == 0).all()
    assert torch.allclose(nll[mask], model.nll(tokens, targets, all_of(targets))[mask], atol=1e-6)
    assert (model.nll(tokens, targets, torch.zeros_like(mask)) == 0).all()


@FIELDS
@torch.no_grad()
def test_nll_is_the_negative_log_of_the_probability_of_each_target(build, rows, sizes):
    model = build(*sizes)
    tokens, targets = rows(model, 6), rows(model, 6, seed=2)
    nll = model.nll(tokens, targets, all_of(targets))
    for field, logits in enumerate(model(tokens, targets)):
        probabilities = logits.softmax(-1).gather(-1, targets[..., field, None])[..., 0]
        assert torch.allclose(nll[..., field], -probabilities.log(), atol=1e-5)


@torch.no_grad()
def test_a_piece_does_not_feel_the_rest_of_its_batch(build, rows):
    model = build(5, 7)
    tokens = rows(model, 9, batch=3)
    assert torch.allclose(model.hidden(tokens)[1:2], model.hidden(tokens[1:2]), atol=1e-5)


@pytest.mark.parametrize("tied", [False, True])
@torch.no_grad()
def test_a_fresh_model_knows_nothing(rows, tied):
    sizes = (774, 90)
    torch.manual_seed(0)
    model = MusicModel(MusicModelConfig(vocabulary_sizes=sizes, width=64, layers=2, tie_embeddings=tied)).eval()
    targets = rows(model, 100, seed=2)
    nats = model.nll(rows(model, 100), targets, all_of(targets)).mean((0, 1))
    assert nats.tolist() == pytest.approx([math.log(size) for size in sizes], abs=0.2)


@pytest.mark.parametrize("config", [{}, {"tie_embeddings": True}])
def test_it_learns_a_tune_by_heart(rows, config):
    torch.manual_seed(0)
    model = MusicModel(
        MusicModelConfig(vocabulary_sizes=(12, 6), width=32, layers=2, heads=2, context=16, dropout=0.0, **config)
    )
    tune = rows(model, 17)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(50):
        loss = model.nll(tune[:, :-1], tune[:, 1:], all_of(tune[:, 1:])).mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    assert loss.item() < 0.2  # uniform guesses cost 2.1


def test_every_weight_gets_a_gradient(build, rows):
    model = build(5, 7, 3)
    targets = rows(model, 6, seed=2)
    model.train().nll(rows(model, 6), targets, all_of(targets)).sum().backward()
    assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in model.parameters())


@torch.no_grad()
def test_dropout_acts_in_training_only(build, rows):
    model = build(11, dropout=0.5)
    tokens = rows(model, 6)
    assert torch.equal(model.hidden(tokens), model.hidden(tokens))
    model.train()
    assert not torch.equal(model.hidden(tokens), model.hidden(tokens))


def test_the_default_has_five_million_parameters():
    assert MusicModel(MusicModelConfig()).parameter_count == 5_114_880


def test_a_tied_head_is_the_embedding_and_counts_once(build, rows):
    own, tied = build(11, 7), build(11, 7, tie_embeddings=True)
    assert own.parameter_count - tied.parameter_count == (11 + 7) * 32
    with torch.no_grad():
        hidden = tied.hidden(rows(tied, 4))
        expected = hidden @ tied.embeddings.tables[0].weight.T
        assert torch.allclose(tied.field_logits(hidden, 0, rows(tied, 4)[..., :0]), expected, atol=1e-5)
    storages = [weight.data_ptr() for weight in tied.state_dict().values()]
    assert len(set(storages)) == len(storages)


@pytest.mark.parametrize("tied", [False, True])
@torch.no_grad()
def test_the_state_is_the_weights_and_nothing_else(build, rows, tied):
    model = build(5, 7, tie_embeddings=tied)
    assert set(model.state_dict()) == {name for name, _ in model.named_parameters()}
    copy = MusicModel(model.config).eval()
    copy.load_state_dict(model.state_dict())
    tokens, targets = rows(model, 6), rows(model, 6, seed=2)
    for left, right in zip(model(tokens, targets), copy(tokens, targets), strict=True):
        assert torch.equal(left, right)


@torch.no_grad()
def test_a_model_in_another_precision_says_about_the_same(build, rows):
    model = build(11)
    tokens = rows(model, 12)
    single = model.hidden(tokens)
    cache = model.double().new_cache(2)
    assert cache.keys.dtype == torch.float64
    assert torch.allclose(model.hidden(tokens, cache), single.double(), atol=1e-4)


def test_it_learns_and_reads_under_autocast(build, rows):
    model = build(11)
    tokens = rows(model, 12)
    single = model.hidden(tokens)
    with torch.autocast("cpu", torch.bfloat16):
        targets = rows(model, 12, seed=2)
        model.nll(tokens, targets, all_of(targets)).sum().backward()
        cache = model.new_cache(2, torch.bfloat16)
        halves = [model.hidden(part, cache) for part in tokens.split(6, dim=1)]
    assert (torch.cat(halves, 1) - single).abs().mean() < 0.05
    assert all(weight.grad.isfinite().all() for weight in model.parameters())


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"width": 30, "heads": 4}, "width 30, heads 4; try width 32"),
        ({"width": 4, "heads": 4}, "width 4, heads 4; try width 8"),
        ({"layers": 0}, "layers: .*greater than 0"),
        ({"vocabulary_sizes": []}, "vocabulary_sizes: .*at least 1 item"),
        ({"dropout": 1.0}, "dropout: .*less than 1"),
        ({"headz": 4}, "did you mean 'heads'"),
    ],
)
def test_an_impossible_size_is_refused_with_a_way_out(values, message):
    with pytest.raises(ConfigError, match=message):
        MusicModelConfig.parse(values)


def test_more_rows_than_the_context_are_refused(build, rows):
    model = build(11)
    with pytest.raises(ValueError, match="the context is 24 tokens; 0 were read and 25 more came"):
        model.hidden(rows(model, 25))


def test_a_wrong_shape_is_refused_in_the_tests(build):
    with pytest.raises(TypeCheckError):
        build(11).hidden(torch.zeros(1, 4, dtype=torch.long))


@torch.no_grad()
def test_value_embeddings_pass_on_what_a_row_is_from_the_cache_too(build, rows):
    model = build(5, 7, 3, value_embeddings=True)
    tokens = rows(model, 8)
    whole, cache = model.hidden(tokens), model.new_cache(2)
    parts = [model.hidden(tokens[:, a:b], cache) for a, b in ((0, 3), (3, 4), (4, 8))]
    assert torch.allclose(whole, torch.cat(parts, 1), atol=1e-5)
    for block in model.transformer.blocks:
        block.attention.value_share.zero_()
    assert not torch.allclose(whole, model.hidden(tokens), atol=1e-2)


@torch.no_grad()
def test_sharper_attention_looks_at_less(build, rows):
    """Unit queries and keys leave a row its share of those that it sees, unless they are made to count for more."""
    model = build(11)
    tokens = rows(model, 12)
    attention = model.transformer.blocks[0].attention
    assert attention.scale == pytest.approx((model.config.width // model.config.heads) ** -0.5)
    as_it_was = model.hidden(tokens)
    twin = MusicModel(model.config.merged({"sharpness": 4.0}))
    twin.load_state_dict(model.state_dict())
    assert twin.transformer.blocks[0].attention.scale == pytest.approx(4 * attention.scale)
    assert not torch.allclose(as_it_was, twin.eval().hidden(tokens), atol=1e-3)
    assert torch.allclose(as_it_was[:, 0], twin.hidden(tokens)[:, 0], atol=1e-5)  # one row has nowhere else to look
