"""Small models whose every weight matters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from aurl.models.config import MusicModelConfig
from aurl.models.music_model import MusicModel

CONTEXT = 24


@pytest.fixture(scope="session")
def build() -> Callable[..., MusicModel]:
    """Build a model of `sizes`, ready to be used; its zero-initialised weights are drawn too, so that all act."""

    def build(*sizes: int, **config: Any) -> MusicModel:
        torch.manual_seed(0)
        defaults = {"width": 32, "layers": 2, "heads": 2, "context": CONTEXT}
        model = MusicModel(MusicModelConfig.parse({**defaults, "vocabulary_sizes": sizes, **config}))
        with torch.no_grad():
            for weight in model.parameters():
                weight.normal_(std=0.2)
        return model.eval()

    return build


@pytest.fixture(scope="session")
def rows() -> Callable[..., torch.Tensor]:
    """Draw `batch` sequences of `count` random rows that fit `model`."""

    def rows(model: MusicModel, count: int, batch: int = 2, seed: int = 1) -> torch.Tensor:
        source = torch.Generator().manual_seed(seed)
        sizes = model.config.vocabulary_sizes
        return torch.stack([torch.randint(size, (batch, count), generator=source) for size in sizes], -1)

    return rows
