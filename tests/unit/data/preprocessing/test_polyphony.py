"""Melody and bass stay, no more voices than asked."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from aurl.data.preprocessing import ReducePolyphonyConfig, reduce_polyphony
from aurl.music.score import Notes, Score, Track
from random_scores import scores


def begun(score):
    return set(zip(score.notes.onset.tolist(), score.notes.pitch.tolist(), score.notes.track.tolist(), strict=True))


def pitched(score):
    return score.notes.take(score.is_pitched)


def outer(score):
    """(onset, pitch) of the notes that are highest or lowest of all that sound when they begin."""
    notes = pitched(score)
    found = set()
    for onset, pitch in zip(notes.onset.tolist(), notes.pitch.tolist(), strict=True):
        sounding = notes.pitch[(notes.onset <= onset) & (notes.end > onset)]
        if pitch in (sounding.max(), sounding.min()):
            found.add((onset, pitch))
    return found


@given(scores(), st.integers(2, 5))
def test_no_more_voices_sound_and_melody_and_bass_begin_as_before(score, voices):
    reduced = reduce_polyphony(score, ReducePolyphonyConfig(voices=voices))
    notes = pitched(reduced)
    for onset in notes.onset:
        assert ((notes.onset <= onset) & (notes.end > onset)).sum() <= voices
    kept = {(onset, pitch) for onset, pitch, _ in begun(reduced)}
    assert outer(score) <= kept
    assert begun(reduced) <= begun(score)
    assert reduced.notes.take(~reduced.is_pitched) == score.notes.take(~score.is_pitched)


@given(scores())
def test_enough_voices_change_nothing(score):
    assert reduce_polyphony(score, ReducePolyphonyConfig(voices=100)) == score


def test_of_inner_notes_a_new_pitch_class_stays():
    notes = Notes([0] * 4, [480] * 4, [48, 60, 64, 72], [64] * 4, [0] * 4)
    reduced = reduce_polyphony(Score(notes=notes, tracks=(Track(),)), ReducePolyphonyConfig(voices=3))
    assert reduced.notes.pitch.tolist() == [48, 64, 72]


def test_one_voice_is_the_melody():
    notes = Notes([0, 0, 480], [960, 480, 480], [48, 72, 74], [64] * 3, [0] * 3)
    reduced = reduce_polyphony(Score(notes=notes, tracks=(Track(),)), ReducePolyphonyConfig(voices=1))
    assert reduced.notes.pitch.tolist() == [72, 74]


def test_an_inner_note_is_cut_short_to_make_room():
    notes = Notes(np.array([0, 0, 480]), [960] * 3, [48, 72, 80], [64] * 3, [0] * 3)
    reduced = reduce_polyphony(Score(notes=notes, tracks=(Track(),)), ReducePolyphonyConfig(voices=2))
    assert reduced.notes.duration.tolist() == [960, 480, 960]
