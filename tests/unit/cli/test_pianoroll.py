"""`aurl pianoroll` writes the tables that the library makes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from typer.testing import CliRunner

from aurl.cli.main import app
from aurl.music.midi import write_midi
from aurl.music.score import Notes, Score, Track


def test_the_tables_hold_every_note_and_the_times_of_the_rows(tmp_path: Path) -> None:
    notes = Notes([0, 480, 480], [480, 480, 10], [60, 64, 36], [80, 90, 70], [0, 0, 1])  # type: ignore[arg-type]
    write_midi(Score(480, notes, (Track(0), Track(0, is_drum=True))), tmp_path / "a.mid")
    told = {}
    for name, options in (("beats", ["--steps-per-beat", "2"]), ("seconds", ["--seconds", "0.25", "--keys"])):
        out = tmp_path / f"{name}.npz"
        result = CliRunner().invoke(app, ["pianoroll", str(tmp_path / "a.mid"), "-o", str(out), "--json", *options])
        assert result.exit_code == 0
        told[name] = json.loads(result.stdout)
        with np.load(out) as tables:
            assert tables["onset"].shape == (4, told[name]["pitches"])
            assert tables["velocity"][:, 60 - tables["lowest"]].tolist() == [80, 80, 0, 0]
            assert tables["drums"][2, 36] == 1
            assert tables["seconds"].tolist() == [0.0, 0.25, 0.5, 0.75]
            assert tables["ticks"].tolist() == [0, 240, 480, 720]
    assert told["beats"]["pitches"] == 128
    assert told["seconds"]["pitches"] == 88
    assert (told["beats"]["notes"], told["beats"]["drum_hits"]) == (2, 1)


def test_the_table_for_people_names_the_file(tmp_path: Path) -> None:
    write_midi(Score(notes=Notes([0], [480], [60], [80], [0]), tracks=(Track(),)), tmp_path / "a.mid")  # type: ignore[arg-type]
    result = CliRunner().invoke(app, ["pianoroll", str(tmp_path / "a.mid"), "-o", str(tmp_path / "a.npz")])
    assert "piano roll" in result.stdout
    assert "sound" in result.stdout
