"""A MusicModel as ONNX graphs: `model` reads rows into a cache and says what field 0 of the next row may be, `head-<i>`
what field i may be.

    model     rows [b, t, f], counts [b] -> hidden [b, d] of the last row read of each piece, logits [b, v]
    head-<i>  hidden [b, d], chosen [b, i] -> logits [b, v]

Piece i reads the first counts[i] of its rows behind what it holds already: `newest` [b] is the position of its last
row then, `longest` the largest number of rows of any piece, `ends` [b, 1] the index in `rows` of the one whose hidden
state is wanted. The caller keeps buffers of keys and values [b, h, capacity, k], bound as input and output at once.
They have room for one row more than the context: ONNX Runtime wants room for the rows of a piece that reads none. The
mathematics are those of `MusicModel`; torch is not needed.

With musical time the caller also keeps the rotary tables, `cos` and `sin` [n, k/2], with a place for each row of
each piece, and says which `places` [b, t] those of `rows` are; the places of a piece follow one another.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from aurl.models.config import MUSICAL_PERIODS, MusicModelConfig, musical_pairs
from aurl.models.quantisation import BLOCK, Bits, quantise
from aurl.utils.errors import ConfigError

GraphFormat = Literal["onnx", "int8", "int4"]
"""Weights of 32 bits, of 8, or of 4 where that costs little: not in the heads, nor where queries and keys come from."""
VERSION = 2
"""Changes whenever the same weights become other graphs."""
PLACES = "places"
"""Input: where the rotary tables of each row stand."""
EPSILON = float(np.finfo(np.float32).eps)
"""What torch adds to a mean square before it divides by its root."""
HEAD_MULTIPLE = 16
"""ONNX Runtime's attention takes heads of a multiple of this width."""

_BLOCKS = "transformer.blocks"
_MICROSOFT = "com.microsoft"

Weights = Mapping[str, NDArray[np.float32]]
Shape = list[int | str]


def runs_on_onnx(config: MusicModelConfig) -> bool:
    """Whether ONNX Runtime's attention takes heads as wide as these."""
    return config.width // config.heads % HEAD_MULTIPLE == 0


def build_graphs(config: MusicModelConfig, weights: Weights, form: GraphFormat) -> dict[str, bytes]:
    """The graphs by name, as the content of .onnx files; raises ConfigError for heads that cannot be computed."""
    if not runs_on_onnx(config):
        raise ConfigError(
            f"ONNX Runtime needs attention heads of a multiple of {HEAD_MULTIPLE} units",
            found=f"{config.width // config.heads}",
            hint="generate with --device torch, or train with another number of heads",
        )
    later = range(1, len(config.vocabulary_sizes))
    heads = {f"head-{field}": head_graph(config, weights, form, field) for field in later}
    return {"model": model_graph(config, weights, form), **heads}


def model_graph(config: MusicModelConfig, weights: Weights, form: GraphFormat) -> bytes:
    """The embeddings, the transformer and the head of the first field."""
    graph = _Graph(config, weights, form)
    fields, width = len(config.vocabulary_sizes), config.width
    graph.input("rows", np.int64, ["b", "t", fields])
    graph.input("ends", np.int64, ["b", 1])
    graph.input("newest", np.int32, ["b"])
    graph.input("longest", np.int32, [])
    graph.input("counts", np.int32, ["b"])
    if config.musical_time:
        turned = config.width // config.heads // 2
        graph.input("cos", np.float32, ["n", turned])
        graph.input("sin", np.float32, ["n", turned])
        graph.input(PLACES, np.int64, ["b", "t"])
    else:
        for name, table in zip(("cos", "sin"), rotary_tables(config), strict=True):
            graph.constant(name, table)
    read = graph.embedding("rows", fields, axis=2)
    embedded = graph.embedding("rows", fields, axis=2, of="value_embeddings") if config.value_embeddings else ""
    normed, total = graph.normalise(read, width), read
    for layer in range(config.layers):
        block = f"{_BLOCKS}.{layer}"
        mixed = _attention(graph, normed, layer, embedded)
        if layer == config.layers - 1:  # from here on, only the last row of each piece matters
            mixed, total = (graph.node("GatherND", x, "ends", batch_dims=1) for x in (mixed, total))
        mixed = graph.linear(mixed, f"{block}.attention.project_out")
        normed, total = graph.add_and_normalise(mixed, total)
        normed, total = graph.add_and_normalise(_feed_forward(graph, normed, f"{block}.feed_forward"), total)
    graph.output(graph.head(normed, 0), "logits", ["b", config.vocabulary_sizes[0]])
    graph.output(normed, "hidden", ["b", width])
    return graph.content("model")


def head_graph(config: MusicModelConfig, weights: Weights, form: GraphFormat, field: int) -> bytes:
    """The logits of a field after the first, given the fields before it."""
    graph = _Graph(config, weights, form)
    hidden = graph.input("hidden", np.float32, ["b", config.width])
    graph.input("chosen", np.int64, ["b", field])
    seen = graph.node("Add", hidden, graph.embedding("chosen", field, axis=1))
    mixed = graph.node("Add", hidden, _feed_forward(graph, seen, f"cascade.mixers.{field - 1}"))
    graph.output(graph.head(mixed, field), "logits", ["b", config.vocabulary_sizes[field]])
    return graph.content(f"head-{field}")


def capacity(config: MusicModelConfig) -> int:
    """Rows that the buffers of keys and values must have room for."""
    return config.context + 1


def rotary_tables(config: MusicModelConfig) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Cosines and sines [rows, j] of every position of the buffers, in the 32 bits of `attention.Rotary`.

    They are of all k/2 pairs, or of those that do not turn by musical time.
    """
    pairs = config.width // config.heads // 2
    pairs -= len(musical_periods(config))
    frequencies = np.float32(config.rope_base) ** (-np.arange(pairs, dtype=np.float32) / np.float32(pairs))
    angles = np.outer(np.arange(capacity(config), dtype=np.float32), frequencies)
    return np.cos(angles), np.sin(angles)


def musical_periods(config: MusicModelConfig) -> NDArray[np.int64]:
    """Steps in which the other pairs come round; none without musical time."""
    timed = musical_pairs(config.width // config.heads) if config.musical_time else 0
    return np.array(MUSICAL_PERIODS[:timed], np.int64)


def _attention(graph: _Graph, x: str, layer: int, embedded: str) -> str:
    """What a layer's attention mixes of the rows in its caches and in `x`; it turns normalised queries and keys.

    Value embeddings, if any, are added to what is mixed.
    """
    heads, width = graph.config.heads, graph.config.width
    head_width = width // heads
    cache: Shape = ["b", heads, capacity(graph.config), head_width]
    projected = graph.linear(x, f"{_BLOCKS}.{layer}.attention.project_in")
    queries_keys, values = graph.nodes("Split", 2, projected, graph.ints(2 * width, width), axis=-1)
    if embedded:
        share = graph.constant(f"share {layer}", graph.weights[f"{_BLOCKS}.{layer}.attention.value_share"])
        values = graph.node("Add", values, graph.node("Mul", embedded, share))
    by_head = graph.node("Reshape", queries_keys, graph.ints(0, 0, 2 * heads, head_width))
    flat = graph.node("Reshape", graph.normalise(by_head, head_width), graph.ints(0, 0, 2 * width))
    normed = graph.node("Concat", flat, values, axis=-1)
    past = [graph.input(f"past-{part}-{layer}", np.float32, cache) for part in ("keys", "values")]
    places = PLACES if graph.config.musical_time else ""
    mixed, keys, new_values = graph.nodes(
        "GroupQueryAttention", 3, normed, "", "", *past, "newest", "longest", "cos", "sin", places, *[""] * 6, "counts",
        domain=_MICROSOFT, num_heads=heads, kv_num_heads=heads, do_rotary=1,
        scale=graph.config.sharpness * head_width**-0.5,
    )  # fmt: skip
    graph.output(keys, f"keys-{layer}", cache)
    graph.output(new_values, f"values-{layer}", cache)
    return mixed


def _feed_forward(graph: _Graph, x: str, name: str) -> str:
    positive = graph.node("Relu", graph.linear(x, f"{name}.up"))
    return graph.linear(graph.node("Mul", positive, positive), f"{name}.down")


class _Graph:
    """A graph under construction: values are known by name, each node names its own."""

    def __init__(self, config: MusicModelConfig, weights: Weights, form: GraphFormat) -> None:
        self.config, self.weights, self.form = config, weights, form
        self._nodes: list[Any] = []
        self._constants: dict[str, Any] = {}
        self._inputs: list[Any] = []
        self._outputs: list[Any] = []

    def input(self, name: str, dtype: type, shape: Shape) -> str:
        self._inputs.append(_described(name, dtype, shape))
        return name

    def output(self, value: str, name: str, shape: Shape) -> None:
        """Give `value`, which no later node reads, the name of an output."""
        for node in self._nodes:
            for names in (node.input, node.output):
                names[:] = [name if each == value else each for each in names]
        self._outputs.append(_described(name, np.float32, shape))

    def constant(self, name: str, values: NDArray[Any]) -> str:
        from onnx import numpy_helper

        if name not in self._constants:
            self._constants[name] = numpy_helper.from_array(np.asarray(values, order="C"), name)
        return name

    def ints(self, *values: int) -> str:
        return self.constant(f"ints {values}", np.array(values, np.int64))

    def node(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Add a node of one output."""
        (output,) = self.nodes(operator, 1, *inputs, **attributes)
        return output

    def nodes(self, operator: str, count: int, *inputs: str, domain: str = "", **attributes: Any) -> list[str]:
        """Add a node of `count` outputs."""
        from onnx import helper

        outputs = [f"{operator} {len(self._nodes)}.{index}" for index in range(count)]
        self._nodes.append(helper.make_node(operator, inputs, outputs, domain=domain, **attributes))
        return outputs

    def normalise(self, x: str, width: int) -> str:
        """`layers.normalise`."""
        return self.node("SimplifiedLayerNormalization", x, self._ones(width), axis=-1, epsilon=EPSILON)

    def add_and_normalise(self, x: str, total: str) -> tuple[str, str]:
        """The sum of both, normalised and as it is."""
        ones = self._ones(self.config.width)
        normed, _, _, added = self.nodes(
            "SkipSimplifiedLayerNormalization", 4, x, total, ones, domain=_MICROSOFT, epsilon=EPSILON
        )
        return normed, added

    def embedding(self, rows: str, fields: int, axis: int, of: str = "embeddings") -> str:
        """The embeddings of the first fields of rows, summed along `axis` and normalised."""
        tables = [self.weights[f"{of}.tables.{field}.weight"] for field in range(fields)]
        table = np.concatenate(tables)
        if self.form != "onnx":  # halved in size; the 11 bits that are left are more than the weights have
            table = table.astype(np.float16)
        starts = np.cumsum([0, *map(len, tables)])[:-1]
        looked_up = self.node("Gather", self.constant(of, table), self.node("Add", rows, self.ints(*starts)))
        vectors = self.node("Cast", looked_up, to=1) if self.form != "onnx" else looked_up
        return self.normalise(self.node("ReduceSum", vectors, self.ints(axis), keepdims=0), self.config.width)

    def linear(self, x: str, name: str) -> str:
        """A linear map by the matrix [out, in] called `name`."""
        matrix = self.weights[f"{name}.weight"]
        if self.form == "onnx":
            return self.node("MatMul", x, self.constant(name, matrix.T))
        bits: Bits = 4 if self.form == "int4" and name.startswith(_BLOCKS) and not name.endswith("project_in") else 8
        codes, scales = quantise(matrix, bits)
        constants = self.constant(f"{name} codes", codes), self.constant(f"{name} scales", scales)
        return self.node(
            "MatMulNBits", x, *constants, domain=_MICROSOFT, N=matrix.shape[0], K=matrix.shape[1],
            bits=bits, block_size=BLOCK, accuracy_level=4,
        )  # fmt: skip

    def head(self, x: str, field: int) -> str:
        """The logits of a field."""
        tied = self.config.tie_embeddings
        return self.linear(x, f"embeddings.tables.{field}" if tied else f"outputs.{field}")

    def content(self, name: str) -> bytes:
        from onnx import helper

        graph = helper.make_graph(self._nodes, name, self._inputs, self._outputs, list(self._constants.values()))
        operators = [helper.make_opsetid("", 21), helper.make_opsetid(_MICROSOFT, 1)]
        model = helper.make_model(graph, opset_imports=operators, ir_version=10, producer_name="aurl")
        return bytes(model.SerializeToString())

    def _ones(self, width: int) -> str:
        return self.constant(f"ones {width}", np.ones(width, np.float32))


def _described(name: str, dtype: type, shape: Shape) -> Any:
    from onnx import helper

    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), shape)
