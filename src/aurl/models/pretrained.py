"""Trained models on disk: a folder of model.safetensors, config.yaml (the resolved experiment) and manifest.json.

A training checkpoint is such a folder with training state beside it, and a run keeps its checkpoints under
`checkpoints/step-<number>`; `load_model` takes any of the three. It does not know how training goes on.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from safetensors import safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn

from aurl.models.music_model import MusicModel, MusicModelConfig
from aurl.utils.errors import CheckpointError, ConfigError
from aurl.utils.folders import MANIFEST, atomic_folder, read_manifest, verify_folder

WEIGHTS = "model.safetensors"
CONFIG = "config.yaml"
CHECKPOINTS = "checkpoints"

logger = logging.getLogger(__name__)


def save_model(folder: Path | str, state: Mapping[str, Tensor], experiment: Mapping[str, Any]) -> None:
    """Write weights and the whole experiment (`model` and `tokenizer` resolved) as a model folder, or nothing."""
    with atomic_folder(Path(folder)) as temporary:
        write_model(temporary, state, experiment)


def load_model(path: Path | str) -> tuple[MusicModel, dict[str, Any]]:
    """The model in `path`, ready to be used, and the experiment it comes from.

    `path` is a model, a checkpoint, or a run, of which the best undamaged checkpoint is taken. Raises CheckpointError.
    """
    folder = find_model(Path(path))
    experiment = read_experiment(folder)
    try:
        config = MusicModelConfig.parse(experiment["model"])
    except (ConfigError, KeyError) as error:
        found = "no model" if isinstance(error, KeyError) else error
        raise CheckpointError(f"{folder / CONFIG} cannot be used", found=found) from None
    model = MusicModel(config)
    read_weights(folder, model)
    return model.eval(), experiment


def find_model(path: Path) -> Path:
    """The undamaged model folder that `path` is or, for a run, its best checkpoint; raises CheckpointError."""
    candidates = best_first(path / CHECKPOINTS)
    if (path / MANIFEST).exists() or not candidates:
        _require_model(path)
        return path
    for folder in candidates:
        try:
            _require_model(folder)
        except CheckpointError as error:
            logger.warning("skipped a checkpoint: %s", error)
        else:
            return folder
    raise CheckpointError(f"no checkpoint in {path} is whole", found=f"{len(candidates)} damaged ones")


def newest_first(checkpoints: Path) -> list[Path]:
    """The checkpoint folders of a run, the one with most updates first; they may be damaged."""
    return sorted(checkpoints.glob("step-*"), reverse=True)


def best_first(checkpoints: Path) -> list[Path]:
    """The checkpoint folders of a run by bits per note on validation; those never validated last, newest first."""
    return sorted(newest_first(checkpoints), key=bits_per_note)


def bits_per_note(checkpoint: Path) -> float:
    """What validation gave at this checkpoint; infinite if there was none or its manifest is damaged."""
    try:
        score = read_manifest(checkpoint)["metadata"].get("bits_per_note")
    except CheckpointError:
        return math.inf
    return math.inf if score is None else float(score)


def write_model(folder: Path, state: Mapping[str, Tensor], experiment: Mapping[str, Any]) -> None:
    """Put the two files of a model into `folder`, which the caller makes atomic."""
    write_tensors(folder / WEIGHTS, state)
    text = yaml.safe_dump(dict(experiment), sort_keys=False, allow_unicode=True)
    (folder / CONFIG).write_text(text, encoding="utf-8")


def write_tensors(file: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write tensors as safetensors; through Python, so that a full disk is an OSError."""
    file.write_bytes(save({name: tensor.contiguous() for name, tensor in tensors.items()}))


def read_experiment(folder: Path) -> dict[str, Any]:
    """The experiment saved in a model folder."""
    experiment: dict[str, Any] = yaml.safe_load((folder / CONFIG).read_text(encoding="utf-8"))
    return experiment


def weight_count(folder: Path) -> int:
    """Number of weights in a model folder, read without loading them."""
    with safe_open(folder / WEIGHTS, framework="pt") as weights:
        return sum(math.prod(weights.get_slice(name).get_shape()) for name in weights.keys())  # noqa: SIM118 -- no dict


def read_weights(folder: Path, model: nn.Module) -> None:
    """Load the weights of a model folder into `model`; raises CheckpointError if they do not fit it."""
    try:
        model.load_state_dict(load_file(folder / WEIGHTS))
    except RuntimeError as error:
        found = str(error).replace("\n\t", " ")
        raise CheckpointError(f"the weights in {folder} do not fit the model", found=found) from None


def _require_model(folder: Path) -> None:
    """Raise CheckpointError unless `folder` is undamaged and holds a model."""
    if folder.is_dir() and not (folder / MANIFEST).exists():
        names = sorted(item.name for item in folder.iterdir())
        raise CheckpointError(
            f"there is no model in {folder}",
            found=", ".join(names[:8]) or "an empty folder",
            hint="give the folder of a run, of one of its checkpoints, or of a model",
        )
    files = verify_folder(folder)["files"]
    if not {WEIGHTS, CONFIG} <= files.keys():
        raise CheckpointError(f"{folder} is not a model", found=", ".join(files))
