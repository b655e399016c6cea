"""How long pieces are in tokens, and what a context costs: what is never seen in an epoch, seen twice, or padding.

The windows are those of `aurl.data.windows`, planned as training plans them, so the figures are of what training does:
`sliding` windows lie anywhere, `truncate` is the first window of each piece alone, `adaptive` windows begin at bars.
Tokens are rows; a piece of n tokens has n - 1 to be predicted, and those are what is counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from aurl.data.tokenizers import Tokenizer
from aurl.data.windows import Ints, Windows, at_bar, bar_starts, first_token, plan_epoch
from aurl.music.score import Score

CONTEXTS = (256, 512, 1024, 2048, 4096)
WHOLE_SHARE = 0.9
"""Share of the pieces that the recommended context holds whole, if one of `CONTEXTS` does."""
BATCH_CONTEXTS = 16
"""Contexts of tokens in the batches by which padding is counted."""
PERCENTILES = (5, 25, 50, 75, 95, 100)


@dataclass(frozen=True)
class StrategyCost:
    """What an epoch of one strategy does to the tokens of all pieces; shares are 0..1."""

    windows: int
    batches: int
    unseen_share: float
    """Share of the tokens that no window of the epoch holds."""
    repeated_share: float
    """Tokens seen again in the same epoch, as a share of all tokens."""
    padding_share: float
    """Share of the places of the batches that hold padding."""


@dataclass(frozen=True)
class ContextCost:
    """What one context means."""

    context: int
    whole_share: float
    """Share of the pieces that fit in one window."""
    strategies: dict[str, StrategyCost]


@dataclass(frozen=True)
class LengthReport:
    """The lengths of pieces under one tokenizer; `recommended` is the least context that holds most pieces whole."""

    pieces: int
    tokens: int
    percentiles: dict[str, int]
    tokens_per_note: float
    contexts: list[ContextCost]
    recommended: int

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


class PieceLengths:
    """Lengths and bar lines of pieces under one tokenizer, collected one score at a time."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self.lengths: list[int] = []
        self.notes = 0
        self.bars: list[NDArray[np.int32]] = []

    def add(self, score: Score) -> int:
        """Count one more piece; returns its tokens."""
        tokens = self.tokenizer.encode(score)
        self.lengths.append(len(tokens))
        self.notes += self.tokenizer.note_count(tokens)
        self.bars.append(bar_starts(self.tokenizer.clock(tokens).bars).astype(np.int32))
        return len(tokens)

    def report(self) -> LengthReport:
        """What each of `CONTEXTS` would cost; needs a piece at least."""
        lengths = np.array(self.lengths, np.int64)
        costs = [context_cost(lengths, self.bars, context) for context in CONTEXTS]
        whole = [cost.context for cost in costs if cost.whole_share >= WHOLE_SHARE]
        values = np.percentile(lengths, PERCENTILES, method="inverted_cdf").astype(int).tolist()
        return LengthReport(
            pieces=len(lengths),
            tokens=int(lengths.sum()),
            percentiles=dict(zip(map(str, PERCENTILES), values, strict=True)),
            tokens_per_note=lengths.sum() / max(1, self.notes),
            contexts=costs,
            recommended=min(whole, default=CONTEXTS[-1]),
        )


def context_cost(lengths: Ints, bars: Sequence[NDArray[np.int32]], context: int) -> ContextCost:
    """What each strategy costs at one context; `bars` are the tokens that begin a bar, for each piece."""
    strategies = {windows: strategy_cost(lengths, bars, context, windows) for windows in get_args(Windows)}
    return ContextCost(context, float((lengths <= context + 1).mean()), strategies)


def strategy_cost(lengths: Ints, bars: Sequence[NDArray[np.int32]], context: int, windows: Windows) -> StrategyCost:
    """What the first epoch of training with seed 0 costs."""
    rng = np.random.default_rng([0, 0])
    plan = plan_epoch(lengths, windows=windows, context=context, batch_tokens=BATCH_CONTEXTS * context, rng=rng)
    starts, held = np.zeros(len(plan.pieces), np.int64), plan.lengths.copy()
    for row, (piece, place, length) in enumerate(zip(plan.pieces, plan.places, plan.lengths, strict=True)):
        total = int(lengths[piece])
        first = first_token(float(place), total, int(length))
        if windows == "adaptive":
            first = at_bar(first, bars[piece].astype(np.int64), total, int(length))
        starts[row], held[row] = first, min(int(length), total - 1 - first)
    total = int((lengths - 1).sum())
    seen = _union(plan.pieces, starts, held)
    places = sum(held[rows].max() * len(held[rows]) for rows in plan.batches)
    return StrategyCost(
        windows=len(plan.pieces),
        batches=len(plan.batches),
        unseen_share=1 - seen / max(1, total),
        repeated_share=float(held.sum() - seen) / max(1, total),
        padding_share=1 - float(held.sum()) / max(1, int(places)),
    )


def _union(pieces: Ints, starts: Ints, lengths: Ints) -> int:
    """Tokens that lie in a window at least."""
    far = int((starts + lengths).max(initial=0)) + 1
    order = np.lexsort((starts, pieces))
    begin = (pieces * far + starts)[order]
    end = begin + lengths[order]
    latest = np.maximum.accumulate(np.append(0, end))
    return int(np.maximum(0, end - np.maximum(begin, latest[:-1])).sum())
