"""Density, rhythm, and bars that come again and again."""

import numpy as np
import pytest

from aurl.data.tokenizers import NoteTokenizer
from aurl.data.tokenizers.note_vocabulary import WHAT, WHEN
from aurl.generation.constraints import CONSTRAINTS, Constraints
from aurl.music.score import Notes, Score, TimeSignatures, Track

LAYOUT = NoteTokenizer().layout
TRACKS = (Track(40), Track(33), Track(is_drum=True))
NOTE = "duration:24 / velocity:66"
ONE = np.zeros(1, np.int64)


def wish(**config):
    return CONSTRAINTS.build(CONSTRAINTS.parse(config), LAYOUT)


def score_of(beats, pitches=60, tracks=0, metre=(4, 4)):
    onset = np.rint(480 * np.array(beats)).astype(int)
    same = np.ones(len(onset), np.int64)
    metres = TimeSignatures(np.zeros(1), np.array([metre[0]]), np.array([metre[1]]))
    notes = Notes(onset, 120 * same, pitches * same, 64 * same, tracks * same)
    return Score(notes=notes, tracks=TRACKS, time_signatures=metres)


@pytest.mark.parametrize("wanted", [0.75, 2, 3.5])
def test_density_comes_near_to_what_is_asked(walk, wanted):
    """Without it the walk has about one and a half notes to a quarter."""
    score = walk([{"name": "density", "notes": wanted, "strength": 16}], 1, bars=20, length=500).score
    bars = int(score.metre_map.ticks_to_bar_beat(score.notes.onset[-1])[0]) + 1
    assert len(score.notes) / (4 * bars) == pytest.approx(wanted, rel=0.25)


def test_density_pulls_on_where_there_are_too_many_and_back_where_too_few(opening, rows_of):
    constraints = Constraints([CONSTRAINTS.parse({"name": "density", "notes": 0.5})], LAYOUT, 1)
    legal = np.ones((1, LAYOUT.vocabulary.sizes[WHEN]), np.bool_)
    for written, sign in ((opening(), 0), (rows_of(f"position:48 / track:0 / pitch:60 / {NOTE}"), 0)):
        constraints.hear(np.zeros(len(written), np.int64), written)
        allowed, bias = constraints.apply(ONE, WHEN, np.zeros((1, 0), np.int64), legal)
        assert allowed.all()
        assert np.sign(bias[0, 0]) == sign
    many = rows_of(",".join(f"position:48 / track:0 / pitch:{pitch} / {NOTE}" for pitch in (61, 62)))
    constraints.hear(np.zeros(2, np.int64), many)
    bias = constraints.apply(ONE, WHEN, np.zeros((1, 0), np.int64), legal)[1][0]
    assert bias[0] > bias[80] > bias[60] > 0
    assert bias[0] == bias[48 + 48 + 1]
    constraints.hear(np.zeros(2, np.int64), rows_of("bar,bar"))
    assert constraints.apply(ONE, WHEN, np.zeros((1, 0), np.int64), legal)[1][0, 0] < 0
    constraints.hear(ONE, rows_of("fill:1"))
    assert constraints.apply(ONE, WHEN, np.zeros((1, 0), np.int64), legal)[1] is None


def test_density_is_heard():
    density = wish(name="density", notes=1)
    assert density.score(score_of(range(8))) == 1
    assert density.score(score_of(range(9), metre=(3, 4))) == 1
    assert density.score(score_of(np.arange(16) / 2)) == 0
    assert density.score(score_of([0, 1, 4, 5])) == 0.5
    assert density.score(score_of([])) == 0


@pytest.mark.parametrize("metre", ["4/4", "3/4"])
def test_notes_begin_where_the_pattern_has_an_x(walk, opening, metre):
    piece = walk([{"name": "rhythm", "pattern": "x.xx | X..."}], 2, head=opening(metre=metre), bars=8, length=300)
    assert piece.dropped == {"rhythm": 0}
    heard = piece.constraints.hearing.pieces[0]
    length = heard.bars and {"4/4": 96, "3/4": 72}[metre]
    places = [[0, length // 2, 3 * length // 4], [0]]
    for number, bar in enumerate(heard.bars[:4]):
        if len(set(heard.notes_before)) > 1:
            assert {row[WHEN] - 1 for row in bar} <= set(places[number % 2])


def test_tracks_that_are_not_named_are_free(walk):
    config = {"name": "rhythm", "pattern": "x...", "tracks": ["Drums"]}
    score = walk([config], 5, bars=10, length=300).score
    drums = ~score.is_pitched
    places = score.metre_map.ticks_to_bar_beat(score.notes.onset)[1]
    assert (places[drums] == 0).all()
    assert (places[~drums] > 0).any()


def test_every_x_is_struck_where_asked(walk):
    config = {"name": "rhythm", "pattern": "x..x..x.", "tracks": ["Drums", 2], "every": True}
    for seed in range(3):
        piece = walk([config], seed, bars=6, length=400)
        assert piece.dropped == {"rhythm": 0}
        assert piece.constraints.score(piece.score) == 1


def test_a_soft_rhythm_only_leans(walk):
    hard = wish(name="rhythm", pattern="x...x...")
    weak = walk([{"name": "rhythm", "pattern": "x...x...", "strength": 0.01}], 1, length=200).score
    firm = walk([{"name": "rhythm", "pattern": "x...x...", "strength": 4}], 1, length=200).score
    assert hard.score(weak) < hard.score(firm)


@pytest.mark.parametrize(
    ("beats", "expected"),
    [([0, 2, 4, 6], 1), ([0, 0.02, 2, 4, 6], 1), ([0, 2, 4], 6 / 7), ([0, 1, 2, 3], 2 / 3), ([1, 3], 0), ([], 0)],
)
def test_rhythm_is_heard(beats, expected):
    pattern = "x.x." if max(beats, default=0) > 3 else "x.x. "
    assert wish(name="rhythm", pattern=pattern).score(score_of(beats)) == pytest.approx(expected)
    assert wish(name="rhythm", pattern="....|x").score(score_of([1])) == 0
    assert wish(name="rhythm", pattern="x", tracks=["Drums"]).score(score_of([0])) == 0


def bars_of(letters, rows_of):
    """Bars of two notes; equal letters are equal bars."""
    bars = [
        f"bar,position:0 / track:0 / pitch:{60 + ord(letter) - 97} / {NOTE},position:48 / track:0 / pitch:72 / {NOTE}"
        for letter in letters
    ]
    return rows_of(",".join(bars)) if bars else np.zeros((0, 5), np.int64)


@pytest.mark.parametrize(
    ("letters", "passage"),
    [("aaa", "a"), ("ababab", "a"), ("aba", None), ("aab", None), ("cabcabcab", "c"), ("aa", None)],
)
def test_what_would_repeat_a_passage_once_too_often_is_less_likely(opening, rows_of, letters, passage):
    constraints = Constraints([CONSTRAINTS.parse({"name": "no_repeat", "times": 3, "strength": 7})], LAYOUT, 1)
    rows = np.concatenate([opening()[:-1], bars_of(letters, rows_of), rows_of("bar")])
    constraints.hear(np.zeros(len(rows), np.int64), rows)

    def least(field, *chosen):
        legal = np.ones((1, LAYOUT.vocabulary.sizes[field]), np.bool_)
        bias = constraints.apply(ONE, field, np.array([chosen], np.int64).reshape(1, -1), legal)[1]
        return None if bias is None else (int(bias.argmin()), float(bias.min()), np.count_nonzero(bias))

    if passage is None:
        assert least(WHEN) is None
        return
    pitch = LAYOUT.first["pitch"] + 60 + ord(passage) - 97
    assert least(WHEN) == (1, -7, 1)
    assert least(WHAT, 1, 1) == (pitch, -7, 1)
    assert least(WHAT, 1, 2) is None
    same = bars_of(passage, rows_of)[1:]
    constraints.hear(np.zeros(2, np.int64), same)
    assert least(WHEN) == (0, -7, 1)
    constraints.hear(ONE, rows_of(f"position:50 / track:0 / pitch:72 / {NOTE}"))
    assert least(WHEN) is None


def test_repeats_are_heard():
    again = wish(name="no_repeat", times=2, bars=2)
    assert again.score(score_of(np.arange(16))) == 0.5  # the third and fourth of four equal bars
    alternating = np.where(np.arange(32) // 4 % 2, 60, 62)
    assert again.score(score_of(np.arange(32), alternating)) == 0.5  # from the fifth of eight on
    assert again.score(score_of(np.arange(16), 60 + np.arange(16))) == 1
    assert again.score(score_of([])) == 1
