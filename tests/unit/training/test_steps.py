"""The loss of a uniform model is known; masked rows count for nothing."""

import math

import pytest
import torch

from aurl.training.steps import TensorBatch, TransformerStep


class Uniform:
    """Finds every one of `values` equally likely, except for rows it is told to be surprised at."""

    def __init__(self, values, surprise=None):
        self.values, self.surprise = values, surprise

    def nll(self, tokens, targets):
        nats = torch.full(targets.shape, math.log(self.values))
        return nats if self.surprise is None else nats.masked_fill(self.surprise, math.inf)


def batch(mask, notes):
    rows = torch.zeros((*mask.shape, 2), dtype=torch.int64)
    return TensorBatch(rows, rows, mask, int(mask.sum()), notes, 0)


def test_a_uniform_model_pays_the_logarithm_of_each_field():
    mask = torch.ones(2, 4, dtype=torch.bool)
    loss, logged = TransformerStep().loss(Uniform(8), batch(mask, notes=4))
    assert float(loss) == pytest.approx(2 * math.log(8))
    ratios = {name: float(total) / count for name, (total, count) in logged.items()}
    assert ratios == pytest.approx({"bits_per_token": 6, "bits_per_note": 12})


def test_masked_rows_count_for_nothing_even_if_impossible():
    mask = torch.tensor([[True, True, False]])
    loss, logged = TransformerStep().loss(Uniform(4, surprise=~mask.unsqueeze(-1)), batch(mask, notes=1))
    assert float(loss) == pytest.approx(2 * math.log(4))
    assert float(logged["bits_per_note"][0]) == pytest.approx(8)


def test_a_batch_without_rows_costs_nothing():
    loss, _ = TransformerStep().loss(Uniform(4), batch(torch.zeros(1, 3, dtype=torch.bool), notes=0))
    assert float(loss) == 0
