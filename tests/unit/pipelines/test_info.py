import json
from pathlib import Path

import numpy as np
import pytest

from aurl import DEFAULT_MODEL
from aurl.music.midi import midi_bytes
from aurl.music.score import Notes, Score, Track
from aurl.pipelines import info
from aurl.pipelines.info import describe_path

ABC = b"X:1\nT:One\nM:4/4\nL:1/4\nK:C\nCEGC|\n"


def tune():
    """A bar of C major in quarters, as MIDI."""
    notes = Notes(np.arange(4) * 480, np.full(4, 480), [60, 64, 67, 60], np.full(4, 80), np.zeros(4))
    return midi_bytes(Score(notes=notes, tracks=(Track(),)))


def test_a_built_in_model_is_described_by_its_name():
    title, facts = describe_path(Path(DEFAULT_MODEL))
    assert (title, facts["exported_as"]) == ("model", "int8")
    assert facts["parameters"] > 1_000_000


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [("a.mid", tune(), "MIDI"), ("a.xyz", tune(), "MIDI"), ("a.krn", tune(), "MIDI"), ("a.abc", ABC, "ABC")],
)
def test_the_format_is_that_of_the_content(tmp_path, name, content, expected):
    if expected == "ABC":
        pytest.importorskip("music21")
    (tmp_path / name).write_bytes(content)
    title, facts = describe_path(tmp_path / name)
    assert (title, facts["format"], facts["notes"]) == ("music", expected, 4)


def test_labels_beside_the_file_are_told(tmp_path):
    (tmp_path / "a.mid").write_bytes(tune())
    (tmp_path / "a.chords.json").write_text(json.dumps({"chords": [[0, 4, "C", 0, "major", None]]}))
    facts = describe_path(tmp_path / "a.mid")[1]
    assert facts["labels"] == {"chord": "2 given: .chords.json: C, N.C."}
    assert facts["labels_refused"] == "none"


def test_what_is_too_large_to_be_labels_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(info, "LARGEST_LABEL", 1 << 20)
    (tmp_path / "a.mid").write_bytes(tune())
    (tmp_path / "a.chords.json").write_bytes(b" " * ((1 << 20) + 1))
    facts = describe_path(tmp_path / "a.mid")[1]
    assert (facts["labels"], facts["labels_refused"]) == ("none given", [".chords.json: larger than 1 MB"])
