"""The order in which training reads a corpus: batch `step` is a pure function of (corpus, tokenizer, seed, step).

An epoch gives a piece windows in proportion to its length, at places that differ from epoch to epoch; a piece that
fits is one window, whole (see `aurl.data.windows`). The pieces are shuffled and taken in blocks. In a block, windows of
similar length make batches of at most `batch_tokens` tokens, padding included, and the batches are shuffled: so few
pieces are in use at a time that each is augmented and tokenized about once an epoch, on the fly; without augmentation
its tokens come from a cache (`aurl.data.token_cache`). Any number of processes that read batches in any order therefore
see one stream, and resuming needs the number of the step alone.

A window that begins inside a piece begins with the tokenizer's preamble (tracks, tempo, metre), as windows do where a
model is scored or writes a long piece; what is given there is not learned.

Windows are planned by the lengths of pieces as they are. A piece that is augmented may have more or fewer tokens: its
windows lie at the same share of its length, no longer than planned. A window that is put in the order of a task
(`aurl.data.tokenizers.tasks`) is cut where that makes it longer.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from aurl.data.augmentation import AugmentationConfig, Augmenter, augmented
from aurl.data.augmentation.base import NONE, Draws
from aurl.data.course import Course
from aurl.data.genres import short_name
from aurl.data.store import Corpus
from aurl.data.token_cache import TokenCache
from aurl.data.tokenizers import Tokenizer
from aurl.data.tokenizers.base import Tokens
from aurl.data.tokenizers.tasks import Slips, TasksConfig
from aurl.data.windows import EpochPlan, Floats, Windows, at_bar, bar_starts, first_token, plan_epoch
from aurl.utils.errors import ConfigError, CorpusError

Ints = NDArray[np.int64]
KEPT_BYTES = 64 << 20
"""Most memory for encoded pieces; a block of 256 takes 4 to 16 MB of event tokens."""
KEPT_PLANS = 2
WHOLE = Course()
PLAIN = TasksConfig()
NOTHING: Ints = np.zeros(0, np.int64)


@dataclass(frozen=True)
class Batch:
    """One batch: `targets[:, t]` is the token after `inputs[:, t]`, and counts where the mask is True."""

    inputs: Ints
    """int64[b, t, f]"""
    targets: Ints
    """int64[b, t, f]"""
    mask: NDArray[np.bool_]
    """bool[b, t, f], False at padding, in preambles and where a field follows from those before it."""
    notes: int
    """Notes that begin in the targets that count."""
    epoch: int
    """How often all pieces have been gone through before."""


class EncodedPiece(NamedTuple):
    """A piece as tokens."""

    tokens: Tokens
    bars: Ints
    """First token of each bar; looked for only where windows are adaptive."""

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        return self.tokens.nbytes + self.bars.nbytes


class TokenDataset:
    """Batches of one split of a corpus, in the order that `seed` defines; an instance is for one thread."""

    def __init__(  # noqa: PLR0913 -- all but two by name, each decides the stream
        self,
        corpus: Corpus,
        tokenizer: Tokenizer,
        *,
        split: str,
        context: int,
        batch_tokens: int,
        seed: int,
        augment: Sequence[AugmentationConfig] = (),
        windows: Windows = "sliding",
        length: Course = WHOLE,
        tasks: TasksConfig = PLAIN,
        slips: float = 0.0,
        mix: Mapping[str, float] = MappingProxyType({}),
    ) -> None:
        """Pieces are augmented by each of `augment` in turn, anew in each epoch; `length` is the share of the context
        that windows use, by epoch; `tasks` put some windows in another order, `slips` puts mistakes into what is read;
        `mix` gives genres their shares.
        """
        if context < 2:
            raise ConfigError("a context needs two tokens at least", found=context)
        if batch_tokens < context:
            hint = f"raise batch_tokens to {context} or lower the context"
            raise ConfigError("a batch must hold one whole context", found=f"batch_tokens={batch_tokens}", hint=hint)
        self.corpus, self.tokenizer, self.split = corpus, tokenizer, split
        self.context, self.batch_tokens, self.seed = context, batch_tokens, seed
        self.augment, self.windows, self.length, self.tasks = tuple(augment), windows, length, tasks
        self.slips, self.mix = slips, dict(mix)
        self.indices = corpus.indices(split)
        if not len(self.indices):
            raise CorpusError(f"the corpus has no pieces in its split {split!r}", found=_told(corpus.splits))
        self._forget()
        self.lengths = self._cache.lengths(
            len(self.indices), lambda piece: self._piece(piece).tokens, keep_tokens=not self.augment
        )
        self.shares = self._shares() if self.mix else None

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
        columns = (plan.pieces[rows].tolist(), plan.places[rows].tolist(), plan.lengths[rows].tolist())
        windows, known = zip(*(self._window(epoch, *row) for row in zip(*columns, strict=True)), strict=True)
        rng = np.random.default_rng([self.seed, epoch, index])
        told = [self._slips(window, rng) for window in windows]
        length, pad = max(len(one.read) for one in told), self.tokenizer.vocabulary.pad
        read = np.stack([_padded(one.read, length, pad) for one in told])
        wanted = np.stack([_padded(one.wanted, length, pad) for one in told])[:, 1:] if self.slips else read[:, 1:]
        counts = np.stack([_padded(one.counts, length, False) for one in told])[:, 1:]
        counts &= np.arange(1, length) >= np.array(known)[:, None]
        notes = sum(self.tokenizer.note_count(one.wanted[1:][one.counts[1:]]) for one in told)
        return Batch(read[:, :-1], wanted, counts[..., None] & self.tokenizer.field_mask(wanted), notes, epoch)

    def _slips(self, window: Tokens, rng: np.random.Generator) -> Slips:
        """A window as it is read, no longer than it is."""
        if not self.slips:
            return Slips(window, window, np.ones(len(window), np.bool_))
        return Slips(*(part[: len(window)] for part in self.tokenizer.slips(window, self.slips, rng)))

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
        self._pieces: OrderedDict[tuple[int, int | None], EncodedPiece] = OrderedDict()
        self._bytes = 0
        self._plan = lru_cache(KEPT_PLANS)(self._make_plan)
        self._augmenter = Augmenter(self.augment, self.seed)
        self._cache = TokenCache(self.corpus, self.tokenizer, self.split)

    def _make_plan(self, epoch: int) -> EpochPlan:
        return plan_epoch(
            self.lengths,
            windows=self.windows,
            context=max(2, round(self.length.at(epoch) * self.context)),
            batch_tokens=self.batch_tokens,
            rng=np.random.default_rng([self.seed, epoch]),
            shares=self.shares,
        )

    def _shares(self) -> Floats:
        """How often an epoch reads each piece, so that the tokens of the genres are as `mix` wants them."""
        names = [short_name(self.corpus.metadata(int(index)).get("genre", ""), self.mix) for index in self.indices]
        tokens = {name: int(self.lengths[[found == name for found in names]].sum()) for name in self.mix}
        if missing := [name for name, total in tokens.items() if not total]:
            raise CorpusError("the mix names genres that the corpus lacks", found=", ".join(missing))
        share = {name: self.mix[name] / sum(self.mix.values()) for name in self.mix}
        mixed = sum(tokens.values())
        return np.array([0.0 if name is None else share[name] * mixed / tokens[name] for name in names])

    def _window(self, epoch: int, piece: int, place: float, length: int) -> tuple[Tokens, int]:
        """The tokens at `place` of a piece as it is in an epoch, one more than the `length` targets at most.

        And how many of them are its preamble, which is given: as evaluation and generation read windows.
        """
        tokens, bars = self._piece(piece, epoch)
        first = first_token(place, len(tokens), length)
        if self.windows == "adaptive":
            first = at_bar(first, bars, len(tokens), length)
            known = self.tokenizer.known(tokens, first, first + length + 1)
            first = max(0, first + 1 - max(1, known))  # the last row of the preamble in place of the bar line
        stop = first + length + 1
        window, known = self.tokenizer.window(tokens, first, stop), self.tokenizer.known(tokens, first, stop)
        if self.tasks.is_plain:
            return window, known
        rng = np.random.default_rng([self.seed, epoch, piece, first])
        return self.tokenizer.arranged(window, self.tasks, rng)[: length + 1], known

    def _piece(self, piece: int, epoch: int | None = None) -> EncodedPiece:
        """Piece number `piece` of the split as it is in an epoch, or in none; those used last stay in memory."""
        draws = NONE if epoch is None else self._augmenter.draw(epoch, piece)
        is_varied = bool(draws[0])
        key = (piece, epoch if is_varied else None)
        kept = self._pieces.pop(key, None)
        if kept is None:
            known = None if is_varied else self._cache.get(piece)
            tokens = self._encoded(piece, draws) if known is None else known
            adaptive = self.windows == "adaptive"
            kept = EncodedPiece(tokens, bar_starts(self.tokenizer.clock(tokens).bars) if adaptive else NOTHING)
            self._bytes += kept.nbytes
        self._pieces[key] = kept
        while self._bytes > KEPT_BYTES and len(self._pieces) > 1:
            self._bytes -= self._pieces.popitem(last=False)[1].nbytes
        return kept

    def _encoded(self, piece: int, draws: Draws) -> Tokens:
        """The tokens of a piece; without `draws` they are a function of corpus, tokenizer and piece alone."""
        score = self.corpus.score(int(self.indices[piece]))
        return self.tokenizer.encode(augmented(score, draws))


def _padded(rows: NDArray[Any], length: int, value: Any) -> NDArray[Any]:
    """`length` rows, those that are lacking having one value."""
    padded = np.empty((length, *rows.shape[1:]), np.int64 if rows.ndim > 1 else rows.dtype)
    padded[: len(rows)], padded[len(rows) :] = rows, value
    return padded


def _told(splits: dict[str, int]) -> str:
    return ", ".join(f"{pieces} in {name!r}" for name, pieces in splits.items())
