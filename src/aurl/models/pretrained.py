"""Model folders in PyTorch: the network of a trained model, ready to be used, and how one is written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save
from torch import Tensor, nn

from aurl.models.folders import CONFIG, WEIGHTS, find_model, has_weights, model_config, read_experiment
from aurl.models.music_model import MusicModel
from aurl.utils.config import yaml_text
from aurl.utils.errors import CheckpointError


def load_model(path: Path | str) -> tuple[MusicModel, dict[str, Any]]:
    """The model in `path`, ready to be used, and the experiment it comes from.

    `path` is a model, the name of a built-in one, a checkpoint, or a run, of which the best undamaged checkpoint is
    taken. Raises CheckpointError.
    """
    folder = find_model(Path(path))
    if not has_weights(folder):
        raise CheckpointError(
            f"{folder} was exported for ONNX Runtime", found=f"no {WEIGHTS}", hint="give the model it was exported from"
        )
    experiment = read_experiment(folder)
    model = MusicModel(model_config(folder, experiment))
    read_weights(folder, model)
    return model.eval(), experiment


def write_model(folder: Path, state: Mapping[str, Tensor], experiment: Mapping[str, Any]) -> None:
    """Put the two files of a model into `folder`, which the caller makes atomic."""
    write_tensors(folder / WEIGHTS, state)
    (folder / CONFIG).write_text(yaml_text(experiment), encoding="utf-8")


def write_tensors(file: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write tensors as safetensors; through Python, so that a full disk is an OSError."""
    file.write_bytes(save({name: tensor.contiguous() for name, tensor in tensors.items()}))


def read_weights(folder: Path, model: nn.Module) -> None:
    """Load the weights of a model folder into `model`; raises CheckpointError if they do not fit it."""
    try:
        model.load_state_dict(load_file(folder / WEIGHTS))
    except RuntimeError as error:
        found = str(error).replace("\n\t", " ")
        raise CheckpointError(f"the weights in {folder} do not fit the model", found=found) from None
