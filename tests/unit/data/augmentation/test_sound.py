"""Keys, loudness, instruments, missing notes."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from aurl.data.augmentation import DropoutConfig, InstrumentsConfig, TransposeConfig, VelocityConfig
from aurl.data.augmentation.sound import leave_out, move, play_louder, substitute
from aurl.music.score import Notes, Score, Track
from aurl.music.transforms import transpose
from random_scores import scores


def rng(seed=0):
    return np.random.default_rng(seed)


def chord(*pitches):
    count = len(pitches)
    return Score(notes=Notes([0] * count, [480] * count, pitches, [64] * count, [0] * count), tracks=(Track(),))


@given(scores(lowest=21, highest=108), st.integers(0, 50), st.integers(1, 12))
def test_a_piece_moves_as_a_whole_no_further_than_asked_and_back_again_is_unchanged(score, seed, semitones):
    moved = move(score, rng(seed), TransposeConfig(semitones=semitones))
    pitched = score.is_pitched
    steps = np.unique(moved.notes.pitch[pitched].astype(int) - score.notes.pitch[pitched].astype(int))
    assert len(steps) <= 1
    assert (np.abs(steps) <= semitones).all()
    assert ((moved.notes.pitch[pitched] >= 21) & (moved.notes.pitch[pitched] <= 108)).all()
    if len(steps):
        back = transpose(moved, -int(steps[0]))
        assert (back.notes, back.key_signatures) == (score.notes, score.key_signatures)


def test_all_moves_within_the_range_occur():
    moves = {int(move(chord(60, 105), rng(seed), TransposeConfig()).notes.pitch[0]) - 60 for seed in range(300)}
    assert moves == set(range(-12, 4))


def test_a_piece_beyond_the_piano_stays():
    assert move(chord(15, 60), rng(), TransposeConfig()) == chord(15, 60)


@given(scores(), st.integers(0, 9))
def test_velocities_stay_what_midi_holds_and_keep_the_order_of_a_moment(score, seed):
    velocity = play_louder(score, rng(seed), VelocityConfig()).notes.velocity.astype(int)
    assert ((velocity >= 1) & (velocity <= 127)).all()
    together = np.diff(score.notes.onset) == 0
    order, new = np.diff(score.notes.velocity.astype(int))[together], np.diff(velocity)[together]
    assert (order * new >= 0).all()


def test_a_swell_moves_over_the_piece():
    count = 64
    score = Score(
        notes=Notes(480 * np.arange(count), [480] * count, [60] * count, [80] * count, [0] * count), tracks=(Track(),)
    )
    assert len(set(play_louder(score, rng(), VelocityConfig(scale=0)).notes.velocity.tolist())) > 3


def test_instruments_stay_in_their_family_and_some_have_none():
    tracks = (Track(40), Track(40), Track(47), Track(120), Track(3, is_drum=True))
    chosen = [substitute(Score(tracks=tracks), rng(seed), InstrumentsConfig()).tracks for seed in range(60)]
    assert {track[0].program for track in chosen} == set(range(40, 47))
    assert all(track[0] == track[1] and track[2:] == tracks[2:] for track in chosen)


@given(scores(), st.integers(0, 9))
def test_some_notes_go_and_one_stays(score, seed):
    kept = leave_out(score, rng(seed), DropoutConfig(share=0.95)).notes
    assert min(1, len(score.notes)) <= len(kept) <= len(score.notes)


def test_notes_go_as_often_as_asked():
    assert len(leave_out(chord(*[60] * 4000), rng(), DropoutConfig(share=0.25)).notes) / 4000 > 0.72
