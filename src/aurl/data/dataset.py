"""The order in which training reads a corpus: batch `step` is a pure function of (corpus, tokenizer, seed, step).

An epoch gives a piece of n tokens max(1, round(n / context)) windows of up to `context` + 1 tokens, at places that
differ from epoch to epoch; a piece that fits is one window, whole. The pieces are shuffled and taken in blocks. In a
block, windows of similar length make batches of at most `batch_tokens` tokens, padding included, and the batches are
shuffled: so few pieces are in use at a time that each is tokenized about once an epoch, on the fly. Any number of
processes that read batches in any order therefore see one stream, and resuming needs the number of the step alone.
"""

from __future__ import annotations

import hashlib
import io
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from aurl.data.store import Corpus
from aurl.data.tokenizers import Tokenizer
from aurl.data.tokenizers.base import Tokens
from aurl.music.transforms import transpose, transposition_range
from aurl.utils.errors import ConfigError, CorpusError
from aurl.utils.files import write_file

Ints = NDArray[np.int64]
BLOCK_PIECES = 256
"""Most pieces in use at a time."""
KEPT_BYTES = 64 << 20
"""Most memory for encoded pieces; a block of 256 takes 4 to 16 MB of event tokens."""
KEPT_PLANS = 2


@dataclass(frozen=True)
class Batch:
    """One batch: `targets[:, t]` is the token after `inputs[:, t]`, and counts where the mask is True."""

    inputs: Ints
    """int64[b, t, f]"""
    targets: Ints
    """int64[b, t, f]"""
    mask: NDArray[np.bool_]
    """bool[b, t], False at padding."""
    notes: int
    """Notes that begin in the targets that count."""
    epoch: int
    """How often all pieces have been gone through before."""


class EpochPlan(NamedTuple):
    """The windows of an epoch: number of the piece in its split, first token, targets; batches are slices of them."""

    pieces: Ints
    starts: Ints
    lengths: Ints
    batches: tuple[slice, ...]


class TokenDataset:
    """Batches of one split of a corpus, in the order that `seed` defines; an instance is for one thread."""

    def __init__(
        self,
        corpus: Corpus,
        tokenizer: Tokenizer,
        *,
        split: str,
        context: int,
        batch_tokens: int,
        seed: int,
        transpose: int = 0,
    ) -> None:
        """Each piece is moved by up to `transpose` semitones up or down, anew in each epoch, within a piano's range."""
        if context < 2:
            raise ConfigError("a context needs two tokens at least", found=context)
        if batch_tokens < context:
            hint = f"raise batch_tokens to {context} or lower the context"
            raise ConfigError("a batch must hold one whole context", found=f"batch_tokens={batch_tokens}", hint=hint)
        self.corpus, self.tokenizer, self.split = corpus, tokenizer, split
        self.context, self.batch_tokens, self.seed, self.transpose = context, batch_tokens, seed, transpose
        self.indices = corpus.indices(split)
        if not len(self.indices):
            raise CorpusError(f"the corpus has no pieces in its split {split!r}", found=_told(corpus.splits))
        self._forget()
        self.lengths = self._read_lengths()

    def __getstate__(self) -> dict[str, Any]:
        """All but what can be made again, so that workers start light."""
        return {name: value for name, value in self.__dict__.items() if not name.startswith("_")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._forget()

    def batch(self, step: int) -> Batch:
        """Batch number `step`, from 0, over all epochs."""
        epoch, index = self.locate(step)
        plan = self._plan(epoch)
        rows = plan.batches[index]
        lengths = plan.lengths[rows]
        tokens = np.empty((len(lengths), lengths.max() + 1, len(self.tokenizer.vocabulary.pad)), np.int64)
        tokens[:] = self.tokenizer.vocabulary.pad
        notes = 0
        for row, piece, start, length in zip(tokens, plan.pieces[rows], plan.starts[rows], lengths, strict=True):
            window = self._encoded(int(piece), self._semitones(epoch, int(piece)))[start : start + length + 1]
            row[: length + 1] = window  # a piece has as many tokens wherever on the piano it is moved
            notes += self.tokenizer.note_count(window[1:])
        mask = np.arange(lengths.max()) < lengths[:, None]
        return Batch(tokens[:, :-1], tokens[:, 1:], mask, notes, epoch)

    def locate(self, step: int) -> tuple[int, int]:
        """The epoch of batch `step`, and its number in that epoch; raises IndexError below 0."""
        if step < 0:
            raise IndexError(f"batch {step}")
        while step >= self._ends[-1]:
            self._ends.append(self._ends[-1] + self.batches_in_epoch(len(self._ends) - 1))
        epoch = bisect_right(self._ends, step) - 1
        return epoch, step - self._ends[epoch]

    def batches_in_epoch(self, epoch: int) -> int:
        """Batches of an epoch; a few more or less from one to another."""
        return len(self._plan(epoch).batches)

    def pieces(self, split: str) -> Iterator[Tokens]:
        """Every piece of a split, whole and in order, encoded as it is asked for."""
        return (self.tokenizer.encode(self.corpus.score(int(index))) for index in self.corpus.indices(split))

    def _forget(self) -> None:
        self._ends = [0]
        self._pieces: OrderedDict[tuple[int, int], Tokens] = OrderedDict()
        self._bytes = 0
        self._plan = lru_cache(KEPT_PLANS)(self._make_plan)

    def _make_plan(self, epoch: int) -> EpochPlan:
        rng = np.random.default_rng([self.seed, epoch])
        return plan_epoch(self.lengths, context=self.context, batch_tokens=self.batch_tokens, rng=rng)

    def _semitones(self, epoch: int, piece: int) -> int:
        """How far a piece is moved in an epoch, before its range is looked at."""
        if not self.transpose:
            return 0
        return int(np.random.default_rng([self.seed, epoch, piece]).integers(-self.transpose, self.transpose + 1))

    def _encoded(self, piece: int, semitones: int = 0) -> Tokens:
        """The tokens of piece number `piece` of the split; those used last stay in memory."""
        key = (piece, semitones)
        tokens = self._pieces.pop(key, None)
        if tokens is None:
            score = self.corpus.score(int(self.indices[piece]))
            tokens = self.tokenizer.encode(transpose(score, int(np.clip(semitones, *transposition_range(score)))))
            self._bytes += tokens.nbytes
        self._pieces[key] = tokens
        while self._bytes > KEPT_BYTES and len(self._pieces) > 1:
            self._bytes -= self._pieces.popitem(last=False)[1].nbytes
        return tokens

    def _read_lengths(self) -> Ints:
        """Tokens of each piece of the split, from the corpus's cache if it is there and whole."""
        told = f"{self.corpus.fingerprint} {self.tokenizer.fingerprint} {self.split}"
        path = self.corpus.cache_dir / f"lengths-{hashlib.sha256(told.encode()).hexdigest()[:32]}.npy"
        try:
            lengths = np.load(path)
            if lengths.shape == self.indices.shape and lengths.dtype == np.int64 and lengths.min() > 0:
                return np.asarray(lengths)
        except (FileNotFoundError, ValueError, EOFError):  # missing, or cut short
            pass
        lengths = np.array([len(self._encoded(piece)) for piece in range(len(self.indices))], np.int64)
        content = io.BytesIO()
        np.save(content, lengths)
        write_file(path, content.getvalue())
        return lengths


def plan_epoch(piece_lengths: Ints, *, context: int, batch_tokens: int, rng: np.random.Generator) -> EpochPlan:
    """Cut pieces of `piece_lengths` tokens into windows, and those into batches of at most `batch_tokens`."""
    order = rng.permutation(len(piece_lengths))
    counts = np.maximum(1, np.rint(piece_lengths[order] / context).astype(np.int64))
    pieces = np.repeat(order, counts)
    starts, lengths = _windows(piece_lengths[pieces], counts, context, rng)
    ceilings = _round_up(lengths, context)
    block_count = -(-len(order) // BLOCK_PIECES)
    blocks = np.repeat(np.arange(len(order)) * block_count // len(order), counts)
    rows = np.lexsort((rng.random(len(pieces)), -ceilings, blocks))
    edges = _batch_edges(ceilings[rows], blocks[rows], batch_tokens)
    shuffled = np.lexsort((rng.random(len(edges) - 1), blocks[rows][edges[:-1]]))
    batches = tuple(slice(edges[batch], edges[batch + 1]) for batch in shuffled)
    return EpochPlan(pieces[rows], starts[rows], lengths[rows], batches)


def _windows(totals: Ints, counts: Ints, context: int, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """First token and targets of each window of pieces of `totals` tokens (a row a window, `counts` rows a piece).

    The windows of a piece are drawn from equal parts of it, stretched by half a context at both ends and moved inside
    again: a token in the middle is seen about once an epoch, the first and the last every third epoch or more often.
    """
    lengths = np.minimum(totals - 1, context)
    last_start = totals - 1 - lengths
    number = np.arange(len(totals)) - np.repeat(np.cumsum(counts) - counts, counts)
    place = (number + rng.random(len(totals))) / np.repeat(counts, counts)
    drawn = np.floor(place * (last_start + context)).astype(np.int64) - context // 2
    return np.clip(drawn, 0, last_start), lengths


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


def _told(splits: dict[str, int]) -> str:
    return ", ".join(f"{pieces} in {name!r}" for name, pieces in splits.items())
