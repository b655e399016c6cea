"""A model folder is opened by what its device and format ask for, and torch stays out of what a CPU does."""

import subprocess
import sys

import pytest
import torch

from aurl.generation.runtimes import opening
from aurl.generation.runtimes.onnx_runtime import OnnxRuntime
from aurl.generation.runtimes.opening import open_runtime
from aurl.generation.runtimes.torch_runtime import TorchRuntime
from aurl.models import device
from aurl.models.config import MusicModelConfig
from aurl.models.exported import export_model
from aurl.models.music_model import MusicModel
from aurl.models.pretrained import write_model
from aurl.utils.errors import ConfigError
from aurl.utils.folders import atomic_folder


def saved(target, **config):
    shape = MusicModelConfig(
        **{"vocabulary_sizes": (5, 7), "width": 32, "layers": 1, "heads": 2, "context": 8, **config}
    )
    with atomic_folder(target) as folder:
        write_model(folder, MusicModel(shape).state_dict(), {"model": shape.model_dump(mode="json"), "title": "a"})
    return target


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A model on a machine without a GPU."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(opening, "_has_nvidia_driver", lambda: False)
    return saved(tmp_path / "model")


def test_a_cpu_runs_graphs(folder):
    for name in ("auto", "cpu"):
        runtime, experiment = open_runtime(folder, device=name)
        assert isinstance(runtime, OnnxRuntime)
        assert experiment["title"] == "a"


@pytest.mark.parametrize("form", ["onnx", "int8", "int4"])
def test_a_format_can_be_asked_for(folder, form):
    assert isinstance(open_runtime(folder, form=form)[0], OnnxRuntime)


def test_torch_can_be_asked_for(folder):
    runtime, experiment = open_runtime(folder, device="cpu", form="torch")
    assert isinstance(runtime, TorchRuntime)
    assert runtime.device.type == "cpu"
    assert experiment["title"] == "a"


def test_a_gpu_runs_torch(folder, monkeypatch):
    monkeypatch.setattr(opening, "_has_gpu", lambda: True)
    assert isinstance(open_runtime(folder)[0], TorchRuntime)
    assert isinstance(open_runtime(folder, device="cpu")[0], OnnxRuntime)
    with pytest.raises(ConfigError, match="graphs run on a CPU; found: device cuda"):
        open_runtime(folder, device="cuda", form="int8")


@pytest.mark.parametrize(("kind", "runtime"), [("cuda", TorchRuntime), ("cpu", OnnxRuntime)])
def test_a_driver_makes_torch_look_for_a_gpu(folder, monkeypatch, kind, runtime):
    monkeypatch.setattr(opening, "_has_nvidia_driver", lambda: True)
    devices = iter([torch.device(kind), torch.device("cpu")])  # what is found, then where this test can run it
    monkeypatch.setattr(device, "choose_device", lambda name="auto": next(devices))
    assert isinstance(open_runtime(folder)[0], runtime)


def test_heads_that_graphs_cannot_have_run_in_torch(tmp_path, folder):
    assert isinstance(open_runtime(saved(tmp_path / "narrow", heads=4), device="cpu")[0], TorchRuntime)


def test_an_export_is_opened_as_it_is(tmp_path, folder, monkeypatch):
    export_model(folder, tmp_path / "export", "onnx")
    monkeypatch.setattr(opening, "_has_gpu", lambda: True)
    runtime, experiment = open_runtime(tmp_path / "export")
    assert isinstance(runtime, OnnxRuntime)
    assert experiment["title"] == "a"
    with pytest.raises(ConfigError, match="exported as onnx; found: int8"):
        open_runtime(tmp_path / "export", form="int8")


def test_graphs_beside_the_weights_are_taken_unless_a_gpu_is_asked_for(tmp_path, folder, monkeypatch):
    export_model(folder, tmp_path / "whole", "onnx", with_weights=True)
    monkeypatch.setattr(opening, "_has_gpu", lambda: True)
    assert isinstance(open_runtime(tmp_path / "whole")[0], OnnxRuntime)
    monkeypatch.setattr(device, "choose_device", lambda name: torch.device("cpu"))
    assert isinstance(open_runtime(tmp_path / "whole", device="cuda")[0], TorchRuntime)
    assert isinstance(open_runtime(tmp_path / "whole", form="torch")[0], TorchRuntime)


@pytest.mark.parametrize("carries", [True, False])
def test_a_cpu_imports_neither_torch_nor_onnx(tmp_path, folder, carries, monkeypatch):
    """In a new process, with graphs that the folder carries, or that have been built before."""
    if carries:
        export_model(folder, tmp_path / "whole", "int8", with_weights=True)
        folder = tmp_path / "whole"
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "empty"))
    else:
        open_runtime(folder, device="cpu")
    script = (
        "import sys; from pathlib import Path; from aurl.generation.runtimes.opening import open_runtime\n"
        "open_runtime(Path(sys.argv[1]), device='cpu')\n"
        "sys.exit(' '.join({'torch', 'onnx'} & sys.modules.keys()) or 0)"
    )
    result = subprocess.run([sys.executable, "-c", script, str(folder)], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
