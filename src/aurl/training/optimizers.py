"""What turns gradients into updates. A user's own optimiser joins OPTIMIZERS by name.

A builder takes its config and the model. Each parameter group's `lr` is the highest learning rate; the Trainer
multiplies it by the schedule at every update. Nothing here knows of schedules, clipping or checkpoints.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from torch import nn
from torch.optim import AdamW, Optimizer

from aurl.utils.config import Config
from aurl.utils.registry import Registry

Decay = Annotated[float, Field(ge=0, lt=1)]

OPTIMIZERS: Registry[Optimizer] = Registry("optimizers")


class AdamWConfig(Config):
    """AdamW (Loshchilov and Hutter 2019)."""

    name: Literal["adamw"] = "adamw"
    """Name in the registry."""
    learning_rate: float = Field(2e-3, gt=0)
    """Highest learning rate, reached where the warm-up ends."""
    betas: tuple[Decay, Decay] = (0.9, 0.95)
    """Decay of the running means of the gradient and of its square."""
    epsilon: float = Field(1e-8, gt=0)
    """Added to the root of the second mean."""
    weight_decay: float = Field(0.1, ge=0)
    """Decay of weight matrices; embeddings, norms and biases are not decayed."""


@OPTIMIZERS.register(AdamWConfig)
def build_adamw(config: AdamWConfig, model: nn.Module) -> Optimizer:
    """AdamW, fused into one kernel per group: on a CPU, too, it saves a pass over memory for each operation."""
    matrices, others = split_parameters(model)
    groups = [
        {"params": matrices, "weight_decay": config.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return AdamW(groups, lr=config.learning_rate, betas=config.betas, eps=config.epsilon, fused=True)


def split_parameters(model: nn.Module) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """The trained parameters: weight matrices, and what should not decay (embeddings and anything with one axis).

    A rare token's embedding gets a gradient seldom but would decay at every update.
    """
    embeddings = {id(module.weight) for module in model.modules() if isinstance(module, nn.Embedding)}
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    matrices = [p for p in trained if p.ndim >= 2 and id(p) not in embeddings]
    others = [p for p in trained if p.ndim < 2 or id(p) in embeddings]
    return matrices, others
