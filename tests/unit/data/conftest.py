"""Small tunes, folders of them, and a corpus made of one."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from aurl.data.corpus import PrepareConfig, build_corpus
from aurl.data.store import Corpus
from aurl.music.midi import midi_bytes
from aurl.music.score import Notes, Score, Track

ANY_TUNE = {"min_notes": 1, "min_seconds": 0, "min_distinct_pitches": 1}
"""A quality that the tunes of these tests have."""


def make_tune(number: int, length: int = 5) -> Score:
    """A score that differs for each number: its pitches spell the number in base 40."""
    digits = [number // 40**place % 40 for place in range(length)]
    onset = np.arange(length) * 240
    duration, velocity, track = (np.full(length, value) for value in (200, 80, 0))
    return Score(notes=Notes(onset, duration, np.array(digits) + 40, velocity, track), tracks=(Track(name="lead"),))


@pytest.fixture(scope="session")
def tune():
    """`tune(number)`: the bytes of a MIDI file."""
    return lambda number, length=5: midi_bytes(make_tune(number, length))


@pytest.fixture
def folder(tmp_path, tune):
    """`folder({"a/b.mid": 3, "c.txt": b"..."})`: a folder of tunes (by number) and other files; its path."""

    def make(files, name="music"):
        for path, content in files.items():
            target = tmp_path / name / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content if isinstance(content, bytes) else tune(content))
        return tmp_path / name

    return make


@pytest.fixture(scope="session")
def finished_corpus(tmp_path_factory) -> Path:
    """A corpus of ten tunes and one broken file; not to be written to."""
    root = tmp_path_factory.mktemp("finished")
    (root / "music").mkdir()
    for number in range(10):
        (root / "music" / f"tune {number}.mid").write_bytes(midi_bytes(make_tune(number, 5 + number)))
    (root / "music" / "broken.mid").write_bytes(b"not music")
    config = PrepareConfig.parse({"workers": 1, "valid_fraction": 0.3, "labels": [], "quality": ANY_TUNE})
    build_corpus([root / "music"], root / "corpus", config)
    return root / "corpus"


@pytest.fixture
def corpus_path(finished_corpus, tmp_path) -> Path:
    """A copy of the finished corpus that a test may damage."""
    return Path(shutil.copytree(finished_corpus, tmp_path / "corpus", ignore=shutil.ignore_patterns("cache")))


@pytest.fixture
def corpus(finished_corpus) -> Corpus:
    """The finished corpus, opened."""
    return Corpus.open(finished_corpus)
