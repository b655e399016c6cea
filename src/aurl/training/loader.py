"""Batches on the device, in the order the data set defines: update `u` gets batches `u * accumulate + i`.

Any number of worker processes gives the same stream: workers only fetch ahead.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from aurl.training.steps import TensorBatch


class HostBatch(Protocol):
    """A batch as a data set makes it: numpy arrays."""

    @property
    def inputs(self) -> NDArray[Any]:
        """int64[b, t, f]."""

    @property
    def targets(self) -> NDArray[Any]:
        """int64[b, t, f]."""

    @property
    def mask(self) -> NDArray[Any]:
        """bool[b, t, f]."""

    @property
    def notes(self) -> int:
        """Notes among the targets that count."""

    @property
    def epoch(self) -> int:
        """How often the data has been gone through before."""


class BatchSource(Protocol):
    """Batches as a pure function of their number."""

    def batch(self, step: int) -> HostBatch:
        """Batch number `step`."""


def updates(
    data: BatchSource, *, first: int, last: int, accumulate: int, workers: int, device: torch.device
) -> Iterator[list[TensorBatch]]:
    """Yield the micro-batches of each update from `first` up to and without `last`."""
    loader: DataLoader[Sequence[HostBatch]] = DataLoader(
        _Updates(data, accumulate),
        sampler=range(first, last),
        batch_size=None,
        num_workers=workers,
        collate_fn=_unchanged,
        worker_init_fn=_ignore_interrupts,
        generator=torch.Generator(),  # the loader would draw from the generator that dropout uses
    )
    for batches in loader:
        yield [_to_device(batch, device) for batch in batches]


class _Updates(Dataset[Sequence[HostBatch]]):
    def __init__(self, data: BatchSource, accumulate: int) -> None:
        self.data, self.accumulate = data, accumulate

    def __getitem__(self, update: int) -> Sequence[HostBatch]:
        first = update * self.accumulate
        return [self.data.batch(step) for step in range(first, first + self.accumulate)]


def _unchanged(batches: Sequence[HostBatch]) -> Sequence[HostBatch]:
    return batches


def _ignore_interrupts(worker: int) -> None:  # noqa: ARG001 -- the loader's signature
    """Ctrl-C reaches the whole process group; workers live until the update in progress is done."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _to_device(batch: HostBatch, device: torch.device) -> TensorBatch:
    arrays = (batch.inputs, batch.targets, batch.mask)
    inputs, targets, mask = (_move(torch.from_numpy(array), device) for array in arrays)
    return TensorBatch(inputs, targets, mask, int(batch.mask.any(-1).sum()), batch.notes, batch.epoch)


def _move(tensor: Tensor, device: torch.device) -> Tensor:
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)
