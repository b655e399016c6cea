"""A decoder-only transformer over vectors: pre-norm blocks of causal attention and feed-forward.

It knows neither vocabularies nor fields.
"""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from aurl.models.attention import Rotary, Rotation, SelfAttention, causal_mask
from aurl.models.config import TransformerConfig
from aurl.models.kv_cache import KVCache
from aurl.models.layers import FeedForward, normalise


class Block(nn.Module):
    """Attention, then feed-forward, each added to what it read."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.attention = SelfAttention(
            config.width, config.heads, sharpness=config.sharpness, value_embeddings=config.value_embeddings
        )
        self.feed_forward = FeedForward(config.width, config.feed_forward * config.width)
        self.dropout = config.dropout

    def forward(
        self,
        x: Float[Tensor, "b t d"],
        rotation: Rotation,
        mask: Bool[Tensor, "t s"] | None = None,
        cache: KVCache | None = None,
        layer: int = 0,
        embedded: Float[Tensor, "b t d"] | None = None,
    ) -> Float[Tensor, "b t d"]:
        """One block, the `layer`-th of its cache."""
        x = x + self._drop(self.attention(normalise(x), rotation, mask, cache, layer, embedded))
        return x + self._drop(self.feed_forward(normalise(x)))

    def _drop(self, x: Tensor) -> Tensor:
        return F.dropout(x, self.dropout) if self.training and self.dropout else x


class Transformer(nn.Module):
    """The stack of blocks, with one set of rotary tables for all."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.rotary = Rotary(
            config.width // config.heads, config.context, config.rope_base, musical_time=config.musical_time
        )
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))

    def forward(
        self,
        x: Float[Tensor, "b t d"],
        cache: KVCache | None = None,
        steps: Int[Tensor, "b t"] | None = None,
        embedded: Float[Tensor, "b t d"] | None = None,
    ) -> Float[Tensor, "b t d"]:
        """Normalised outputs; with a `cache`, `x` continues it and is added to it.

        `steps` are musical times, `embedded` value embeddings, where the configuration asks for them.
        """
        start, count = cache.length if cache is not None else 0, x.shape[1]
        rotation, mask = self.rotary(start, count, steps), causal_mask(start, count, x)
        for layer, block in enumerate(self.blocks):
            x = block(x, rotation, mask, cache, layer, embedded)
        if cache is not None:
            cache.length += count
        return normalise(x)
