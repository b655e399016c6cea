"""Transposition: up and down is unchanged, drums stay, keys and chords move along."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurl.music.score import WHOLE_SCORE, KeySignatures, Notes, Score, Texts, Track
from aurl.music.transforms import transpose, transposition_range, until

TRACKS = (Track(0), Track(0, is_drum=True))


def score(*pitches, sharps=0):
    """Each pitch on a piano, with a drum beside it."""
    count = len(pitches)
    onset = np.repeat(np.arange(count), 2) * 480
    pitch = np.array([[p, 36] for p in pitches]).ravel()
    ones = np.ones(2 * count, np.int64)
    notes = Notes(onset, 480 * ones, pitch, 64 * ones, np.tile([0, 1], count))
    return Score(notes=notes, tracks=TRACKS, key_signatures=KeySignatures([0], [sharps], [False]))


@given(st.lists(st.integers(21, 108), min_size=1, max_size=8), st.data())
def test_up_and_down_again_is_unchanged(pitches, data):
    original = score(*pitches)
    semitones = data.draw(st.integers(*transposition_range(original)))
    assert transpose(transpose(original, semitones), -semitones) == original


def test_pitches_move_and_drums_stay():
    moved = transpose(score(60, 64), 3)
    assert moved.notes.pitch[moved.notes.track == 0].tolist() == [63, 67]
    assert moved.notes.pitch[moved.notes.track == 1].tolist() == [36, 36]


@pytest.mark.parametrize(
    ("sharps", "semitones", "moved"), [(0, 2, 2), (0, -2, -2), (0, 1, -5), (4, 1, -1), (-5, 12, -5)]
)
def test_keys_move_along_in_their_simplest_spelling(sharps, semitones, moved):
    assert transpose(score(60, sharps=sharps), semitones).key_signatures.sharps.tolist() == [moved]


def test_chord_symbols_move_with_their_bass_and_words_do_not():
    texts = Texts([0, 0, 0], [WHOLE_SCORE] * 3, ["chord", "chord", "marker"], ["Am7/G", "F#dim", "A section"])
    moved = transpose(Score(texts=texts), 2).texts
    assert moved.text.tolist() == ["Bm7/A", "Abdim", "A section"]


def test_the_range_keeps_music_on_the_piano_and_counts_no_drums():
    assert transposition_range(score(23, 100)) == (-2, 8)
    assert transposition_range(score(10, 60)) == (0, 0)
    assert transposition_range(Score()) == (0, 0)


def test_leaving_midi_is_refused():
    with pytest.raises(ValueError, match=r"Notes.pitch holds 110\.\.130"):
        transpose(Score(notes=Notes([0, 1], [1, 1], [100, 120], [64, 64], [0, 0]), tracks=TRACKS), 10)


@given(st.lists(st.integers(21, 108), max_size=8), st.integers(0, 5000))
def test_nothing_is_heard_from_the_end_on(pitches, end):
    long = score(*pitches)
    cut = until(long, end)
    assert (cut.notes.end <= end).all()
    assert len(cut.notes) == (long.notes.onset < end).sum()
    assert len(cut.key_signatures) == (end > 0)
    assert until(cut, end) == cut
