"""Writes rows of tokens, several pieces side by side: prefill, step, grammar, plan, sampling, sliding window.

The engine knows a runtime (something that turns tokens into logits), a grammar, a plan and a sampler; how long a piece
should be, and what its tokens mean, is the generator's business. Arrays are b pieces by t tokens by f fields. Pieces
may begin differently and grow by more than one row a step, where rows are given; each has its own place in the runtime.
The runtime reads all pieces together; grammar, plan and sampler go through them one by one in plain numbers, which for
a few pieces is quicker than small arrays.

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

NOTHING = np.zeros(0, np.int64)
"""No values: what draws look back on without penalties."""


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
        self.pad = vocabulary.pad.astype(np.int64)
        self._end: list[int] = vocabulary.end.tolist()
        self._pad: list[int] = vocabulary.pad.tolist()
        self._end_fields = [number for number, field in enumerate(vocabulary.fields) if "end" in field.tokens]
        self.generators = [np.random.default_rng(seed) for seed in seeds]
        self.lengths = np.zeros(batch, np.int64)
        self.tokens = np.tile(self.pad, (batch, 2 * max(map(len, prompts)), 1))
        self.alive, self.ended = np.ones(batch, np.bool_), np.zeros(batch, np.bool_)
        self.fallbacks = np.zeros(batch, np.int64)
        self.states = [self.grammar.initial] * batch
        self._unread: list[list[list[int]]] = [[] for _ in seeds]
        """Rows of each piece that the runtime has not been fed."""
        self._slid = [False] * batch
        runtime.reset(batch * self._copies)
        for piece, prompt in enumerate(prompts):
            self._append(piece, prompt)

    @property
    def _copies(self) -> int:
        return 1 if self.guidance == 1 else 2

    def step(self, may_end: Bool[np.ndarray, " b"]) -> None:
        """Let each piece still going choose a row; only those that `may_end` can choose the end token."""
        self._catch_up()
        pieces = self.alive.nonzero()[0].tolist()
        self._write(pieces, self._choose(pieces, may_end.tolist()))

    def _write(self, pieces: list[int], chosen: list[list[int]]) -> None:
        """Write the chosen rows, or what is given in their place; see which pieces are over."""
        for piece, row in zip(pieces, chosen, strict=True):
            if self.cursors:
                cursor = self.cursors[piece]
                self._append(piece, cursor.settle(np.array([row])))
                self.alive[piece] = not cursor.is_over
            else:
                self._append_row(piece, row)
            last = self.tokens[piece, self.lengths[piece] - 1].tolist()
            if all(last[field] == self._end[field] for field in self._end_fields):
                self.ended[piece], self.alive[piece] = True, False

    def select(self, pieces: Int[np.ndarray, " b"]) -> None:
        """Go on with copies of these pieces, as many as there are, in place of all; each keeps its random numbers."""
        for name in ("tokens", "lengths", "alive", "ended", "fallbacks"):
            setattr(self, name, getattr(self, name)[pieces])
        old = pieces.tolist()
        self.states, self._slid = [self.states[piece] for piece in old], [self._slid[piece] for piece in old]
        self._unread = [self._unread[piece].copy() for piece in old]
        self.cursors = [copy(self.cursors[piece]) for piece in old] if self.cursors else []
        if self.constraints is not None:
            self.constraints.select(pieces)
        batch = len(pieces)
        self.runtime.select(np.concatenate([pieces + twin * batch for twin in range(self._copies)]))

    def _append(self, piece: int, rows: Int[np.ndarray, "k f"]) -> None:
        """Write given rows to the end of one piece."""
        for row in rows.tolist():
            self._append_row(piece, row)

    def _append_row(self, piece: int, row: list[int]) -> None:
        """Write a row to the end of one piece."""
        length = self.lengths.item(piece)
        if length == self.tokens.shape[1]:
            more = np.tile(self.pad, (len(self.tokens), length, 1))
            self.tokens = np.concatenate([self.tokens, more], axis=1)
        self.tokens[piece, length] = row
        self.lengths[piece] = length + 1
        self._unread[piece].append(row)
        self.states[piece] = self.grammar.advance(self.states[piece], row)
        if self.constraints is not None:
            self.constraints.hear(np.array([piece]), np.array([row]))

    def _catch_up(self) -> None:
        """Feed the runtime what it has not seen; a piece that does not fit begins a new window of half its context."""
        held, context = self.runtime.lengths[: len(self.tokens)], self.runtime.context
        new = [unread if alive else [] for unread, alive in zip(self._unread, self.alive.tolist(), strict=True)]
        full = [len(rows) + length > context for rows, length in zip(new, held.tolist(), strict=True)]
        for piece, cursor in enumerate(self.cursors):
            full[piece] |= cursor.recalls and self._slid[piece] and len(new[piece]) > 0
            cursor.recalls = False
        if any(full):
            self.runtime.rewind(np.tile(np.where(full, 0, held), self._copies))
            new = [self._window(piece) if full[piece] else rows for piece, rows in enumerate(new)]
        counts = list(map(len, new))
        fed = np.array([rows + [self._pad] * (max(counts) - len(rows)) for rows in new], np.int64)
        if self._copies == 2:
            fed, counts = np.concatenate([fed, self.tokenizer.unconditional(fed)]), counts * 2
        self.runtime.feed(fed, np.array(counts))
        for piece in self.alive.nonzero()[0].tolist():
            self._unread[piece] = []

    def _window(self, piece: int) -> list[list[int]]:
        """What a piece is fed in a new window."""
        self._slid[piece], length, context = True, self.lengths.item(piece), self.runtime.context
        resumed = self.tokenizer.resumed(self.tokens[piece, :length], length - max(1, context // 2))
        rows: list[list[int]] = resumed[-context:].tolist()
        return rows

    def _choose(self, pieces: list[int], may_end: list[bool]) -> list[list[int]]:
        """One row for each of `pieces`, field by field; `may_end` is of all pieces."""
        chosen, everyone = [list[int]() for _ in pieces], np.array([self._pad] * len(self.tokens))
        uniforms = [self.generators[piece].random(len(self.pad)).tolist() for piece in pieces]
        for field, draw in enumerate(self.samplers):
            choices = [
                self._legal(piece, field, row, may_end=may_end[piece])
                for piece, row in zip(pieces, chosen, strict=True)
            ]
            possible = [legal.nonzero()[0] for legal, _ in choices]
            is_open = max(map(len, possible), default=0) > 1
            logits = self._logits(field, everyone[:, :field]) if is_open else everyone
            for at, piece in enumerate(pieces):
                value, lost = possible[at].item(0), False
                if len(possible[at]) > 1:
                    bias = choices[at][1]
                    wanted = logits[piece] if bias is None else logits[piece] + bias
                    recent = self._recent(piece, field) if self.window else NOTHING
                    value, lost = draw(wanted, possible[at], uniforms[at][field], recent)
                chosen[at].append(value)
                everyone[piece, field] = value
                if lost:
                    self.fallbacks[piece] += 1
        return chosen

    def _logits(self, field: int, chosen: Int[np.ndarray, "b i"]) -> Float[np.ndarray, "b v"]:
        """The runtime's logits, guided."""
        if self._copies == 1:
            return self.runtime.logits(field, chosen)
        told, untold = np.split(self.runtime.logits(field, np.tile(chosen, (2, 1))), 2)
        return np.asarray(untold + self.guidance * (told - untold))

    def _legal(
        self, piece: int, field: int, chosen: list[int], *, may_end: bool
    ) -> tuple[Bool[np.ndarray, " v"], Float[np.ndarray, " v"] | None]:
        """What grammar, plan and constraints allow, not to be changed, and what they would rather have.

        What leads to the end, where it may not come yet, is not allowed if anything else is.
        """
        state = self.states[piece]
        legal = self.grammar.mask(state, field, chosen)
        planned = self.cursors[piece].mask(field) if self.cursors else None
        if planned is not None:
            legal = _narrowed(legal, planned)
        if not may_end and field <= self._end_fields[0] and chosen == self._end[:field]:
            end = self._end[field]
            if legal[end] and (field == self._end_fields[0] or self.grammar.must_end(state)):
                going_on = legal.copy()
                going_on[end] = False
                legal = going_on if going_on.any() else legal
        if self.constraints is None:
            return legal, None
        row = np.array(chosen, np.int64)[None]
        left, bias = self.constraints.apply(np.array([piece]), field, row, legal[None])
        return left[0], None if bias is None else bias[0]

    def _recent(self, piece: int, field: int) -> Int[np.ndarray, " w"]:
        """The last values of `field` of a piece, oldest first, as many as penalties look at."""
        length = self.lengths.item(piece)
        return self.tokens[piece, max(0, length - self.window) : length, field]


def _narrowed(legal: Bool[np.ndarray, " v"], allowed: Bool[np.ndarray, " v"]) -> Bool[np.ndarray, " v"]:
    """`legal` where `allowed`, if that leaves anything."""
    both = legal & allowed
    return both if both.any() else legal
