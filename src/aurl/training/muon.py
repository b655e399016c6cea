"""Muon: momentum whose singular values are all made about 1, for the matrices between embeddings and heads.

Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks". The Newton-Schulz iteration runs in
fp32: torch's own Muon casts to bf16, which a CPU without it emulates twenty times slower. The other weights are
AdamW's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from aurl.training.optimizers import OPTIMIZERS, AdamWConfig, split_parameters
from aurl.utils.errors import UnknownNameError

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the quintic iteration (Jordan et al. 2024): steep at 0, so that five turns are enough."""
TURNS = 5


class MuonConfig(AdamWConfig):
    """Muon for hidden matrices; the fields of AdamW are for all other weights."""

    name: Literal["muon"] = "muon"  # type: ignore[assignment]
    """Name in the registry."""
    muon_learning_rate: float = Field(0.02, gt=0)
    """Highest learning rate of the hidden matrices: how far, in units of a rotation, one update moves them."""
    momentum: float = Field(0.95, ge=0, lt=1)
    """Decay of the running mean of their gradients (Nesterov's)."""
    adamw_modules: tuple[str, ...] = ("embeddings", "outputs")
    """Parts of the model whose matrices are AdamW's as well: they translate values, which come one at a time."""


class Muon(AdamW):
    """AdamW, but that groups with a `momentum` are updated by Muon."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One update; consumes the gradients of Muon's matrices, so that AdamW passes them over."""
        for group in self.param_groups:
            if "momentum" in group:
                for matrix in group["params"]:
                    self._turn(matrix, group)
        return super().step(closure)

    def _turn(self, matrix: nn.Parameter, group: dict[str, Any]) -> None:
        gradient = matrix.grad
        if gradient is None:
            return
        state = self.state[matrix]
        if "mean" not in state:
            state["step"] = torch.zeros(())  # AdamW asks for it when a state is loaded
            state["mean"] = torch.zeros_like(matrix)
        mean = state["mean"].lerp_(gradient, 1 - group["momentum"])
        update = orthogonalised(gradient.lerp(mean, group["momentum"]))
        rows, columns = matrix.shape
        matrix.mul_(1 - group["lr"] * group["weight_decay"])
        matrix.add_(update, alpha=-group["lr"] * max(1.0, rows / columns) ** 0.5)
        matrix.grad = None


def orthogonalised(matrix: Float[Tensor, "m n"]) -> Float[Tensor, "m n"]:
    """The matrix with its singular values brought near 1 (between about 0.7 and 1.2), whatever its scale."""
    a, b, c = COEFFICIENTS
    is_tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.float().mT if is_tall else matrix.float()
    x = x / x.norm().clamp(min=1e-7)
    for _ in range(TURNS):
        square = x @ x.mT
        x = torch.addmm(x, torch.addmm(square, square, square, beta=b, alpha=c), x, beta=a)
    return (x.mT if is_tall else x).to(matrix.dtype)


@OPTIMIZERS.register(MuonConfig)
def build_muon(config: MuonConfig, model: nn.Module) -> Optimizer:
    """Muon for the matrices outside `config.adamw_modules`, AdamW for the rest."""
    children = dict(model.named_children())
    for name in config.adamw_modules:
        if name not in children and name not in MuonConfig.model_fields["adamw_modules"].default:
            raise UnknownNameError.among("name in adamw_modules", name, children)
    matrices, others = split_parameters(model)
    named = [module for name, module in children.items() if name in config.adamw_modules]
    translating = {id(parameter) for module in named for parameter in module.parameters()}
    hidden = [matrix for matrix in matrices if id(matrix) not in translating]
    heads = [matrix for matrix in matrices if id(matrix) in translating]
    groups: list[dict[str, Any]] = [
        {"params": hidden, "lr": config.muon_learning_rate, "momentum": config.momentum},
        {"params": heads},
        {"params": others, "weight_decay": 0.0},
    ]
    decay, rate = config.weight_decay, config.learning_rate
    return Muon(groups, lr=rate, betas=config.betas, eps=config.epsilon, weight_decay=decay, fused=True)
