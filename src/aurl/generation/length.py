"""How long a piece is to be: when it may end, when it must, and where it is cut.

Lengths count from the beginning of the piece, prompt included, in seconds or in bars. A length in seconds leaves the
piece a little slack to come to an end by itself; a length in bars is exact, cut at the bar line.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from aurl.data.tokenizers.base import Tokenizer
from aurl.music.score import Score
from aurl.music.transforms import until

SLACK_SHARE, SLACK_SECONDS = 0.1, 8.0
"""A piece runs over by this share of its length at most, and never by more than these seconds."""
SECONDS_PER_UNIT = {"seconds": 1, "bars": 4}
"""Few bars last longer."""
SPARE_TOKENS = 512
"""Allowed on top, so that a short piece with a dense beginning is not cut."""
UNLIMITED_SECONDS = 80
"""Of the densest music; a piece of no given length that does not end by itself lasts about five minutes."""


@dataclass(frozen=True)
class Length:
    """The end token is allowed from `wanted` on; at `limit` the piece is cut. Both in `unit`s."""

    unit: Literal["seconds", "bars"]
    wanted: float
    limit: float

    @classmethod
    def of(cls, seconds: float | None, bars: int | None) -> Length:
        """The length asked for; with neither, the piece ends when it likes."""
        if bars is not None:
            return cls("bars", bars, bars)
        if seconds is not None:
            return cls("seconds", seconds, seconds + min(SLACK_SHARE * seconds, SLACK_SECONDS))
        return cls("seconds", 0, math.inf)

    def max_tokens(self, tokenizer: Tokenizer) -> int:
        """As many tokens as a piece of this length can need."""
        most = self.limit if math.isfinite(self.limit) else self.wanted
        seconds = SECONDS_PER_UNIT[self.unit] * most if most else UNLIMITED_SECONDS
        return math.ceil(tokenizer.rows_per_second * seconds) + SPARE_TOKENS

    def times(self, tokenizer: Tokenizer, tokens: NDArray[Any]) -> NDArray[np.float64]:
        """How much music there is up to each token, in `unit`s."""
        clock = tokenizer.clock(tokens)
        return clock.seconds if self.unit == "seconds" else clock.bars.astype(np.float64)

    def of_score(self, score: Score) -> float:
        """How much music there is to the end of the last note, in `unit`s, bars only as far as they are full."""
        if self.unit == "seconds":
            return score.duration_seconds
        return float(score.metre_map.ticks_to_bar_beat(score.end_ticks)[0])

    def cut(self, tokenizer: Tokenizer, tokens: NDArray[Any]) -> NDArray[Any]:
        """`tokens` up to the one that reaches the limit; it stays, so that what sounds lasts to the limit."""
        past = np.flatnonzero(self.times(tokenizer, tokens) >= self.limit)
        return tokens[: past[0] + 1] if len(past) else tokens

    def clip(self, score: Score) -> Score:
        """`score` without what begins at the limit or later, its notes ending there at the latest."""
        if self.unit == "seconds":
            end = int(score.tempo_map.seconds_to_ticks(self.limit))
        else:
            end = int(score.metre_map.bar_to_ticks(int(self.limit)))
        return until(score, end)
