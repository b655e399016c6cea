"""`aurl engrave`."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from aurl.cli.main import app
from aurl.music.midi import write_midi
from aurl.music.score import Notes, Score, Track
from aurl.utils.errors import ConfigError, MidiError
from notation_reader import read_notes


def score(shift=0):
    onset = np.arange(8) * 480 + shift * np.arange(8)
    return Score(480, Notes(onset, [480] * 8, 60 + np.arange(8), [64] * 8, [0] * 8), (Track(),))


@pytest.fixture
def call(tmp_path):
    def run(name, *words, music=None):
        write_midi(music or score(), tmp_path / "in.mid")
        result = CliRunner().invoke(app, ["engrave", str(tmp_path / "in.mid"), "-o", str(tmp_path / name), *words])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.stdout, tmp_path / name

    return run


def test_counted_music_is_written_note_for_note(call):
    out, path = call("a.musicxml", "--json", "--title", "Study")
    facts = json.loads(out)
    assert facts["files"] == [str(path)]
    assert facts["quantised"] == "no"
    text = path.read_text(encoding="utf-8")
    assert sum(read_notes(text).values()) == facts["notes"] == 8
    assert "<work-title>Study</work-title>" in text


def test_played_music_is_quantised_and_that_is_said(call):
    out, path = call("a.mxl", music=score(shift=7))
    assert "each beat to sixteenths" in out
    assert path.read_bytes().startswith(b"PK")
    with pytest.raises(MidiError, match="quantise"):
        call("b.mxl", "--exact", music=score(shift=7))


def test_pages_and_a_roll_that_plays(call):
    pytest.importorskip("verovio")
    assert call("a.svg")[1].read_text(encoding="utf-8").count('class="note"') == 8
    assert "in</title>" in call("a.html")[1].read_text(encoding="utf-8")


def test_another_suffix_is_refused(call):
    with pytest.raises(ConfigError, match="must end in"):
        call("a.png")
