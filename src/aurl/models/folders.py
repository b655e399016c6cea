"""Trained models on disk: a folder of model.safetensors, config.yaml (the resolved experiment) and manifest.json.

A training checkpoint is such a folder with training state beside it, and a run keeps its checkpoints under
`checkpoints/step-<number>`. In place of a folder, `aurl:small` is the model of that name in the package. This module
knows neither how training goes on nor the library that computes the model.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from safetensors import safe_open

from aurl.data.embedded import BUILT_IN, built_in_model
from aurl.models.config import MusicModelConfig
from aurl.utils.errors import CheckpointError, ConfigError
from aurl.utils.folders import MANIFEST, read_manifest, verify_folder

WEIGHTS = "model.safetensors"
GRAPH = "model.onnx"
"""In place of the weights in an exported model, or beside them."""
CONFIG = "config.yaml"
CHECKPOINTS = "checkpoints"
SCORED_ON = "scored_on"
"""Key of a manifest's metadata: what tells the pieces that its bits per note were measured on."""
WHAT_TO_GIVE = "give the folder of a run, of one of its checkpoints, or of a model, or the name of a built-in one"

logger = logging.getLogger(__name__)


def find_model(path: Path) -> Path:
    """The undamaged model folder that `path` is or names or, for a run, its best checkpoint.

    Raises CheckpointError, and UnknownNameError for a built-in model that there is not.
    """
    if is_built_in(path):
        path = built_in_model(str(path).removeprefix(BUILT_IN))
    if not path.is_dir():
        problem = "is not a folder" if path.exists() else "does not exist"
        raise CheckpointError(f"{path} {problem}", hint=WHAT_TO_GIVE)
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


def is_built_in(path: Path) -> bool:
    """Whether this is the name of a model in the package, and not a folder."""
    return str(path).startswith(BUILT_IN)


def has_weights(folder: Path) -> bool:
    """Whether a model folder holds trained weights, and not graphs alone."""
    return (folder / WEIGHTS).exists()


def newest_first(checkpoints: Path) -> list[Path]:
    """The checkpoint folders of a run, the one with most updates first; they may be damaged."""
    return sorted(checkpoints.glob("step-*"), reverse=True)


def best_first(checkpoints: Path) -> list[Path]:
    """The checkpoint folders of a run by bits per note on validation; those without a score last, newest first.

    A score measured on other pieces than those of the newest readable checkpoint is none.
    """
    folders = newest_first(checkpoints)
    pieces = {folder: _metadata(folder).get(SCORED_ON) for folder in folders}
    current = next((value for value in pieces.values() if value is not None), None)
    return sorted(folders, key=lambda folder: bits_per_note(folder) if pieces[folder] == current else math.inf)


def bits_per_note(checkpoint: Path) -> float:
    """What validation gave at this checkpoint; infinite if there was none or its manifest is damaged."""
    score = _metadata(checkpoint).get("bits_per_note")
    return math.inf if score is None else float(score)


def read_experiment(folder: Path) -> dict[str, Any]:
    """The experiment saved in a model folder."""
    experiment: dict[str, Any] = yaml.safe_load((folder / CONFIG).read_text(encoding="utf-8"))
    return experiment


def model_config(folder: Path, experiment: Mapping[str, Any]) -> MusicModelConfig:
    """The network of the experiment of a folder; raises CheckpointError if this version of Aurl cannot build it."""
    try:
        return MusicModelConfig.parse(experiment["model"])
    except (ConfigError, KeyError) as error:
        found = "no model" if isinstance(error, KeyError) else error
        raise CheckpointError(f"{folder / CONFIG} cannot be used", found=found) from None


def weight_count(folder: Path) -> int:
    """Number of weights in a model folder, read without loading them."""
    with safe_open(folder / WEIGHTS, framework="numpy") as weights:
        return sum(math.prod(weights.get_slice(name).get_shape()) for name in weights.keys())  # noqa: SIM118 -- no dict


def _metadata(checkpoint: Path) -> dict[str, Any]:
    """What the manifest of a checkpoint says of it; nothing if it is damaged."""
    try:
        metadata: dict[str, Any] = read_manifest(checkpoint)["metadata"]
    except CheckpointError:
        return {}
    return metadata


def _require_model(folder: Path) -> None:
    """Raise CheckpointError unless `folder` is undamaged and holds a model."""
    if folder.is_dir() and not (folder / MANIFEST).exists():
        names = sorted(item.name for item in folder.iterdir())
        raise CheckpointError(
            f"there is no model in {folder}",
            found=", ".join(names[:8]) or "an empty folder",
            hint=WHAT_TO_GIVE,
        )
    files = verify_folder(folder)["files"]
    if CONFIG not in files or not {WEIGHTS, GRAPH} & files.keys():
        raise CheckpointError(f"{folder} is not a model", found=", ".join(files))
