"""Rotary positions turn by distance, and masks let each token see the past."""

from __future__ import annotations

import math

import pytest
import torch

from aurl.models.attention import Rotary, Rotate, causal_mask


def test_each_pair_of_a_head_turns_by_its_angle():
    x = torch.zeros(1, 4, 1, 4)
    x[..., 1] = 1.0  # the slower pair: (1, 3), at 1/10 of a radian a step
    cos, sin = Rotary(head_width=4, context=8, base=100.0)(2, 4)
    turned = Rotate.apply(x, cos, sin)[0, :, 0]
    for step, row in enumerate(turned.tolist()):
        angle = (2 + step) / 10
        assert row == pytest.approx([0, math.cos(angle), 0, math.sin(angle)])


def test_the_score_of_two_positions_depends_on_their_distance():
    query, key = torch.randn(2, 1, 1, 2, 16)
    rotary = Rotary(16, 64, 10_000.0)

    def score(first: int, second: int) -> float:
        return (Rotate.apply(query, *rotary(first, 1)) * Rotate.apply(key, *rotary(second, 1))).sum().item()

    assert score(3, 10) == pytest.approx(score(40, 47), abs=1e-4)
    assert score(3, 10) != pytest.approx(score(3, 30), abs=1e-2)


def test_the_gradient_of_a_rotation_is_that_of_the_formula():
    rotation = Rotary(6, 8, 100.0).double()(1, 5)
    x = torch.randn(2, 5, 3, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: Rotate.apply(x, *rotation), x)
    assert torch.autograd.gradgradcheck(lambda x: Rotate.apply(x, *rotation), x)


def test_a_mask_is_made_only_where_the_built_in_one_is_wrong():
    like = torch.zeros(1)
    assert causal_mask(0, 5, like) is None
    assert causal_mask(7, 1, like) is None
    assert causal_mask(2, 3, like).tolist() == [[1, 1, 1, 0, 0], [1, 1, 1, 1, 0], [1, 1, 1, 1, 1]]
