import json
import os

import pytest
from typer.testing import CliRunner

from aurl.cli.main import app
from aurl.data.cache import Cache


def run(*words):
    result = CliRunner().invoke(app, ["cache", *words])
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A cache of three entries of 100 bytes."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    cache = Cache()
    for clock, key in enumerate("abc"):
        cache.write(key, bytes(100))
        os.utime(cache._path(key), ns=(clock, clock))
    return cache


def test_the_cache_is_shown_pruned_and_cleared(cache):
    assert json.loads(run("stats", "--json")) == cache.stats().to_dict()
    assert json.loads(run("prune", "--max-bytes", "150", "--json"))["removed_bytes"] == 200
    assert json.loads(run("prune", "--json"))["removed_bytes"] == 0
    assert json.loads(run("clear", "--json"))["entries"] == 0


def test_people_read_it_too(cache):
    assert str(cache.folder) in run("stats")
    assert "300" in run("stats")
