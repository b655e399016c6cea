"""The grammar of rows of which nothing is known but the special ones: their fields go together, all else is free."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from aurl.data.tokenizers.grammar import Bools, Grammar, State
from aurl.data.tokenizers.vocabulary import Vocabulary


class RowGrammar(Grammar):
    """`start`, then any rows without special values, then `end`. A state is whether the piece has begun."""

    initial = False

    def __init__(self, vocabulary: Vocabulary, special: list[list[int]]) -> None:
        """`special` lists the values of each field that music does not use."""
        values, self._end = [np.arange(size) for size in vocabulary.sizes], int(vocabulary.end[0])
        self._opening, self._closing = (
            [np.asarray(every == value) for every, value in zip(values, row, strict=True)]
            for row in (vocabulary.start, vocabulary.end)
        )
        self._music = [~np.isin(every, of_none) for every, of_none in zip(values, special, strict=True)]

    def mask(self, state: State, field: int, chosen: Sequence[int]) -> Bools:
        """`start` opens; then music, or in the first field `end`, which the other fields follow."""
        if not state:
            return self._opening[field]
        if field == 0:
            return np.asarray(self._music[0] | self._closing[0])
        return self._closing[field] if chosen[0] == self._end else self._music[field]

    def advance(self, state: State, row: Sequence[int]) -> State:  # noqa: ARG002 -- whatever they are
        """Every row begins the piece."""
        return True
