import numpy as np

from aurl.music.chords import Chord
from aurl.studies.base import Annotation
from aurl.studies.chords.summary import degree, summarise_chords


def annotation(labels):
    count = len(labels)
    return Annotation("chord", "test", np.arange(count) * 2.0, tuple(labels), np.ones(count), 2.0 * count)


def test_degrees_count_from_the_tonic_small_letters_are_minor():
    symbols = ["G", "Am", "D7", "F#m7b5", "Bbmaj7", "N.C.", "Gsus4", "C#dim7"]
    degrees = [degree(Chord.parse(symbol), 7) for symbol in symbols]
    assert degrees == ["I", "ii", "V7", "viiø7", "bIIImaj7", "none", "Isus4", "#ivo7"]


def test_progressions_are_counted_whatever_the_key():
    summary = summarise_chords([annotation(["C", "G", "Am", "F", "C"]), annotation(["D", "A", "Bm", "G", "D"])])
    assert summary["progressions"] == {"I V vi IV": 2, "V vi IV I": 2}
    assert summary["chords"] == 10
    assert summary["beats_per_chord"] == 2
    assert summary["share_of_beats_by_quality"] == {"maj": 0.8, "min": 0.2}


def test_progressions_do_not_cross_silence():
    assert summarise_chords([annotation(["C", "G", "N.C.", "F", "C"])])["progressions"] == {}
