"""The reference runtime: a MusicModel in PyTorch with its key-value cache; it knows nothing of sampling.

Pieces that hold as many rows and are fed as many pass through the network together; others in turn.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int

from aurl.generation.runtimes.piece_times import PieceTimes
from aurl.models.device import choose_device
from aurl.models.kv_cache import KVCache
from aurl.models.music_model import MusicModel


class TorchRuntime:
    """Reads rows into the model's cache; only the newest row of each piece is ever turned into logits."""

    def __init__(self, model: MusicModel, device: torch.device | None = None) -> None:
        """Move the model to `device`, the best there is when not given, and switch dropout off."""
        self.device = device or choose_device()
        self.model = model.to(self.device).eval()
        self.reset(0)

    @property
    def context(self) -> int:
        """The most rows a piece can hold."""
        return self.model.config.context

    @property
    def lengths(self) -> Int[np.ndarray, " b"]:
        """How many rows each piece holds."""
        return self._lengths

    @torch.inference_mode()
    def reset(self, batch: int) -> None:
        """Forget everything and make room for `batch` pieces."""
        self._cache = self.model.new_cache(batch)
        clock = self.model.config.row_clock
        self._times = None if self.model.row_times is None or clock is None else PieceTimes(clock, batch)
        self._lengths = np.zeros(batch, np.int64)
        self._hidden = self._cache.keys.new_zeros(batch, 1, self.model.config.width)

    @torch.inference_mode()
    def feed(self, tokens: Int[np.ndarray, "b t f"], counts: Int[np.ndarray, " b"] | None = None) -> None:
        """Append the first `counts` rows of `tokens` to each piece, all of them when not given."""
        rows = torch.from_numpy(tokens).to(self.device)
        given = np.full(len(tokens), tokens.shape[1]) if counts is None else counts
        steps = self._steps(tokens, given)
        pairs = np.stack([self._lengths, given], axis=1)
        for length, count in np.unique(pairs[given > 0], axis=0).tolist():
            pieces = np.flatnonzero((pairs == (length, count)).all(axis=1))
            at = torch.from_numpy(pieces)
            self._read(pieces, rows[at, :count], None if steps is None else steps[at, :count], length)
        self._lengths = self._lengths + given

    def _steps(self, tokens: Int[np.ndarray, "b t f"], given: Int[np.ndarray, " b"]) -> torch.Tensor | None:
        """The times `[b, t]` of the rows that each piece is given, 0 behind them; None for a model without."""
        if self._times is None:
            return None
        steps = np.zeros(tokens.shape[:2], np.int64)
        for piece, count in enumerate(given.tolist()):
            steps[piece, :count] = self._times.read(piece, tokens[piece, :count].tolist())
        return torch.from_numpy(steps).to(self.device)

    def _read(self, pieces: Int[np.ndarray, " g"], rows: torch.Tensor, steps: torch.Tensor | None, length: int) -> None:
        """Read rows `[g, t, f]`, which have the times `steps`, of pieces that hold `length`."""
        everyone = len(pieces) == len(self._lengths)
        cache = self._cache if everyone else KVCache(self._cache.keys[:, pieces], self._cache.values[:, pieces])
        cache.length = length
        self._hidden[pieces] = self.model.hidden(rows, cache, steps)[:, -1:]
        if not everyone:
            self._cache.keys[:, pieces], self._cache.values[:, pieces] = cache.keys, cache.values

    def rewind(self, lengths: Int[np.ndarray, " b"]) -> None:
        """Forget the rows of each piece from number `lengths` on; its next logits need a row to be fed first."""
        self._lengths = np.minimum(self._lengths, lengths)
        if self._times is not None:
            self._times.rewind(self._lengths.tolist())

    @torch.inference_mode()
    def select(self, pieces: Int[np.ndarray, " b2"]) -> None:
        """Go on with copies of these pieces in place of all there are."""
        self._cache = KVCache(self._cache.keys[:, pieces], self._cache.values[:, pieces])
        self._lengths, self._hidden = self._lengths[pieces], self._hidden[pieces]
        if self._times is not None:
            self._times.select(pieces.tolist())

    @torch.inference_mode()
    def logits(self, field: int, chosen: Int[np.ndarray, "b i"]) -> Float[np.ndarray, "b v"]:
        """Logits of `field` in the next row of each piece, given the values `chosen` for the fields before it."""
        earlier = torch.from_numpy(chosen).to(self.device)[:, None]
        return self.model.field_logits(self._hidden, field, earlier)[:, 0].float().cpu().numpy()
