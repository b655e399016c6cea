"""Harmony: the chords that are heard are those asked for."""

import numpy as np
import pytest

from aurl.data.tokenizers import NoteTokenizer
from aurl.data.tokenizers.note_vocabulary import WHAT
from aurl.generation.constraints import CONSTRAINTS, Constraints

LAYOUT = NoteTokenizer().layout
NOTE = "duration:24 / velocity:66"


def leaning(rows, when=25, who=1, **config):
    """The bias of pitches at a `when` after some rows; None where there is none."""
    wish = {"name": "harmony", "progression": "C Am | F . G .", **config}
    constraints = Constraints([CONSTRAINTS.parse(wish)], LAYOUT, 1)
    constraints.hear(np.zeros(len(rows), np.int64), rows)
    legal = np.ones((1, LAYOUT.size), np.bool_)
    allowed, bias = constraints.apply(np.zeros(1, np.int64), WHAT, np.array([[when, who]]), legal)
    assert allowed.all()
    if bias is None:
        return None
    inside = slice(*LAYOUT.span("pitch"))
    assert not np.delete(bias[0], np.arange(inside.start, inside.stop)).any()
    return bias[0][inside]


def note(pitch, position=0):
    return f"position:{position} / track:0 / pitch:{pitch} / {NOTE}"


def test_chord_tones_are_likelier_the_root_most_and_all_octaves_alike(opening):
    bias = leaning(opening())
    assert bias[60] > bias[64] > bias[67] > 0 > bias[62]
    assert bias[48] == bias[60] == bias[72]


def test_what_tells_the_chord_from_another_counts(opening, rows_of):
    """A bar that begins with e and g may be E minor; c, not b, makes it C major. Then nothing more need be said."""
    unclear = np.concatenate([opening(), rows_of(f"{note(52)},{note(67)}")])
    assert leaning(unclear)[60] > 0 > leaning(unclear)[59]
    plain = np.concatenate([opening(), rows_of(f"{note(48)},{note(52)},{note(60)},{note(64)},{note(67)}")])
    assert abs(leaning(plain)[60]) < 0.3 * leaning(unclear)[60]
    assert leaning(unclear, strength=3) == pytest.approx(3 * leaning(unclear), rel=1e-5)


def test_the_chord_is_that_of_the_place(opening, rows_of):
    assert leaning(opening(), when=49)[69] > leaning(opening(), when=48)[69]
    before = np.concatenate([opening(), rows_of(f"{note(52)},{note(67)}")])
    assert (leaning(before, when=49) == leaning(opening(), when=49)).all()  # heard under another chord
    second = np.concatenate([opening(), rows_of("bar")])
    assert leaning(second)[65] > 0 > leaning(second)[64]
    assert leaning(second, when=49)[67] > 0


def test_drums_labels_and_bars_without_a_chord_are_free(opening, rows_of):
    assert leaning(opening(), who=3) is None
    assert leaning(opening(), who=0) is None
    assert leaning(opening(), progression="N.C. | C") is None
    drum = np.concatenate([opening(), rows_of(f"position:0 / track:2 / drum:37 / {NOTE}")])
    assert (leaning(drum) == leaning(opening())).all()


def test_score_is_the_probability_of_the_chords(melody):
    def score_of(pitches, **config):
        return CONSTRAINTS.build(CONSTRAINTS.parse({"name": "harmony", **config}), LAYOUT).score(melody(pitches))

    bars = [60, 64, 67, 60, 57, 60, 64, 69]
    assert score_of(bars, progression="C Am") > 0.8
    assert score_of(bars, progression="Am C") < 0.4
    assert score_of(bars, progression="I vi", key="C major") == score_of(bars, progression="C Am")
    assert score_of([], progression="C") == 1
    assert score_of(bars, progression="N.C.") == 1
