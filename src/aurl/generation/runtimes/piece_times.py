"""Musical time of the rows of several pieces as they are read, for networks that are told it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from jaxtyping import Int
from numpy.typing import NDArray

from aurl.data.tokenizers.row_clock import START, RowClock, RowClockConfig, State
from aurl.models.config import MusicModelConfig
from aurl.models.onnx_graph import capacity, musical_periods, rotary_tables


class PieceTimes:
    """What each piece has told of its time, row by row, so that it can be rewound."""

    def __init__(self, config: RowClockConfig, batch: int) -> None:
        self._clock = RowClock(config)
        self._states: list[list[State]] = [[START] for _ in range(batch)]

    def read(self, piece: int, rows: Iterable[Sequence[int]]) -> list[int]:
        """The times in steps of the rows that follow in a piece."""
        states, steps = self._states[piece], []
        for row in rows:
            step, state = self._clock.advance(row, states[-1])
            steps.append(step)
            states.append(state)
        return steps

    def rewind(self, lengths: Iterable[int]) -> None:
        """Forget the rows of each piece from number `lengths` on."""
        for states, length in zip(self._states, lengths, strict=True):
            del states[length + 1 :]

    def select(self, pieces: Iterable[int]) -> None:
        """Go on with copies of these pieces in place of all there are."""
        self._states = [list(self._states[piece]) for piece in pieces]


class TurnedTables:
    """The rotary tables of an ONNX graph with musical time: a place for every row that pieces have room for."""

    cos: NDArray[np.float32]
    """float32[pieces * rows, k/2]"""
    sin: NDArray[np.float32]

    def __init__(self, config: MusicModelConfig, clock: RowClockConfig, batch: int, most: int) -> None:
        """For `batch` pieces, with room for `most`."""
        self._room, self._periods = capacity(config), musical_periods(config)
        self._times = PieceTimes(clock, batch)
        self._by_row = rotary_tables(config)
        self._make(most)

    def read(self, piece: int, first: int, rows: Int[np.ndarray, "t f"]) -> None:
        """Tell the times of the rows of a piece from number `first` on."""
        steps = np.array(self._times.read(piece, rows.tolist()))
        angles = ((steps[:, None] % self._periods) / self._periods * (2 * np.pi)).astype(np.float32)
        start, pairs = piece * self._room + first, len(self._periods)
        np.cos(angles, out=self.cos[start : start + len(rows), -pairs:])
        np.sin(angles, out=self.sin[start : start + len(rows), -pairs:])

    def rewind(self, lengths: Int[np.ndarray, " b"]) -> None:
        """Forget the rows of each piece from number `lengths` on."""
        self._times.rewind(lengths.tolist())

    def select(self, pieces: Int[np.ndarray, " b2"], most: int) -> None:
        """Go on with copies of these pieces in place of all there are, with room for `most`."""
        old = self.cos, self.sin
        self._times.select(pieces.tolist())
        self._make(most)
        for new, table in zip((self.cos, self.sin), old, strict=True):
            by_piece = table.reshape(-1, self._room, table.shape[1])
            new.reshape(-1, self._room, table.shape[1])[: len(pieces)] = by_piece[pieces]

    def _make(self, most: int) -> None:
        """Tables of which the part that turns by the number of the row is filled in."""
        rest = np.zeros((most * self._room, len(self._periods)), np.float32)
        self.cos, self.sin = (np.concatenate([np.tile(part, (most, 1)), rest], axis=1) for part in self._by_row)
