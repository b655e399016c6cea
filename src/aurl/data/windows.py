"""Which windows of which pieces make the batches of an epoch: a plan from the lengths of pieces alone.

A piece of n tokens has max(1, round(n / context)) windows of up to `context` + 1 tokens. A window is planned as a
place between the beginning (0) and the end (1) of its piece; `first_token` finds it in the tokens, so that a piece
whose tokens are augmented in one epoch and not in another needs no other plan.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Windows = Literal["sliding", "truncate", "adaptive"]
BLOCK_PIECES = 256
"""Most pieces in use at a time."""


class EpochPlan(NamedTuple):
    """The windows of an epoch: number of the piece in its split, place, targets; batches are slices of them."""

    pieces: Ints
    places: Floats
    lengths: Ints
    batches: tuple[slice, ...]


def plan_epoch(
    piece_lengths: Ints,
    *,
    windows: Windows,
    context: int,
    batch_tokens: int,
    rng: np.random.Generator,
    shares: Floats | None = None,
) -> EpochPlan:
    """Cut pieces of `piece_lengths` tokens into windows, and those into batches of at most `batch_tokens`.

    `shares` tells how often each piece is read in the epoch, once if not given: half of those with 1.5 are read twice.
    """
    order = np.arange(len(piece_lengths))
    if shares is not None:
        order = np.repeat(order, np.floor(shares + rng.random(len(shares))).astype(np.int64))
    order = rng.permutation(order)
    fitting = np.rint(piece_lengths[order] / context).astype(np.int64)
    counts = np.ones(len(order), np.int64) if windows == "truncate" else np.maximum(1, fitting)
    pieces = np.repeat(order, counts)
    lengths = np.minimum(piece_lengths[pieces] - 1, context)
    places = np.zeros(len(pieces)) if windows == "truncate" else _places(counts, rng)
    ceilings = _round_up(lengths, context)
    block_count = -(-len(order) // BLOCK_PIECES)
    blocks = np.repeat(np.arange(len(order)) * block_count // len(order), counts)
    rows = np.lexsort((rng.random(len(pieces)), -ceilings, blocks))
    edges = _batch_edges(ceilings[rows], blocks[rows], batch_tokens)
    shuffled = np.lexsort((rng.random(len(edges) - 1), blocks[rows][edges[:-1]]))
    batches = tuple(slice(edges[batch], edges[batch + 1]) for batch in shuffled)
    return EpochPlan(pieces[rows], places[rows], lengths[rows], batches)


def first_token(place: float, total: int, length: int) -> int:
    """First token of the window of `length` targets at `place` of a piece of `total` tokens.

    The piece is stretched by half a window at both ends, and what falls outside is moved inside again: a token in the
    middle is seen about once an epoch, the first and the last every third epoch or more often.
    """
    last_start = max(0, total - 1 - length)
    return int(np.clip(int(place * (last_start + length)) - length // 2, 0, last_start))


def at_bar(first: int, bars: Ints, total: int, length: int) -> int:
    """The first token of a bar at or after token `first`; of the bar it is in, where little would be left of `length`.

    `bars` are the first tokens of bars. Going on rather than back keeps the end of a piece in reach.
    """
    following = int(np.searchsorted(bars, first))
    if following < len(bars) and total - 1 - bars[following] >= length // 2:
        return int(bars[following])
    return int(bars[following - 1]) if following else first


def bar_starts(bars: NDArray[np.integer]) -> Ints:
    """The tokens that begin a bar, the first of the piece among them, from the bar of each token."""
    return np.append(0, np.flatnonzero(np.diff(bars) > 0) + 1)


def _places(counts: Ints, rng: np.random.Generator) -> Floats:
    """A place, 0 to 1, in each of `counts` equal parts of a piece, for each piece in turn."""
    total = int(counts.sum())
    number = np.arange(total) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.asarray((number + rng.random(total)) / np.repeat(counts, counts))


def _round_up(lengths: Ints, context: int) -> Ints:
    """Lengths as the upper ends of classes about a tenth wide, so that windows of one class differ little."""
    ends = [1]
    while ends[-1] < context:
        ends.append(min(context, ends[-1] + max(1, ends[-1] // 10)))
    return np.array(ends)[np.searchsorted(ends, lengths)]


def _batch_edges(ceilings: Ints, blocks: NDArray[np.intp], batch_tokens: int) -> list[int]:
    """Row numbers between batches, for windows sorted by block and, in a block, from long to short."""
    ends = np.flatnonzero(np.diff(blocks, append=-1)) + 1
    capacity = batch_tokens // ceilings
    edges = [0]
    for end in ends.tolist():
        while edges[-1] < end:
            edges.append(min(end, edges[-1] + int(capacity[edges[-1]])))
    return edges
