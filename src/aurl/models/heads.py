"""The cascade: the head of a later field sees the fields of the same row that have been chosen before it."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from aurl.models.layers import FeedForward


class Cascade(nn.Module):
    """One small feed-forward for every field but the first, whose head sees the hidden state alone."""

    def __init__(self, fields: int, width: int) -> None:
        super().__init__()
        self.mixers = nn.ModuleList(FeedForward(width, width) for _ in range(fields - 1))

    def forward(
        self, hidden: Float[Tensor, "b t d"], chosen: Float[Tensor, "b t d"], field: int
    ) -> Float[Tensor, "b t d"]:
        """What the head of `field` >= 1 reads, given the embedding of the fields before it."""
        mixed: Tensor = self.mixers[field - 1](hidden + chosen)
        return hidden + mixed
