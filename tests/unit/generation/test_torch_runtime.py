"""The torch runtime says what the model says, through its cache, and makes whole pieces with the event tokenizer."""

import numpy as np
import pytest
import torch

from aurl.data.tokenizers import EventTokenizer
from aurl.data.tokenizers.row_clock import RowClockConfig
from aurl.generation.engine import Runtime
from aurl.generation.generator import GenerationConfig, generate
from aurl.generation.runtimes.torch_runtime import TorchRuntime
from aurl.models.config import MusicModelConfig
from aurl.models.music_model import MusicModel

CPU = torch.device("cpu")


CLOCK = RowClockConfig(when=0, what=1, bar=0, first_metre=1, metre_steps=(9, 15), common_metre=0, future=4, now=(5, 6))
TIMED = {"musical_time": True, "row_clock": CLOCK}


def small_model(sizes, context=64, **more):
    """A model whose every weight matters: fresh ones have zeros in them."""
    torch.manual_seed(0)
    config = MusicModelConfig.parse(
        {"vocabulary_sizes": sizes, "width": 16, "layers": 2, "heads": 2, "context": context, "dropout": 0.5} | more
    )
    model = MusicModel(config)
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(std=0.3)
    return model


@pytest.fixture(params=[{}, TIMED], ids=["plain", "musical time"])
def runtime(request):
    return TorchRuntime(small_model((11, 7), **request.param), CPU)


def rows(batch, length, seed=0):
    generator = np.random.default_rng(seed)
    return np.stack([generator.integers(0, 11, (batch, length)), generator.integers(0, 7, (batch, length))], -1)


def test_it_is_a_runtime(runtime):
    assert isinstance(runtime, Runtime)
    assert (runtime.context, runtime.lengths.tolist()) == (64, [])
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
    assert runtime.lengths.tolist() == [20] * 3


@pytest.mark.parametrize("batch", [3, 2])
def test_reset_forgets(runtime, batch):
    tokens = rows(batch, 6)
    runtime.reset(batch)
    runtime.feed(tokens)
    first = runtime.logits(0, tokens[:, 0, :0])
    runtime.reset(3)
    runtime.feed(rows(3, 30, seed=1))
    runtime.reset(batch)
    assert runtime.lengths.tolist() == [0] * batch
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


def alone(model, tokens):
    """The logits of both fields after all of `tokens` `[t, f]`, read at once."""
    runtime = TorchRuntime(model, CPU)
    runtime.reset(1)
    runtime.feed(tokens[None])
    return [runtime.logits(field, np.full((1, field), 3)) for field in range(2)]


def agree(runtime, pieces):
    for field in range(2):
        logits = runtime.logits(field, np.full((len(pieces), field), 3))
        for found, tokens in zip(logits, pieces, strict=True):
            np.testing.assert_allclose(found, alone(runtime.model, tokens)[field][0], rtol=1e-5, atol=1e-5)


def test_pieces_of_different_lengths_are_each_as_if_alone(runtime):
    tokens, counts = rows(4, 21), np.array([[5, 3, 0, 7], [1, 1, 6, 0], [0, 4, 2, 9], [3, 3, 3, 3]])
    runtime.reset(4)
    held = np.zeros(4, np.int64)
    for count in counts:
        fed = np.stack([np.roll(piece, -length, axis=0)[:9] for piece, length in zip(tokens, held, strict=True)])
        runtime.feed(fed, count)
        held += count
        assert runtime.lengths.tolist() == held.tolist()
        if held.all():
            agree(runtime, [piece[:length] for piece, length in zip(tokens, held, strict=True)])


def test_a_piece_that_is_fed_nothing_keeps_its_logits(runtime):
    tokens = rows(2, 9)
    runtime.reset(2)
    runtime.feed(tokens[:, :5])
    before = runtime.logits(0, tokens[:, 0, :0])
    runtime.feed(tokens[:, 5:6], np.array([0, 1]))
    after = runtime.logits(0, tokens[:, 0, :0])
    assert np.array_equal(before[0], after[0])
    assert not np.array_equal(before[1], after[1])


def test_rewound_rows_are_forgotten(runtime):
    tokens, others = rows(3, 16), rows(3, 16, seed=1)
    runtime.reset(3)
    runtime.feed(others)
    runtime.rewind(np.array([4, 0, 16]))
    assert runtime.lengths.tolist() == [4, 0, 16]
    runtime.feed(tokens, np.array([6, 5, 2]))
    agree(
        runtime,
        [np.concatenate([others[n, :kept], tokens[n, :new]]) for n, kept, new in ((0, 4, 6), (1, 0, 5), (2, 16, 2))],
    )


def test_selected_pieces_are_copies_to_the_bit(runtime):
    tokens = rows(3, 12)
    runtime.reset(3)
    runtime.feed(tokens, np.array([12, 5, 8]))
    before, pieces = runtime.logits(0, tokens[:, 0, :0]), np.array([2, 0, 0, 1])
    runtime.select(pieces)
    assert runtime.lengths.tolist() == [8, 12, 12, 5]
    assert np.array_equal(runtime.logits(0, np.zeros((4, 0), np.int64)), before[pieces])
    more = rows(4, 3, seed=2)
    runtime.feed(more)
    held = [
        np.concatenate([tokens[old, :length], new])
        for old, length, new in zip(pieces, (8, 12, 12, 5), more, strict=True)
    ]
    agree(runtime, held)
