"""Writes rows of tokens, several pieces side by side: prefill, step, grammar, plan, sampling, sliding window.

The engine knows a runtime (something that turns tokens into logits), a grammar, a plan and a sampler; how long a piece
should be, and what its tokens mean, is the generator's business. Arrays are b pieces by t tokens by f fields. Pieces
may begin differently and grow by more than one row a step, where rows are given; each has its own place in the runtime.

A piece longer than the runtime's context is written through a sliding window: when the context is full, about its last
half is fed again from position 0, so the network never sees a position it was not trained on. The window begins with
the tokenizer's preamble (instruments, tempo, metre), so that what is in force stays in sight, and a section that
returns is begun in a window that shows how it went before. Each piece draws from
random numbers of its own, so with a runtime whose rows do not influence each other a piece is the same alone or in any
batch. (A real network's matrix products round differently at different batch sizes: about 1e-6 in the logits, which can
turn a draw that falls that close to a boundary.)

With guidance, each piece has a shadow that is not told the controls; what the controls change is exaggerated (Ho and
Salimans 2022, eq. 6, on logits as Sanchez et al. 2023).
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Int

from aurl.data.tokenizers.base import Tokenizer
from aurl.data.tokenizers.grammar import Grammar
from aurl.generation.constraints import Constraints
from aurl.generation.plan import Cursor
from aurl.generation.sampling import SamplingConfig, build_samplers


@runtime_checkable
class Runtime(Protocol):
    """A network that reads tokens and says what it thinks of the next; pieces may hold different numbers of rows."""

    @property
    def context(self) -> int:
        """The most rows a piece can hold."""

    @property
    def lengths(self) -> Int[np.ndarray, " b"]:
        """How many rows each piece holds."""

    def reset(self, batch: int) -> None:
        """Forget everything and make room for `batch` pieces."""

    def feed(self, tokens: Int[np.ndarray, "b t f"], counts: Int[np.ndarray, " b"] | None = None) -> None:
        """Append the first `counts` rows of `tokens` to each piece, all of them when not given."""

    def rewind(self, lengths: Int[np.ndarray, " b"]) -> None:
        """Forget the rows of each piece from number `lengths` on; its next logits need a row to be fed first."""

    def select(self, pieces: Int[np.ndarray, " b2"]) -> None:
        """Go on with copies of these pieces in place of all there are."""

    def logits(self, field: int, chosen: Int[np.ndarray, "b i"]) -> Float[np.ndarray, "b v"]:
        """Logits of `field` in the next row of each piece, given the values `chosen` for the fields before it."""


class Engine:
    """Pieces being written: their tokens, which of them are still going, and the means to add to each."""

    def __init__(  # noqa: PLR0913 -- each by name, each a part that the engine is put together from
        self,
        runtime: Runtime,
        tokenizer: Tokenizer,
        sampling: SamplingConfig,
        *,
        prompts: Sequence[Int[np.ndarray, "_ f"]],
        seeds: Sequence[int],
        grammar: Grammar | None = None,
        cursors: Sequence[Cursor] = (),
        constraints: Constraints | None = None,
        guidance: float = 1.0,
    ) -> None:
        """Start one piece for each seed from its prompt.

        `grammar` is the tokenizer's own, or one that allows less of it; `cursors` know what is given, `constraints`
        what is wished for; `guidance` above 1 makes more of the controls.
        """
        vocabulary, batch = tokenizer.vocabulary, len(seeds)
        self.runtime, self.tokenizer, self.guidance = runtime, tokenizer, guidance
        self.grammar, self.constraints, self.cursors = grammar or tokenizer.grammar, constraints, cursors
        self.samplers = build_samplers(sampling, [field.name for field in vocabulary.fields])
        self.window = sampling.window
        self.end, self.pad = vocabulary.end.astype(np.int64), vocabulary.pad.astype(np.int64)
        self.end_fields = np.flatnonzero(["end" in field.tokens for field in vocabulary.fields])
        self.generators = [np.random.default_rng(seed) for seed in seeds]
        self.lengths = np.zeros(batch, np.int64)
        self.tokens = np.tile(self.pad, (batch, 2 * max(map(len, prompts)), 1))
        self.alive, self.ended = np.ones(batch, np.bool_), np.zeros(batch, np.bool_)
        self.fallbacks = np.zeros(batch, np.int64)
        self.states = self.grammar.start(batch)
        self._fed, self._slid = np.zeros(batch, np.int64), np.zeros(batch, np.bool_)
        runtime.reset(batch * self._copies)
        for piece, prompt in enumerate(prompts):
            self._append(piece, prompt.astype(np.int64))

    @property
    def _copies(self) -> int:
        return 1 if self.guidance == 1 else 2

    def step(self, may_end: Bool[np.ndarray, " b"]) -> None:
        """Let each piece still going choose a row; only those that `may_end` can choose the end token."""
        self._catch_up()
        pieces = np.flatnonzero(self.alive)
        self._write(pieces, self._choose(pieces, may_end[pieces]))

    def _write(self, pieces: Int[np.ndarray, " r"], chosen: Int[np.ndarray, "r f"]) -> None:
        """Write the chosen rows, or what is given in their place; see which pieces are over."""
        if self.cursors:
            settled = [self.cursors[p].settle(row[None]) for p, row in zip(pieces.tolist(), chosen, strict=True)]
            counts = np.array([len(rows) for rows in settled])
            for at in range(counts.max(initial=0)):
                self._append_row(pieces[counts > at], np.array([rows[at] for rows in settled if len(rows) > at]))
            self.alive[pieces] = [not self.cursors[piece].is_over for piece in pieces.tolist()]
        else:
            self._append_row(pieces, chosen)
        last = self.tokens[pieces, self.lengths[pieces] - 1]
        self.ended[pieces] = np.logical_and.reduce(last[:, self.end_fields] == self.end[self.end_fields], axis=1)
        self.alive &= ~self.ended

    def select(self, pieces: Int[np.ndarray, " b"]) -> None:
        """Go on with copies of these pieces, as many as there are, in place of all; each keeps its random numbers."""
        for name in ("tokens", "lengths", "alive", "ended", "fallbacks", "states", "_fed", "_slid"):
            setattr(self, name, getattr(self, name)[pieces])
        self.cursors = [copy(self.cursors[piece]) for piece in pieces.tolist()] if self.cursors else []
        if self.constraints is not None:
            self.constraints.select(pieces)
        batch = len(pieces)
        self.runtime.select(np.concatenate([pieces + twin * batch for twin in range(self._copies)]))

    def _append(self, piece: int, rows: Int[np.ndarray, "k f"]) -> None:
        """Write given rows to the end of one piece."""
        at = np.array([piece])
        for row in rows:
            self._append_row(at, row[None])

    def _append_row(self, pieces: Int[np.ndarray, " r"], rows: Int[np.ndarray, "r f"]) -> None:
        """Write a row to the end of each of `pieces`."""
        ends = self.lengths[pieces]
        if ends.max() >= self.tokens.shape[1]:
            more = np.tile(self.pad, (len(self.tokens), self.tokens.shape[1], 1))
            self.tokens = np.concatenate([self.tokens, more], axis=1)
        at = self._at(pieces)
        self.tokens[pieces, ends] = rows
        self.lengths[at] += 1
        self.states[at] = self.grammar.advance(self.states[at], rows)
        if self.constraints is not None:
            self.constraints.hear(pieces, rows)

    def _catch_up(self) -> None:
        """Feed the runtime what it has not seen; a piece that does not fit begins a new window of half its context."""
        batch, context = len(self.tokens), self.runtime.context
        held = self.runtime.lengths[:batch]
        counts = np.where(self.alive, self.lengths - self._fed, 0)
        is_full = held + counts > context
        for piece, cursor in enumerate(self.cursors):
            is_full[piece] |= cursor.recalls and self._slid[piece]
            cursor.recalls = False
        self._slid |= is_full
        if np.count_nonzero(is_full):
            self.runtime.rewind(np.tile(np.where(is_full, 0, held), self._copies))
            fed, counts = self._windows(is_full, context)
        else:
            at = self._fed[:, None] + np.arange(counts.max())
            fed = self.tokens[np.arange(batch)[:, None], np.minimum(at, self.tokens.shape[1] - 1)]
        if self._copies == 2:
            fed, counts = np.concatenate([fed, self.tokenizer.unconditional(fed)]), np.tile(counts, 2)
        self.runtime.feed(fed, counts)
        self._fed = np.where(self.alive, self.lengths, self._fed)

    def _windows(
        self, is_full: Bool[np.ndarray, " b"], context: int
    ) -> tuple[Int[np.ndarray, "b t f"], Int[np.ndarray, " b"]]:
        """What each piece is fed, how many rows it is, where some begin a new window."""
        new = [self.tokens[piece, self._fed[piece] : length] for piece, length in enumerate(self.lengths.tolist())]
        for piece in np.flatnonzero(is_full).tolist():
            length = int(self.lengths[piece])
            resumed = self.tokenizer.resumed(self.tokens[piece, :length], length - max(1, context // 2))
            new[piece] = resumed[-context:]
        counts = np.where(self.alive, [len(rows) for rows in new], 0)
        fed = np.tile(self.pad, (len(new), counts.max(), 1))
        for piece in np.flatnonzero(self.alive).tolist():
            fed[piece, : counts[piece]] = new[piece]
        return fed, counts

    def _choose(self, pieces: Int[np.ndarray, " r"], may_end: Bool[np.ndarray, " r"]) -> Int[np.ndarray, "r f"]:
        """One row for each of `pieces`, field by field."""
        fields, at = len(self.pad), self._at(pieces)
        everyone = np.repeat(self.pad[None], len(self.tokens), axis=0)
        chosen = everyone[at]
        uniforms = np.array([self.generators[piece].random(fields) for piece in pieces.tolist()])
        for field, draw in enumerate(self.samplers):
            legal, bias = self._legal(pieces, field, chosen[:, :field], may_end)
            if np.count_nonzero(legal) == len(legal):
                chosen[:, field] = legal.argmax(axis=1)
                continue
            everyone[at] = chosen
            logits = self._logits(field, everyone[:, :field])[at]
            if bias is not None:
                logits = logits + bias
            chosen[:, field], lost = draw(logits, legal, uniforms[:, field], self._recent(pieces, field))
            if np.count_nonzero(lost):
                self.fallbacks[pieces] += lost & (legal.sum(axis=1) > 1)
        return np.asarray(chosen)

    def _at(self, pieces: Int[np.ndarray, " r"]) -> slice | Int[np.ndarray, " r"]:
        """How to index `pieces`, which ascend: all at once where all are meant."""
        return slice(None) if len(pieces) == len(self.tokens) else pieces

    def _logits(self, field: int, chosen: Int[np.ndarray, "b i"]) -> Float[np.ndarray, "b v"]:
        """The runtime's logits, guided."""
        if self._copies == 1:
            return self.runtime.logits(field, chosen)
        told, untold = np.split(self.runtime.logits(field, np.tile(chosen, (2, 1))), 2)
        return np.asarray(untold + self.guidance * (told - untold))

    def _legal(
        self,
        pieces: Int[np.ndarray, " r"],
        field: int,
        chosen: Int[np.ndarray, "r i"],
        may_end: Bool[np.ndarray, " r"],
    ) -> tuple[Bool[np.ndarray, "r v"], Float[np.ndarray, "r v"] | None]:
        """What grammar, plan and constraints allow, and what they would rather have.

        What leads to the end, where it may not come yet, is not allowed if anything else is.
        """
        states = self.states[self._at(pieces)]
        legal = self.grammar.masks(states, field, chosen)
        if self.cursors and field in self.cursors[0].plan.masks:
            legal = _narrowed(legal, self.cursors[0].plan.masks[field])
        if field <= self.end_fields[0] and np.count_nonzero(may_end) < len(may_end):
            stops = ~may_end & (self.grammar.must_end(states) | (field == self.end_fields[0]))
            if np.count_nonzero(stops):
                stops &= np.logical_and.reduce(chosen == self.end[:field], axis=1)
                going_on = legal.copy()
                going_on[stops, self.end[field]] = False
                legal = _narrowed(legal, going_on)
        return (legal, None) if self.constraints is None else self.constraints.apply(pieces, field, chosen, legal)

    def _recent(self, pieces: Int[np.ndarray, " r"], field: int) -> Int[np.ndarray, "r w"]:
        """The last values of `field` of each piece, oldest first, as many as penalties look at; -1 before the first."""
        if not self.window:
            return np.zeros((len(pieces), 0), np.int64)
        at = self.lengths[pieces][:, None] + np.arange(-min(self.window, int(self.lengths[pieces].max())), 0)
        return np.where(at >= 0, self.tokens[pieces[:, None], at, field], -1)


def _narrowed(legal: Bool[np.ndarray, "r v"], allowed: Bool[np.ndarray, "..."]) -> Bool[np.ndarray, "r v"]:
    """`legal` where `allowed`, in rows that keep anything."""
    both = legal & allowed
    kept = np.logical_or.reduce(both, axis=1)
    return both if np.count_nonzero(kept) == len(kept) else np.where(kept[:, None], both, legal)
