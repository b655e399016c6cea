"""MusicModel: probabilities of the next token row, one field after another, from the rows before it.

A row has f fields. Their embeddings are summed, a decoder-only transformer reads the rows, and each field has a head
that also sees the fields of the row chosen before it; with f = 1 this is a plain language model. It knows neither what
the values mean nor how they are chosen or trained.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from aurl.models.config import MusicModelConfig
from aurl.models.embeddings import FieldEmbeddings
from aurl.models.heads import Cascade
from aurl.models.kv_cache import KVCache
from aurl.models.layers import linear
from aurl.models.row_times import RowTimes
from aurl.models.transformer import Transformer
from aurl.utils.errors import ConfigError


class MusicModel(nn.Module):
    """A transformer over token rows, built from its configuration alone."""

    def __init__(self, config: MusicModelConfig) -> None:
        super().__init__()
        sizes, width = config.vocabulary_sizes, config.width
        self.config = config
        self.embeddings = FieldEmbeddings(sizes, width)
        self.value_embeddings = FieldEmbeddings(sizes, width) if config.value_embeddings else None
        self.transformer = Transformer(config)
        if config.musical_time and config.row_clock is None:
            hint = "use the tokenizer `note` with clock=metrical, or musical_time: false"
            raise ConfigError("musical time needs tokens that tell it", hint=hint)
        self.row_times = RowTimes(config.row_clock) if config.musical_time and config.row_clock else None
        self.cascade = Cascade(len(sizes), width)
        self.outputs = nn.ModuleList([] if config.tie_embeddings else [linear(width, n, std=0.02) for n in sizes])

    @property
    def parameter_count(self) -> int:
        """Number of weights, a shared one counted once."""
        return sum(weight.numel() for weight in self.parameters())

    def hidden(
        self, tokens: Int[Tensor, "b t f"], cache: KVCache | None = None, steps: Int[Tensor, "b t"] | None = None
    ) -> Float[Tensor, "b t d"]:
        """Read rows; with a `cache`, after those it holds. ValueError when the context is exceeded.

        `steps` are their times in the music, where the model wants them; if not given, `tokens` tell them, as they do
        from the beginning on.
        """
        x = self.embeddings(tokens)
        if self.training:
            x = F.dropout(x, self.config.dropout)
        if steps is None and self.row_times is not None:
            if cache is not None and cache.length:
                raise ValueError("rows that follow others need their times in the music")
            steps = self.row_times(tokens)
        embedded = None if self.value_embeddings is None else self.value_embeddings(tokens)
        hidden: Tensor = self.transformer(x, cache, steps, embedded)
        return hidden

    def field_logits(
        self, hidden: Float[Tensor, "b t d"], field: int, chosen: Int[Tensor, "b t i"]
    ) -> Float[Tensor, "b t v"]:
        """Logits of `field` in the row after each hidden state, given that row's earlier fields (i = `field`)."""
        if field:
            hidden = self.cascade(hidden, self.embeddings(chosen), field)
        heads = self.embeddings.tables if self.config.tie_embeddings else self.outputs
        logits: Tensor = F.linear(hidden, heads[field].get_parameter("weight"))
        return logits

    def forward(self, tokens: Int[Tensor, "b t f"], targets: Int[Tensor, "b t f"]) -> list[Float[Tensor, "b t _"]]:
        """Logits of every field of `targets`, the row after each of `tokens`, given its true earlier fields."""
        hidden = self.hidden(tokens)
        return [self.field_logits(hidden, field, targets[..., :field]) for field in range(targets.shape[-1])]

    def nll(
        self, tokens: Int[Tensor, "b t f"], targets: Int[Tensor, "b t f"], mask: Bool[Tensor, "b t f"]
    ) -> Float[Tensor, "b t f"]:
        """Negative log-likelihood of the fields of `targets` that `mask` counts, in nats; the others cost nothing."""
        hidden = self.hidden(tokens)
        nats = hidden.new_zeros(targets.shape)
        for field in range(targets.shape[-1]):
            counted = mask[..., field]
            wanted = targets[counted]  # n f
            logits = self.field_logits(hidden[counted][None], field, wanted[None, :, :field])[0]  # n v
            nats[..., field][counted] = F.cross_entropy(logits, wanted[:, field], reduction="none").to(nats.dtype)
        return nats

    def new_cache(self, batch: int, dtype: torch.dtype | None = None) -> KVCache:
        """An empty cache for `batch` sequences, on the model's device, in `dtype` or that of the weights."""
        config, weight = self.config, next(self.parameters())
        shape = (config.layers, batch, config.heads, config.context, config.width // config.heads)
        keys, values = (weight.new_zeros(shape, dtype=dtype) for _ in range(2))
        return KVCache(keys, values)
