"""Preparing a corpus on a real Ray of two workers, started here."""

import os
import signal
from collections.abc import Iterator

import numpy as np
import pytest

from aurl.data import chunks, corpus
from aurl.data.corpus import build_corpus
from aurl.data.plan import PrepareConfig
from aurl.music.midi import midi_bytes
from aurl.music.score import Notes, Score, Track

ray = pytest.importorskip("ray")


@pytest.fixture
def music(tmp_path, monkeypatch) -> Iterator:
    """Twelve tunes and a broken file, to be read in five chunks."""
    monkeypatch.setattr(chunks, "CHUNK_FILES", 3)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    folder = tmp_path / "music"
    folder.mkdir()
    onset = np.arange(16) * 240
    for number in range(12):
        pitch = 48 + onset // 240 * (number + 1) % 37
        notes = Notes(onset, np.full(16, 200), pitch, np.full(16, 80), np.zeros(16, int))
        (folder / f"{number:02}.mid").write_bytes(midi_bytes(Score(notes=notes, tracks=(Track(),))))
    (folder / "broken.mid").write_bytes(b"not music")
    yield folder
    assert not ray.is_initialized()


def same_corpus(tmp_path, music) -> bool:
    """Whether both engines make the same corpus of `music`."""
    made = {}
    for engine in ("ray", "local"):
        out = tmp_path / engine
        report = build_corpus([music], out, PrepareConfig(workers=2 if engine == "ray" else 1, engine=engine))
        assert (report.pieces, report.files) == (12, 13)
        names = ["corpus.json", "failures.jsonl", *(f"shards/{path.name}" for path in (out / "shards").iterdir())]
        made[engine] = {name: (out / name).read_bytes() for name in names}
    return made["ray"] == made["local"]


def test_a_corpus_made_on_ray_is_that_of_the_local_engine(tmp_path, music):
    assert same_corpus(tmp_path, music)


@pytest.mark.slow
def test_a_killed_worker_loses_nothing(tmp_path, music, monkeypatch):
    parse, killed = chunks.parse_chunk, tmp_path / "killed"

    def die_once(*args, **options):
        if not killed.exists():
            killed.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return parse(*args, **options)

    monkeypatch.setattr(corpus, "parse_chunk", die_once)
    assert same_corpus(tmp_path, music)
    assert killed.exists()
