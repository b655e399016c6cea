"""Causal self-attention over the whole context, with rotary positions and normalised queries and keys.

Rotary tables are built once a model and sliced once a pass; they are not weights and are not saved.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from aurl.models.kv_cache import KVCache
from aurl.models.layers import linear, normalise

Rotation = tuple[Float[Tensor, "t 1 _"], Float[Tensor, "t 1 _"]]  # half a head wide


class Rotary(nn.Module):
    """Cosines and sines of every position (Su et al., 2021, RoFormer, eq. 34), the halves of a head being the pairs."""

    cos: Tensor
    sin: Tensor

    def __init__(self, head_width: int, context: int, base: float) -> None:
        super().__init__()
        frequencies = base ** (-torch.arange(0, head_width, 2) / head_width)
        angles = torch.outer(torch.arange(context), frequencies)[:, None]  # c 1 k/2
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)

    def forward(self, start: int, count: int) -> Rotation:
        """The tables of `count` positions from `start` on."""
        if start + count > len(self.cos):
            raise ValueError(f"the context is {len(self.cos)} tokens; {start} were read and {count} more came")
        return self.cos.narrow(0, start, count), self.sin.narrow(0, start, count)


class Rotate(torch.autograd.Function):
    """Turn each pair (j, j + k/2) of a head by the angle of its position; the gradient is turned back.

    Written into its result half by half: what autograd makes of the same sums takes three times as long on a CPU.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Float[Tensor, "b t h k"], cos: Float[Tensor, "t 1 _"], sin: Float[Tensor, "t 1 _"]
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
    """Multi-head attention; queries and keys of unit size keep the scores bounded (Henry et al., 2020)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.project_in = linear(width, 3 * width, std=width**-0.5)
        self.project_out = linear(width, width, std=0.0)

    def forward(
        self,
        x: Float[Tensor, "b t d"],
        rotation: Rotation,
        mask: Bool[Tensor, "t s"] | None = None,
        cache: KVCache | None = None,
        layer: int = 0,
    ) -> Float[Tensor, "b t d"]:
        """Mix every token with those before it, in `cache` and in `x`."""
        projected = self.project_in(x).unflatten(-1, (3 * self.heads, -1))  # b t 3h k
        queries_keys, values = projected.split((2 * self.heads, self.heads), dim=2)
        turned: Tensor = Rotate.apply(normalise(queries_keys), *rotation)  # type: ignore[no-untyped-call]
        queries, keys = turned.transpose(1, 2).chunk(2, dim=1)  # b h t k
        values = values.transpose(1, 2)
        if cache is not None:
            keys, values = cache.append(layer, keys, values)
        causal = mask is None and x.shape[1] > 1
        mixed = F.scaled_dot_product_attention(queries, keys, values, attn_mask=mask, is_causal=causal)
        out: Tensor = self.project_out(mixed.transpose(1, 2).flatten(2))
        return out
