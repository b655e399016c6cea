"""The best device there is, and a clear word when it is not there."""

from contextlib import nullcontext

import pytest
import torch

from aurl.models.device import autocast, choose_device, peak_memory_mb
from aurl.utils.errors import ConfigError


def pretend(monkeypatch, *, cuda=False, mps=False):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)


@pytest.mark.parametrize(
    ("there", "best"),
    [({"cuda": True, "mps": True}, "cuda"), ({"mps": True}, "mps"), ({}, "cpu")],
)
def test_auto_takes_the_fastest(monkeypatch, there, best):
    pretend(monkeypatch, **there)
    assert choose_device("auto") == torch.device(best)


def test_the_cpu_can_be_asked_for_beside_a_gpu(monkeypatch):
    pretend(monkeypatch, cuda=True)
    assert choose_device("cpu") == torch.device("cpu")


def test_a_device_that_is_not_there_is_refused(monkeypatch):
    pretend(monkeypatch)
    with pytest.raises(ConfigError, match=r"no cuda device; found: cpu; set training\.device=auto"):
        choose_device("cuda")


def test_only_cuda_computes_in_bfloat16(monkeypatch):
    assert isinstance(autocast(torch.device("cpu")), nullcontext)
    seen = []
    monkeypatch.setattr(torch, "autocast", lambda *args, **kwargs: seen.append((args, kwargs)))
    autocast(torch.device("cuda"))
    assert seen == [(("cuda",), {"dtype": torch.bfloat16})]


def test_memory_is_that_of_the_process_or_of_the_gpu(monkeypatch):
    assert peak_memory_mb(torch.device("cpu")) > 50  # torch alone takes more
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: 5e6)
    assert peak_memory_mb(torch.device("cuda")) == 5
