import json
import struct

import pytest
from typer.testing import CliRunner

from aurl.cli.main import app
from aurl.music.midi import read_midi
from aurl.pipelines.repair import repair_file, repair_files
from aurl.utils.errors import ConfigError, MidiError

TRACK = b"\0\x90\x3c\x50\x60\x80\x3c\x40\0\xff\x2f\0"
SOUND = b"MThd" + struct.pack(">IHHH", 6, 0, 1, 96) + b"MTrk" + struct.pack(">I", len(TRACK)) + TRACK
CUT = SOUND[:-4]


@pytest.fixture
def folder(tmp_path):
    """A sound file, one cut off in a folder below, one that is no music, and something else."""
    files = {"a.mid": SOUND, "deep/b.MIDI": CUT, "c.mid": b"nothing", "notes.txt": b"text"}
    for name, content in files.items():
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return tmp_path / "in"


def test_one_file_is_mended_and_told_about(folder, tmp_path):
    facts = repair_file(folder / "deep/b.MIDI", tmp_path / "new" / "b.mid")
    assert (facts["state"], facts["notes"]) == ("mended", 1)
    assert facts["faults"]["no end of track"] == {
        "count": 1,
        "first": "track 0, byte 30",
        "action": "ended with its last event",
    }
    assert len(read_midi(tmp_path / "new" / "b.mid").notes) == 1


def test_a_sound_file_says_so_and_is_written_as_read(folder, tmp_path):
    assert repair_file(folder / "a.mid", tmp_path / "a.mid") == {"state": "sound", "notes": 1, "faults": {}}
    assert read_midi(tmp_path / "a.mid") == read_midi(folder / "a.mid")


def test_a_folder_keeps_its_places_and_is_summed_up(folder, tmp_path):
    facts = repair_files([folder], tmp_path / "out", quiet=True)
    assert {name: facts[name] for name in ("files", "sound", "mended", "notes")} == {
        "files": 3, "sound": 1, "mended": 1, "notes": 2,
    }  # fmt: skip
    assert facts["faults"] == {"no end of track": 1, "wrong track length": 1}
    assert list(facts["refused"]) == [str(folder / "c.mid")]
    written = sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.mid"))
    assert written == ["a.mid", "deep/b.mid"]


def test_inputs_that_collide_or_hold_nothing_are_refused(folder, tmp_path):
    with pytest.raises(ConfigError, match="two files"):
        repair_files([folder, folder], tmp_path / "out", quiet=True)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="no MIDI file"):
        repair_files([tmp_path / "empty"], tmp_path / "out", quiet=True)
    with pytest.raises(ConfigError, match="need a folder"):
        repair_files([folder], folder / "a.mid", quiet=True)
    with pytest.raises(MidiError, match="none of 1 files"):
        repair_files([folder / "c.mid"], tmp_path / "out", quiet=True)


def test_the_command_prints_facts_or_json(folder, tmp_path):
    out = str(tmp_path / "b.mid")
    shown = CliRunner().invoke(app, ["repair", str(folder / "deep/b.MIDI"), "-o", out])
    assert shown.exit_code == 0
    assert "no end of track" in shown.stdout
    shown = CliRunner().invoke(app, ["repair", str(folder), "-o", str(tmp_path / "out"), "--json", "-q"])
    assert json.loads(shown.stdout)["mended"] == 1


def test_the_command_ends_with_the_typed_error_on_refusal(folder, tmp_path):
    shown = CliRunner().invoke(app, ["repair", str(folder / "c.mid"), "-o", str(tmp_path / "c.mid")])
    assert isinstance(shown.exception, MidiError)
    assert shown.exception.exit_code == 3
    assert not (tmp_path / "c.mid").exists()
