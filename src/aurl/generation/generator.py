"""Makes pieces of music: from a request (length, number, seed, prompt) to scores, with a runtime and a tokenizer.

A piece is a function of the model, the request and its seed: the same seed gives the same tokens, and variation i of
seed s is the piece of seed s + i, whether it is written alone or beside others.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from aurl.data.tokenizers.base import Tokenizer
from aurl.data.tokenizers.grammar import Grammar, NoteLimits
from aurl.generation.engine import Engine, Runtime
from aurl.generation.length import Length
from aurl.generation.sampling import SamplingConfig
from aurl.music.score import Score
from aurl.utils.config import Config
from aurl.utils.errors import ConfigError, GenerationError

StoppedBy = Literal["end", "length", "max_tokens"]
LOOK_EVERY = 16
"""Tokens between two looks at the clock, which reads the whole piece."""
LOOK_CLOSER = {"seconds": 2.0, "bars": 1.0}
"""From this far before the length asked for, the clock is read at every token."""


class GenerationConfig(Config):
    """What to make: how long, how many, by which seed, how boldly."""

    seconds: float | None = Field(None, gt=0, le=86_400)
    """Length of the whole piece in seconds, prompt included; it may run over by a tenth, 8 s at most."""
    bars: int | None = Field(None, ge=1, le=100_000)
    """Length of the whole piece in bars, prompt included, exactly."""
    variations: int = Field(1, ge=1, le=1024)
    """How many pieces to make, with seeds `seed`, `seed + 1` ..."""
    seed: int = Field(0, ge=0)
    """Decides every random choice of the first piece."""
    sampling: SamplingConfig = SamplingConfig()
    """How tokens are drawn."""
    polyphony: int | None = Field(None, ge=1)
    """The most notes that may sound at once; as many as the model likes when not given."""
    longest_note: float | None = Field(None, gt=0)
    """Seconds after which a note is ended; when not given, notes last as long as the model likes."""
    max_tokens: int | None = Field(None, ge=1)
    """Stop after this many new tokens whatever the length; when not given, as many as the length can need."""

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        if self.seconds is not None and self.bars is not None:
            found = f"{self.seconds:g} seconds and {self.bars} bars"
            raise ConfigError("a piece has one length", found=found, hint="give either seconds or bars")
        return self


@dataclass(frozen=True)
class GeneratedPiece:
    """One piece, and how it came about."""

    score: Score
    tokens: NDArray[np.int64]
    """Rows `[t, f]`: start, prompt, what was written, and the end token if the piece ended by itself."""
    prompt_tokens: int
    """How many of `tokens` were given, the start token among them."""
    seed: int
    """With `variations=1` this seed makes this piece again."""
    stopped_by: StoppedBy
    """Why it stops: the model ended it, it reached its length, or it ran out of tokens before either."""
    fallbacks: int
    """Choices for which the model gave no usable number, taken by the grammar alone; above 0 the model is damaged."""
    seconds_taken: float
    """Wall-clock time of the request, all its pieces together."""


@dataclass(frozen=True)
class Progress:
    """How far a request has come."""

    done: float
    """Music so far in the piece that is furthest behind, up to `wanted`."""
    wanted: float | None
    """Music asked for; None when the piece ends when it likes."""
    unit: Literal["seconds", "bars"]
    """Of `done` and `wanted`."""
    tokens: int
    """Tokens written, all pieces together."""
    tokens_per_second: float
    """Since the request came."""


def generate(
    runtime: Runtime,
    tokenizer: Tokenizer,
    config: GenerationConfig,
    *,
    prompt: Score | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> list[GeneratedPiece]:
    """Make `config.variations` pieces; raises GenerationError if the prompt is already as long as they should be."""
    return _Request(runtime, tokenizer, config, prompt).run(on_progress)


def limited_grammar(grammar: Grammar, config: GenerationConfig) -> Grammar:
    """The grammar within the limits that a request sets; raises ConfigError where its tokens cannot keep them."""
    if config.polyphony is None and config.longest_note is None:
        return grammar
    return grammar.limited(NoteLimits(config.polyphony or math.inf, config.longest_note or math.inf))


class _Request:
    """The pieces of one request while they are written, and how much music each holds."""

    def __init__(self, runtime: Runtime, tokenizer: Tokenizer, config: GenerationConfig, prompt: Score | None) -> None:
        self.began = time.perf_counter()
        self.tokenizer = tokenizer
        self.length = Length.of(config.seconds, config.bars)
        self.head = tokenizer.opening(prompt, config.bars)
        self.budget = config.max_tokens or self.length.max_tokens(tokenizer)
        self.seeds = [config.seed + variation for variation in range(config.variations)]
        given = float(self.length.times(tokenizer, self.head)[-1])
        if prompt is not None:
            self._check_room(max(given, self.length.of_score(tokenizer.decode(self.head))))
        self.done = np.full(config.variations, given)
        self.next_look = np.zeros(config.variations, np.int64)
        self.engine = Engine(
            runtime,
            tokenizer,
            config.sampling,
            prompt=self.head,
            seeds=self.seeds,
            capacity=self.budget,
            grammar=limited_grammar(tokenizer.grammar, config),
        )

    def _check_room(self, given: float) -> None:
        if given >= self.length.wanted > 0:
            raise GenerationError(
                f"the prompt is as long as the whole piece should be, {self.length.wanted:g} {self.length.unit}",
                found=f"a prompt of {given:.4g} {self.length.unit}",
                hint="ask for a longer piece, the prompt included, or give a shorter prompt",
            )

    def run(self, on_progress: Callable[[Progress], None] | None) -> list[GeneratedPiece]:
        for written in range(1, self.budget + 1):
            self.engine.step(may_end=self.done >= self.length.wanted)
            for row in np.flatnonzero(self.engine.alive & (self.next_look <= written)).tolist():
                self._look(row, written)
            finished = not self.engine.alive.any()
            if on_progress and (finished or written % LOOK_EVERY == 0):
                on_progress(self._progress())
            if finished:
                break
        return [self._piece(row) for row in range(len(self.seeds))]

    def _look(self, row: int, written: int) -> None:
        """Read the clock of one piece, stop it at its limit, and decide when to look again."""
        self.done[row] = self.length.times(self.tokenizer, self.engine.tokens[row, : self.engine.length])[-1]
        self.engine.alive[row] = self.done[row] < self.length.limit
        threshold = self.length.limit if self.done[row] >= self.length.wanted else self.length.wanted
        is_close = threshold - self.done[row] <= LOOK_CLOSER[self.length.unit]
        self.next_look[row] = written + (1 if is_close else LOOK_EVERY)

    def _progress(self) -> Progress:
        length, tokens = self.length, int((self.engine.lengths - len(self.head)).sum())
        going = np.where(self.engine.alive, self.done, np.maximum(self.done, length.wanted))
        return Progress(
            done=float(min(going.min(), length.wanted) if length.wanted else going.max()),
            wanted=length.wanted or None,
            unit=length.unit,
            tokens=tokens,
            tokens_per_second=tokens / (time.perf_counter() - self.began),
        )

    def _piece(self, row: int) -> GeneratedPiece:
        tokens = self.engine.tokens[row, : self.engine.lengths[row]]
        reached = float(self.length.times(self.tokenizer, tokens)[-1])
        ended = bool(self.engine.ended[row]) and reached <= self.length.limit
        stopped_by: StoppedBy = "end" if ended else "length" if reached >= self.length.limit else "max_tokens"
        if stopped_by == "length":
            tokens = self.length.cut(self.tokenizer, tokens)
        score = self.tokenizer.decode(tokens)
        return GeneratedPiece(
            score=self.length.clip(score) if math.isfinite(self.length.limit) else score,
            tokens=tokens,
            prompt_tokens=len(self.head),
            seed=self.seeds[row],
            stopped_by=stopped_by,
            fallbacks=int(self.engine.fallbacks[row]),
            seconds_taken=time.perf_counter() - self.began,
        )
