"""A plan changes with whatever decides what a corpus will hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from aurl.data import plan
from aurl.data.plan import PrepareConfig, plan_hash
from aurl.data.sources import InputFile


@pytest.mark.parametrize(("name", "depends"), [("a.mid", False), ("a.abc", True)])
def test_only_notation_depends_on_the_libraries_that_read_it(
    monkeypatch: pytest.MonkeyPatch, name: str, depends: bool
) -> None:
    files = [InputFile(Path(name), name, "music")]
    before = plan_hash(files, PrepareConfig(), None)
    monkeypatch.setattr(plan, "LIBRARIES", ("not-there",))
    assert (plan_hash(files, PrepareConfig(), None) != before) is depends
