"""Bits per note, per second and per token: how surprised a model is by music it has not seen.

    bits per note = sum over all tokens and fields of -log2 p(value | what came before) / number of notes

Bits per note and per second compare models over tokenizers of one resolution, bits per token only models that share
a tokenizer. All of every piece is scored, each token exactly once; its first row, the start token, is given. A field
that follows from the fields before it (a bar line has no loudness) costs nothing. A piece longer than the context is
read through windows that overlap by half and begin with the tokenizer's preamble: whatever stands deeper in a piece
than half a context is scored with nearly half a context of history (a preamble longer than that is left out). Padding
is never counted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray
from torch import Tensor

from aurl.data.tokenizers import Tokenizer
from aurl.evaluation.statistics import Interval, bootstrap, paired_difference, ratio_of_sums
from aurl.utils.errors import CorpusError

Tokens = NDArray[Any]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Unit = Literal["note", "second", "token", "choice"]


@runtime_checkable
class ScoringModel(Protocol):
    """What likelihood needs of a model; a causal `MusicModel` has it."""

    training: bool

    def nll(
        self, tokens: Int[Tensor, "b t f"], targets: Int[Tensor, "b t f"], mask: Bool[Tensor, "b t f"]
    ) -> Float[Tensor, "b t f"]:
        """Nats for the fields of `targets`, the token after each of `tokens`, that `mask` counts; 0 for the others."""

    def parameters(self) -> Iterator[Any]:
        """The weights; they tell the device."""

    def train(self, mode: bool = True) -> Any:
        """Switch dropout on or off."""


@dataclass(frozen=True, eq=False)
class LikelihoodReport:
    """The likelihood of held-out pieces, in bits; arrays have a row a piece, so two reports can be compared paired."""

    piece_bits: Floats
    """By piece and field."""
    piece_choices: Ints
    """How many fields cost something, by piece and field: those that `field_mask` counts."""
    piece_notes: Ints
    piece_tokens: Ints
    """Tokens scored: all but the first."""
    piece_seconds: Floats
    """How long each piece sounds."""
    fields: tuple[str, ...]
    """Names of the fields."""
    resolution: str
    """What the tokens can tell apart, in words: figures at another resolution are of another music."""

    @property
    def notes(self) -> int:
        """Notes in the pieces."""
        return int(self.piece_notes.sum())

    @property
    def tokens(self) -> int:
        """Tokens scored."""
        return int(self.piece_tokens.sum())

    @property
    def bits_per_note(self) -> float:
        """Comparable over tokenizers of one resolution."""
        return float(self.piece_bits.sum()) / self.notes

    @property
    def bits_per_second(self) -> float:
        """By the time that the pieces sound; comparable also where notes are merged or cut."""
        return ratio_of_sums(self.values("second"))

    @property
    def bits_per_token(self) -> float:
        """All fields of a token together."""
        return float(self.piece_bits.sum()) / self.tokens

    @property
    def bits_per_token_by_field(self) -> tuple[float, ...]:
        """The share of each field in `bits_per_token`."""
        return tuple(float(bits) / self.tokens for bits in self.piece_bits.sum(axis=0))

    @property
    def perplexity(self) -> float:
        """Of a choice: 2 to the mean bits of a field that counts, so many values are as good as equally likely.

        A row of `note` is five choices and one of `event` is one: choices compare models of one tokenizer only.
        """
        return float(2 ** ratio_of_sums(self.values("choice")))

    def values(self, unit: Unit = "note", field: str | None = None) -> Floats:
        """Bits and units `[pieces, 2]`, of all fields or of one, whose sums make the figure: what is resampled.

        A field's bits are divided by all notes, seconds or tokens, but by its own choices.
        """
        at = slice(None) if field is None else [self.fields.index(field)]
        units = {
            "note": self.piece_notes,
            "second": self.piece_seconds,
            "token": self.piece_tokens,
            "choice": self.piece_choices[:, at].sum(axis=1),
        }
        return np.stack([self.piece_bits[:, at].sum(axis=1), units[unit]], axis=1).astype(np.float64)

    def interval(self, unit: Unit = "note", field: str | None = None) -> Interval:
        """Bits per unit, of all fields or the share of one, with its 95 % bootstrap interval over pieces."""
        return bootstrap(self.values(unit, field), ratio_of_sums)


def difference(
    one: LikelihoodReport, other: LikelihoodReport, unit: Unit = "note", field: str | None = None
) -> Interval:
    """Bits per unit of `one` less those of `other`, with the 95 % interval, pieces paired.

    Raises CorpusError for reports of other pieces.
    """
    if not np.array_equal(one.piece_seconds.round(1), other.piece_seconds.round(1)):
        raise CorpusError("the reports are of different pieces", hint="score the same split with both models")
    return paired_difference(one.values(unit, field), other.values(unit, field))


def report_of(piece_bits: Floats, pieces: Sequence[Tokens], tokenizer: Tokenizer) -> LikelihoodReport:
    """The report on `pieces` (int[t, f], start token first), of which each field took `piece_bits` `[pieces, f]`."""
    return LikelihoodReport(
        piece_bits=piece_bits,
        piece_choices=np.stack([tokenizer.field_mask(piece[1:]).sum(axis=0) for piece in pieces]),
        piece_notes=np.array([tokenizer.note_count(piece) for piece in pieces]),
        piece_tokens=np.array([len(piece) - 1 for piece in pieces]),
        piece_seconds=np.array([tokenizer.decode(piece).duration_seconds for piece in pieces]),
        fields=tuple(field.name for field in tokenizer.vocabulary.fields),
        resolution=tokenizer.resolution,
    )


@dataclass(frozen=True)
class Window:
    """Predictions `start` to `stop` of piece `number`, of which those from `scored` on count."""

    number: int
    piece: Tokens
    start: int
    stop: int
    scored: int

    def __len__(self) -> int:
        return self.stop - self.start


@torch.inference_mode()
def bits_per_note(
    model: ScoringModel,
    pieces: Iterable[Tokens],
    tokenizer: Tokenizer,
    *,
    context: int,
    batch_tokens: int = 8192,
    on_scored: Callable[[int], None] | None = None,
) -> LikelihoodReport:
    """Score every token of `pieces` (int[t, f], start token first), at most `batch_tokens` positions at a time.

    `on_scored` is told how many tokens more have been scored.
    """
    pieces = list(pieces)
    windows = [window for number, piece in enumerate(pieces) for window in split(piece, context, number)]
    if not windows or not any(tokenizer.note_count(piece) for piece in pieces):
        raise CorpusError("there are no notes to score", found=f"{len(pieces)} pieces", hint="choose another split")
    bits = np.zeros((len(pieces), pieces[0].shape[1]))
    training = model.training
    model.train(False)
    try:
        for batch in _batches(windows, batch_tokens):
            np.add.at(bits, [window.number for window in batch], _score(model, tokenizer, batch) / math.log(2))
            if on_scored is not None:
                on_scored(sum(window.stop - window.scored for window in batch))
    finally:
        model.train(training)
    return report_of(bits, pieces, tokenizer)


def split(piece: Tokens, context: int, number: int = 0) -> list[Window]:
    """Windows of at most `context` predictions that score each prediction of `piece` once; they overlap by half."""
    total = len(piece) - 1
    stops = [*range(min(context, total), total, max(1, context // 2)), total] if total > 0 else []
    scored = [0, *stops[:-1]]
    return [
        Window(number, piece, max(0, stop - context), stop, first) for stop, first in zip(stops, scored, strict=False)
    ]


def _batches(windows: list[Window], batch_tokens: int) -> Iterator[list[Window]]:
    """Windows of similar length together, longest first; padding included, a batch stays within `batch_tokens`."""
    queue = sorted(windows, key=len, reverse=True)
    while queue:
        size = max(1, batch_tokens // len(queue[0]))
        yield queue[:size]
        queue = queue[size:]


def _rows(tokenizer: Tokenizer, window: Window) -> Tokens:
    """The rows of a window and the one after it; with the preamble, unless it would stand where rows are scored."""
    start, stop = window.start, window.stop + 1
    if tokenizer.known(window.piece, start, stop) > window.scored + 1 - start:
        return window.piece[start:stop]
    return tokenizer.window(window.piece, start, stop)


def _score(model: ScoringModel, tokenizer: Tokenizer, batch: list[Window]) -> NDArray[np.float64]:
    """Nats by window and field, summed over the predictions that count."""
    fields = batch[0].piece.shape[1]
    rows = np.zeros((len(batch), len(batch[0]) + 1, fields), np.int64)
    counts = np.zeros(rows[:, 1:].shape, np.bool_)
    for at, window in enumerate(batch):
        rows[at, : len(window) + 1] = _rows(tokenizer, window)
        counts[at, window.scored - window.start : len(window)] = True
    device = next((weight.device for weight in model.parameters()), torch.device("cpu"))
    counts &= tokenizer.field_mask(rows[:, 1:])
    tokens = torch.from_numpy(rows).to(device)
    nats = model.nll(tokens[:, :-1], tokens[:, 1:], torch.from_numpy(counts).to(device))
    return np.asarray(nats.cpu().double().sum(dim=1))
