"""Endings."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aurl.data.tokenizers import NoteTokenizer
from aurl.data.tokenizers.note_vocabulary import CHORDS, WHAT, WHO
from aurl.generation.constraints import CONSTRAINTS, Constraints
from aurl.music.score import Notes, Score, Texts, Track

LAYOUT = NoteTokenizer().layout


def wish(**config):
    return CONSTRAINTS.build(CONSTRAINTS.parse({"name": "cadence", **config}), LAYOUT)


def score_of(*rows, key=None):
    """Notes of (beat, beats, pitch), of 4/4."""
    table = np.array(rows).reshape(-1, 3) * [480, 480, 1]
    same = np.ones(len(table), np.int64)
    notes = Notes(table[:, 0], table[:, 1], table[:, 2], 64 * same, 0 * same)
    labels = [np.array([value], object) for value in ("key", key)] if key else [np.zeros(0, object)] * 2
    return Score(
        notes=notes, tracks=(Track(),), texts=Texts(np.zeros(len(labels[0])), -np.ones(len(labels[0])), *labels)
    )


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 2**32), key=st.sampled_from(["D minor", "Bb major", None]))
def test_a_piece_ends_with_dominant_and_tonic(walk, opening, seed, key):
    told = key or "G major"
    tonic, third = {"D minor": (2, 3), "Bb major": (10, 4), "G major": (7, 4)}[told]
    head = opening(key="free" if key else told, tracks=("Violin", "Electric Bass (finger)", "Drums"))
    piece = walk([{"name": "cadence", "key": told, "bars": 4}], seed, head=head, bars=4, length=400)
    heard = piece.constraints.hearing
    assert piece.dropped == {"cadence": 0}
    notes = heard.notes(0)[np.isin(heard.notes(0)[:, 2], list(heard.pieces[0].pitched))]
    last = np.flatnonzero([bool(bar) for bar in heard.pieces[0].bars[:4]])[-1]
    assert last == 3
    start = notes[:, 0].max()
    final = notes[notes[:, 0] == start]
    assert set((final[:, 3] % 12).tolist()) <= {tonic, (tonic + third) % 12, (tonic + 7) % 12}
    assert final[final[:, 3].argmin(), 3] % 12 == tonic
    assert len(set(final[:, 1].tolist())) == 1  # they end together
    assert (notes[notes[:, 0] < start, 1] <= start).mean() > 0.8  # a change of metre can deceive
    assert piece.constraints.score(piece.score) > 0.9
    chords = heard.pieces[0].chords
    assert not chords.steps or CHORDS[chords.at(start)] == {"D minor": "Dm", "Bb major": "Bb", "G major": "G"}[told]


def test_the_chords_of_the_ending_are_named_as_they_sound(opening, rows_of):
    cadence = Constraints([CONSTRAINTS.parse({"name": "cadence", "key": "D minor", "bars": 2})], LAYOUT, 1)

    def allowed(field, *chosen):
        anything = np.ones((1, LAYOUT.vocabulary.sizes[field]), np.bool_)
        return cadence.apply(np.zeros(1, np.int64), field, np.array([chosen], np.int64), anything)[0][0]

    def hear(rows):
        cadence.hear(np.zeros(len(rows), np.int64), rows)

    def names(when):
        return {CHORDS[number] for number in np.flatnonzero(allowed(WHAT, when, 0)[slice(*LAYOUT.span("chord"))])}

    hear(opening())
    assert len(names(48)) == len(CHORDS)
    assert {"A", "A7"} <= names(49) < {symbol for symbol in CHORDS if symbol != "N.C."} - {"Am", "Dm"}
    quarter = "duration:24 / velocity:66"
    hear(rows_of(f"position:48 / chord:A7,position:48 / track:0 / pitch:61 / {quarter},bar"))
    assert names(1) == {"Dm"}
    assert np.flatnonzero(allowed(WHO, 1)).tolist() == [0]
    hear(rows_of("position:0 / chord:Dm"))
    assert np.flatnonzero(allowed(WHO, 1)).tolist() != [0]


def test_without_a_key_or_a_number_of_bars_nothing_is_prepared(walk):
    same = [walk(configs, 3, length=100).rows.tolist() for configs in ([], [{"name": "cadence", "key": "C"}])]
    assert same[0] == same[1]
    piece = walk([{"name": "cadence", "bars": 3}], 3, bars=3, length=200)
    assert piece.dropped == {"cadence": 0}


def test_the_key_may_be_the_piece_s_own(walk, opening):
    piece = walk([{"name": "cadence", "bars": 3}], 4, head=opening(key="C# minor"), bars=3, length=300)
    score = piece.score
    if score.texts.of("key").text.tolist() == ["C# minor"]:
        assert piece.constraints.score(score) > 0.9
    assert piece.dropped == {"cadence": 0}


PREPARED = [(2, 1, 67), (3, 1, 71)]
CLOSED = [(4, 4, 48), (4, 4, 64)]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([*PREPARED, *CLOSED], 1),
        ([(2, 1, 69), *CLOSED], 0.75),  # no dominant
        ([*PREPARED, (4, 4, 52), (4, 4, 60)], 0.75),  # the third in the bass
        ([*PREPARED, (4, 4, 48), (4, 4, 61)], 0.875),  # a wrong note
        ([*PREPARED, (4, 2, 48), (4, 2, 60)], 0.875),  # short
        (PREPARED, 0),
        ([], 0),
    ],
)
def test_endings_are_heard(rows, expected):
    assert wish(key="C major", bars=2).score(score_of(*rows)) == expected


def test_an_ending_is_heard_in_the_key_told_or_the_one_that_fits():
    assert wish().score(score_of(*PREPARED, *CLOSED, key="C major")) == 1
    assert wish().score(score_of(*PREPARED, *CLOSED, key="E minor")) < 0.6
    assert wish().score(score_of(*PREPARED, *CLOSED)) == 1
