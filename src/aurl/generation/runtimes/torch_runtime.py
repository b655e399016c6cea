"""The reference runtime: a MusicModel in PyTorch with its key-value cache; it knows nothing of sampling."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int

from aurl.models.device import choose_device
from aurl.models.music_model import MusicModel


class TorchRuntime:
    """Reads tokens into the model's cache; only the newest row of the batch is ever turned into logits."""

    def __init__(self, model: MusicModel, device: torch.device | None = None) -> None:
        """Move the model to `device`, the best there is when not given, and switch dropout off."""
        self.device = device or choose_device()
        self.model = model.to(self.device).eval()
        self._cache = model.new_cache(0)

    @property
    def context(self) -> int:
        """How many tokens it can hold."""
        return self.model.config.context

    @property
    def length(self) -> int:
        """How many tokens it holds."""
        return self._cache.length

    @torch.inference_mode()
    def reset(self, batch: int) -> None:
        """Forget everything and make room for `batch` pieces."""
        self._cache.length = 0
        if self._cache.keys.shape[1] != batch:
            self._cache = self.model.new_cache(batch)

    @torch.inference_mode()
    def feed(self, tokens: Int[np.ndarray, "b t f"]) -> None:
        """Append tokens: a whole prompt, or a step of one."""
        rows = torch.from_numpy(tokens).to(self.device)
        self._hidden = self.model.hidden(rows, self._cache)[:, -1:]

    @torch.inference_mode()
    def logits(self, field: int, chosen: Int[np.ndarray, "b i"]) -> Float[np.ndarray, "b v"]:
        """Logits of `field` in the next token, given the values `chosen` for the fields before it."""
        earlier = torch.from_numpy(chosen).to(self.device)[:, None]
        return self.model.field_logits(self._hidden, field, earlier)[:, 0].float().cpu().numpy()
