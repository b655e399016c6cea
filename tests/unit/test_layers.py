"""The architecture: who may import whom, and who starts without torch."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_layers_are_kept():
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("package", ["aurl.utils", "aurl.music", "aurl.studies", "aurl.data", "aurl.cli"])
def test_starts_without_torch(package):
    """Every module of the package, imported in a new process, leaves torch alone."""
    if find_spec(package) is None:
        pytest.skip(f"{package} is not there")
    script = (
        f"import sys, pkgutil, importlib, {package} as package\n"
        "for module in pkgutil.walk_packages(package.__path__, package.__name__ + '.'):\n"
        "    importlib.import_module(module.name)\n"
        "sys.exit('torch' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr or f"{package} imports torch"
