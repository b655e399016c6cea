"""Writes rows of tokens, several pieces in lockstep: prefill, step, grammar, sampling, sliding window.

The engine knows a runtime (something that turns tokens into logits), a grammar and a sampler; how long a piece should
be, and what its tokens mean, is the generator's business. Arrays are b pieces by t tokens by f fields.

A piece longer than the runtime's context is written through a sliding window: when the context is full, its last half
is fed again from position 0, so the network never sees a position it was not trained on. The window begins with the
tokenizer's preamble (instruments, tempo, metre), so that what is in force stays in sight. Each piece draws from random
numbers of its own, so with a runtime whose rows do not influence each other a piece is the same alone or in any batch.
(A real network's matrix products round differently at different batch sizes: about 1e-6 in the logits, which can
turn a draw that falls that close to a boundary.)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Int

from aurl.data.tokenizers.base import Tokenizer
from aurl.data.tokenizers.grammar import Grammar, States
from aurl.generation.sampling import Sampler, SamplingConfig


@runtime_checkable
class Runtime(Protocol):
    """A network that reads tokens and says what it thinks of the next one."""

    @property
    def context(self) -> int:
        """How many tokens it can hold."""

    @property
    def length(self) -> int:
        """How many tokens it holds."""

    def reset(self, batch: int) -> None:
        """Forget everything and make room for `batch` pieces."""

    def feed(self, tokens: Int[np.ndarray, "b t f"]) -> None:
        """Append tokens: a whole prompt, or a step of one."""

    def logits(self, field: int, chosen: Int[np.ndarray, "b i"]) -> Float[np.ndarray, "b v"]:
        """Logits of `field` in the next token, given the values `chosen` for the fields before it."""


class Engine:
    """Pieces being written: their tokens, which of them are still going, and the means to add a token to each."""

    def __init__(
        self,
        runtime: Runtime,
        tokenizer: Tokenizer,
        sampling: SamplingConfig,
        *,
        prompt: Int[np.ndarray, "t f"],
        seeds: Sequence[int],
        capacity: int,
        grammar: Grammar | None = None,
    ) -> None:
        """Start one piece for each seed, all with the same prompt, with room for `capacity` more tokens.

        `grammar` is the tokenizer's own, or one that allows less of it.
        """
        batch = len(seeds)
        vocabulary = tokenizer.vocabulary
        self.runtime, self.tokenizer = runtime, tokenizer
        self.grammar, self.sampler = grammar or tokenizer.grammar, Sampler(sampling)
        self.end, self.pad = vocabulary.end.astype(np.int64), vocabulary.pad.astype(np.int64)
        self.end_fields = np.flatnonzero(["end" in field.tokens for field in vocabulary.fields])
        self.generators = [np.random.default_rng(seed) for seed in seeds]
        self.tokens = np.tile(self.pad, (batch, len(prompt) + capacity, 1))
        self.tokens[:, : len(prompt)] = prompt
        self.length = len(prompt)
        self.lengths = np.full(batch, len(prompt))
        self.alive = np.ones(batch, np.bool_)
        self.ended = np.zeros(batch, np.bool_)
        self.fallbacks = np.zeros(batch, np.int64)
        self.states = np.repeat(state_after(self.grammar, prompt), batch, axis=0)
        self._fed = 0
        runtime.reset(batch)

    def step(self, may_end: Bool[np.ndarray, " b"]) -> None:
        """Add one token to each piece still going; only those that `may_end` can choose the end token."""
        self._catch_up()
        rows = np.flatnonzero(self.alive)
        written = self._choose(rows, may_end[rows])
        self.tokens[rows, self.length] = written
        self.length += 1
        self.lengths[rows] = self.length
        self.states[rows] = self.grammar.advance(self.states[rows], written)
        self.ended[rows] = (written == self.end)[:, self.end_fields].all(axis=1)
        self.alive &= ~self.ended

    def _catch_up(self) -> None:
        """Feed the runtime what it has not seen; if that does not fit, a new window of half its context."""
        tokens = self.tokens[:, self._fed : self.length]
        if self.runtime.length + tokens.shape[1] > self.runtime.context:
            self.runtime.reset(len(self.tokens))
            first = self.length - max(1, self.runtime.context // 2)
            tokens = np.stack([self.tokenizer.window(piece, first, self.length) for piece in self.tokens])
        self.runtime.feed(tokens)
        self._fed = self.length

    def _choose(self, rows: Int[np.ndarray, " r"], may_end: Bool[np.ndarray, " r"]) -> Int[np.ndarray, "r f"]:
        """One token for each of `rows`, field by field."""
        fields = len(self.pad)
        chosen = np.tile(self.pad, (len(self.tokens), 1))
        uniforms = np.stack([self.generators[row].random(fields) for row in rows])
        for field in range(fields):
            legal = self._legal(rows, field, chosen[rows, :field], may_end)
            is_open = legal.sum(axis=1) > 1
            if not is_open.any():
                chosen[rows, field] = legal.argmax(axis=1)
                continue
            logits = self.runtime.logits(field, chosen[:, :field])[rows]
            chosen[rows, field], lost = self.sampler(logits, legal, uniforms[:, field], self._recent(rows, field))
            self.fallbacks[rows] += lost & is_open
        return np.asarray(chosen[rows])

    def _legal(
        self, rows: Int[np.ndarray, " r"], field: int, chosen: Int[np.ndarray, "r i"], may_end: Bool[np.ndarray, " r"]
    ) -> Bool[np.ndarray, "r v"]:
        """What the grammar allows, without what leads to the end where it may not come yet and anything else can."""
        legal = self.grammar.masks(self.states[rows], field, chosen)
        if may_end.all() or field > self.end_fields[0]:
            return legal
        going_on = legal.copy()
        going_on[~may_end & self._must_end(rows, field, chosen), self.end[field]] = False
        return np.asarray(np.where(going_on.any(axis=1, keepdims=True), going_on, legal))

    def _must_end(
        self, rows: Int[np.ndarray, " r"], field: int, chosen: Int[np.ndarray, "r i"]
    ) -> Bool[np.ndarray, " r"]:
        """Which rows, if `field` is as in the end token, can be nothing else."""
        must = (chosen == self.end[:field]).all(axis=1)
        for later in range(field + 1, int(self.end_fields[0]) + 1):
            as_end = np.tile(self.end[:later], (len(rows), 1))
            others = self.grammar.masks(self.states[rows], later, as_end)
            others[:, self.end[later]] = False
            must &= ~others.any(axis=1)
        return np.asarray(must)

    def _recent(self, rows: Int[np.ndarray, " r"], field: int) -> Int[np.ndarray, "r w"]:
        """The values of `field` that a repetition penalty looks at."""
        first = max(0, self.length - self.sampler.config.repetition_window)
        return self.tokens[rows, first : self.length, field]


def state_after(grammar: Grammar, tokens: Int[np.ndarray, "t f"]) -> States:
    """The grammar's state after `tokens`, legal or not, as a batch of one."""
    state = grammar.start(1)
    for row in tokens.astype(np.int64):
        state = grammar.advance(state, row[None])
    return state
