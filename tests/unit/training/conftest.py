"""A model of a few hundred weights with dropout, batches made from their number, and a trainer of both."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from aurl.training import Trainer, TrainingConfig, TransformerStep
from aurl.utils.seed import seed_everything

VALUES = 8


class TinyModel(nn.Module):
    """Predicts each row from the row before it alone."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(VALUES, 8)
        self.head = nn.Linear(8, VALUES)

    def nll(self, tokens, targets, mask):
        hidden = F.dropout(self.embedding(tokens), 0.2, self.training)  # b t f d
        return F.cross_entropy(self.head(hidden).movedim(-1, 1), targets, reduction="none") * mask


@dataclass
class TinyBatch:
    inputs: np.ndarray
    targets: np.ndarray
    mask: np.ndarray
    notes: int
    epoch: int


class TinyData:
    """Counting upwards, with lengths that differ; two fields."""

    def batch(self, step: int) -> TinyBatch:
        generator = np.random.default_rng(step)
        inputs = generator.integers(0, VALUES, (3, 5, 2))
        mask = np.arange(5) < generator.integers(1, 6, (3, 1))
        return TinyBatch(inputs, (inputs + 1) % VALUES, np.stack([mask, mask], -1), int(mask.sum()) // 2, step // 10)


@dataclass
class Run:
    """A run folder and what training in it gave."""

    folder: Path
    model: nn.Module
    data: TinyData
    trainer: Trainer

    def losses(self) -> dict[int, str]:
        """Every recorded loss by step, to the last bit."""
        return {r["step"]: float(r["loss"]).hex() for r in self.records() if "loss" in r}

    def records(self) -> list[dict]:
        return [json.loads(line) for line in (self.folder / "metrics.jsonl").read_text().splitlines()]

    def weights(self) -> bytes:
        return b"".join(value.numpy().tobytes() for value in self.model.state_dict().values())

    def checkpoints(self) -> list[str]:
        return sorted(item.name for item in (self.folder / "checkpoints").iterdir())


@pytest.fixture
def run(tmp_path):
    """Make a trainer in a folder: the same arguments give the same run."""

    def make(name="run", *, validate=None, callbacks=(), data=None, step=None, experiment=None, **config):
        seed_everything(0)
        values = {"steps": 12, "accumulate": 2, "log_every": 1, "checkpoint_every": 5, "device": "cpu", **config}
        folder, model, data = tmp_path / name, TinyModel(), data or TinyData()
        trainer = Trainer(
            TrainingConfig.parse(values),
            model,
            step or TransformerStep(),
            data,
            folder=folder,
            experiment=experiment or {"model": {"width": 8}, "training": values},
            validate=validate,
            callbacks=callbacks,
            quiet=True,
        )
        return Run(folder, model, data, trainer)

    torch.set_num_threads(1)
    return make
