"""The runtime of CPUs: a model's graphs (`models.onnx_graph`) in ONNX Runtime; neither torch nor onnx is imported.

Keys and values lie in one array that the graph writes in place, with room for the whole context of each piece, and
what a step needs is allocated once. Nothing that is fed to one piece changes the result of another, to the last bit.
It knows nothing of sampling, nor where the graphs come from.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnxruntime as ort
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as state

from aurl.models.config import MusicModelConfig
from aurl.models.onnx_graph import capacity
from aurl.utils.errors import CheckpointError

ROWS_AT_ONCE = 128
"""Longer prompts are read in parts: the scores of attention take the product of rows and context in memory."""
_UNREADABLE = (state.Fail, state.InvalidArgument, state.InvalidGraph, state.InvalidProtobuf, state.NotImplemented)


class OnnxRuntime:
    """Reads rows into its cache; only the newest row of each piece is ever turned into logits."""

    _lengths: NDArray[np.int64]
    _hidden: NDArray[np.float32]

    def __init__(self, graphs: Mapping[str, bytes], config: MusicModelConfig, *, threads: int = 1) -> None:
        """Load the graphs of a model; raises CheckpointError for what is none."""
        self.config = config
        missing = {"model", *(f"head-{field}" for field in range(len(config.vocabulary_sizes)))} - graphs.keys()
        if missing:
            raise CheckpointError("an exported model is not complete", found=f"no {', '.join(sorted(missing))}")
        self._session = _session(graphs["model"], threads)
        self._heads = [_Head(graphs[f"head-{field}"], size) for field, size in enumerate(config.vocabulary_sizes)]
        self._buffers = self._new_buffers(0)
        self.reset(0)

    @property
    def context(self) -> int:
        """The most rows a piece can hold."""
        return self.config.context

    @property
    def lengths(self) -> Int[np.ndarray, " b"]:
        """How many rows each piece holds."""
        return self._lengths

    def reset(self, batch: int) -> None:
        """Forget everything and make room for `batch` pieces."""
        if batch > self._buffers.shape[1]:
            self._buffers = self._new_buffers(batch)
        self._hold(np.zeros(batch, np.int64), np.zeros((batch, self.config.width), np.float32))

    def feed(self, tokens: Int[np.ndarray, "b t f"], counts: Int[np.ndarray, " b"] | None = None) -> None:
        """Append the first `counts` rows of `tokens` to each piece, all of them when not given.

        Single rows pass through the network together, longer prompts piece by piece: padded to the length of others,
        they would be rounded differently.
        """
        given = np.full(len(tokens), tokens.shape[1]) if counts is None else counts
        lengths, single = self._lengths + given, given == 1
        longest = int(lengths.max(initial=0))
        if longest > self.context:
            raise ValueError(f"the context is {self.context} rows; a piece would hold {longest}")
        for piece in np.flatnonzero(given > 1).tolist():
            for start in range(0, int(given[piece]), ROWS_AT_ONCE):
                self._read_prompt(piece, tokens[piece, start : min(start + ROWS_AT_ONCE, given[piece])])
        if np.count_nonzero(single):
            self._step.read(tokens[:, :1], single, lengths, self._hidden)
        self._lengths = lengths

    def rewind(self, lengths: Int[np.ndarray, " b"]) -> None:
        """Forget the rows of each piece from number `lengths` on; its next logits need a row to be fed first."""
        self._lengths = np.minimum(self._lengths, lengths)

    def select(self, pieces: Int[np.ndarray, " b2"]) -> None:
        """Go on with copies of these pieces in place of all there are."""
        batch, rows, old = len(pieces), int(self._lengths.max(initial=0)), self._buffers
        if batch > old.shape[1]:
            self._buffers = self._new_buffers(batch)
        moved = np.flatnonzero(pieces != np.arange(batch)) if self._buffers is old else np.arange(batch)
        self._buffers[:, moved, :, :rows] = old[:, pieces[moved], :, :rows]
        self._hold(self._lengths[pieces], self._hidden[pieces])

    def logits(self, field: int, chosen: Int[np.ndarray, "b i"]) -> Float[np.ndarray, "b v"]:
        """Logits of `field` in the next row of each piece, given the values `chosen` for the fields before it."""
        return self._heads[field](self._hidden, chosen)

    def _new_buffers(self, batch: int) -> NDArray[np.float32]:
        """Room for the keys and the values of every layer in turn."""
        config = self.config
        shape = (2 * config.layers, batch, config.heads, capacity(config), config.width // config.heads)
        return np.zeros(shape, np.float32)

    def _hold(self, lengths: NDArray[np.int64], hidden: NDArray[np.float32]) -> None:
        """Hold pieces of these lengths, whose rows are in the buffers."""
        self._lengths, self._hidden = lengths, hidden
        self._step = _Pass(self._session, self.config, self._buffers[:, : len(lengths)], rows=1)

    def _read_prompt(self, piece: int, rows: Int[np.ndarray, "t f"]) -> None:
        """Append rows to one piece."""
        one = slice(piece, piece + 1)
        lengths = self._lengths.copy()
        lengths[piece] += len(rows)
        prompt = _Pass(self._session, self.config, self._buffers[:, one], rows=len(rows))
        prompt.read(rows[None], np.ones(1, np.bool_), lengths[one], self._hidden[one])
        self._lengths = lengths


class _Pass:
    """The arrays of a pass through the network: as many rows for each of some pieces, whose buffers these are."""

    def __init__(
        self, session: ort.InferenceSession, config: MusicModelConfig, buffers: NDArray[np.float32], *, rows: int
    ) -> None:
        batch = buffers.shape[1]
        self._session, self._binding = session, session.io_binding()
        self._inputs: dict[str, NDArray[Any]] = {
            "rows": np.zeros((batch, rows, len(config.vocabulary_sizes)), np.int64),
            "ends": np.full((batch, 1), rows - 1, np.int64),
            "counts": np.zeros(batch, np.int32),
            "newest": np.zeros(batch, np.int32),
            "longest": np.zeros((), np.int32),
        }
        self._hidden = np.zeros((batch, config.width), np.float32)
        for name, array in self._inputs.items():
            _bind_input(self._binding, name, array)
        _bind_output(self._binding, "hidden", self._hidden)
        for layer in range(config.layers):
            for part, name in enumerate(("keys", "values")):
                _bind_input(self._binding, f"past-{name}-{layer}", buffers[2 * layer + part])
                _bind_output(self._binding, f"{name}-{layer}", buffers[2 * layer + part])

    def read(
        self,
        rows: Int[np.ndarray, "b t f"],
        fed: Bool[np.ndarray, " b"],
        lengths: Int[np.ndarray, " b"],
        hidden: Float[np.ndarray, "b d"],
    ) -> None:
        """Append rows to the pieces that are `fed`, which hold `lengths` then; puts their new hidden states."""
        inputs = self._inputs
        inputs["rows"][:] = rows
        np.multiply(fed, rows.shape[1], out=inputs["counts"])
        np.maximum(lengths - 1, 0, out=inputs["newest"], casting="unsafe")
        inputs["longest"][...] = max(1, lengths.max())
        self._session.run_with_iobinding(self._binding)
        np.copyto(hidden, self._hidden, where=fed[:, None])


class _Head:
    """The graph of one field, and the arrays it reads and writes."""

    def __init__(self, graph: bytes, size: int) -> None:
        self._session, self._size = _session(graph, 1), size
        self._binding = self._session.io_binding()
        self._hidden: NDArray[np.float32] | None = None

    def __call__(self, hidden: NDArray[np.float32], chosen: Int[np.ndarray, "b i"]) -> NDArray[np.float32]:
        if hidden is not self._hidden:
            self._hidden, self._chosen = hidden, np.zeros(chosen.shape, np.int64)
            self._logits = np.zeros((len(hidden), self._size), np.float32)
            _bind_input(self._binding, "hidden", hidden)
            if chosen.shape[1]:
                _bind_input(self._binding, "chosen", self._chosen)
            _bind_output(self._binding, "logits", self._logits)
        self._chosen[:] = chosen
        self._session.run_with_iobinding(self._binding)
        return self._logits.copy()


def _session(graph: bytes, threads: int) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # it would starve what numpy does between
    options.log_severity_level = 4  # errors are raised
    try:
        return ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except _UNREADABLE as error:
        raise CheckpointError(
            f"ONNX Runtime {ort.__version__} cannot read the graph of a model", found=error, hint="export it again"
        ) from None


def _bind_input(binding: ort.IOBinding, name: str, array: NDArray[np.generic]) -> None:
    binding.bind_input(name, "cpu", 0, array.dtype.type, array.shape, array.ctypes.data)


def _bind_output(binding: ort.IOBinding, name: str, array: NDArray[np.generic]) -> None:
    binding.bind_output(name, "cpu", 0, array.dtype.type, array.shape, array.ctypes.data)
