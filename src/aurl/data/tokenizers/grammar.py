"""Which token may follow which: finite automata over the rows of a vocabulary.

A state stands for everything that matters of the tokens so far. Sampling asks `masks` before it chooses and `advance`
after; both take a batch of independent sequences. Knows nothing of probabilities.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aurl.utils.errors import ConfigError

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
States = NDArray[Any]
"""States of a batch: the first axis is the sequence, the rest is the grammar's own."""


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

    @abstractmethod
    def start(self, batch: int) -> States:
        """The states of `batch` sequences before their first row."""

    @abstractmethod
    def masks(self, states: States, field: int, chosen: Ints) -> Bools:
        """The values of `field` `[b, v]` that are legal next in each state, the array the caller's to change.

        `chosen` `[b, i]` are the values of the row's earlier fields (i = `field`).
        """

    @abstractmethod
    def advance(self, states: States, rows: NDArray[Any]) -> States:
        """The states after `rows` `[b, f]`; an illegal row leads where its kind leads, so nothing gets stuck."""

    def must_end(self, states: States) -> Bools:
        """Where the end is all that can come of a row that begins with the first field of the end token."""
        return np.ones(len(states), np.bool_)

    def limited(self, limits: NoteLimits) -> Grammar:
        """This grammar within `limits`; raises ConfigError if its tokens do not tell when notes begin and end."""
        raise ConfigError("these tokens cannot be held to limits of notes", found=limits, hint="leave them out")

    @abstractmethod
    def first_illegal(self, tokens: NDArray[Any]) -> int | None:
        """Index of the first row of `tokens` `[t, f]` that is illegal from the start; None when all are legal."""


class TableGrammar(Grammar):
    """A grammar over tokens of one field, as two tables: state x value -> legal, -> next state. States are `[b]`."""

    def __init__(self, legal: Bools, following: Ints, initial: int) -> None:
        self.legal, self.following, self.initial = legal, following, initial

    def start(self, batch: int) -> States:
        """The initial state for each sequence."""
        return np.full(batch, self.initial)

    def masks(self, states: States, field: int, chosen: Ints) -> Bools:  # noqa: ARG002 -- nothing comes before
        """The legal values `[b, v]`; the one field is 0."""
        if field != 0:
            raise IndexError(f"field {field} of a grammar of one field")
        return np.asarray(self.legal[states])

    def advance(self, states: States, rows: NDArray[Any]) -> States:
        """The states after `rows` `[b, 1]`."""
        return np.asarray(self.following[states, rows[:, 0]])

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
