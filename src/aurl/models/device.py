"""Where models run: CUDA (trained in bfloat16), Apple's MPS, or the CPU (float32), and what it costs in memory."""

from __future__ import annotations

import resource
import sys
from contextlib import AbstractContextManager, nullcontext

import torch

from aurl.models.config import DeviceName
from aurl.utils.errors import ConfigError


def choose_device(name: DeviceName = "auto") -> torch.device:
    """The device called `name`, or the best there is; raises ConfigError if it is not there."""
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    available = [kind for kind, is_there in there.items() if is_there]
    if name == "auto":
        return torch.device(available[0])
    if name not in available:
        raise ConfigError(f"there is no {name} device", found=", ".join(available), hint="set training.device=auto")
    return torch.device(name)


def autocast(device: torch.device) -> AbstractContextManager[object]:
    """bfloat16 on CUDA; elsewhere nothing: on a CPU without bf16 units autocast is several times slower."""
    return torch.autocast("cuda", dtype=torch.bfloat16) if device.type == "cuda" else nullcontext()


def peak_memory_mb(device: torch.device) -> float:
    """Most memory in use so far, in megabytes: of the GPU if training runs there, else of this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e6
    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss is in bytes on macOS, in KiB elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
