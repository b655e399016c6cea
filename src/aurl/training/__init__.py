"""Training: one loop, any kind of model, and checkpoints that make a stopped run go on to the same last bit."""

from aurl.training.callbacks import Callback
from aurl.training.muon import MuonConfig
from aurl.training.optimizers import OPTIMIZERS
from aurl.training.steps import TensorBatch, TrainingStep, TransformerStep
from aurl.training.trainer import Trainer, TrainingConfig
from aurl.utils.schedules import Schedule

__all__ = [
    "OPTIMIZERS",
    "Callback",
    "MuonConfig",
    "Schedule",
    "TensorBatch",
    "Trainer",
    "TrainingConfig",
    "TrainingStep",
    "TransformerStep",
]
