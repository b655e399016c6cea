"""Instruments, notes at once, and parallels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aurl.data.tokenizers import NoteTokenizer
from aurl.data.tokenizers.note_vocabulary import HOW_LONG, WHAT, WHEN, WHO
from aurl.generation.constraints import CONSTRAINTS, Constraints
from aurl.music.score import Notes, Score, Track

LAYOUT = NoteTokenizer().layout
TRACKS = (Track(40), Track(41), Track(is_drum=True))
SEEDS = st.integers(0, 2**32)


def wish(**config):
    return CONSTRAINTS.build(CONSTRAINTS.parse(config), LAYOUT)


def score_of(*rows):
    """Notes of (beat, beats, pitch, track)."""
    table = np.array(rows).reshape(-1, 4)
    onset, end = 480 * table[:, 0], 480 * (table[:, 0] + table[:, 1])
    return Score(notes=Notes(onset, end - onset, table[:, 2], table[:, 2] * 0 + 64, table[:, 3]), tracks=TRACKS)


@settings(max_examples=6, deadline=None)
@given(seed=SEEDS)
def test_exactly_the_instruments_asked_for_are_declared_and_play(walk, opening, seed):
    head = opening(tracks=("Violin",))[:-2]  # nothing is declared yet
    config = {"name": "instruments", "programs": ["Piano", "Flute", "Drums", 33], "bars": 3}
    piece = walk([config], seed, head=head, bars=3, length=400)
    score = piece.score
    assert piece.dropped == {"instruments": 0}
    assert [128 if track.is_drum else track.program for track in score.tracks] == [0, 73, 128, 33]
    assert piece.constraints.score(score) == 1


def test_tracks_of_a_prompt_that_are_not_asked_for_fall_silent(walk):
    piece = walk([{"name": "instruments", "programs": ["Violin", "Drums"]}], 1)
    assert {track.program for track in piece.score.tracks} == {40, 0}
    assert piece.dropped == {"instruments": 0}


def test_instruments_are_heard():
    score = score_of((0, 1, 60, 0), (0, 1, 60, 2))
    assert wish(name="instruments", programs=["Violin", "Drums"]).score(score) == 1
    assert wish(name="instruments", programs=["Violin", "Drums", "Viola", "Viola"]).score(score) == 0.5
    assert wish(name="instruments", programs=["Flute"]).score(score) == 0


@settings(max_examples=3, deadline=None)
@given(seed=SEEDS, most=st.integers(1, 3))
def test_no_track_sounds_more_notes_than_it_may(walk, opening, seed, most):
    piece = walk([{"name": "polyphony", "most": most}], seed, length=250, head=opening(("Violin", "Viola")))
    assert piece.dropped == {"polyphony": 0}
    assert len(piece.score.notes) > 20
    heard = piece.constraints.hearing
    for who in (1, 2):
        notes = heard.notes(0)[heard.notes(0)[:, 2] == who]
        assert max(((notes[:, 0] <= t) & (notes[:, 1] > t)).sum() for t in notes[:, 0]) <= most
    assert piece.constraints.score(piece.score) == 1


def test_melodies_are_single_only_where_asked(walk):
    piece = walk([{"name": "polyphony", "tracks": [1]}], 3, length=250)
    others = wish(name="polyphony")
    assert piece.constraints.score(piece.score) == 1
    assert others.score(piece.score) < 1


def test_polyphony_is_heard():
    score = score_of((0, 2, 60, 0), (1, 1, 64, 0), (2, 1, 67, 0), (0, 4, 60, 1), (0, 4, 36, 2), (0, 4, 38, 2))
    assert wish(name="polyphony").score(score) == 0.75
    assert wish(name="polyphony", most=2).score(score) == 1
    assert wish(name="polyphony", tracks=["Drums"]).score(score) == 1


@settings(max_examples=3, deadline=None)
@given(seed=SEEDS)
def test_no_two_voices_move_in_parallel(walk, opening, seed):
    rhythm = {"name": "rhythm", "pattern": "x.x.x.x."}
    narrow = {"name": "range", "low": 55, "high": 75}
    head = opening(("Violin", "Viola"))
    held = walk([narrow, rhythm, {"name": "parallels"}], seed, head=head, stay=0.001, length=120)
    parallels = wish(name="parallels")
    assert held.dropped["parallels"] == 0
    assert parallels.score(held.score) == 1
    assert len(held.score.notes) > 50


@pytest.mark.parametrize(
    ("moves", "expected"),
    [
        ([(60, 67), (62, 69)], 0),  # fifths
        ([(60, 72), (62, 74)], 0),  # octaves
        ([(60, 60), (62, 62)], 0),  # unisons
        ([(60, 67), (60, 67)], 1),  # nothing moves
        ([(60, 67), (62, 67)], 1),  # one voice moves
        ([(60, 64), (62, 65)], 1),  # thirds
        ([(60, 67), (62, 69), (64, 67)], 0.5),
    ],
)
def test_parallels_are_heard(moves, expected):
    rows = [(beat, 1, pitch, track) for beat, pair in enumerate(moves) for track, pitch in enumerate(pair)]
    assert wish(name="parallels").score(score_of(*rows)) == expected


def test_voices_begin_anew_after_a_rest_and_one_track_has_two():
    apart = score_of((0, 1, 60, 0), (0, 1, 67, 1), (4, 1, 62, 0), (4, 1, 69, 1))
    assert wish(name="parallels").score(apart) == 1
    alone = score_of((0, 1, 60, 0), (0, 1, 67, 0), (1, 1, 62, 0), (1, 1, 69, 0))
    assert wish(name="parallels").score(alone) == 0
    assert wish(name="parallels").score(score_of((0, 1, 60, 2))) == 1


def test_the_second_voice_of_a_move_is_kept_from_parallels(opening, rows_of):
    """Also where the bar is written track by track, and the other voice was written first."""
    note = "duration:24 / velocity:66"
    for order in ("", "fill:1,"):
        rows = rows_of(
            f"position:0 / track:1 / pitch:67 / {note},position:24 / track:1 / pitch:69 / {note},"
            f"{order}position:0 / track:0 / pitch:60 / {note}"
        )
        constraints = Constraints([CONSTRAINTS.parse("parallels")], LAYOUT, 1)
        rows = np.concatenate([opening(("Violin", "Viola")), rows])
        constraints.hear(np.zeros(len(rows), np.int64), rows)
        legal = np.ones((1, LAYOUT.size), np.bool_)
        allowed, _ = constraints.apply(np.zeros(1, np.int64), WHAT, np.array([[25, 1]]), legal)
        pitches = np.flatnonzero(~allowed[0]) - LAYOUT.first["pitch"]
        assert sorted(pitches) == [p for p in range(128) if abs(p - 69) % 12 == 7 and p != 60]


def test_a_track_that_has_nothing_left_at_a_time_is_not_chosen_there(opening, rows_of):
    configs = [CONSTRAINTS.parse({"name": "range", "low": 60, "high": 64})]
    constraints = Constraints(configs, LAYOUT, 1)
    row = rows_of("position:0 / track:1 / pitch:64 / duration:24 / velocity:66")
    rows = np.concatenate([opening(("Violin", "Viola")), row])
    one = np.zeros(1, np.int64)
    constraints.hear(np.zeros(len(rows), np.int64), rows)
    whens, whos = np.ones((1, 193), np.bool_), np.array([[False, False, True]])
    whens[0, 2:] = False
    allowed, _ = constraints.apply(one, WHEN, np.zeros((1, 0), np.int64), whens)
    assert np.flatnonzero(allowed[0]).tolist() == [0]
    whos = np.concatenate([whos, np.zeros((1, 14), np.bool_)], axis=1)
    assert constraints.apply(one, WHO, np.array([[1]]), whos)[0][0, 2]  # the only one stays
    whos[0, 0] = True
    assert not constraints.apply(one, WHO, np.array([[1]]), whos)[0][0, 2]
    assert constraints.apply(one, WHO, np.array([[2]]), whos)[0][0, 2]


@pytest.mark.parametrize("wanted", [0.75, 1.5, 4])
def test_as_many_voices_sound_as_are_asked_for(walk, wanted):
    score = walk([{"name": "voices", "at_once": wanted, "strength": 16}], 1, bars=20, length=500).score
    notes = score.notes.take(score.is_pitched)
    assert notes.duration.sum() / score.end_ticks == pytest.approx(wanted, rel=0.3)


def test_voices_pull_against_thick_chords_and_long_notes_or_for_them(opening, rows_of):
    constraints = Constraints([CONSTRAINTS.parse({"name": "voices", "at_once": 1})], LAYOUT, 1)
    one, sizes = np.zeros(1, np.int64), LAYOUT.vocabulary.sizes

    def bias(field, *chosen):
        anything = np.ones((1, sizes[field]), np.bool_)
        found = constraints.apply(one, field, np.array([chosen], np.int64), anything)[1]
        return None if found is None else found[0]

    def hear(rows):
        constraints.hear(np.zeros(len(rows), np.int64), rows)

    quarter, half = (1 + int(np.flatnonzero(LAYOUT.durations == steps)[0]) for steps in (24, 48))
    hear(opening())
    assert bias(WHEN) is None  # there is no note that another could join
    longer = bias(HOW_LONG, 1, 1, 60)
    assert longer[half] > longer[quarter]
    hear(rows_of(",".join(f"position:0 / track:0 / pitch:{pitch} / duration:96 / velocity:66" for pitch in (60, 64))))
    thinner, shorter = bias(WHEN), bias(HOW_LONG, 1, 1, 67)
    assert np.flatnonzero(thinner).tolist() == [1]
    assert thinner[1] < 0
    assert shorter[half] < shorter[quarter]
    assert bias(HOW_LONG, 1, 3, 67) is None  # a drum
    hear(rows_of("bar,bar,bar,position:24 / track:0 / pitch:60 / duration:6 / velocity:66"))
    thicker, longer = bias(WHEN), bias(HOW_LONG, 25, 1, 67)
    assert np.flatnonzero(thicker).tolist() == [25]
    assert thicker[25] > 0
    assert longer[half] > longer[quarter]
    hear(rows_of("fill:1"))
    assert bias(HOW_LONG, 1, 1, 67) is None


def test_voices_are_heard():
    voices = wish(name="voices", at_once=2)
    assert voices.score(score_of((0, 2, 60, 0), (0, 2, 64, 1), (0, 4, 36, 2))) == 0.5  # a drum sounds on alone
    assert voices.score(score_of((0, 2, 60, 0), (0, 2, 64, 1))) == 1
    assert voices.score(score_of(*((0, 2, pitch, 0) for pitch in (60, 64, 67, 72)))) == 0
    assert voices.score(score_of()) == 0
