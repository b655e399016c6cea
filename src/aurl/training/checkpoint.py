"""Everything a run needs to go on as if it had never stopped, in one folder per checkpoint.

    RUN/checkpoints/step-000001000/   model.safetensors  config.yaml      what `load_model` needs
                                      optimizer.safetensors  state.json   counters and random-number states
                                      manifest.json                       checksums, step, validation bits per note

A checkpoint is a model folder (`aurl.models.folders`), atomic and verified (`aurl.utils.folders`). The last few and
the best are kept. Nothing is pickled.
"""

from __future__ import annotations

import json
import logging
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.optim import Optimizer

from aurl.models.folders import SCORED_ON, best_first, newest_first, read_experiment
from aurl.models.pretrained import read_weights, write_model, write_tensors
from aurl.utils.errors import CheckpointError, ConfigError
from aurl.utils.files import storage_errors
from aurl.utils.folders import atomic_folder, remove_folder, remove_stale, verify_folder
from aurl.utils.seed import capture_rng, restore_rng

OPTIMIZER = "optimizer.safetensors"
STATE = "state.json"
FIXED = ("model", "tokenizer", "training.optimizer.name", "training.optimizer.adamw_modules")
"""Settings a run cannot change half-way: the weights and the optimiser's memory would mean something else."""
NOT_OF_WEIGHTS = ("model.context", "model.dropout")
"""Settings of the network that it can: no weight depends on them."""

logger = logging.getLogger(__name__)


@dataclass
class TrainingState:
    """The counters of a run."""

    step: int = 0
    """Updates done."""
    tokens: int = 0
    """Rows learned from, padding left out."""
    seconds: float = 0.0
    """Time spent, over all the times the run was resumed."""
    best_score: float | None = None
    """Lowest bits per note on validation."""
    skipped_in_a_row: int = 0
    """Updates left out just now because the gradient was not finite."""


@dataclass(frozen=True)
class Trained:
    """What training changes, besides the counters."""

    model: nn.Module
    optimizer: Optimizer
    experiment: Mapping[str, Any]
    """The resolved experiment, as plain values."""


class Checkpoints:
    """The checkpoints of one run; at most `keep` of them and the best."""

    def __init__(self, folder: Path, keep: int) -> None:
        self.folder, self.keep = folder, keep
        self._damaged: set[Path] = set()
        with storage_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            remove_stale(folder)

    def save(self, trained: Trained, state: TrainingState, score: float | None = None) -> Path:
        """Write a checkpoint, `score` being validation's bits per note just now; then drop those not to be kept."""
        target = self.folder / f"step-{state.step:09d}"
        metadata = {"step": state.step, "bits_per_note": score, SCORED_ON: scored_on(trained.experiment)}
        with atomic_folder(target, metadata) as folder:
            write_model(folder, trained.model.state_dict(), trained.experiment)
            write_tensors(folder / OPTIMIZER, dict(_flat_state(trained.optimizer)))
            random = {name: b64encode(value).decode() for name, value in capture_rng().items()}
            values = {"counters": asdict(state), "random": random}
            (folder / STATE).write_text(json.dumps(values, indent=1), encoding="utf-8")
        self._damaged.discard(target)
        self._drop_old()
        return target

    def newest(self) -> Path | None:
        """The newest undamaged checkpoint, None if there never was one; raises CheckpointError if all are damaged."""
        folders = newest_first(self.folder)
        for folder in folders:
            try:
                verify_folder(folder)
            except CheckpointError as error:
                logger.warning("skipped a checkpoint: %s", error)
                self._damaged.add(folder)
            else:
                return folder
        if folders:
            raise CheckpointError(
                f"no checkpoint in {self.folder} is whole",
                found=f"{len(folders)} damaged",
                hint="delete the run's folder to start anew",
            )
        return None

    def restore(self, folder: Path, trained: Trained) -> TrainingState:
        """Put model, optimiser and random-number generators back as they were; return the counters.

        The best score is forgotten if validation has other pieces now.
        """
        saved = read_experiment(folder)
        require_same_experiment(saved, trained.experiment)
        read_weights(folder, trained.model)
        _restore_optimizer(trained.optimizer, load_file(folder / OPTIMIZER))
        values = json.loads((folder / STATE).read_text(encoding="utf-8"))
        restore_rng({name: b64decode(text) for name, text in values["random"].items()})
        state = TrainingState(**values["counters"])
        if scored_on(saved) != scored_on(trained.experiment):
            state.best_score = None
        return state

    def _drop_old(self) -> None:
        whole = [folder for folder in newest_first(self.folder) if folder not in self._damaged]
        best = [folder for folder in best_first(self.folder) if folder in whole][:1]
        for folder in whole[self.keep :]:
            if folder not in best:
                remove_folder(folder)


def require_same_experiment(saved: Mapping[str, Any], current: Mapping[str, Any]) -> None:
    """Raise ConfigError if a fixed setting differs from the saved one; warn of every other that does."""
    before = dict(_leaves(saved))
    now = dict(_leaves(yaml.safe_load(yaml.safe_dump(dict(current)))))
    for key in sorted(before.keys() | now.keys()):
        old, new = before.get(key), now.get(key)
        if old == new:
            continue
        if key not in NOT_OF_WEIGHTS and any(key == fixed or key.startswith(f"{fixed}.") for fixed in FIXED):
            raise ConfigError(
                f"this run was begun with another {key}",
                found=f"{new!r}, not {old!r}",
                hint="set it back, or train under another name",
            )
        logger.warning("going on with another %s: %r, before %r", key, new, old)


def scored_on(experiment: Mapping[str, Any]) -> dict[str, Any]:
    """What decides which pieces validation measures: scores are comparable only where this is equal."""
    leaves = _leaves(experiment)
    return {key: value for key, value in leaves if key == "corpus_fingerprint" or key.startswith("data.valid_")}


def _flat_state(optimizer: Optimizer) -> Iterator[tuple[str, Tensor]]:
    for index, values in optimizer.state_dict()["state"].items():
        for name, value in values.items():
            yield f"{index}.{name}", value


def _restore_optimizer(optimizer: Optimizer, tensors: Mapping[str, Tensor]) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        index, _, name = key.partition(".")
        state.setdefault(int(index), {})[name] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def _leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
