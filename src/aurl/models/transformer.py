"""A decoder-only transformer over vectors: pre-norm blocks of causal attention and feed-forward.

It knows neither vocabularies nor fields.
"""

from __future__ import annotations

from typing import Self

import torch.nn.functional as F
from jaxtyping import Bool, Float
from pydantic import Field, PositiveInt, model_validator
from torch import Tensor, nn

from aurl.models.attention import Rotary, Rotation, SelfAttention, causal_mask
from aurl.models.kv_cache import KVCache
from aurl.models.layers import FeedForward, normalise
from aurl.utils.config import Config
from aurl.utils.errors import ConfigError


class TransformerConfig(Config):
    """Size of the network."""

    width: PositiveInt = 256
    """Size of the vector that stands for a token."""
    layers: PositiveInt = 6
    """Number of blocks."""
    heads: PositiveInt = 4
    """Attention heads; the width is divided among them."""
    feed_forward: PositiveInt = 4
    """Hidden units of a block's feed-forward layer, in widths."""
    context: PositiveInt = 1024
    """The most token rows the model can see at once."""
    dropout: float = Field(0.1, ge=0, lt=1)
    """Share of a block's output that is dropped in training."""
    rope_base: float = Field(10_000.0, gt=1)
    """Base of the rotary wavelengths: the longest is 2 pi times this many tokens."""

    @model_validator(mode="after")
    def _heads_fit_the_width(self) -> Self:
        if self.width % (2 * self.heads):
            step = 2 * self.heads
            raise ConfigError(
                "width must be a multiple of twice the heads: rotary positions turn pairs of units",
                found=f"width {self.width}, heads {self.heads}",
                hint=f"try width {max(1, round(self.width / step)) * step}",
            )
        return self


class Block(nn.Module):
    """Attention, then feed-forward, each added to what it read."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.attention = SelfAttention(config.width, config.heads)
        self.feed_forward = FeedForward(config.width, config.feed_forward * config.width)
        self.dropout = config.dropout

    def forward(
        self,
        x: Float[Tensor, "b t d"],
        rotation: Rotation,
        mask: Bool[Tensor, "t s"] | None = None,
        cache: KVCache | None = None,
        layer: int = 0,
    ) -> Float[Tensor, "b t d"]:
        """One block, the `layer`-th of its cache."""
        x = x + self._drop(self.attention(normalise(x), rotation, mask, cache, layer))
        return x + self._drop(self.feed_forward(normalise(x)))

    def _drop(self, x: Tensor) -> Tensor:
        return F.dropout(x, self.dropout) if self.training and self.dropout else x


class Transformer(nn.Module):
    """The stack of blocks, with one set of rotary tables for all."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.rotary = Rotary(config.width // config.heads, config.context, config.rope_base)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))

    def forward(self, x: Float[Tensor, "b t d"], cache: KVCache | None = None) -> Float[Tensor, "b t d"]:
        """Normalised outputs; with a `cache`, `x` continues it and is added to it."""
        start, count = cache.length if cache is not None else 0, x.shape[1]
        rotation, mask = self.rotary(start, count), causal_mask(start, count, x)
        for layer, block in enumerate(self.blocks):
            x = block(x, rotation, mask, cache, layer)
        if cache is not None:
            cache.length += count
        return normalise(x)
