"""Musical time of the rows of several pieces as they are read, for networks that are told it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from aurl.data.tokenizers.row_clock import START, RowClock, RowClockConfig, State


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
