"""Which token may follow which: finite automata over the rows of a vocabulary.

A state stands for everything that matters of the tokens so far. Sampling asks `mask` before it chooses and `advance`
after, of one sequence at a time: plain numbers are quicker than small arrays. Knows nothing of probabilities.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aurl.utils.errors import ConfigError

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
State = Any
"""The grammar's own, a plain value that never changes: what is advanced is another one."""


@dataclass(frozen=True)
class NoteLimits:
    """What a listener may ask of notes on top of the grammar."""

    polyphony: float = math.inf
    """The most notes that sound at once."""
    seconds: float = math.inf
    """The longest that a note may last."""


NO_LIMITS = NoteLimits()


class Grammar(ABC):
    """Legal sequences of rows."""

    initial: State
    """Before the first row."""

    @abstractmethod
    def mask(self, state: State, field: int, chosen: Sequence[int]) -> Bools:
        """The values of `field` `[v]` that are legal next, the array not to be changed.

        `chosen` are the values of the row's earlier fields, as many as `field`.
        """

    @abstractmethod
    def advance(self, state: State, row: Sequence[int]) -> State:
        """The state after `row`; an illegal row leads where its kind leads, so nothing gets stuck."""

    def must_end(self, state: State) -> bool:  # noqa: ARG002 -- for those who know more
        """Whether the end is all that can come of a row that begins with the first field of the end token."""
        return True

    def limited(self, limits: NoteLimits) -> Grammar:
        """This grammar within `limits`; raises ConfigError if its tokens do not tell when notes begin and end."""
        raise ConfigError("these tokens cannot be held to limits of notes", found=limits, hint="leave them out")

    def first_illegal(self, tokens: NDArray[Any]) -> int | None:
        """Index of the first row of `tokens` `[t, f]` that is illegal from the start; None when all are legal."""
        state = self.initial
        for index, row in enumerate(tokens.tolist()):
            for field, value in enumerate(row):
                legal = self.mask(state, field, row[:field])
                if not (0 <= value < len(legal) and legal[value]):
                    return index
            state = self.advance(state, row)
        return None


class TableGrammar(Grammar):
    """A grammar over tokens of one field, as two tables: state x value -> legal, -> next state. A state is a number."""

    def __init__(self, legal: Bools, following: Ints, initial: int) -> None:
        self.legal, self.following, self.initial = legal, following, initial

    def mask(self, state: State, field: int, chosen: Sequence[int]) -> Bools:  # noqa: ARG002 -- nothing comes before
        """The legal values `[v]`; the one field is 0."""
        if field != 0:
            raise IndexError(f"field {field} of a grammar of one field")
        return np.asarray(self.legal[state])

    def advance(self, state: State, row: Sequence[int]) -> State:
        """The state after a row of one value."""
        return self.following.item(state, row[0])

    def first_illegal(self, tokens: NDArray[Any]) -> int | None:
        """Index of the first illegal token, values beyond the vocabulary among them."""
        size = self.legal.shape[1]
        ids = tokens[:, 0].astype(np.int64)
        beyond = np.flatnonzero((ids < 0) | (ids >= size))
        end = int(beyond[0]) if len(beyond) else len(ids)
        states = self._states_before(ids[:end])
        illegal = np.flatnonzero(~self.legal[states, ids[:end]])
        if len(illegal):
            return int(illegal[0])
        return end if end < len(ids) else None

    def _states_before(self, ids: Ints) -> Ints:
        """The state before each token; an automaton is sequential, so this loops, over plain integers."""
        table, size = self._flat_following, self.legal.shape[1]
        state, states = self.initial, []
        for value in ids.tolist():
            states.append(state)
            state = table[state * size + value]
        return np.array(states, np.int64)

    @cached_property
    def _flat_following(self) -> list[int]:
        flat: list[int] = self.following.ravel().tolist()
        return flat
