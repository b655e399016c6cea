"""`aurl transform`."""

import json

import pytest
from typer.testing import CliRunner

from aurl.cli.main import app
from aurl.music.midi import read_midi, write_midi
from aurl.music.score import Notes, Score, Track
from aurl.utils.errors import ConfigError

SCORE = Score(notes=Notes([3840 + 5, 3840 + 490], [480, 480], [30, 60], [64, 64], [0, 0]), tracks=(Track(),))


@pytest.fixture
def call(tmp_path):
    write_midi(SCORE, tmp_path / "in.mid")

    def run(*words):
        words = [str(tmp_path / "in.mid"), "-o", str(tmp_path / "out.mid"), *map(str, words)]
        result = CliRunner().invoke(app, ["transform", *words])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.stdout, read_midi(tmp_path / "out.mid")

    return run


def test_steps_are_applied_in_order(call):
    out, score = call("quantise:grid=8", "trim_silence", "fold_range:lowest=40")
    assert score.notes.onset.tolist() == [0, 480]
    assert score.notes.pitch.tolist() == [42, 60]
    assert "quantise, trim_silence, fold_range" in out


def test_steps_of_a_file_come_first(call, tmp_path):
    (tmp_path / "steps.yaml").write_text("transforms:\n- name: fold_range\n  lowest: 40\n- trim_silence\n")
    out, score = call("transpose:by=1", "--config", tmp_path / "steps.yaml", "--json")
    assert score.notes.pitch.tolist() == [43, 61]
    assert json.loads(out)["steps"] == ["fold_range", "trim_silence", "transpose"]


def test_no_step_at_all_is_refused_with_those_there_are(call):
    with pytest.raises(ConfigError, match="quantise"):
        call()
