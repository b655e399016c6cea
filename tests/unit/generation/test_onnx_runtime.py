"""The ONNX runtime says what the model says, whatever it is fed in which portions and beside which other pieces."""

import numpy as np
import pytest
import torch

from aurl.data.tokenizers.row_clock import RowClockConfig
from aurl.generation.runtimes.onnx_runtime import ROWS_AT_ONCE, OnnxRuntime
from aurl.models.config import MusicModelConfig
from aurl.models.music_model import MusicModel
from aurl.models.onnx_graph import build_graphs
from aurl.utils.errors import CheckpointError

SIZES = (11, 7, 40)
CONTEXT = 2 * ROWS_AT_ONCE


def small_model(sizes=SIZES, **config):
    """A model whose every weight matters: fresh ones have zeros in them."""
    torch.manual_seed(0)
    shape = {"width": 64, "layers": 2, "heads": 2, "context": CONTEXT, **config}
    model = MusicModel(MusicModelConfig.parse({"vocabulary_sizes": sizes, **shape})).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(std=0.15)
    return model


def graphs_of(model, form="onnx"):
    return build_graphs(model.config, {name: weight.numpy() for name, weight in model.state_dict().items()}, form)


def runtime_of(model, form="onnx"):
    return OnnxRuntime(graphs_of(model, form), model.config)


def rows(batch, count, sizes=SIZES, seed=0):
    generator = np.random.default_rng(seed)
    return np.stack([generator.integers(0, size, (batch, count)) for size in sizes], -1)


def logits(runtime, following):
    """The logits of every field in the row after the last, side by side."""
    fields = range(following.shape[-1])
    return np.concatenate([runtime.logits(field, following[:, :field]) for field in fields], axis=1)


def fed(runtime, tokens, *portions):
    """The runtime after `tokens` have been fed in portions."""
    runtime.reset(len(tokens))
    for start, stop in zip((0, *portions), (*portions, tokens.shape[1]), strict=True):
        runtime.feed(tokens[:, start:stop])
    return runtime


CLOCK = RowClockConfig(when=0, what=1, bar=0, first_metre=1, metre_steps=(9, 15), common_metre=0, future=4, now=(5, 6))
TIMED = {"musical_time": True, "row_clock": CLOCK.model_dump()}


@pytest.fixture(
    scope="module", params=[{}, TIMED | {"value_embeddings": True, "sharpness": 2.0}], ids=["plain", "musical time"]
)
def model(request):
    return small_model(**request.param)


@pytest.fixture(scope="module", params=["onnx", "int8", "int4"])
def each(model, request):
    return runtime_of(model, request.param)


@pytest.fixture(scope="module")
def runtime(model):
    return runtime_of(model)


@pytest.mark.parametrize(
    ("sizes", "config"),
    [
        (SIZES, {}),
        (SIZES, {"tie_embeddings": True}),
        (SIZES, {"value_embeddings": True}),
        (SIZES, TIMED),
        ((23,), {}),
        ((5, 9), {"width": 48, "heads": 3, "layers": 1, "rope_base": 100.0}),
    ],
)
def test_after_every_prefix_the_logits_are_those_of_the_model(sizes, config):
    model, tokens, count = small_model(sizes, **config), rows(2, 41, sizes), 40
    with torch.inference_mode():
        whole = model(torch.from_numpy(tokens[:, :-1]), torch.from_numpy(tokens[:, 1:]))
    expected = torch.cat(whole, dim=-1).numpy()
    runtime = runtime_of(model)
    runtime.reset(2)
    for at in range(count):
        runtime.feed(tokens[:, at : at + 1])
        found = logits(runtime, tokens[:, at + 1])
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected[:, at], atol=1e-4)
    assert runtime.lengths.tolist() == [count, count]


def test_a_full_context_read_in_parts_gives_the_logits_of_the_model(model, runtime):
    tokens, following = rows(1, CONTEXT), rows(1, 1, seed=1)
    with torch.inference_mode():
        hidden = model.hidden(torch.from_numpy(tokens))[:, -1:]
        given = torch.from_numpy(following)
        expected = torch.cat([model.field_logits(hidden, f, given[..., :f])[:, 0] for f in range(3)], dim=-1)
    for portions in [(), (3,), (1, 200, 300)]:
        found = logits(fed(runtime, tokens, *portions), following[:, 0])
        np.testing.assert_allclose(found, expected.numpy(), atol=1e-4)


def test_a_piece_is_the_same_to_the_last_bit_in_any_batch(each):
    tokens, following = rows(5, 30), rows(5, 1, seed=1)[:, 0]
    together = logits(fed(each, tokens, 20, 21), following)
    for piece in range(5):
        alone = logits(fed(each, tokens[piece : piece + 1], 20, 21), following[piece : piece + 1])
        assert np.array_equal(alone[0], together[piece])


PORTIONS = np.array([(20, 5, 0), (1, 1, 0), (0, 30, 7), (1, 1, 1), (0, 0, 0), (1, 1, 140)])


def test_ragged_feeds_give_to_the_last_bit_what_each_piece_gives_alone(each):
    tokens, following = rows(3, 150), rows(3, 1, seed=1)[:, 0]
    each.reset(3)
    for counts in PORTIONS:
        before = logits(each, following)
        portion = np.zeros((3, max(1, *counts), 3), np.int64)
        for piece, count in enumerate(counts):
            start = each.lengths[piece]
            portion[piece, :count] = tokens[piece, start : start + count]
        each.feed(portion, counts)
        assert np.array_equal(logits(each, following)[counts == 0], before[counts == 0])
    together = logits(each, following)
    assert each.lengths.tolist() == [23, 38, 148]
    for piece, counts in enumerate(PORTIONS.T):
        cuts = np.cumsum(counts[counts > 0])
        alone = fed(each, tokens[piece : piece + 1, : cuts[-1]], *cuts[:-1])
        assert np.array_equal(logits(alone, following[piece : piece + 1])[0], together[piece])


def test_what_is_rewound_is_forgotten(each):
    tokens, other, following = rows(2, 12), rows(2, 12, seed=1), rows(2, 1, seed=2)[:, 0]
    expected = logits(fed(each, tokens, 8, 11), following)
    each.reset(2)
    each.feed(tokens[:, :8])
    each.feed(other[:, :4])
    each.rewind(np.array([8, 9]))
    each.rewind(np.array([100, 8]))
    assert each.lengths.tolist() == [8, 8]
    each.feed(tokens[:, 8:11])
    each.feed(tokens[:, 11:])
    assert np.array_equal(logits(each, following), expected)


@pytest.mark.parametrize("pieces", [(2, 0, 1), (1, 1, 1), (0, 1, 2), (2,), (2, 2, 0, 1, 1)])
def test_selected_pieces_go_on_as_copies(each, pieces):
    tokens, following = rows(3, 10), rows(3, 2, seed=1)
    chosen = np.array(pieces)
    each.reset(3)
    each.feed(tokens, np.array([10, 4, 7]))
    before = logits(each, following[:, 0])
    each.select(chosen)
    assert each.lengths.tolist() == np.array([10, 4, 7])[chosen].tolist()
    assert np.array_equal(logits(each, following[chosen, 0]), before[chosen])
    each.feed(following[chosen, :1])
    after = logits(each, following[chosen, 1])
    for index, piece in enumerate(pieces):
        count = [10, 4, 7][piece]
        each.reset(1)
        each.feed(tokens[piece : piece + 1, :count])
        each.feed(following[piece : piece + 1, :1])
        np.testing.assert_allclose(after[index], logits(each, following[piece : piece + 1, 1])[0], atol=1e-4)


def test_a_piece_can_become_more_than_there_was_room_for(model):
    tokens, following = rows(1, 9), rows(1, 1, seed=1)[:, 0]
    runtime = fed(runtime_of(model), tokens[:, :8])
    runtime.select(np.zeros(3, np.int64))
    runtime.feed(np.repeat(tokens[:, 8:], 3, axis=0))
    together = logits(runtime, np.repeat(following, 3, axis=0))
    assert np.array_equal(together, np.repeat(logits(fed(runtime, tokens, 8), following), 3, axis=0))


def test_reset_forgets_and_keeps_its_memory(runtime):
    tokens, following = rows(2, 6), rows(2, 1, seed=1)[:, 0]
    expected = logits(fed(runtime, tokens), following)
    fed(runtime, rows(3, 30, seed=2))
    memory = runtime._buffers
    assert np.array_equal(logits(fed(runtime, tokens), following), expected)
    assert runtime._buffers is memory


def test_logits_are_the_callers_own(runtime):
    fed(runtime, rows(1, 3))
    first = runtime.logits(0, np.zeros((1, 0), np.int64))
    kept = first.copy()
    runtime.feed(rows(1, 1, seed=3))
    runtime.logits(0, np.zeros((1, 0), np.int64))
    assert np.array_equal(first, kept)


def test_a_full_piece_stands_beside_a_long_prompt(each):
    tokens, following = rows(2, CONTEXT), rows(2, 1, seed=1)[:, 0]
    expected = logits(fed(each, tokens), following)
    each.reset(2)
    each.feed(tokens, np.array([CONTEXT, 1]))
    each.feed(tokens[:, 1:], np.array([0, CONTEXT - 1]))
    np.testing.assert_allclose(logits(each, following), expected, atol=1e-4)


def test_more_than_the_context_is_refused(runtime):
    fed(runtime, rows(2, CONTEXT))
    runtime.rewind(np.array([CONTEXT, 3]))
    runtime.feed(rows(2, 1), np.array([0, 1]))
    with pytest.raises(ValueError, match=f"context is {CONTEXT} rows; a piece would hold {CONTEXT + 1}"):
        runtime.feed(rows(2, 1))


def test_small_numbers_cost_little_precision(model, runtime):
    """Root mean square of the error, in units of the spread of the logits."""
    tokens, following = rows(8, 50), rows(8, 1, seed=1)[:, 0]
    exact = logits(fed(runtime, tokens), following)
    errors = {}
    for form in ("int8", "int4"):
        found = logits(fed(runtime_of(model, form), tokens), following)
        errors[form] = np.sqrt(np.mean((found - exact) ** 2)) / exact.std()
    assert 0 < errors["int8"] < 0.025
    assert errors["int8"] < errors["int4"] < 0.35


def test_threads_change_nothing_but_time(model):
    tokens, following = rows(2, 40), rows(2, 1, seed=1)[:, 0]
    graphs = graphs_of(model)
    one, two = (OnnxRuntime(graphs, model.config, threads=threads) for threads in (1, 2))
    np.testing.assert_allclose(logits(fed(one, tokens), following), logits(fed(two, tokens), following), atol=1e-5)


def test_what_is_no_model_is_refused(model):
    graphs = graphs_of(model)
    with pytest.raises(CheckpointError, match="not complete; found: no head-2, model"):
        OnnxRuntime({"head-0": b"", "head-1": b""}, model.config)
    for content in (b"", b"junk", graphs["model"][:-100]):
        with pytest.raises(CheckpointError, match="cannot read the graph"):
            OnnxRuntime({**graphs, "model": content}, model.config)
