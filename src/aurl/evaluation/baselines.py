"""What a trained model must beat: counts of what follows what, in the corpus and in the piece itself.

    n-gram    each field given the fields before it in its row and the same field of the rows before
    copy      the n-gram, and what the piece itself did after the longest match with what just happened

Both are chains of contexts, from none to the most detailed. What has been counted after a context is blended with what
is believed without it:

    p(v | c) = (1 - w) p(v | shorter c) + w n(c, v) / n(c)

with a weight w for each class of (how often c was seen, how many values followed it), learned by expectation
maximisation from pieces that were not counted: interpolated estimation (Jelinek, Mercer 1980) with classes like those
of PPM's escapes (Cleary, Witten 1984; Shkarin 2002). The copy model blends what a piece has done so far into what a
corpus does, the short- and long-term models of music (Conklin, Witten 1995).

Nothing is known of what a field means. Contexts are told apart by hashes of 64 bits: that any two of a million are
taken for one has a chance of 3e-8.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from aurl.data.tokenizers import Tokenizer
from aurl.evaluation.likelihood import LikelihoodReport, report_of
from aurl.utils.errors import CorpusError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Hashes = NDArray[np.uint64]
Context = tuple[tuple[int, int], ...]
"""What is looked at, as (rows back, field)."""
LOOKBACK = 3
"""Rows before that the n-gram looks at."""
MATCHES = (1, 2, 4, 8, 16)
"""Lengths, in rows, of what the copy model matches."""
LEADING = 3
"""Fields of those rows that must be the same: when, who and what of `note`, as loudness is hardly ever the same."""
HELD_OUT = 10
"""One piece in so many teaches the weights."""
ROUNDS = 30
CLASSES = 32
"""Of counts, by powers of two."""


class Counts(NamedTuple):
    """What followed the context of each prediction before: how often anything, the true value, how many values."""

    seen: Ints
    hits: Ints
    distinct: Ints


class Stream(NamedTuple):
    """The rows `[t, f]` of pieces end to end, each after rows of -1, and which fields of them are to be predicted."""

    rows: Ints
    piece: Ints
    counted: NDArray[np.bool_]

    @classmethod
    def of(cls, pieces: Sequence[NDArray[Any]], tokenizer: Tokenizer) -> Stream:
        """All but the first row of each piece are predicted, where their fields are a choice."""
        before = np.full((max(LOOKBACK, *MATCHES), pieces[0].shape[1]), -1)
        rows = np.concatenate([part for piece in pieces for part in (before, piece.astype(np.int64))])
        lengths = [len(before) + len(piece) for piece in pieces]
        counted = np.zeros(rows.shape, np.bool_)
        for piece, end in zip(pieces, np.cumsum(lengths), strict=True):
            counted[end - len(piece) + 1 : end] = tokenizer.field_mask(piece[1:])
        return cls(rows, np.repeat(np.arange(len(pieces)), lengths), counted)

    def hashes(self, at: Ints, context: Context) -> Hashes:
        """What stands in `context` before each of the rows `at`, as one number."""
        found = np.full(len(at), len(context), np.uint64)
        for back, column in context:
            found = mixed(found, self.rows[at - back, column])
        return found


def mixed(hashes: Hashes, values: Ints) -> Hashes:
    """Hashes, or one number for all, with one more value each (Steele, Lea, Flood 2014: SplitMix64)."""
    mixing = (hashes ^ values.astype(np.uint64)) + np.uint64(0x9E3779B97F4A7C15)
    mixing = (mixing ^ (mixing >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixing = (mixing ^ (mixing >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(mixing ^ (mixing >> np.uint64(31)))


@dataclass(frozen=True)
class CorpusCounts:
    """What followed each context in a corpus."""

    contexts: Hashes
    seen: Ints
    distinct: Ints
    followed: Hashes
    """Contexts with the value after them."""
    hits: Ints

    @classmethod
    def of(cls, contexts: Hashes, values: Ints) -> CorpusCounts:
        """Count."""
        followed, first, hits = np.unique(mixed(contexts, values), return_index=True, return_counts=True)
        unique, seen = np.unique(contexts, return_counts=True)
        distinct = np.bincount(np.searchsorted(unique, contexts[first]), minlength=len(unique))
        return cls(unique, seen, distinct, followed, hits)

    def look_up(self, contexts: Hashes, values: Ints) -> Counts:
        """What is known of contexts and the values that follow them now; 0 of what never was."""
        at = np.minimum(np.searchsorted(self.contexts, contexts), len(self.contexts) - 1)
        is_known = self.contexts[at] == contexts
        pairs = mixed(contexts, values)
        where = np.minimum(np.searchsorted(self.followed, pairs), len(self.followed) - 1)
        hits = self.hits[where] * (self.followed[where] == pairs)
        return Counts(self.seen[at] * is_known, hits, self.distinct[at] * is_known)


def piece_counts(contexts: Hashes, values: Ints) -> Counts:
    """What followed each context earlier in the same piece; the context tells the piece."""
    hits = earlier(mixed(contexts, values))
    order = np.argsort(contexts, kind="stable")
    seen = earlier(contexts)
    is_new = (hits == 0)[order].astype(np.int64)
    before = np.cumsum(is_new) - is_new
    distinct = np.empty_like(seen)
    distinct[order] = before - before[np.arange(len(order)) - seen[order]]
    return Counts(seen, hits, distinct)


def earlier(keys: Hashes) -> Ints:
    """How often each key has come before."""
    order = np.argsort(keys, kind="stable")
    places = np.arange(len(keys))
    is_first = np.append(True, keys[order][1:] != keys[order][:-1])[: len(keys)]
    found = np.empty(len(keys), np.int64)
    found[order] = places - np.maximum.accumulate(np.where(is_first, places, 0))
    return found


def classes(counts: Counts) -> Ints:
    """The class of each context, by how often it was seen and how many values followed it."""
    seen, distinct = (np.frexp(count.astype(np.float64))[1] for count in (counts.seen, counts.distinct))
    return np.asarray(seen * CLASSES + distinct, np.int64)


def learned_weights(probabilities: Floats, counts: Counts) -> Floats:
    """For each class of contexts, the weight that makes the blend likeliest, by expectation maximisation."""
    kinds, frequency = classes(counts), _frequency(counts)
    total = np.bincount(kinds, minlength=CLASSES**2)
    weights = np.full(CLASSES**2, 0.5)
    for _ in range(ROUNDS):
        share = weights[kinds] * frequency
        share /= share + (1 - weights[kinds]) * probabilities
        weights = (np.bincount(kinds, share, CLASSES**2) + 0.5) / (total + 1)
    return weights


def blended(probabilities: Floats, counts: Counts, weights: Floats) -> Floats:
    """What is believed with a context, from what is believed without; a context never seen changes nothing."""
    weight = weights[classes(counts)] * (counts.seen > 0)
    return np.asarray((1 - weight) * probabilities + weight * _frequency(counts))


def _frequency(counts: Counts) -> Floats:
    return np.asarray(counts.hits / np.maximum(counts.seen, 1))


def corpus_contexts(column: int) -> list[Context]:
    """What the n-gram looks at for a field: more and more of its row, then of the same field of the rows before."""
    row = tuple((0, earlier) for earlier in reversed(range(column)))
    same = tuple((back, column) for back in range(1, LOOKBACK + 1))
    return [(), same[:1], row[:1], row, *(row + same[:length] for length in range(1, LOOKBACK + 1))]


def piece_contexts(column: int, fields: int) -> list[Context]:
    """What the copy model looks at for a field: nothing, its row so far, and that with ever more rows before."""
    row = tuple((0, earlier) for earlier in range(column))
    rows = [(back, leading) for back in range(1, MATCHES[-1] + 1) for leading in range(min(LEADING, fields))]
    lengths = [length * min(LEADING, fields) for length in MATCHES]
    return list(dict.fromkeys([(), row, *(row + tuple(rows[:length]) for length in lengths)]))


@dataclass(frozen=True)
class CorpusLevel:
    """A context of the n-gram: what followed it, and how far that is trusted."""

    context: Context
    counts: CorpusCounts
    weights: Floats

    def look_up(self, stream: Stream, at: Ints, values: Ints) -> Counts:
        """What the corpus knows about the context of each of the rows `at`."""
        return self.counts.look_up(stream.hashes(at, self.context), values)


@dataclass(frozen=True)
class PieceLevel:
    """A context of the copy model, and how far what followed it in the piece is trusted."""

    context: Context
    weights: Floats

    def look_up(self, stream: Stream, at: Ints, values: Ints) -> Counts:
        """What the piece has done so far in the context of each of the rows `at`."""
        return piece_counts(mixed(stream.hashes(at, self.context), stream.piece[at]), values)


class Baseline:
    """A chain of contexts for each field; `fit` makes one."""

    def __init__(self, tokenizer: Tokenizer, chains: Sequence[Sequence[CorpusLevel | PieceLevel]]) -> None:
        self.tokenizer, self.chains = tokenizer, chains

    def report(self, pieces: Sequence[NDArray[Any]]) -> LikelihoodReport:
        """The likelihood of `pieces` (int[t, f], start token first), each read from its start to its end at once."""
        stream = Stream.of(pieces, self.tokenizer)
        bits = np.zeros(stream.rows.shape)
        for column in range(len(self.chains)):
            at = np.flatnonzero(stream.counted[:, column])
            bits[at, column] = -np.log2(self.probabilities(stream, column, at))
        ends = np.flatnonzero(np.append(np.diff(stream.piece), 1)) + 1
        return report_of(np.add.reduceat(bits, [0, *ends[:-1]]), pieces, self.tokenizer)

    def probabilities(self, stream: Stream, column: int, at: Ints) -> Floats:
        """Of what a field holds in the rows `at`, each given all before it."""
        values = stream.rows[at, column]
        found = np.full(len(at), 1 / self.tokenizer.vocabulary.sizes[column])
        for level in self.chains[column]:
            found = blended(found, level.look_up(stream, at, values), level.weights)
        return found


def fit(pieces: Sequence[NDArray[Any]], tokenizer: Tokenizer) -> dict[str, Baseline]:
    """The `n-gram` and the `copy` model of a corpus, two pieces (int[t, f]) at least."""
    held = pieces[::HELD_OUT]
    learned = [piece for number, piece in enumerate(pieces) if number % HELD_OUT]
    if not learned:
        raise CorpusError("too few pieces to count", found=len(pieces), hint="a baseline needs two at least")
    counted, weighed, whole = (Stream.of(part, tokenizer) for part in (learned, held, pieces))
    chains = [_chain(counted, weighed, whole, column, size) for column, size in enumerate(tokenizer.vocabulary.sizes)]
    ngram = [[level for level in chain if isinstance(level, CorpusLevel)] for chain in chains]
    return {"n-gram": Baseline(tokenizer, ngram), "copy": Baseline(tokenizer, chains)}


def _chain(learned: Stream, held: Stream, whole: Stream, column: int, size: int) -> list[CorpusLevel | PieceLevel]:
    """The levels of a field: weights from `held` with counts of `learned`, then the counts of the `whole`."""
    at, learned_at, whole_at = (np.flatnonzero(stream.counted[:, column]) for stream in (held, learned, whole))
    values, believed = held.rows[at, column], np.full(len(at), 1 / size)
    levels: list[CorpusLevel | PieceLevel] = []
    for context in corpus_contexts(column):
        counts = CorpusCounts.of(learned.hashes(learned_at, context), learned.rows[learned_at, column])
        found = counts.look_up(held.hashes(at, context), values)
        weights = learned_weights(believed, found)
        believed = blended(believed, found, weights)
        counts = CorpusCounts.of(whole.hashes(whole_at, context), whole.rows[whole_at, column])
        levels.append(CorpusLevel(context, counts, weights))
    for context in piece_contexts(column, held.rows.shape[1]):
        found = piece_counts(mixed(held.hashes(at, context), held.piece[at]), values)
        levels.append(PieceLevel(context, learned_weights(believed, found)))
        believed = blended(believed, found, levels[-1].weights)
    return levels
