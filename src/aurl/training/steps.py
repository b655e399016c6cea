"""What one micro-batch costs, by kind of model: a TrainingStep gives a loss and what to log; the Trainer does the rest.

A loss is the mean over the batch's unmasked tokens, in nats. What is logged comes as (total, count), so that the
micro-batches of an update add up exactly: their totals over their counts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple, Protocol, TypeVar, runtime_checkable

from jaxtyping import Bool, Float, Int
from torch import Tensor


class TensorBatch(NamedTuple):
    """One micro-batch on the device: `targets` are `inputs` one row later; `mask` is true where a field counts."""

    inputs: Int[Tensor, "b t f"]
    targets: Int[Tensor, "b t f"]
    mask: Bool[Tensor, "b t f"]
    tokens: int
    """Rows that count."""
    notes: int
    """Notes among the targets that count."""
    epoch: int
    """How often the data has been gone through before this batch."""


Logged = Mapping[str, tuple[Tensor, int]]
"""Name -> (total over the micro-batch, what to divide it by)."""


@runtime_checkable
class LikelihoodModel(Protocol):
    """A model that can tell how unlikely it finds each field of each target."""

    def nll(
        self, tokens: Int[Tensor, "b t f"], targets: Int[Tensor, "b t f"], mask: Bool[Tensor, "b t f"]
    ) -> Float[Tensor, "b t f"]:
        """Nats of each field that `mask` counts, given the rows and the fields before it; 0 of the others."""


M_contra = TypeVar("M_contra", contravariant=True)


class TrainingStep(Protocol[M_contra]):
    """What the Trainer asks of a mode of training."""

    def loss(self, model: M_contra, batch: TensorBatch) -> tuple[Float[Tensor, ""], Logged]:
        """Mean loss per unmasked token, to be differentiated, and what to log."""


class TransformerStep:
    """Maximum likelihood: each row predicted from those before it."""

    def loss(self, model: LikelihoodModel, batch: TensorBatch) -> tuple[Float[Tensor, ""], Logged]:
        """Mean over tokens of the nats of the fields that count, together; logs the bits per token and per note."""
        nats = model.nll(batch.inputs, batch.targets, batch.mask).float().sum()
        bits = nats.detach() / math.log(2)
        logged = {"bits_per_token": (bits, batch.tokens), "bits_per_note": (bits, batch.notes)}
        return nats / max(1, batch.tokens), logged
