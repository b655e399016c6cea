"""The numbers of a corpus, against what was put in."""

import json

import numpy as np
import pytest

from aurl.data.corpus import PrepareConfig, build_corpus
from aurl.data.statistics import measure, statistics
from aurl.data.store import Corpus
from aurl.data.tokenizers import EventTokenizer, EventTokenizerConfig
from aurl.music.midi import midi_bytes
from aurl.music.score import WHOLE_SCORE, Notes, Score, Tempos, Texts, TimeSignatures, Track


def piece(seed, **tables):
    rng = np.random.default_rng(seed)
    pitch = 60 + np.cumsum(rng.choice([-3, -2, -1, 1, 2, 3, 4], 60)) % 24
    notes = Notes(np.arange(60) * 240, np.full(60, 200), pitch, np.full(60, 70 + seed), np.zeros(60))
    return Score(480, notes, (Track(40, name="lead"),), Tempos([0], [500_000]), **tables)


@pytest.fixture(scope="module")
def facts(tmp_path_factory):
    root = tmp_path_factory.mktemp("statistics")
    music = root / "music"
    music.mkdir()
    scores = {
        "one": piece(1, time_signatures=TimeSignatures([0, 480], [3, 4], [4, 4])),
        "one again": piece(1, texts=Texts([0], [WHOLE_SCORE], ["key"], ["F# minor"])),
        "two": piece(2),
    }
    for name, score in scores.items():
        (music / f"{name}.mid").write_bytes(midi_bytes(score))
    (music / "broken.mid").write_bytes(b"not music")
    build_corpus([music], root / "corpus", PrepareConfig(workers=1, labels=(), valid_fraction=0))
    seen = []
    corpus, tokenizers = Corpus.open(root / "corpus"), {"event": EventTokenizer(EventTokenizerConfig())}
    metrics = {"a_third": lambda score: len(score.notes) / 3}
    facts = statistics(corpus, tokenizers, metrics=metrics, on_piece=lambda: seen.append(1))
    assert len(seen) == 3
    return facts


def test_sizes_splits_and_failures_are_those_of_the_corpus(facts):
    assert facts["corpus"]["pieces"] == 3
    assert facts["corpus"]["notes"] == 180
    assert sum(facts["splits"].values()) == 3
    assert sum(facts["failures"].values()) == 1


def test_measures_are_of_pieces(facts):
    assert facts["measures"]["notes"]["median"] == 60
    assert facts["measures"]["a third"]["mean"] == 20
    assert facts["measures"]["most notes at once"]["max"] == 1
    assert facts["measures"]["tokens (event)"]["count"] == 3
    assert facts["lengths"]["event"]["pieces"] == 3


def test_pitches_and_velocities_are_of_notes(facts):
    assert sum(facts["notes"]["pitch"]) == sum(facts["notes"]["velocity"]) == 180
    assert facts["notes"]["velocity"][71] == 120


def test_names_are_counted_once_a_piece(facts):
    counts = facts["counts"]
    assert counts["metre"]["3/4"] == counts["metre"]["4/4"] == 1
    assert counts["tempo in bpm"] == {"120": 3}
    assert counts["instrument"] == {"Violin": 3}
    assert counts["key"]["F# minor"] == 1


def test_duplicates_are_told_by_name(facts):
    told = facts["duplicates"]
    assert (told["clusters"], told["pieces"], told["sizes"]) == (1, 2, {"2": 1})
    assert len(told["largest"][0]) == 2
    assert all("one" in source for source in told["largest"][0])


def test_everything_is_json(facts):
    assert json.loads(json.dumps(facts, allow_nan=False)) == facts


def test_a_measure_of_nothing_finite_is_empty():
    assert measure([float("nan"), float("inf")]) == {"count": 0}


def test_one_huge_value_does_not_flatten_the_histogram():
    told = measure([*range(1000), 1e9])
    assert told["max"] == 1e9
    assert told["histogram"]["edges"][-1] < 1001
    assert sum(told["histogram"]["counts"]) == told["count"] == 1001
