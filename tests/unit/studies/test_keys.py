import numpy as np
import pytest

from aurl.music.chords import Chord
from aurl.studies import STUDIES
from aurl.studies.base import Annotation
from studies_music import block_chords

keys = STUDIES.build(STUDIES.parse("keys"))
MAJOR = ["C", "F", "G7", "C", "Am", "Dm", "G7", "C"]
MINOR = ["Am", "Dm", "E7", "Am", "F", "Dm", "E7", "Am"]


def transposed(symbols, semitones):
    return [Chord.parse(symbol).transposed(semitones).symbol for symbol in symbols]


@pytest.mark.parametrize(
    ("symbols", "key"), [(MAJOR, "C major"), (MINOR, "A minor"), (transposed(MAJOR, 6), "F# major")]
)
def test_a_cadence_has_its_key(symbols, key):
    assert keys.analyse(block_chords(symbols)).labels == (key,)


@pytest.mark.parametrize(("symbol", "key"), [("C", "C major"), ("Am", "A minor"), ("Bb", "Bb major")])
def test_a_triad_alone_is_its_own_key(symbol, key):
    assert keys.analyse(block_chords([symbol] * 4)).labels == (key,)


def test_a_modulation_is_heard_where_it_happens():
    annotation = keys.analyse(block_chords(MAJOR * 2 + transposed(MAJOR, 2) * 2))
    assert annotation.labels == ("C major", "D major")
    assert abs(annotation.beats[1] - 64) <= 8


def test_a_passing_chord_is_no_modulation():
    assert len(keys.analyse(block_chords([*MAJOR, "D7", "G", *MAJOR]))) == 1


def test_summaries_count_moves_of_the_tonic():
    annotation = Annotation("key", "keys", np.array([0.0, 8.0]), ("C major", "A minor"), np.ones(2), 16.0)
    summary = keys.summarise([annotation, annotation])
    assert summary["modulations_by_move"] == {"up 9, major to minor": 2}
    assert summary["share_of_beats"] == {"C major": 0.5, "A minor": 0.5}
