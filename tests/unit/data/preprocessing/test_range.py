"""Pitches in a range, pieces in one key."""

import numpy as np
import pytest
from hypothesis import given

from aurl.data.preprocessing import FoldRangeConfig, TransposeConfig, fold_range, transpose_piece
from aurl.music.score import WHOLE_SCORE, KeySignatures, Notes, Score, Texts, Track
from aurl.utils.errors import MidiError
from random_scores import scores


@given(scores(lowest=0, highest=127))
def test_folded_notes_are_in_range_with_their_pitch_class_and_drums_stay(score):
    folded = fold_range(score, FoldRangeConfig(lowest=48, highest=59))
    pitch, old = folded.notes.pitch.astype(int), score.notes.pitch.astype(int)
    order, old_order = (np.lexsort((p % 12, s.notes.track, s.notes.onset)) for s, p in ((folded, pitch), (score, old)))
    assert (pitch[order] % 12 == old[old_order] % 12).all()
    inside = pitch[folded.is_pitched]
    assert ((inside >= 48) & (inside <= 59)).all()
    assert folded.notes.take(~folded.is_pitched) == score.notes.take(~score.is_pitched)


def test_a_note_in_range_stays_and_others_go_to_the_nearest_octave():
    notes = Notes([0, 1, 2], [1] * 3, [30, 60, 100], [64] * 3, [0] * 3)
    folded = fold_range(Score(notes=notes, tracks=(Track(),)), FoldRangeConfig(lowest=48, highest=72))
    assert folded.notes.pitch.tolist() == [54, 60, 64]


def scale(tonic, *, minor=False, labels=()):
    pitches = tonic + np.array([0, 2, 3, 5, 7, 8, 11, 12, 0, 3, 7] if minor else [0, 2, 4, 5, 7, 9, 11, 12, 0, 4, 7])
    count = len(pitches)
    texts = Texts([0] * len(labels), [WHOLE_SCORE] * len(labels), ["key"] * len(labels), list(labels))
    notes = Notes(480 * np.arange(count), [480] * count, pitches, [64] * count, [0] * count)
    return Score(notes=notes, tracks=(Track(),), texts=texts, key_signatures=KeySignatures([0], [0], [minor]))


@pytest.mark.parametrize("tonic", range(54, 66))
@pytest.mark.parametrize("minor", [False, True])
def test_pieces_come_to_c_major_or_a_minor_by_the_shorter_way(tonic, minor):
    moved = transpose_piece(scale(tonic, minor=minor), TransposeConfig())
    assert moved.notes.pitch[0] % 12 == (9 if minor else 0)
    assert abs(int(moved.notes.pitch[0]) - tonic) <= 6


def test_a_label_of_the_key_wins_and_moves_along():
    moved = transpose_piece(scale(60, labels=["G major"]), TransposeConfig())
    assert moved.notes.pitch[0] == 65
    assert moved.texts.text.tolist() == ["C major"]


def test_semitones_are_taken_as_they_are_and_refused_beyond_midi():
    assert transpose_piece(scale(60), TransposeConfig(by=-5)).notes.pitch[0] == 55
    with pytest.raises(MidiError, match="-60 to 55"):
        transpose_piece(scale(60), TransposeConfig(by=56))
