"""Random numbers that can be repeated: seeds derived by name, generators seeded, captured and restored.

torch is never imported here: its generators take part once the program has imported it. New code should draw from
`numpy.random.default_rng(derive_seed(...))`, a pure function of its parts, rather than from a global generator.
"""

from __future__ import annotations

import hashlib
import json
import random
import sys
from collections.abc import Mapping
from typing import Any, SupportsIndex

import numpy as np


def derive_seed(*parts: SupportsIndex | str) -> int:
    """A seed of 63 bits that depends on each part and their order; the same on every machine and version."""
    text = json.dumps([part if isinstance(part, str) else part.__index__() for part in parts])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def seed_everything(seed: int) -> None:
    """Seed the global generators of Python, numpy and, where imported, torch on all its devices."""
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 -- libraries still draw from the global generator
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.manual_seed(seed)


def capture_rng() -> dict[str, bytes]:
    """States of all global generators by name: python, numpy, torch, cuda:0 ..., mps."""
    numpy_state: Any = np.random.get_state(legacy=False)  # noqa: NPY002 -- the global generator is what is captured
    numpy_state["state"]["key"] = numpy_state["state"]["key"].tolist()
    states = {"python": json.dumps(random.getstate()).encode(), "numpy": json.dumps(numpy_state).encode()}
    torch = sys.modules.get("torch")
    if torch is None:
        return states
    states["torch"] = torch.get_rng_state().numpy().tobytes()
    if torch.cuda.is_available():
        for device, state in enumerate(torch.cuda.get_rng_state_all()):
            states[f"cuda:{device}"] = state.numpy().tobytes()
    if torch.backends.mps.is_available():
        states["mps"] = torch.mps.get_rng_state().numpy().tobytes()
    return states


def restore_rng(states: Mapping[str, bytes]) -> None:
    """Put the generators back as `capture_rng` found them; states of devices that are not here are left out."""
    version, internal, gauss = json.loads(states["python"])
    random.setstate((version, tuple(internal), gauss))
    np.random.set_state(json.loads(states["numpy"]))  # noqa: NPY002 -- the global generator is what is restored
    torch = sys.modules.get("torch")
    if torch is None or "torch" not in states:
        return
    tensors = {name: torch.frombuffer(bytearray(state), dtype=torch.uint8) for name, state in states.items()}
    torch.set_rng_state(tensors["torch"])
    for device in range(torch.cuda.device_count()):
        if f"cuda:{device}" in tensors:
            torch.cuda.set_rng_state(tensors[f"cuda:{device}"], device)
    if "mps" in tensors and torch.backends.mps.is_available():
        torch.mps.set_rng_state(tensors["mps"])
