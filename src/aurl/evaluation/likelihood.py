"""Bits per note and per token: how surprised a model is by music it has not seen.

    bits per note = sum over all tokens and fields of -log2 p(value | what came before) / number of notes

Bits per note compare models over different tokenizers, bits per token only models that share one. All of every piece
is scored, each token exactly once; its first row, the start token, is given. A field that follows from the fields
before it (a bar line has no loudness) costs nothing. A piece longer than the context is read through windows that
overlap by half and begin with the tokenizer's preamble: whatever stands deeper in a piece than half a context is scored
with nearly half a context of history (a preamble longer than that is left out). Padding is never counted.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray
from torch import Tensor

from aurl.data.tokenizers import Tokenizer
from aurl.utils.errors import CorpusError

Tokens = NDArray[Any]


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


@dataclass(frozen=True)
class LikelihoodReport:
    """The likelihood of held-out pieces, in bits."""

    bits_per_note: float
    """Comparable over tokenizers."""
    bits_per_token: float
    """All fields of a token together."""
    bits_per_token_by_field: tuple[float, ...]
    """The share of each field in `bits_per_token`."""
    notes: int
    """Notes in the pieces."""
    tokens: int
    """Tokens scored: all but the first of each piece."""


@dataclass(frozen=True)
class Window:
    """Predictions `start` to `stop` of a piece, of which those from `scored` on count."""

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
) -> LikelihoodReport:
    """Score every token of `pieces` (int[t, f], start token first), at most `batch_tokens` positions at a time."""
    pieces = list(pieces)
    notes = sum(tokenizer.note_count(piece) for piece in pieces)
    windows = [window for piece in pieces for window in split(piece, context)]
    if notes == 0 or not windows:
        raise CorpusError("there are no notes to score", found=f"{len(pieces)} pieces", hint="choose another split")
    training = model.training
    model.train(False)
    try:
        nats = np.sum([_score(model, tokenizer, batch) for batch in _batches(windows, batch_tokens)], axis=0)
    finally:
        model.train(training)
    tokens = sum(len(piece) - 1 for piece in pieces)
    by_field = [float(bits) for bits in nats / math.log(2)]
    return LikelihoodReport(
        bits_per_note=sum(by_field) / notes,
        bits_per_token=sum(by_field) / tokens,
        bits_per_token_by_field=tuple(bits / tokens for bits in by_field),
        notes=notes,
        tokens=tokens,
    )


def split(piece: Tokens, context: int) -> list[Window]:
    """Windows of at most `context` predictions that score each prediction of `piece` once; they overlap by half."""
    total = len(piece) - 1
    stops = [*range(min(context, total), total, max(1, context // 2)), total] if total > 0 else []
    scored = [0, *stops[:-1]]
    return [Window(piece, max(0, stop - context), stop, first) for stop, first in zip(stops, scored, strict=False)]


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
    """Nats by field, summed over the predictions of `batch` that count."""
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
    return np.asarray(nats.cpu().double().sum(dim=(0, 1)))
