"""Scales, chords and ranges: kept by every note that is written, and heard in finished pieces."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aurl.data.tokenizers import NoteTokenizer
from aurl.generation.constraints import CONSTRAINTS
from aurl.generation.progressions import Progression
from aurl.music.score import Notes, Score, Texts, Track

LAYOUT = NoteTokenizer().layout
SEEDS = st.integers(0, 2**32)
TRACKS = (Track(40), Track(33), Track(is_drum=True))


def wish(**config):
    return CONSTRAINTS.build(CONSTRAINTS.parse(config), LAYOUT)


def score_of(pitches, onsets=None, track=0, texts=()):
    count = len(pitches)
    onset = np.arange(count) * 480 if onsets is None else np.array(onsets)
    labels = Texts(
        np.array([time for time, _, _ in texts]), np.full(len(texts), -1),
        np.array([kind for _, kind, _ in texts], object), np.array([text for _, _, text in texts], object),
    )  # fmt: skip
    one = np.ones(count, np.int64)
    return Score(notes=Notes(onset, 240 * one, np.array(pitches), 64 * one, track * one), tracks=TRACKS, texts=labels)


def pitched(piece):
    score = piece.score
    return score, score.notes.take(score.is_pitched)


@settings(max_examples=3, deadline=None)
@given(seed=SEEDS, scale=st.sampled_from([(None, {2, 4, 5, 7, 9, 10, 0}), ("minor_pentatonic", {2, 5, 7, 9, 0})]))
def test_a_hard_scale_is_kept_by_every_note(walk, seed, scale):
    config = {"name": "scale", "key": "D minor", "scale": scale[0]}
    piece = walk([config], seed)
    _, notes = pitched(piece)
    assert len(notes) > 10
    assert piece.dropped == {"scale": 0}
    assert set((notes.pitch % 12).tolist()) <= scale[1]
    assert piece.constraints.score(piece.score) == 1


@settings(max_examples=3, deadline=None)
@given(seed=SEEDS)
def test_without_a_key_the_scale_follows_what_the_piece_tells(walk, opening, rows_of, seed):
    head = np.concatenate([opening(key="C major"), rows_of("position:5 / key:E minor")])
    piece = walk([{"name": "scale"}], seed, head=head)
    score, notes = pitched(piece)
    labels = score.texts.of("key")
    assert piece.constraints.score(score) == 1
    assert piece.dropped == {"scale": 0}
    first = notes.take(notes.onset < (labels.time[1] if len(labels) > 1 else np.inf))
    assert set((first.pitch % 12).tolist()) <= {0, 2, 4, 5, 7, 9, 11}


def test_a_soft_scale_only_makes_other_notes_rarer(walk):
    shares = []
    for strength in (0.01, 2.0, 100.0):
        pieces = [walk([{"name": "scale", "key": "C", "strength": strength}], seed) for seed in range(2)]
        shares.append(np.mean([piece.constraints.score(piece.score) for piece in pieces]))
    assert shares[0] < shares[1] < shares[2] == 1
    assert shares[0] < 0.8


def test_scales_are_heard_with_the_key_told_or_the_one_that_fits():
    assert wish(name="scale", key="C").score(score_of([60, 62, 61, 63])) == 0.5
    assert wish(name="scale", key="C", scale="chromatic").score(score_of([60, 61])) == 1
    assert wish(name="scale").score(score_of([62, 66, 69, 62, 66, 69, 74, 61])) == 1
    changes = [(0, "key", "C major"), (960, "key", "F# major")]
    assert wish(name="scale").score(score_of([60, 66, 66, 60], texts=changes)) == 0.5
    assert wish(name="scale", key="C").score(score_of([61], track=2)) == 1


@settings(max_examples=3, deadline=None)
@given(seed=SEEDS, progression=st.sampled_from(["Am F | C . . G", "N.C. | Dm", "i VI III VII"]))
def test_under_a_hard_progression_every_note_belongs_to_its_chord(walk, seed, progression):
    config = {"name": "chords", "progression": progression, "key": "A minor"}
    piece = walk([config], seed, length=200)
    score, notes = pitched(piece)
    assert piece.dropped == {"chords": 0}
    assert piece.constraints.score(score) == 1
    chords = Progression.read(progression, "A minor")
    bars, beats = score.metre_map.ticks_to_bar_beat(notes.onset)
    lengths = np.diff(score.metre_map.bar_to_ticks(np.arange(bars.max() + 2))) // 20
    for bar, beat, pitch in zip(bars.tolist(), beats.tolist(), notes.pitch.tolist(), strict=True):
        chord = chords.at(bar, round(beat * 24), int(lengths[bar]))[1]
        assert chord.root is None or pitch % 12 in chord.pitch_classes
    labels = score.texts.of("chord")
    bars, beats = score.metre_map.ticks_to_bar_beat(labels.time)
    for bar, beat, text in zip(bars.tolist(), beats.tolist(), labels.text.tolist(), strict=True):
        assert chords.at(bar, round(beat * 24), int(lengths[bar]) if bar < len(lengths) else 96)[1].symbol == text


def test_the_bass_begins_each_chord_with_its_bass_note(walk):
    for seed in range(4):
        piece = walk([{"name": "chords", "progression": "C/E F | Bdim", "bass": True}], seed, length=250)
        heard, basses = piece.constraints.hearing.pieces[0], {0: {0: 4, 48: 5}, 1: {0: 11}}
        part = heard.parts[2]  # the electric bass, until the walk makes another track the lowest
        starts = [0, *np.cumsum([96] * 30).tolist()]
        assert piece.dropped == {"chords": 0}
        for onset, notes in zip(part.onsets, part.notes, strict=True):
            bar = int(np.searchsorted(starts, onset, side="right")) - 1
            wanted = basses[bar % 2].get(onset - starts[bar])
            if bar == 0 and wanted is not None:
                assert notes[0][0] % 12 == wanted


def test_soft_chords_mind_the_beats_only():
    chords = wish(name="chords", progression="C", strength=4)
    assert chords.score(score_of([60, 61, 64], onsets=[0, 240, 480])) == 1
    assert chords.score(score_of([60, 61], onsets=[0, 480])) == 0.5
    hard = wish(name="chords", progression="C | N.C.")
    assert hard.score(score_of([60, 61, 64], onsets=[0, 240, 1920])) == 0.5
    assert hard.score(score_of([61], onsets=[1920])) == 1
    assert hard.score(score_of([])) == 1


def test_soft_chords_lean_on_the_beat_and_let_go_off_it(walk):
    pieces = [walk([{"name": "chords", "progression": "C", "strength": 30}], seed) for seed in range(3)]
    hard = wish(name="chords", progression="C")
    assert all(piece.constraints.score(piece.score) == 1 for piece in pieces)
    assert min(hard.score(piece.score) for piece in pieces) < 0.8


@settings(max_examples=3, deadline=None)
@given(seed=SEEDS)
def test_ranges_are_kept_by_the_tracks_they_name(walk, seed):
    configs = [
        {"name": "range", "low": "E1", "high": "G3", "tracks": ["Bass"]},
        {"name": "range", "low": 55, "tracks": [1]},
    ]
    piece = walk(configs, seed, length=200)
    score, notes = pitched(piece)
    program = np.array([track.program for track in score.tracks])[notes.track]
    assert piece.dropped == {"range": 0, "range#2": 0}
    assert notes.pitch[program == 33].max(initial=0) <= 55
    assert notes.pitch[program == 33].min(initial=127) >= 28
    assert notes.pitch[program == 40].min(initial=127) >= 55
    assert piece.constraints.score(score) == 1


@pytest.mark.parametrize(
    ("tracks", "expected"),
    [((), 0.5), (("Violin",), 0.5), (("strings",), 0.5), ((1,), 0.5), ((2,), 1), (("Drums",), 1)],
)
def test_ranges_are_heard_in_the_tracks_they_name(tracks, expected):
    assert wish(name="range", low="C4", high="C5", tracks=tracks).score(score_of([60, 72, 59, 73])) == expected
