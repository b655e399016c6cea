"""One update of the weights: gradients of its micro-batches added up, clipped, and applied if they are finite."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from aurl.models.device import autocast
from aurl.training.steps import TensorBatch, TrainingStep


@dataclass(frozen=True)
class Update:
    """What one update gave."""

    loss: float
    """Mean over the tokens of all micro-batches, in nats."""
    gradient_norm: float
    """Length of the gradient before it was clipped."""
    logged: Mapping[str, float]
    """What the step logs, by name."""
    tokens: int
    """Rows learned from."""
    epoch: int
    """Epoch of the last micro-batch."""

    @property
    def applied(self) -> bool:
        """Whether the weights changed: an update whose loss or gradient is not finite is left out."""
        return math.isfinite(self.loss) and math.isfinite(self.gradient_norm)


def update_weights(
    model: nn.Module,
    optimizer: Optimizer,
    step: TrainingStep[Any],
    batches: Sequence[TensorBatch],
    *,
    clip_norm: float,
) -> Update:
    """Learn from `batches` as from one: each counts by its share of the tokens."""
    tokens = sum(batch.tokens for batch in batches)
    total_loss = torch.zeros((), device=batches[0].inputs.device)
    sums: dict[str, Tensor] = defaultdict(lambda: torch.zeros_like(total_loss))
    counts: dict[str, int] = defaultdict(int)
    optimizer.zero_grad()
    for batch in batches:
        with autocast(batch.inputs.device):
            loss, logged = step.loss(model, batch)
        loss = loss * (batch.tokens / max(1, tokens))
        loss.backward()
        total_loss += loss.detach()
        for name, (total, count) in logged.items():
            sums[name] += total
            counts[name] += count
    norm = nn.utils.clip_grad_norm_(model.parameters(), clip_norm)
    mean_loss, length, *totals = torch.stack([total_loss, norm, *sums.values()]).tolist()  # waits for the GPU
    means = {name: total / counts[name] for name, total in zip(sums, totals, strict=True) if counts[name]}
    update = Update(mean_loss, length, means, tokens, batches[-1].epoch)
    if update.applied:
        optimizer.step()
    return update
