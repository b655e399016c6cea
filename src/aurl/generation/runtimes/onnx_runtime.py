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
from jaxtyping import Float, Int
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as state

from aurl.generation.runtimes.piece_times import TurnedTables
from aurl.models.config import MusicModelConfig
from aurl.models.onnx_graph import PLACES, capacity
from aurl.utils.errors import CheckpointError

ROWS_AT_ONCE = 128
"""Longer prompts are read in parts: the scores of attention take the product of rows and context in memory."""
_UNREADABLE = (state.Fail, state.InvalidArgument, state.InvalidGraph, state.InvalidProtobuf, state.NotImplemented)


class OnnxRuntime:
    """Reads rows into its cache; only the newest row of each piece is ever turned into logits."""

    _lengths: NDArray[np.int64]
    _hidden: NDArray[np.float32]
    _logits: NDArray[np.float32]
    """Of the first field."""

    def __init__(self, graphs: Mapping[str, bytes], config: MusicModelConfig, *, threads: int = 1) -> None:
        """Load the graphs of a model; raises CheckpointError for what is none."""
        self.config = config
        sizes = config.vocabulary_sizes
        missing = {"model", *(f"head-{field}" for field in range(1, len(sizes)))} - graphs.keys()
        if missing:
            raise CheckpointError("an exported model is not complete", found=f"no {', '.join(sorted(missing))}")
        self._session = _session(graphs["model"], threads)
        self._heads = [_Head(graphs[f"head-{field}"], size) for field, size in enumerate(sizes[1:], 1)]
        self._buffers = self._new_buffers(0)
        self._times: TurnedTables | None = None
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
        if self.config.row_clock is not None:
            self._times = TurnedTables(self.config, self.config.row_clock, batch, self._buffers.shape[1])
        hidden, logits = (
            np.zeros((batch, n), np.float32) for n in (self.config.width, self.config.vocabulary_sizes[0])
        )
        self._hold(np.zeros(batch, np.int64), hidden, logits)

    def feed(self, tokens: Int[np.ndarray, "b t f"], counts: Int[np.ndarray, " b"] | None = None) -> None:
        """Append the first `counts` rows of `tokens` to each piece, all of them when not given.

        Single rows pass through the network together, longer prompts piece by piece: padded to the length of others,
        they would be rounded differently.
        """
        given = [tokens.shape[1]] * len(tokens) if counts is None else counts.tolist()
        lengths = self._lengths + given
        longest = int(lengths.max(initial=0))
        if longest > self.context:
            raise ValueError(f"the context is {self.context} rows; a piece would hold {longest}")
        for piece, count in enumerate(given):
            for start in range(0, count if count > 1 else 0, ROWS_AT_ONCE):
                self._read_prompt(piece, tokens[piece, start : min(start + ROWS_AT_ONCE, count)])
        if 1 in given:
            if self._times is not None:
                for piece, count in enumerate(given):
                    if count == 1:
                        self._times.read(piece, int(self._lengths[piece]), tokens[piece, :1])
            self._step.read(tokens[:, :1], [count == 1 for count in given], lengths, (self._hidden, self._logits))
        self._lengths = lengths

    def rewind(self, lengths: Int[np.ndarray, " b"]) -> None:
        """Forget the rows of each piece from number `lengths` on; its next logits need a row to be fed first."""
        self._lengths = np.minimum(self._lengths, lengths)
        if self._times is not None:
            self._times.rewind(self._lengths)

    def select(self, pieces: Int[np.ndarray, " b2"]) -> None:
        """Go on with copies of these pieces in place of all there are."""
        batch, rows, old = len(pieces), int(self._lengths.max(initial=0)), self._buffers
        if batch > old.shape[1]:
            self._buffers = self._new_buffers(batch)
        moved = np.flatnonzero(pieces != np.arange(batch)) if self._buffers is old else np.arange(batch)
        self._buffers[:, moved, :, :rows] = old[:, pieces[moved], :, :rows]
        if self._times is not None:
            self._times.select(pieces, self._buffers.shape[1])
        self._hold(self._lengths[pieces], self._hidden[pieces], self._logits[pieces])

    def logits(self, field: int, chosen: Int[np.ndarray, "b i"]) -> Float[np.ndarray, "b v"]:
        """Logits of `field` in the next row of each piece, given the values `chosen` for the fields before it."""
        return self._heads[field - 1](self._hidden, chosen) if field else self._logits.copy()

    def _new_buffers(self, batch: int) -> NDArray[np.float32]:
        """Room for the keys and the values of every layer in turn."""
        config = self.config
        shape = (2 * config.layers, batch, config.heads, capacity(config), config.width // config.heads)
        return np.zeros(shape, np.float32)

    def _hold(self, lengths: NDArray[np.int64], hidden: NDArray[np.float32], logits: NDArray[np.float32]) -> None:
        """Hold pieces of these lengths, whose rows are in the buffers."""
        self._lengths, self._hidden, self._logits = lengths, hidden, logits
        self._step = _Pass(self._session, self.config, self._buffers[:, : len(lengths)], rows=1, times=self._times)

    def _read_prompt(self, piece: int, rows: Int[np.ndarray, "t f"]) -> None:
        """Append rows to one piece."""
        one = slice(piece, piece + 1)
        lengths = self._lengths.copy()
        lengths[piece] += len(rows)
        if self._times is not None:
            self._times.read(piece, int(self._lengths[piece]), rows)
        prompt = _Pass(
            self._session, self.config, self._buffers[:, one], rows=len(rows), times=self._times, first_piece=piece
        )
        prompt.read(rows[None], [True], lengths[one], (self._hidden[one], self._logits[one]))
        self._lengths = lengths


class _Pass:
    """The arrays of a pass through the network: as many rows for each of some pieces, whose buffers these are."""

    def __init__(
        self,
        session: ort.InferenceSession,
        config: MusicModelConfig,
        buffers: NDArray[np.float32],
        *,
        rows: int,
        times: TurnedTables | None,
        first_piece: int = 0,
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
        if times is not None:
            self._inputs |= {"cos": times.cos, "sin": times.sin, PLACES: np.zeros((batch, rows), np.int64)}
            self._places = np.arange(first_piece, first_piece + batch)[:, None] * capacity(config) + np.arange(rows)
        widths = {"hidden": config.width, "logits": config.vocabulary_sizes[0]}
        self._outputs = {name: np.zeros((batch, width), np.float32) for name, width in widths.items()}
        for name, array in self._inputs.items():
            _bind_input(self._binding, name, array)
        for name, array in self._outputs.items():
            _bind_output(self._binding, name, array)
        for layer in range(config.layers):
            for part, name in enumerate(("keys", "values")):
                _bind_input(self._binding, f"past-{name}-{layer}", buffers[2 * layer + part])
                _bind_output(self._binding, f"{name}-{layer}", buffers[2 * layer + part])

    def read(
        self,
        rows: Int[np.ndarray, "b t f"],
        fed: list[bool],
        lengths: Int[np.ndarray, " b"],
        results: tuple[Float[np.ndarray, "b d"], Float[np.ndarray, "b v"]],
    ) -> None:
        """Append rows to the pieces that are `fed`, which hold `lengths` then; puts their new hidden states, logits."""
        inputs, count = self._inputs, rows.shape[1]
        inputs["rows"][:] = rows
        inputs["counts"][:] = [count * is_fed for is_fed in fed]
        inputs["newest"][:] = [max(length - 1, 0) for length in lengths.tolist()]
        if PLACES in inputs:
            inputs[PLACES][:] = self._places + np.maximum(lengths - count, 0)[:, None]
        inputs["longest"][...] = max(1, lengths.max())
        self._session.run_with_iobinding(self._binding)
        for result, output in zip(results, self._outputs.values(), strict=True):
            if all(fed):
                result[:] = output
            else:
                result[fed] = output[fed]


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
