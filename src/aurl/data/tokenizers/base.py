"""What every tokenizer is: a function from a Score to rows of fields and back, exact on its own grid.

Tokens are `uint16[t, f]`. Times are seconds and quarter-note beats from the first token. A tokenizer is built from its
config alone, holds no state, and knows nothing of corpora or models.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from aurl.data.tokenizers.grammar import Grammar
from aurl.data.tokenizers.row_clock import RowClockConfig
from aurl.data.tokenizers.tasks import Slips, TasksConfig
from aurl.data.tokenizers.vocabulary import Vocabulary
from aurl.music.score import Score
from aurl.utils.config import Config
from aurl.utils.errors import ConfigError
from aurl.utils.registry import Registry

Tokens = NDArray[np.uint16]


@dataclass(frozen=True)
class Clock:
    """When each token happens, counted from the first: after the time that the token itself passes."""

    seconds: NDArray[np.float64]
    beats: NDArray[np.float64]
    bars: NDArray[np.int64]


@dataclass(frozen=True)
class LossReport:
    """What a tokenizer cannot say of a score: things lost or changed, counted by name, and the largest errors."""

    counts: Mapping[str, int] = field(default_factory=dict)
    errors: Mapping[str, float] = field(default_factory=dict)

    def __add__(self, other: LossReport) -> LossReport:
        """The losses of both scores: counts add up, errors keep the largest."""
        counts = {k: self.counts.get(k, 0) + other.counts.get(k, 0) for k in {**self.counts, **other.counts}}
        errors = {k: max(self.errors.get(k, 0.0), other.errors.get(k, 0.0)) for k in {**self.errors, **other.errors}}
        return LossReport(counts, errors)

    def summary(self) -> str:
        """One sentence naming each loss that occurred."""
        counts = [f"{count} {name.replace('_', ' ')}" for name, count in self.counts.items() if count]
        errors = [f"{name.replace('_', ' ')} up to {error:.4g}" for name, error in self.errors.items() if error]
        return "; ".join([", ".join(part) for part in (counts, errors) if part]) or "nothing is lost"


class Tokenizer(ABC):
    """A tokenizer; `decode(encode(s))` equals `canonical(s)[0]` for every score."""

    VERSION: ClassVar[int]
    """Raised whenever `encode` gives other tokens for the same score and config."""
    rows_per_second: ClassVar[int] = 200
    """More rows than a second of music has; of single events the densest has 190."""

    config: Config
    vocabulary: Vocabulary
    grammar: Grammar

    @abstractmethod
    def encode(self, score: Score) -> Tokens:
        """The tokens `[t, f]` of any score, from `start` to `end`."""

    @abstractmethod
    def decode(self, tokens: NDArray[Any]) -> Score:
        """The score that any array of integers `[t, f]` says; what makes no sense is passed over."""

    @abstractmethod
    def canonical(self, score: Score) -> tuple[Score, LossReport]:
        """`score` as far as the tokens can say it, and what they cannot."""

    @abstractmethod
    def clock(self, tokens: NDArray[Any]) -> Clock:
        """When each token happens."""

    @property
    def row_clock(self) -> RowClockConfig | None:
        """How the rows themselves tell time in bars; None for tokens that do not."""
        return None

    @abstractmethod
    def note_count(self, tokens: NDArray[Any]) -> int:
        """How many notes begin in `tokens`."""

    def opening(self, prompt: Score | None) -> NDArray[np.int64]:
        """What a generated piece begins with: the start, and all of a prompt but its end."""
        if prompt is None:
            return self.vocabulary.start[None].astype(np.int64)
        rows = self.encode(prompt).astype(np.int64)
        return rows[:-1] if (rows[-1] == self.vocabulary.end).all() else rows

    def field_mask(self, tokens: NDArray[Any]) -> NDArray[np.bool_]:
        """Which fields of each row of `tokens` `[..., f]` are a choice; the others follow from the fields before."""
        return np.ones(tokens.shape, np.bool_)

    def arranged(self, tokens: NDArray[Any], tasks: TasksConfig, rng: np.random.Generator) -> NDArray[Any]:  # noqa: ARG002
        """A window of tokens as a task drawn by `rng`; raises ConfigError where tokens cannot tell tasks."""
        raise ConfigError("these tokens cannot tell tasks", found=tasks, hint="use `note` with clock=metrical")

    def slips(self, tokens: NDArray[Any], share: float, rng: np.random.Generator) -> Slips:  # noqa: ARG002
        """A window of tokens read with mistakes drawn by `rng`; raises ConfigError where tokens are not notes."""
        raise ConfigError("these tokens cannot be mistaken one by one", found=f"data.slips={share}", hint="use `note`")

    def unconditional(self, tokens: NDArray[Any]) -> NDArray[Any]:  # noqa: ARG002 -- for those who can
        """Tokens `[..., f]` that tell nothing of what a piece should be like; raises ConfigError where none can."""
        raise ConfigError("these tokens have no controls to guide by", found=type(self).__name__, hint="use `note`")

    def preamble(self, tokens: NDArray[Any], at: int) -> NDArray[Any]:  # noqa: ARG002 -- for those who need one
        """The rows `[k, f]` that say what a reader of `tokens[at:]` must know of `tokens[:at]`; a piece has one k."""
        return tokens[:0]

    def known(self, tokens: NDArray[Any], start: int, stop: int) -> int:
        """How many rows of `window(tokens, start, stop)` are the preamble: none at the beginning, or with no room."""
        known = len(self.preamble(tokens, start)) if start > 0 else 0
        return known if start + known < min(stop, len(tokens)) else 0

    def window(self, tokens: NDArray[Any], start: int, stop: int) -> NDArray[Any]:
        """Rows `start` to `stop`, the first of them replaced by the preamble of the others if `start` is not 0."""
        known = self.known(tokens, start, stop)
        if known == 0:
            return tokens[start:stop]
        return np.concatenate([self.preamble(tokens, start + known), tokens[start + known : stop]])

    def resumed(self, tokens: NDArray[Any], about: int) -> NDArray[Any]:
        """What is fed to a model that has forgotten all but the rows from about row `about` on, to go on writing."""
        return self.window(tokens, about, len(tokens))

    @property
    def resolution(self) -> str:
        """What the tokens can tell apart, in words: no figure of likelihood means anything without it."""
        fields = ", ".join(f"{field.name} {len(field)}" for field in self.vocabulary.fields)
        return f"{type(self).__name__}, values by field: {fields}"

    @property
    def fingerprint(self) -> str:
        """Changes whenever the output of `encode` could."""
        told = f"{type(self).__name__} {self.VERSION} {self.config.model_dump_json()}"
        return hashlib.sha256(told.encode()).hexdigest()[:16]


TOKENIZERS: Registry[Tokenizer] = Registry("tokenizers")
