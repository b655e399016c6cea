"""The loss of a uniform model is known; masked rows count for nothing."""

import math

import pytest
import torch

from aurl.training.steps import TensorBatch, TransformerStep


class Uniform:
    """Finds every one of `values` equally likely."""

    def __init__(self, values):
        self.values = values

    def nll(self, tokens, targets, mask):
        return torch.full(targets.shape, math.log(self.values)).masked_fill(~mask, 0)


def batch(mask, notes):
    rows = torch.zeros(mask.shape, dtype=torch.int64)
    return TensorBatch(rows, rows, mask, int(mask.any(-1).sum()), notes, 0)


def test_a_uniform_model_pays_the_logarithm_of_each_field():
    mask = torch.ones(2, 4, 2, dtype=torch.bool)
    loss, logged = TransformerStep().loss(Uniform(8), batch(mask, notes=4))
    assert float(loss) == pytest.approx(2 * math.log(8))
    ratios = {name: float(total) / count for name, (total, count) in logged.items()}
    assert ratios == pytest.approx({"bits_per_token": 6, "bits_per_note": 12})


def test_fields_and_rows_that_are_masked_count_for_nothing():
    mask = torch.tensor([[[True, True], [True, False], [False, False]]])
    loss, logged = TransformerStep().loss(Uniform(4), batch(mask, notes=1))
    assert float(loss) == pytest.approx(1.5 * math.log(4))
    assert float(logged["bits_per_note"][0]) == pytest.approx(6)


def test_a_batch_without_rows_costs_nothing():
    loss, _ = TransformerStep().loss(Uniform(4), batch(torch.zeros(1, 3, 2, dtype=torch.bool), notes=0))
    assert float(loss) == 0
