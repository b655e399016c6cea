"""The grammar of rows of which nothing is known but the special ones: their fields go together, all else is free."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from aurl.data.tokenizers.grammar import Bools, Grammar, Ints, States
from aurl.data.tokenizers.vocabulary import Vocabulary


class RowGrammar(Grammar):
    """`start`, then any rows without special values, then `end`. A state is whether the piece has begun."""

    def __init__(self, vocabulary: Vocabulary, special: list[list[int]]) -> None:
        """`special` lists the values of each field that music does not use."""
        self.sizes, self.opening, self.closing = vocabulary.sizes, vocabulary.start, vocabulary.end
        self._music = [~np.isin(np.arange(size), values) for size, values in zip(self.sizes, special, strict=True)]

    def start(self, batch: int) -> States:
        """No piece has begun."""
        return np.zeros(batch, np.bool_)

    def masks(self, states: States, field: int, chosen: Ints) -> Bools:
        """`start` opens; then music, or in the first field `end`, which the other fields follow."""
        masks = np.tile(self._music[field], (len(states), 1))
        if field == 0:
            masks[:, self.closing[0]] = True
        else:
            closes = chosen[:, 0] == self.closing[0]
            masks[closes] = np.arange(self.sizes[field]) == self.closing[field]
        masks[~states] = np.arange(self.sizes[field]) == self.opening[field]
        return masks

    def advance(self, states: States, rows: NDArray[Any]) -> States:  # noqa: ARG002 -- whatever they are
        """Every row begins the piece."""
        return np.ones_like(states)

    def first_illegal(self, tokens: NDArray[Any]) -> int | None:
        """Index of the first row that is not `start` at the beginning, music inside, or `end`."""
        rows = tokens.astype(np.int64)
        legal = (rows == self.closing).all(axis=1)
        music = ((rows >= 0) & (rows < self.sizes)).all(axis=1)
        for column, values, size in zip(rows.T, self._music, self.sizes, strict=True):
            music &= values[np.clip(column, 0, size - 1)]
        legal |= music
        legal[:1] = (rows[:1] == self.opening).all(axis=1)
        illegal = np.flatnonzero(~legal)
        return int(illegal[0]) if len(illegal) else None
