"""A small prepared corpus and a small trained run, made once for all integration tests through the command line."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from aurl.cli import main

ROOT = Path(__file__).parents[2]
Aurl = Callable[..., int]


def call(*words: object) -> int:
    """Run `aurl WORDS...` in this process; returns the exit code."""
    before = sys.argv
    sys.argv = ["aurl", *map(str, words)]
    try:
        main()
    except SystemExit as stop:
        return int(stop.code or 0)
    finally:
        sys.argv = before
    return 0


@pytest.fixture
def aurl() -> Aurl:
    """Call the command line; returns the exit code."""
    return call


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built-in chorales, prepared."""
    out = tmp_path_factory.mktemp("corpus") / "chorales"
    assert call("prepare", "aurl:chorales", "--out", out, "--workers", 1, "--quiet") == 0
    return out


@pytest.fixture(scope="session")
def run(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the baseline: `configs/test.yaml`."""
    folder = tmp_path_factory.mktemp("runs")
    code = call("train", ROOT / "configs/test.yaml", f"folder={folder}", f"data.corpus={corpus}", "--quiet")
    assert code == 0
    return folder / "test"


@pytest.fixture
def short(corpus: Path, tmp_path: Path) -> list[str]:
    """Arguments of a short training run in its own folder."""
    return [os.fspath(ROOT / "configs/test.yaml"), f"folder={tmp_path}", f"data.corpus={corpus}", "--quiet"]
