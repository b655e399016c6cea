"""What the pedal held is said by the lengths of notes."""

from hypothesis import given

from aurl.data.preprocessing import PedalToDurationsConfig, pedal_to_durations
from aurl.music.score import Controls, Notes, Score, Track
from random_scores import scores

CONFIG = PedalToDurationsConfig()


def played(onsets, pitches, *, is_drum=False):
    count = len(onsets)
    notes = Notes(onsets, [100] * count, pitches, [64] * count, [0] * count)
    controls = Controls([50, 300, 600], [0, 0, 0], [64, 7, 64], [127, 90, 0])
    return Score(notes=notes, tracks=(Track(is_drum=is_drum),), controls=controls)


def test_notes_released_under_the_pedal_last_until_it_is_lifted():
    held = pedal_to_durations(played([0, 200, 590, 700], [60, 62, 64, 65]), CONFIG)
    assert held.notes.end.tolist() == [600, 600, 690, 800]
    assert held.controls.number.tolist() == [7]


def test_a_note_struck_again_ends_there():
    assert pedal_to_durations(played([0, 200], [60, 60]), CONFIG).notes.end.tolist() == [200, 600]


def test_drums_do_not_hear_it():
    assert pedal_to_durations(played([0], [36], is_drum=True), CONFIG).notes.end.tolist() == [100]


@given(scores())
def test_no_note_gets_shorter_and_no_pedal_is_left(score):
    held = pedal_to_durations(score, CONFIG)
    assert not len(held.pedals)
    assert held.notes.end.sum() >= score.notes.end.sum()
    assert len(held.notes) == len(score.notes)
