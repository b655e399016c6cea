"""Tonality: the key that is heard is the one asked for."""

import numpy as np
import pytest

from aurl.data.tokenizers import NoteTokenizer
from aurl.data.tokenizers.note_vocabulary import CHORDS, WHAT
from aurl.generation.constraints import CONSTRAINTS, Constraints
from aurl.generation.constraints.tonality import log_shares, number_of

LAYOUT = NoteTokenizer().layout
NOTE = "duration:24 / velocity:66"
ONE = np.zeros(1, np.int64)
LEGAL = np.ones((1, LAYOUT.size), np.bool_)


def leaning(rows, who=1, **config):
    """The bias of `what` after some rows, for a track or (0) for labels; None where there is none."""
    constraints = Constraints([CONSTRAINTS.parse({"name": "tonality", **config})], LAYOUT, 1)
    constraints.hear(np.zeros(len(rows), np.int64), rows)
    allowed, bias = constraints.apply(ONE, WHAT, np.array([[25, who]]), LEGAL)
    assert allowed.all()
    return None if bias is None else bias[0]


def note(pitch, track=0):
    return f"position:0 / track:{track} / pitch:{pitch} / {NOTE}"


def pitch(number):
    return LAYOUT.first["pitch"] + number


@pytest.mark.parametrize("key", ["C major", "F# minor", "Bb minor"])
def test_a_walk_is_in_its_key(walk, key):
    asked = {"name": "tonality", "key": key, "strength": 4}
    wish = CONSTRAINTS.build(CONSTRAINTS.parse(asked), LAYOUT)
    told, untold = (
        np.mean([wish.score(walk(constraints, seed, bars=8, length=300).score) for seed in range(4)])
        for constraints in ([asked], [])
    )
    assert told > 0.5
    assert untold < 0.3


def test_what_tells_the_relative_key_apart_leads_back(opening, rows_of):
    """A minor is heard; C major is asked for. In the right key nothing has to be said."""
    minor = np.concatenate([opening(), rows_of(",".join(note(60 + step) for step in (9, 9, 12, 16, 9, 21, 16, 8)))])
    back = leaning(minor, key="C major")
    assert back[pitch(67)] > back[pitch(60)] > 0 > back[pitch(69)] > back[pitch(68)]
    major = np.concatenate([opening(), rows_of(",".join(note(60 + step) for step in (0, 4, 7, 12, 7, 0, 5, 11, 12)))])
    assert abs(leaning(major, key="C major")[[pitch(60), pitch(67), pitch(64)]]).max() < 0.1
    assert abs(leaning(major, key="C major")[pitch(67)]) < abs(back[pitch(67)])


def test_it_is_the_probability_of_the_key(opening, rows_of):
    """Before anything is heard all keys are alike, and Bayes' rule can be done by hand."""
    table = np.exp(log_shares()).T
    bias = leaning(opening(), key="D minor", strength=2)
    for place in (60, 62, 66):
        shares = table[:, place % 12]
        assert bias[pitch(place)] == pytest.approx(2 * np.log(shares[number_of("D minor")] / shares.mean()), rel=1e-4)
    assert not bias[LAYOUT.end["pitch"] :].any()
    chords = leaning(opening(), who=0, key="D minor")
    dm, e = (LAYOUT.first["chord"] + CHORDS.index(name) for name in ("Dm", "E"))
    assert chords[dm] > chords[e]
    assert not chords[LAYOUT.first["pitch"] : LAYOUT.end["pitch"]].any()


def test_the_key_is_that_of_the_piece_and_drums_have_none(opening, rows_of):
    assert leaning(opening()) is None
    told = leaning(opening(key="Eb major"))
    assert (told == leaning(opening(), key="Eb major")).all()
    assert leaning(opening(key="Eb major"), who=3) is None
    changed = np.concatenate([opening(key="Eb major"), rows_of("position:0 / key:A minor")])
    assert (leaning(changed) == leaning(opening(), key="A minor")).all()
    drums = np.concatenate([opening(key="C major"), rows_of(f"position:0 / track:2 / drum:36 / {NOTE}")])
    assert (leaning(drums) == leaning(opening(key="C major"))).all()


def test_score_is_the_probability_of_the_key_of_the_notes(melody):
    def score_of(pitches, **config):
        return CONSTRAINTS.build(CONSTRAINTS.parse({"name": "tonality", **config}), LAYOUT).score(melody(pitches))

    scale = [60, 64, 67, 65, 62, 71, 72, 67, 60]
    assert score_of(scale, key="C major") > 0.8 > 0.2 > score_of(scale, key="A minor")
    assert score_of([], key="C major") == 1
    assert score_of(scale) == 1
