"""Causal self-attention over the whole context, with rotary positions and normalised queries and keys.

Rotary tables are built once a model and sliced once a pass; they are not weights and are not saved. With musical time
half of the pairs turn by the number of the row and half by its time in steps of the music, with periods of notes, bars
and groups of bars: music of 4 or 8 bars ago stands at a distance that is always the same, however many notes lie
between.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from aurl.models.config import MUSICAL_PERIODS, musical_pairs
from aurl.models.kv_cache import KVCache
from aurl.models.layers import linear, normalise

Rotation = tuple[Float[Tensor, "*b t 1 _"], Float[Tensor, "*b t 1 _"]]  # half a head wide


class Rotary(nn.Module):
    """Cosines and sines of every position (Su et al., 2021, RoFormer, eq. 34), the halves of a head being the pairs."""

    cos: Tensor
    sin: Tensor
    periods: Tensor

    def __init__(self, head_width: int, context: int, base: float, *, musical_time: bool = False) -> None:
        super().__init__()
        timed = musical_pairs(head_width) if musical_time else 0
        frequencies = base ** (-torch.arange(head_width // 2 - timed) / (head_width // 2 - timed))
        angles = torch.outer(torch.arange(context), frequencies)[:, None]  # c 1 j
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)
        self.register_buffer("periods", torch.tensor(MUSICAL_PERIODS[:timed]), persistent=False)

    def forward(self, start: int, count: int, steps: Int[Tensor, "b t"] | None = None) -> Rotation:
        """The tables of `count` positions from `start` on, whose times in the music are `steps`."""
        if start + count > len(self.cos):
            raise ValueError(f"the context is {len(self.cos)} tokens; {start} were read and {count} more came")
        cos, sin = self.cos.narrow(0, start, count), self.sin.narrow(0, start, count)
        if steps is None:
            return cos, sin
        turns = (steps[..., None, None] % self.periods) / self.periods  # b t 1 j
        angles = 2 * math.pi * turns.to(cos.dtype)
        cos, sin = (table.expand(len(steps), *table.shape) for table in (cos, sin))
        return torch.cat([cos, angles.cos()], dim=-1), torch.cat([sin, angles.sin()], dim=-1)


class Rotate(torch.autograd.Function):
    """Turn each pair (j, j + k/2) of a head by the angle of its position; the gradient is turned back.

    Written into its result half by half: what autograd makes of the same sums takes three times as long on a CPU.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Float[Tensor, "b t h k"], cos: Float[Tensor, "*b t 1 _"], sin: Float[Tensor, "*b t 1 _"]
    ) -> Float[Tensor, "b t h k"]:
        """The turned heads."""
        ctx.save_for_backward(cos, sin)
        turned = torch.empty_like(x, memory_format=torch.contiguous_format)
        (left, right), (new_left, new_right) = x.chunk(2, -1), turned.chunk(2, -1)
        torch.mul(left, cos, out=new_left).addcmul_(right, sin, value=-1)
        torch.mul(right, cos, out=new_right).addcmul_(left, sin)
        return turned

    @staticmethod
    def backward(ctx: Any, gradient: Float[Tensor, "b t h k"]) -> tuple[Float[Tensor, "b t h k"], None, None]:
        """The same by the opposite angle."""
        cos, sin = ctx.saved_tensors
        return Rotate.apply(gradient, cos, -sin), None, None  # type: ignore[no-untyped-call]


def causal_mask(start: int, count: int, like: Tensor) -> Bool[Tensor, "t s"] | None:
    """What `count` tokens after `start` cached ones may see; None where SDPA's own causal mask, or none, is right."""
    if start == 0 or count == 1:
        return None
    return like.new_ones(count, start + count, dtype=torch.bool).tril(start)


class SelfAttention(nn.Module):
    """Multi-head attention; queries and keys of unit size keep the scores bounded (Henry et al., 2020).

    Bounded by the root of a head's width, that is 6 for one of 32: too little to look at one row of hundreds.
    `sharpness` multiplies them.

    What it passes on of a row may hold an embedding of the row itself, in a share that is learned (Zhou et al., 2024,
    "Value residual learning"; in this form from Jordan et al., 2024, modded-nanogpt).
    """

    def __init__(self, width: int, heads: int, *, sharpness: float = 1.0, value_embeddings: bool = False) -> None:
        super().__init__()
        self.heads, self.scale = heads, sharpness * (width // heads) ** -0.5
        self.value_share = nn.Parameter(torch.tensor(0.5)) if value_embeddings else None
        self.project_in = linear(width, 3 * width, std=width**-0.5)
        self.project_out = linear(width, width, std=0.0)

    def forward(
        self,
        x: Float[Tensor, "b t d"],
        rotation: Rotation,
        mask: Bool[Tensor, "t s"] | None = None,
        cache: KVCache | None = None,
        layer: int = 0,
        embedded: Float[Tensor, "b t d"] | None = None,
    ) -> Float[Tensor, "b t d"]:
        """Mix every token with those before it, in `cache` and in `x`; `embedded` are the value embeddings."""
        projected = self.project_in(x).unflatten(-1, (3 * self.heads, -1))  # b t 3h k
        queries_keys, values = projected.split((2 * self.heads, self.heads), dim=2)
        if embedded is not None:
            values = values + self.value_share * embedded.unflatten(-1, (self.heads, -1))
        turned: Tensor = Rotate.apply(normalise(queries_keys), *rotation)  # type: ignore[no-untyped-call]
        queries, keys = turned.transpose(1, 2).chunk(2, dim=1)  # b h t k
        values = values.transpose(1, 2)
        if cache is not None:
            keys, values = cache.append(layer, keys, values)
        causal = mask is None and x.shape[1] > 1
        mixed = F.scaled_dot_product_attention(
            queries, keys, values, attn_mask=mask, is_causal=causal, scale=self.scale
        )
        out: Tensor = self.project_out(mixed.transpose(1, 2).flatten(2))
        return out
