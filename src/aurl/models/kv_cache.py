"""Keys and values of the tokens a model has read, in buffers allocated once for the whole context.

Every row of the batch has the same length. Layers append in turn during one pass; the transformer advances `length`
after the last of them.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor


class KVCache:
    """Static buffers of one batch of sequences; setting `length` back forgets what came after it."""

    def __init__(self, keys: Float[Tensor, "l b h c k"], values: Float[Tensor, "l b h c k"]) -> None:
        self.keys, self.values = keys, values
        self.length = 0

    @property
    def context(self) -> int:
        """The number of tokens that fit."""
        return self.keys.shape[3]

    def append(
        self, layer: int, keys: Float[Tensor, "b h t k"], values: Float[Tensor, "b h t k"]
    ) -> tuple[Float[Tensor, "b h s k"], Float[Tensor, "b h s k"]]:
        """Store the keys and values of new tokens; returns those of all tokens so far, as views."""
        new = keys.shape[2]
        end = self.length + new
        if end > self.context:
            raise ValueError(f"the cache holds {self.context} tokens; {self.length} are in it and {new} more came")
        stored_keys, stored_values = self.keys[layer], self.values[layer]
        stored_keys.narrow(2, self.length, new).copy_(keys)
        stored_values.narrow(2, self.length, new).copy_(values)
        return stored_keys.narrow(2, 0, end), stored_values.narrow(2, 0, end)
