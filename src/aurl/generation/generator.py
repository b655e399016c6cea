"""Makes pieces of music: from a request (length, number, seed, prompt) to scores, with a runtime and a tokenizer.

A piece is a function of the model, the request and its seed: the same seed gives the same tokens, and variation i of
seed s is the piece of seed s + i, whether it is written alone or beside others.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from aurl.data.preprocessing import TRANSFORMS, apply_transforms
from aurl.data.tokenizers.base import Tokenizer
from aurl.data.tokenizers.grammar import Grammar, NoteLimits
from aurl.data.tokenizers.note import NoteTokenizer
from aurl.generation.beam import BeamEngine
from aurl.generation.conditions import Conditions, Ensembles, control_rows, formed, opened, orchestrated, refuse, told
from aurl.generation.constraints import (
    CONSTRAINTS,
    Constraints,
    DensityConfig,
    HarmonyConfig,
    InstrumentsConfig,
    TonalityConfig,
    VoicesConfig,
)
from aurl.generation.constraints.base import note_layout
from aurl.generation.engine import Engine, Runtime
from aurl.generation.length import Length
from aurl.generation.plan import Cursor, Plan
from aurl.generation.rewriting import Rewrite, Rewriting
from aurl.generation.sampling import SamplingConfig
from aurl.music.score import Score
from aurl.utils.config import Config
from aurl.utils.errors import ConfigError, GenerationError

USE_NOTE = "use a model of `note` tokens with clock=metrical"
BROKEN = 1.0
"""What breaking all constraints weighs beside `unlikeness`: as much as being unlike real music in everything."""
LONGEST_CHART, SHORTEST_BAR = 3600.0, 0.5
"""Seconds of chords and sections laid out for a piece whose number of bars is not known, and of a bar at least."""
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
    beams: int = Field(1, ge=1, le=64)
    """Above 1, beam search for the likeliest piece in place of drawing; `variations` of the beams are kept."""
    best_of: int = Field(1, ge=1, le=256)
    """Make so many of each piece and keep the one that its constraints and the music it learned from like best."""
    seed: int = Field(0, ge=0)
    """Decides every random choice of the first piece."""
    sampling: SamplingConfig = SamplingConfig()
    """How tokens are drawn."""
    rewriting: SamplingConfig | None = None
    """What a model carries as its `sampling` where parts of a given piece are rewritten, in sight of real music."""
    polyphony: int | None = Field(None, ge=1)
    """The most notes that may sound at once; as many as the model likes when not given."""
    longest_note: float | None = Field(None, gt=0)
    """Seconds after which a note is ended; when not given, notes last as long as the model likes."""
    conditions: Conditions = Conditions()
    """What the piece is to be like: key, tempo, instruments, chords ..."""
    constraints: tuple[Annotated[Config, CONSTRAINTS.field()], ...] = ()
    """What the notes are held to: scale, range, rhythm ..."""
    transforms: tuple[Annotated[Config, TRANSFORMS.field()], ...] = ()
    """What is done to a piece when it is written, in this order, like `aurl transform`: ritardando, quantise ..."""
    guidance: float = Field(1.0, ge=0, le=20, allow_inf_nan=False)
    """Above 1 makes more of the conditions' controls; needs a model trained with `data.tasks.free` above 0."""
    max_tokens: int | None = Field(None, ge=1)
    """Stop after this many new tokens whatever the length; when not given, as many as the length can need."""

    @model_validator(mode="after")
    def _one_choice(self) -> Self:
        if self.beams > 1 and (self.best_of > 1 or self.variations > self.beams):
            found = f"beams {self.beams}, best_of {self.best_of}, variations {self.variations}"
            raise ConfigError("beams are one search for one piece", found=found, hint="leave out best_of; more beams")
        return self

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
    dropped: Mapping[str, int]
    """For how many choices each constraint was dropped, because it left nothing."""
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
    rewrite: Rewrite | None = None,
    ensembles: Ensembles = (),
    unlikeness: Callable[[Score], float] | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> list[GeneratedPiece]:
    """Make `config.variations` pieces: from nothing, going on from a prompt, or `rewrite`-ing part of it.

    `ensembles` are the instruments of the style, for pieces from nothing that are told none; `unlikeness` says how far
    a piece is from the music that the model learned from, for `best_of`. Raises GenerationError if the prompt is
    already as long as pieces should be, ConfigError for what cannot be.
    """
    many = config.model_copy(update={"variations": max(config.beams, config.variations * config.best_of)})
    request = _Request(runtime, tokenizer, many, prompt, rewrite, ensembles)
    pieces = request.run(on_progress)
    if config.best_of > 1:
        badness = [request.badness(piece) + (unlikeness(piece.score) if unlikeness else 0.0) for piece in pieces]
        best = np.reshape(badness, (config.variations, config.best_of)).argmin(axis=1)
        pieces = [pieces[piece * config.best_of + int(kept)] for piece, kept in enumerate(best)]
    steps = config.transforms if rewrite is None else ()  # the rest of a rewritten piece stays as it is
    return [replace(piece, score=apply_transforms(piece.score, steps)) for piece in pieces[: config.variations]]


def limited_grammar(grammar: Grammar, config: GenerationConfig) -> Grammar:
    """The grammar within the limits that a request sets; raises ConfigError where its tokens cannot keep them."""
    if config.polyphony is None and config.longest_note is None:
        return grammar
    return grammar.limited(NoteLimits(config.polyphony or math.inf, config.longest_note or math.inf))


class _Request:
    """The pieces of one request while they are written, and how much music each holds."""

    def __init__(
        self,
        runtime: Runtime,
        tokenizer: Tokenizer,
        config: GenerationConfig,
        prompt: Score | None,
        rewrite: Rewrite | None,
        ensembles: Ensembles,
    ) -> None:
        self.began = time.perf_counter()
        self.tokenizer = tokenizer
        self.rewriting: Rewriting | None = None
        self.plans: list[Plan] = []
        self.seeds = [config.seed + variation for variation in range(config.variations)]
        if rewrite is not None:
            self.rewriting = _rewriting(prompt, rewrite, tokenizer, config.conditions)
            self.head, self.length = self.rewriting.head, self.rewriting.length
            self.plans = [self.rewriting.plan] * config.variations
        else:
            self.length = Length.of(config.seconds, config.bars)
            self.head, self.plans = _opened(tokenizer, config, prompt, self.length, ensembles)
        self.budget = config.max_tokens or self.length.max_tokens(tokenizer)
        given = float(self.length.times(tokenizer, self.head)[-1])
        if prompt is not None and rewrite is None:
            self._check_room(max(given, self.length.of_score(tokenizer.decode(self.head))))
        self.done = np.full(config.variations, given)
        self.next_look = np.zeros(config.variations, np.int64)
        self.constraints = _constraints(config, tokenizer)
        self.engine = (BeamEngine if config.beams > 1 else Engine)(
            runtime,
            tokenizer,
            config.sampling,
            prompts=[self.head] * config.variations,
            seeds=self.seeds,
            grammar=limited_grammar(tokenizer.grammar, config),
            cursors=self._cursors(),
            constraints=self.constraints,
            guidance=config.guidance,
        )

    def _cursors(self) -> list[Cursor]:
        if not self.plans:
            return []
        assert isinstance(self.tokenizer, NoteTokenizer)
        return [Cursor(plan, self.tokenizer.layout, self.head) for plan in self.plans]

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
            is_due = (self.next_look <= written) | isinstance(self.engine, BeamEngine)  # beams change places
            for row in np.flatnonzero(self.engine.alive & is_due).tolist():
                self._look(row, written)
            finished = not self.engine.alive.any()
            if on_progress and (finished or written % LOOK_EVERY == 0):
                on_progress(self._progress())
            if finished:
                break
        return [self._piece(row) for row in range(len(self.seeds))]

    def badness(self, piece: GeneratedPiece) -> float:
        """How badly a piece keeps what was wished for, 0..BROKEN; without notes, worse than any with."""
        missed = 0.0 if self.constraints is None else 1 - self.constraints.score(piece.score)
        return BROKEN * missed + (0.0 if len(piece.score.notes) else math.inf)

    def _look(self, row: int, written: int) -> None:
        """Read the clock of one piece, stop it at its limit, and decide when to look again."""
        tokens = self.engine.tokens[row, : self.engine.lengths[row]]
        self.done[row] = self.length.times(self.tokenizer, tokens)[-1]
        self.engine.alive[row] &= self.done[row] < self.length.limit
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
        is_whole = self.rewriting is not None and self.engine.cursors[row].is_over
        is_long = is_whole or reached >= self.length.limit
        stopped_by: StoppedBy = "end" if ended else "length" if is_long else "max_tokens"
        if stopped_by == "length":
            tokens = self.length.cut(self.tokenizer, tokens)
        dropped = {} if self.constraints is None else self.constraints.dropped
        return GeneratedPiece(
            score=self._score(tokens),
            tokens=tokens,
            prompt_tokens=len(self.head),
            seed=self.seeds[row],
            stopped_by=stopped_by,
            fallbacks=int(self.engine.fallbacks[row]),
            dropped={name: int(counts[row]) for name, counts in dropped.items()},
            seconds_taken=time.perf_counter() - self.began,
        )

    def _score(self, tokens: NDArray[np.int64]) -> Score:
        if self.rewriting is not None:
            return self.rewriting.finished(tokens)
        score = self.tokenizer.decode(tokens)
        return self.length.clip(score) if math.isfinite(self.length.limit) else score


def _opened(
    tokenizer: Tokenizer, config: GenerationConfig, prompt: Score | None, length: Length, ensembles: Ensembles
) -> tuple[NDArray[np.int64], list[Plan]]:
    """What the pieces begin with and, where tokens can tell, what else is given of each."""
    if isinstance(tokenizer, NoteTokenizer):
        most_bars = config.bars or math.ceil(min(length.limit, LONGEST_CHART) / SHORTEST_BAR)
        seeds = range(config.seed, config.seed + config.variations)
        if prompt is not None or any(isinstance(one, InstrumentsConfig) for one in config.constraints):
            ensembles = ()
        told = [
            orchestrated(formed(config.conditions, seed, config.bars, most_bars), seed, ensembles) for seed in seeds
        ]
        begun = {
            (one.sections, one.instruments): opened(one, tokenizer, prompt, config.bars, most_bars) for one in told
        }
        each = [begun[one.sections, one.instruments] for one in told]
        return each[0][0], [plan for _, plan in each]
    if not config.conditions.is_empty:
        found = type(tokenizer).__name__
        raise ConfigError("these tokens cannot be told what a piece is to be like", found=found, hint=USE_NOTE)
    return tokenizer.opening(prompt), []


def _rewriting(prompt: Score | None, rewrite: Rewrite, tokenizer: Tokenizer, conditions: Conditions) -> Rewriting:
    if prompt is None:
        raise ConfigError("there is no piece to rewrite", hint="give one as the prompt")
    if not isinstance(tokenizer, NoteTokenizer) or not tokenizer.layout.is_metrical:
        found = type(tokenizer).__name__
        raise ConfigError("these tokens cannot tell bars and tracks apart", found=found, hint=USE_NOTE)
    refuse(conditions, ("metre", "tempo", "instruments", "chords", "sections"))
    rewriting = Rewriting(prompt, rewrite, tokenizer)
    rewriting.head = told(rewriting.head, control_rows(conditions, tokenizer.layout, None), tokenizer.layout)
    return rewriting


def _constraints(config: GenerationConfig, tokenizer: Tokenizer) -> Constraints | None:
    """Those asked for, and those that lean to what is told."""
    asked = [
        one.merged({"bars": config.bars}) if config.bars and getattr(one, "bars", 0) is None else one
        for one in config.constraints
    ]
    if isinstance(tokenizer, NoteTokenizer) and tokenizer.layout.is_metrical:
        leans = _leans(config.conditions)
        asked += [lean for lean in leans if not any(isinstance(other, type(lean)) for other in asked)]
    return Constraints(asked, note_layout(tokenizer), config.variations) if asked else None


def _leans(told: Conditions) -> list[Config]:
    """What makes sure that the conditions are heeded: a model only knows each as one row among many."""
    leans: list[Config] = []
    if told.key:
        leans.append(TonalityConfig(key=told.key))
    if told.density:
        leans.append(DensityConfig(notes=told.density))
    if told.voices:
        leans.append(VoicesConfig(at_once=told.voices))
    if told.chords:
        leans.append(HarmonyConfig(progression=told.chords, key=told.key))
    return leans
