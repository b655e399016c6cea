"""The configuration of a model and the names of what it runs on, without the library that computes it."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, PositiveInt, model_validator

from aurl.data.tokenizers.row_clock import RowClockConfig
from aurl.utils.config import Config
from aurl.utils.errors import ConfigError

DeviceName = Literal["auto", "cuda", "mps", "cpu"]
"""Where a model runs; auto is the best there is."""

MUSICAL_PERIODS = (96, 24, 384, 768, 48, 192, 1536, 12, 72, 576, 6, 3072, 288, 6144, 144, 1152)
"""Steps, of 24 a quarter, in which the rotary pairs of musical time come round, the most useful first.

From a sixteenth to 64 bars of 4/4, and the bars of 3/4 (72) doubled up to 16 of them.
"""


def musical_pairs(head_width: int) -> int:
    """How many of the rotary pairs of a head turn by musical time: half, as far as there are periods."""
    return min(head_width // 4, len(MUSICAL_PERIODS))


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
    sharpness: float = Field(1.0, gt=0, le=100)
    """Multiplies the scores of attention, which unit queries and keys keep below the root of a head's width."""
    musical_time: bool = False
    """Let half of the rotary pairs turn by time in the music, where the tokens tell bars, not by the row's number."""
    value_embeddings: bool = False
    """Give every layer's attention a second embedding of the rows, added to what it passes on."""

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


class MusicModelConfig(TransformerConfig):
    """All that is needed to build a MusicModel; the default has 5.1 million parameters."""

    vocabulary_sizes: Annotated[tuple[PositiveInt, ...], Field(min_length=1)] = (774,)
    """Number of values of each field of a token row."""
    tie_embeddings: bool = False
    """Use each field's embedding as the weights of its head."""
    row_clock: RowClockConfig | None = None
    """How the tokenizer's rows tell musical time, where `musical_time` asks for it; training writes it."""
