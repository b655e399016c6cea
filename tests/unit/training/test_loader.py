"""Which batches an update gets, and that workers and generators do not matter."""

import signal

import numpy as np
import pytest
import torch

from aurl.training import loader
from aurl.training.loader import updates

CPU = torch.device("cpu")


class Counting:
    """Batch n holds n; its two rows count, one does not."""

    class Batch:
        def __init__(self, step):
            self.inputs = np.full((1, 3, 1), step)
            self.targets = self.inputs + 1
            self.mask = np.array([[[True], [True], [False]]])
            self.notes, self.epoch = 1, step // 4

    def batch(self, step):
        return self.Batch(step)


def numbers(**values):
    found = updates(Counting(), **{"accumulate": 2, "workers": 0, "device": CPU, **values})
    return [[int(batch.inputs[0, 0, 0]) for batch in batches] for batches in found]


def test_an_update_gets_the_batches_of_its_own_number():
    assert numbers(first=3, last=5) == [[6, 7], [8, 9]]


def test_a_batch_arrives_as_tensors_with_its_counts():
    (batch,) = next(updates(Counting(), first=5, last=6, accumulate=1, workers=0, device=CPU))
    assert batch.targets.dtype == torch.int64
    assert batch.mask.tolist() == [[[True], [True], [False]]]
    assert (batch.tokens, batch.notes, batch.epoch) == (2, 1, 1)


def test_loading_draws_nothing_from_the_generator_of_dropout():
    before = torch.get_rng_state()
    numbers(first=0, last=3)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.slow
def test_workers_keep_the_order():
    assert numbers(first=0, last=9, workers=2) == numbers(first=0, last=9)


def test_a_worker_does_not_die_of_ctrl_c():
    before = signal.getsignal(signal.SIGINT)
    try:
        loader._ignore_interrupts(0)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
