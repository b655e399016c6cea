"""The torch runtime says what the model says, through its cache, and makes whole pieces with the event tokenizer."""

import numpy as np
import pytest
import torch

from aurl.data.tokenizers import EventTokenizer
from aurl.generation.engine import Runtime
from aurl.generation.generator import GenerationConfig, generate
from aurl.generation.runtimes.torch_runtime import TorchRuntime
from aurl.models import MusicModel, MusicModelConfig

CPU = torch.device("cpu")


def small_model(sizes, context=64):
    """A model whose every weight matters: fresh ones have zeros in them."""
    torch.manual_seed(0)
    config = MusicModelConfig(vocabulary_sizes=sizes, width=16, layers=2, heads=2, context=context, dropout=0.5)
    model = MusicModel(config)
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(std=0.3)
    return model


@pytest.fixture
def runtime():
    return TorchRuntime(small_model((11, 7)), CPU)


def rows(batch, length, seed=0):
    generator = np.random.default_rng(seed)
    return np.stack([generator.integers(0, 11, (batch, length)), generator.integers(0, 7, (batch, length))], -1)


def test_it_is_a_runtime(runtime):
    assert isinstance(runtime, Runtime)
    assert (runtime.context, runtime.length) == (64, 0)
    assert not runtime.model.training


def test_steps_give_the_logits_of_one_uncached_pass(runtime):
    tokens = rows(3, 20)
    with torch.inference_mode():
        whole = runtime.model(torch.from_numpy(tokens[:, :-1]), torch.from_numpy(tokens[:, 1:]))
    runtime.reset(3)
    runtime.feed(tokens[:, :5])
    for at in range(5, 20):
        for field, expected in enumerate(whole):
            logits = runtime.logits(field, tokens[:, at, :field])
            assert logits.dtype == np.float32
            np.testing.assert_allclose(logits, expected[:, at - 1].numpy(), rtol=1e-5, atol=1e-5)
        runtime.feed(tokens[:, at : at + 1])
    assert runtime.length == 20


@pytest.mark.parametrize("batch", [3, 2])
def test_reset_forgets(runtime, batch):
    tokens = rows(batch, 6)
    runtime.reset(batch)
    runtime.feed(tokens)
    first = runtime.logits(0, tokens[:, 0, :0])
    runtime.reset(3)
    runtime.feed(rows(3, 30, seed=1))
    runtime.reset(batch)
    assert runtime.length == 0
    runtime.feed(tokens)
    assert np.array_equal(runtime.logits(0, tokens[:, 0, :0]), first)


def test_pieces_of_events_are_legal_repeatable_and_longer_than_the_context():
    tokenizer = EventTokenizer()
    runtime = TorchRuntime(small_model(tokenizer.vocabulary.sizes, context=32), CPU)
    config = GenerationConfig(seconds=60.0, variations=2, seed=3)
    pieces = generate(runtime, tokenizer, config)
    for piece in pieces:
        assert len(piece.tokens) > 32
        assert tokenizer.grammar.first_illegal(piece.tokens) is None
        assert tokenizer.clock(piece.tokens).seconds[-1] >= 60
        assert piece.score.duration_seconds <= 66.01
        assert len(piece.score.notes) > 0
    again = generate(runtime, tokenizer, config)
    assert all(np.array_equal(one.tokens, two.tokens) for one, two in zip(pieces, again, strict=True))


def test_a_piece_can_be_continued():
    tokenizer = EventTokenizer()
    runtime = TorchRuntime(small_model(tokenizer.vocabulary.sizes), CPU)
    (first,) = generate(runtime, tokenizer, GenerationConfig(seconds=10.0))
    (longer,) = generate(runtime, tokenizer, GenerationConfig(seconds=20.0), prompt=first.score)
    assert np.array_equal(longer.tokens[: longer.prompt_tokens], tokenizer.encode(first.score)[:-1])
    assert longer.score.duration_seconds > first.score.duration_seconds
