"""From a model folder to what runs it: ONNX Runtime on a CPU, PyTorch where there is a GPU or when it is asked for."""

from __future__ import annotations

import os
from ctypes.util import find_library
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from aurl.models.config import DeviceName
from aurl.models.exported import carried_format, load_graphs
from aurl.models.folders import find_model, has_weights, model_config, read_experiment
from aurl.models.onnx_graph import GraphFormat, runs_on_onnx
from aurl.utils.errors import ConfigError

if TYPE_CHECKING:
    from aurl.generation.engine import Runtime

RuntimeFormat = Literal["torch", GraphFormat]
"""The trained weights in PyTorch, or graphs of 32 (onnx), 8 or 4 bits in ONNX Runtime."""


def open_runtime(
    path: Path, *, device: DeviceName = "auto", form: RuntimeFormat | None = None, threads: int = 1
) -> tuple[Runtime, dict[str, Any]]:
    """The runtime of the model, checkpoint, run or export in `path`, and the experiment that it comes from.

    Without `form`, PyTorch takes the model if `device` is a GPU, or is `auto` and there is an NVIDIA one and the folder
    carries no graphs; otherwise graphs do, those that it carries or of 8 bits. `threads` are those of ONNX Runtime: a
    step of a small model is not faster on two.
    """
    folder = find_model(path)
    experiment = read_experiment(folder)
    config = model_config(folder, experiment)
    wants_gpu = device not in ("auto", "cpu") or (device == "auto" and not carried_format(folder) and _has_gpu())
    if form is None and has_weights(folder) and (wants_gpu or not runs_on_onnx(config)):
        form = "torch"
    if form == "torch":
        from aurl.generation.runtimes.torch_runtime import TorchRuntime
        from aurl.models.device import choose_device
        from aurl.models.pretrained import load_model

        return TorchRuntime(load_model(folder)[0], choose_device(device)), experiment
    if device not in ("auto", "cpu"):
        raise ConfigError("graphs run on a CPU", found=f"device {device}", hint="give the trained model")
    from aurl.generation.runtimes.onnx_runtime import OnnxRuntime

    graphs = load_graphs(folder, form)
    return OnnxRuntime(graphs, config, threads=threads), experiment


def _has_gpu() -> bool:
    """Whether PyTorch can use an NVIDIA GPU; its import takes seconds, so it is asked only where there is a driver."""
    if not _has_nvidia_driver():
        return False
    from aurl.models.device import choose_device

    return choose_device().type == "cuda"


def _has_nvidia_driver() -> bool:
    return Path("/dev/nvidiactl").exists() or (os.name == "nt" and find_library("nvcuda") is not None)
