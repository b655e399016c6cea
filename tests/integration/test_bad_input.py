"""What goes wrong outside gives one line that says what to do, and an exit code that scripts can use."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest


@pytest.mark.parametrize(
    ("content", "told"),
    [(b"", "empty"), (b"RIFF....WAVE", "not a MIDI file"), (b"MThd\x00\x00\x00\x06", "no note that can be recovered")],
    ids=["empty", "not MIDI", "cut short"],
)
def test_a_midi_file_that_is_none(content: bytes, told: str, aurl: Any, tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / "bad.mid"
    path.write_bytes(content)
    assert aurl("info", path) == 3
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("info", "nowhere"), 2, "does not exist"),
        (("info", "."), 5, "no model"),
        (("prepare", "nowhere", "-o", "x"), 4, "nowhere"),
        (("prepare", "aurl:chorale", "-o", "x"), 2, "did you mean 'chorales'"),
        (("train", "nowhere.yaml"), 2, "nowhere.yaml"),
        (("generate", "-m", "nowhere", "-o", "x.mid"), 5, "nowhere"),
        (("generate", "-m", "aurl:smal", "-o", "x.mid"), 2, "did you mean 'small'"),
        (("info", "aurl:smal"), 2, "did you mean 'small'"),
        (("demo", "--steps", "4"), 2, "add --train"),
        (("config", "show", "model.widht=3"), 2, "did you mean 'width'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_what_is_not_there(
    words: tuple[str, ...], code: int, told: str, aurl: Any, capsys: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    assert aurl(*words) == code
    assert told in capsys.readouterr().err


def test_broken_files_are_listed_and_the_rest_is_prepared(aurl: Any, tmp_path: Path, corpus: Path) -> None:
    from aurl.data.store import Corpus
    from aurl.music.midi import write_midi

    music = tmp_path / "music"
    music.mkdir()
    write_midi(Corpus.open(corpus).score(0), music / "good.mid")
    (music / "broken.mid").write_bytes(b"MThd and nothing else")
    assert aurl("prepare", music, "-o", tmp_path / "out", "-q") == 0
    prepared = Corpus.open(tmp_path / "out")
    assert len(prepared) == 1
    assert [Path(failure.source).name for failure in prepared.failures] == ["broken.mid"]


@pytest.mark.parametrize("damage", ["truncated", "one bit"])
def test_a_damaged_model_is_refused(damage: str, aurl: Any, run: Path, tmp_path: Path, capsys: Any) -> None:
    model = tmp_path / "model"
    shutil.copytree(run / "checkpoints" / "step-000000020", model)
    weights = bytearray((model / "model.safetensors").read_bytes())
    if damage == "truncated":
        del weights[-1:]
    else:
        weights[len(weights) // 2] ^= 1
    (model / "model.safetensors").write_bytes(weights)
    assert aurl("generate", "-m", model, "-o", tmp_path / "x.mid", "--bars", 1, "-q") == 5
    assert "model.safetensors" in capsys.readouterr().err
    assert not (tmp_path / "x.mid").exists()


def test_a_corpus_of_another_version_is_refused(aurl: Any, corpus: Path, tmp_path: Path, capsys: Any) -> None:
    old = tmp_path / "old"
    shutil.copytree(corpus, old)
    text = (old / "corpus.json").read_text()
    (old / "corpus.json").write_text(text.replace('"format": 2', '"format": 99'))
    assert aurl("info", old) == 4
    assert "format 99" in capsys.readouterr().err


def test_a_run_of_another_model_is_not_continued(
    aurl: Any, run: Path, corpus: Path, tmp_path: Path, capsys: Any
) -> None:
    shutil.copytree(run, tmp_path / "test")
    words = [run / "config.yaml", f"folder={tmp_path}", f"data.corpus={corpus}", "model.width=32", "-q"]
    assert aurl("train", *words) == 2
    assert "width" in capsys.readouterr().err


def test_ctrl_c_saves_and_the_same_command_goes_on(short: list[str], aurl: Any, tmp_path: Path) -> None:
    command = [sys.executable, "-c", "from aurl.cli import main; main()", "train", *short[:-1], "training.steps=2000"]
    with subprocess.Popen(
        [*command, "--quiet"], stderr=subprocess.PIPE, env={**os.environ, "OMP_NUM_THREADS": "1"}
    ) as p:
        metrics = tmp_path / "test" / "metrics.jsonl"
        deadline = time.monotonic() + 60
        while not metrics.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        p.send_signal(signal.SIGINT)
        told = p.communicate(timeout=60)[1].decode()
    assert p.returncode == 130
    assert "the same command" in told
    steps = int(max((tmp_path / "test" / "checkpoints").glob("step-*")).name.removeprefix("step-"))
    assert aurl("train", *short, f"training.steps={steps + 2}") == 0
    assert (tmp_path / "test" / "checkpoints" / f"step-{steps + 2:09d}").is_dir()


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("-o", "x.wav"), 2, "neither a .mid file nor a folder"),
        (("-o", "file/x.mid"), 6, "cannot make the folder"),
        (("-o", "file"), 6, "cannot make the folder"),
        (("-o", "x.mid", "--soundfont", "none.sf2"), 2, "add --also wav"),
        (("-o", "x.mid", "--soundfont", "none.sf2", "--also", "wav"), 2, "none.sf2"),
        (("-o", "x.mid", "--seconds", "1e9"), 2, "seconds"),
        (("-o", "x.mid", "--bars", "2", "--seconds", "3"), 2, "one length"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_a_request_that_cannot_be_met_is_refused_before_the_work(
    words: tuple[str, ...], code: int, told: str, aurl: Any, run: Path, tmp_path: Path, capsys: Any, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_bytes(b"")
    assert aurl("generate", "-m", run, *words, "-q") == code
    assert told in capsys.readouterr().err
    assert not list(tmp_path.rglob("*.mid"))


def test_a_demo_in_a_folder_of_any_name(aurl: Any, tmp_path: Path, monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.chdir(tmp_path)
    assert aurl("demo", "--train", "-o", "demo #2: 2024", "--steps", 1, "-q") == 0
    assert (tmp_path / "demo #2: 2024" / "piece.mid").is_file()
