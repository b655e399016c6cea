"""The one training loop: update, log, validate, save, stop, go on.

The Trainer asks a TrainingStep for losses, a data set for batch number n, and a function for validation numbers. It
draws from torch's generator as it finds it: seed before building the model. A run lives in one folder; a Trainer on a
folder that has checkpoints goes on from the newest, and every loss is then the same to the last bit as if it had never
stopped. It knows nothing of music, modes or command lines.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import nn

from aurl.models.config import DeviceName
from aurl.models.device import choose_device, peak_memory_mb
from aurl.models.folders import CHECKPOINTS, newest_first
from aurl.training.callbacks import Callback, LogLines, MetricsFile
from aurl.training.checkpoint import Checkpoints, Trained, TrainingState
from aurl.training.loader import BatchSource, updates
from aurl.training.muon import MuonConfig
from aurl.training.optimizers import OPTIMIZERS
from aurl.training.steps import TensorBatch, TrainingStep
from aurl.training.stopping import StopSignals
from aurl.training.updating import Update, update_weights
from aurl.utils.config import Config
from aurl.utils.errors import AurlError, Interrupted
from aurl.utils.folders import locked
from aurl.utils.progress import ProgressBar, progress_bar
from aurl.utils.schedules import Schedule

PATIENCE = 10
"""Updates in a row whose gradient is not finite, after which training gives up."""
LOCK = "train.lock"
"""File in a run's folder that the process training there holds."""

Validate = Callable[[nn.Module], Mapping[str, float]]

logger = logging.getLogger(__name__)


class TrainingConfig(Config):
    """How long, how fast and how carefully to train."""

    steps: int = Field(1000, ge=1)
    """Updates of the weights in the whole run; the schedule is stretched over them."""
    max_minutes: float | None = Field(None, gt=0)
    """Stop after this much time, even before `steps`; the schedule does not notice."""
    accumulate: int = Field(1, ge=1)
    """Batches whose gradients are summed into one update."""
    clip_norm: float = Field(1.0, gt=0)
    """Longest gradient; a longer one is scaled down to it."""
    optimizer: Annotated[Config, OPTIMIZERS.field()] = MuonConfig()
    """How gradients become updates."""
    schedule: Schedule = Schedule()
    """What the optimiser's learning rate is multiplied by."""
    log_every: int = Field(10, ge=1)
    """Updates between records in metrics.jsonl and in the log."""
    validate_every: int = Field(500, ge=1)
    """Updates between validations; one that improves is saved as a checkpoint."""
    checkpoint_every: int = Field(500, ge=1)
    """Updates between checkpoints."""
    keep_checkpoints: int = Field(2, ge=1)
    """How many of the newest checkpoints are kept, besides the best."""
    workers: int = Field(0, ge=0)
    """Processes that prepare batches ahead; the batches are the same for any number."""
    device: DeviceName = "auto"
    """Where to train; auto takes CUDA, then MPS, then the CPU."""


class Trainer:
    """Trains `model` in the folder of a run; `experiment` is the whole resolved configuration, saved with it."""

    def __init__(  # noqa: PLR0913 -- each is one thing the loop needs from outside
        self,
        config: TrainingConfig,
        model: nn.Module,
        step: TrainingStep[Any],
        data: BatchSource,
        *,
        folder: Path,
        experiment: Mapping[str, Any],
        validate: Validate | None = None,
        callbacks: Sequence[Callback] = (),
        quiet: bool = False,
    ) -> None:
        self.config, self.step, self.data, self.validate, self.quiet = config, step, data, validate, quiet
        self.folder = folder
        self.device = choose_device(config.device)
        self.model = model.to(self.device)
        self.optimizer = OPTIMIZERS.build(config.optimizer, self.model)
        self.peak_rates = [group["lr"] for group in self.optimizer.param_groups]
        self.trained = Trained(self.model, self.optimizer, experiment)
        self.checkpoints = Checkpoints(folder / CHECKPOINTS, config.keep_checkpoints)
        self.callbacks = [MetricsFile(folder), LogLines(), *callbacks]
        self.state = TrainingState()

    def train(self) -> TrainingState:
        """Train to the end, from the newest checkpoint if there is one; Ctrl-C saves and raises Interrupted."""
        with locked(self.folder / LOCK, work="trains"), StopSignals() as stop:
            self._resume()
            self._go_on(stop)
        return self.state

    def _go_on(self, stop: StopSignals) -> None:
        with self._progress() as bar:
            for batches in self._updates():
                update = self._update(batches)
                bar.advance(loss=update.loss, tokens_per_second=self._tokens_per_second())
                last = self._is_finished()
                if last or self._is_due(self.config.log_every):
                    self._record(update)
                best = self._validate(update.epoch) if last or self._is_due(self.config.validate_every) else None
                if last or stop.requested or best is not None or self._is_due(self.config.checkpoint_every):
                    self._save(best)
                if last:
                    self._require_skipped_below(1)
                    break
                if stop.requested:
                    raise Interrupted(f"stopped after step {self.state.step}", hint="the same command goes on there")

    def _resume(self) -> None:
        newest = self.checkpoints.newest()
        if newest is not None:
            self.state = self.checkpoints.restore(newest, self.trained)
            logger.info("going on from %s", newest)
        for callback in self.callbacks:
            callback.started(self.state.step)
        self.model.train()
        self._clock = time.perf_counter()
        self._restart_meter()

    def _updates(self) -> Iterator[list[TensorBatch]]:
        if self._is_finished():
            return iter(())
        return updates(
            self.data,
            first=self.state.step,
            last=self.config.steps,
            accumulate=self.config.accumulate,
            workers=self.config.workers,
            device=self.device,
        )

    def _update(self, batches: Sequence[TensorBatch]) -> Update:
        state = self.state
        factor = self.config.schedule.value(state.step, self.config.steps)
        for group, peak in zip(self.optimizer.param_groups, self.peak_rates, strict=True):
            group["lr"] = peak * factor
        update = update_weights(self.model, self.optimizer, self.step, batches, clip_norm=self.config.clip_norm)
        state.step += 1
        state.tokens += update.tokens
        state.skipped_in_a_row = 0 if update.applied else state.skipped_in_a_row + 1
        self._require_skipped_below(PATIENCE)
        now = time.perf_counter()
        state.seconds += now - self._clock
        self._clock = now
        return update

    def _require_skipped_below(self, limit: int) -> None:
        """Raise AurlError if the last `limit` updates, or more, were left out."""
        skipped = self.state.skipped_in_a_row
        if skipped >= limit:
            intact = "; earlier checkpoints are intact" if newest_first(self.checkpoints.folder) else ""
            raise AurlError(
                f"training diverged at step {self.state.step}",
                found=f"loss or gradient not finite in the last {skipped} of its updates",
                hint=f"lower training.optimizer.learning_rate{intact}",
            )

    def _is_finished(self) -> bool:
        budget = math.inf if self.config.max_minutes is None else 60 * self.config.max_minutes
        return self.state.step >= self.config.steps or self.state.seconds >= budget

    def _is_due(self, every: int) -> bool:
        return self.state.step % every == 0

    def _record(self, update: Update) -> None:
        self._tell(
            update.epoch,
            {
                "loss": update.loss,
                **update.logged,
                "learning_rate": self.optimizer.param_groups[0]["lr"],
                "gradient_norm": update.gradient_norm,
                "tokens_per_second": self._tokens_per_second(),
                "memory_mb": peak_memory_mb(self.device),
            },
        )
        self._restart_meter()

    def _validate(self, epoch: int) -> float | None:
        """Validate; return `bits_per_note`, by which models are compared, if they are the lowest so far."""
        if self.validate is None:
            return None
        self.model.eval()
        with torch.no_grad():
            numbers = self.validate(self.model)
        self.model.train()
        self._tell(epoch, {f"validation_{name}": value for name, value in numbers.items()})
        self._restart_meter()
        score = numbers["bits_per_note"]
        if not score < (math.inf if self.state.best_score is None else self.state.best_score):
            return None
        self.state.best_score = score
        return score

    def _save(self, best: float | None) -> None:
        if not self.state.skipped_in_a_row:  # weights whose gradients are not finite are not worth going on from
            self.checkpoints.save(self.trained, self.state, best)
        self._restart_meter()

    def _tell(self, epoch: int, numbers: Mapping[str, float]) -> None:
        for callback in self.callbacks:
            callback.recorded({"step": self.state.step, "epoch": epoch, **numbers})

    def _progress(self) -> AbstractContextManager[ProgressBar]:
        steps, done = self.config.steps, self.state.step
        return progress_bar("training", steps, "steps", done=done, quiet=self.quiet)

    def _restart_meter(self) -> None:
        self._meter = (self.state.tokens, time.perf_counter())

    def _tokens_per_second(self) -> float:
        """Rate since the last record, validation or checkpoint."""
        tokens, since = self._meter
        return (self.state.tokens - tokens) / max(1e-9, time.perf_counter() - since)
