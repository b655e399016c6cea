"""The demo writes a piece in every form with the model that comes with the package, and looks at it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import aurl
from aurl.cli.main import app
from aurl.music.midi import read_midi
from aurl.pipelines import demo
from aurl.utils.errors import ConfigError, MissingExtraError

FAST = ("mid", "html")


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """A demo of four bars and two files."""
    monkeypatch.setattr(demo, "SETTINGS", {**demo.SETTINGS, "bars": 4})
    monkeypatch.setattr(demo, "FORMATS", FAST)


def without_engraver(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(suffix: str) -> None:
        raise MissingExtraError.of("verovio", "engraving")

    monkeypatch.setattr(demo, "require_engraver", missing)


def test_the_demo_has_a_form_and_lasts_three_minutes() -> None:
    seconds = demo.SETTINGS["bars"] * 4 * 60 / demo.SETTINGS["tempo"]
    assert seconds == 180
    assert demo.SETTINGS["sections"] == "auto"


@pytest.mark.usefixtures("short")
def test_the_demo_ends_slower_than_it_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_engraver(monkeypatch)
    demo.run_demo(tmp_path, quiet=True)
    bpm = read_midi(tmp_path / "piece.mid").tempos.bpm
    assert bpm[-1] == pytest.approx(0.6 * bpm[0], rel=0.01)


@pytest.mark.usefixtures("short")
def test_every_file_is_told_and_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_engraver(monkeypatch)
    told = demo.run_demo(tmp_path / "new" / "demo", quiet=True)
    paths = [Path(path) for paths in told["files"].values() for path in paths]
    assert list(told["files"]) == [*FAST]
    assert sorted(paths) == sorted((tmp_path / "new" / "demo").iterdir())
    score = read_midi(tmp_path / "new" / "demo" / "piece.mid")
    assert told["notes"] == len(score.notes) > 0
    assert told["minutes_of_music"] * 60 == pytest.approx(score.duration_seconds)
    assert told["form"].split() == score.texts.of("section").text.tolist() != []
    assert {"load", "compose", *FAST, "all"} == set(told["seconds"])
    assert sum(told["seconds"].values()) - told["seconds"]["all"] <= told["seconds"]["all"]


@pytest.mark.usefixtures("short")
def test_the_piece_is_held_against_what_the_model_learned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_engraver(monkeypatch)
    rows = demo.run_demo(tmp_path, quiet=True)["beside_the_music_it_learned_from"]
    assert len(rows) == 9
    assert all(" to " in row and ("inside" in row or "outside" in row) for row in rows.values())


def test_pages_are_written_where_they_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    without_engraver(monkeypatch)
    assert demo.formats() == demo.FORMATS
    monkeypatch.setattr(demo, "require_engraver", lambda suffix: None)
    assert demo.formats() == (*demo.FORMATS, "svg", "pdf")


@pytest.mark.usefixtures("short")
def test_the_command_writes_the_piece_of_its_seed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_engraver(monkeypatch)
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["demo", "--seed", "3", "--json", "-q"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["seed"] in range(3, 3 + demo.SETTINGS["best_of"])
    asked: Any = {**demo.SETTINGS, "seed": 3}
    assert read_midi("runs/demo/piece.mid").notes == aurl.load().generate(**asked).score.notes
    assert "runs/demo/piece.mid" in CliRunner().invoke(app, ["demo", "-q"]).stdout


def test_steps_are_of_training() -> None:
    result = CliRunner().invoke(app, ["demo", "--steps", "3"])
    assert isinstance(result.exception, ConfigError)


def test_a_file_is_all_that_has_to_be_given(tmp_path: Path) -> None:
    words = ["generate", "--out", str(tmp_path / "piece.mid"), "--max-tokens", "60", "-q"]
    assert CliRunner().invoke(app, words).exit_code == 0
    assert len(read_midi(tmp_path / "piece.mid").notes)


def test_the_built_in_model_needs_neither_torch_nor_onnx_nor_a_cache_and_reports_to_nobody(tmp_path: Path) -> None:
    """In a new process of a user who has nothing; ONNX Runtime's telemetry would leave a device id."""
    script = (
        "import sys, aurl; piece = aurl.load().generate(style='pop', chords='Am F C G', bars=2)\n"
        "assert len(piece.score.notes)\n"
        "sys.exit(' '.join({'torch', 'onnx', 'matplotlib'} & sys.modules.keys()) or 0)"
    )
    environment = {"XDG_CACHE_HOME": str(tmp_path), "HOME": str(tmp_path)}
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, env=environment)
    assert run.returncode == 0, run.stderr
    assert not list(tmp_path.iterdir())
