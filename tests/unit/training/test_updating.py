"""Micro-batches add up to one batch; the gradient is clipped; what is not finite is left out."""

import math

import pytest
import torch
from torch import nn

from aurl.training.steps import TensorBatch, TransformerStep
from aurl.training.updating import update_weights


class Table(nn.Module):
    """Each value's own distribution over the next."""

    def __init__(self):
        super().__init__()
        self.logits = nn.Embedding(6, 6)
        nn.init.normal_(self.logits.weight, generator=torch.Generator().manual_seed(0))

    def nll(self, tokens, targets, mask):
        return -self.logits(tokens).log_softmax(-1).gather(-1, targets.unsqueeze(-1)).squeeze(-1) * mask


def batches():
    """One batch of six sequences of uneven length, and the same as two of 2 and 4 sequences."""
    generator = torch.Generator().manual_seed(1)
    inputs, targets = (torch.randint(0, 6, (6, 7, 1), generator=generator) for _ in range(2))
    mask = torch.arange(7) < torch.tensor([[1], [2], [7], [5], [6], [3]])

    def part(rows):
        notes = int(mask[rows].sum()) // 2
        return TensorBatch(inputs[rows], targets[rows], mask[rows, :, None], int(mask[rows].sum()), notes, 3)

    return [part(slice(0, 6))], [part(slice(0, 2)), part(slice(2, 6))]


def updated(parts, clip_norm=1e9):
    model = Table()
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    update = update_weights(model, optimizer, TransformerStep(), parts, clip_norm=clip_norm)
    return model.logits.weight.detach(), update


def test_two_uneven_micro_batches_equal_one_batch():
    whole, parts = batches()
    (expected, one), (weights, two) = updated(whole), updated(parts)
    torch.testing.assert_close(weights, expected)
    assert two.loss == pytest.approx(one.loss, rel=1e-6)
    assert two.gradient_norm == pytest.approx(one.gradient_norm, rel=1e-6)
    assert two.logged["bits_per_token"] == pytest.approx(one.logged["bits_per_token"])
    assert (two.tokens, two.epoch) == (24, 3)


def test_a_long_gradient_is_scaled_down_and_its_length_told():
    whole, _ = batches()
    free, unclipped = updated(whole)
    clipped, update = updated(whole, clip_norm=0.01)
    start = Table().logits.weight.detach()
    assert update.gradient_norm == pytest.approx(unclipped.gradient_norm)
    assert float((clipped - start).norm()) == pytest.approx(0.01, rel=1e-3)
    torch.testing.assert_close((clipped - start) * update.gradient_norm / 0.01, free - start, rtol=1e-3, atol=1e-6)


class Explosive:
    def loss(self, model, batch):
        return (model.logits.weight * math.inf).sum(), {"temperature": (torch.tensor(3.0), 0)}


def test_an_update_that_is_not_finite_changes_nothing():
    model, (whole, _) = Table(), batches()
    before = model.logits.weight.detach().clone()
    update = update_weights(model, torch.optim.SGD(model.parameters(), lr=1.0), Explosive(), whole, clip_norm=1.0)
    assert not update.applied
    assert torch.equal(model.logits.weight.detach(), before)


def test_a_number_without_a_count_is_not_logged():
    model, (whole, _) = Table(), batches()
    update = update_weights(model, torch.optim.SGD(model.parameters(), lr=1.0), Explosive(), whole, clip_norm=1.0)
    assert update.logged == {}
