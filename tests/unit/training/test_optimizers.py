"""Which weights decay, and that an optimiser is found by its name."""

import math

import pytest
import torch
from torch import nn

from aurl.training.optimizers import OPTIMIZERS, AdamWConfig, split_parameters
from aurl.utils.errors import ConfigError


def model():
    return nn.ModuleDict({"embedding": nn.Embedding(5, 4), "norm": nn.LayerNorm(4), "linear": nn.Linear(4, 3)})


def test_only_matrices_that_are_not_embeddings_decay():
    parts = model()
    matrices, others = split_parameters(parts)
    assert [id(p) for p in matrices] == [id(parts["linear"].weight)]
    assert len(others) == 4


@pytest.mark.parametrize("name", ["adamw", "muon"])
@pytest.mark.parametrize("betas", [[1.0, 0.9], [0.9, 1.0], [-0.1, 0.9], [0.9, math.nan]])
def test_a_decay_outside_zero_to_one_is_refused(name, betas):
    with pytest.raises(ConfigError, match="betas"):
        OPTIMIZERS.parse({"name": name, "betas": betas})


def test_a_frozen_parameter_is_left_out():
    parts = model()
    parts["linear"].weight.requires_grad_(False)
    assert split_parameters(parts)[0] == []


def test_without_gradients_decay_shrinks_matrices_alone():
    parts = model()
    before = {name: value.clone() for name, value in parts.state_dict().items()}
    config = OPTIMIZERS.parse({"name": "adamw", "learning_rate": 0.1, "weight_decay": 0.5})
    optimizer = OPTIMIZERS.build(config, parts)
    for parameter in parts.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    after = parts.state_dict()
    torch.testing.assert_close(after["linear.weight"], before["linear.weight"] * 0.95)
    unchanged = [name for name in before if torch.equal(before[name], after[name])]
    assert sorted(unchanged) == ["embedding.weight", "linear.bias", "norm.bias", "norm.weight"]


def test_the_first_step_has_the_length_of_the_learning_rate():
    parts = nn.ModuleDict({"linear": nn.Linear(2, 1, bias=False)})
    nn.init.zeros_(parts["linear"].weight)
    optimizer = OPTIMIZERS.build(AdamWConfig(learning_rate=0.01), parts)
    parts["linear"].weight.grad = torch.tensor([[3.0, -0.2]])
    optimizer.step()
    torch.testing.assert_close(parts["linear"].weight.detach(), torch.tensor([[-0.01, 0.01]]))
