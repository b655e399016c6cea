"""The gradients written by hand are those of the formulas."""

from __future__ import annotations

import torch

from aurl.models.layers import SquaredReLU, normalise


def test_squared_relu_has_its_own_derivative():
    x = torch.tensor([-2.0, -0.5, 0.5, 3.0], dtype=torch.float64, requires_grad=True)
    assert SquaredReLU.apply(x).tolist() == [0, 0, 0.25, 9]
    assert torch.autograd.gradcheck(SquaredReLU.apply, x)


def test_a_normalised_vector_has_a_root_mean_square_of_one():
    x = torch.tensor([[3.0, -4.0, 0.0, 0.0], [300.0, 300.0, 0.0, -300.0]])
    assert torch.allclose(normalise(x).square().mean(-1), torch.ones(2))
    assert torch.allclose(normalise(x)[0], x[0] / 2.5)
