import numpy as np

from aurl.music.score import Notes, Score, Track
from aurl.studies import STUDIES
from aurl.studies.melody import find_melody, melody_track

melody = STUDIES.build(STUDIES.parse("melody"))


def score_of(rows, tracks):
    onset, duration, pitch, track = np.array(rows).T
    return Score(480, Notes(onset, duration, pitch, [64] * len(rows), track), tracks)


TUNE = [(480 * i, 480, 72 + i, 1) for i in range(4)]
CHORDS = [(960 * i, 960, pitch, 0) for i in range(2) for pitch in (48, 52, 55)]


def test_the_high_track_of_single_notes_is_the_melody():
    score = score_of(CHORDS + TUNE, (Track(), Track()))
    assert melody_track(score) == 1
    assert melody.analyse(score).labels == ("C5", "C#5", "D5", "Eb5")


def test_a_name_decides():
    assert melody_track(score_of(CHORDS + TUNE, (Track(name="Vocal"), Track()))) == 0


def test_drums_are_never_the_melody():
    assert melody_track(score_of(CHORDS + TUNE, (Track(), Track(is_drum=True, name="lead")))) == 0


def test_the_skyline_drops_what_sounds_under_a_held_note():
    rows = [(0, 960, 72, 0), (480, 240, 60, 0), (960, 480, 65, 0), (960, 480, 60, 0)]
    assert find_melody(score_of(rows, (Track(),))).tolist() == [True, False, False, True]


def test_without_pitched_notes_there_is_no_melody():
    assert melody_track(Score()) is None
    assert find_melody(Score()).tolist() == []


def test_applying_leaves_the_melody_alone():
    score = melody.apply(score_of(CHORDS + TUNE, (Track(), Track())))
    assert score.notes.pitch.tolist() == [72, 73, 74, 75]


def test_summaries_count_steps():
    annotation = melody.analyse(score_of(CHORDS + TUNE, (Track(), Track())))
    assert melody.summarise([annotation])["steps"] == {"C5 C#5": 1, "C#5 D5": 1, "D5 Eb5": 1}
