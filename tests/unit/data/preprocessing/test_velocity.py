"""Levels go to the target, accents stay."""

import numpy as np
from hypothesis import given

from aurl.data.preprocessing import NormaliseVelocityConfig, normalise_velocity
from aurl.music.score import Notes, Score, Track
from random_scores import scores


def phrases(*velocities, gap=960):
    """Quarter notes, each list a phrase, with a rest between."""
    onset, all_velocities, now = [], [], 0
    for phrase in velocities:
        onset += [now + 480 * n for n in range(len(phrase))]
        now = onset[-1] + 480 + gap
        all_velocities += phrase
    count = len(onset)
    notes = Notes(onset, [480] * count, [60] * count, all_velocities, [0] * count)
    return Score(notes=notes, tracks=(Track(),))


def normalised(score, **options):
    return normalise_velocity(score, NormaliseVelocityConfig(target=70, **options)).notes.velocity.tolist()


def test_each_phrase_comes_to_the_target_with_its_accents():
    assert normalised(phrases([30, 40, 35], [100, 120, 110])) == [65, 75, 70, 60, 80, 70]


def test_without_a_rest_it_is_one_phrase():
    assert normalised(phrases([50], [70], [60], gap=0)) == [60, 80, 70]


def test_a_long_phrase_is_cut():
    assert normalised(phrases([50] * 4 + [90] * 4), phrase_beats=4) == [70] * 8


def test_half_strength_goes_half_way():
    assert normalised(phrases([50, 50]), strength=0.5) == [60, 60]


def test_the_loudest_and_the_softest_note_stay_what_midi_holds():
    assert normalised(phrases([1, 1, 127])) == [1, 1, 127]


@given(scores())
def test_differences_within_a_moment_of_a_track_stay(score):
    velocity = normalise_velocity(score, NormaliseVelocityConfig()).notes.velocity.astype(int)
    old, onset, track = score.notes.velocity.astype(int), score.notes.onset, score.notes.track
    together = (np.diff(onset) == 0) & (np.diff(track.astype(int)) == 0)
    assert (np.diff(velocity)[together] == np.diff(old)[together]).all()
