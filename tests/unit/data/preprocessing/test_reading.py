"""Music made readable before it is notated."""

import numpy as np
from hypothesis import given

from aurl.data.preprocessing.reading import readable, readable_share
from aurl.music.score import Notes, Score, Track
from random_scores import scores


def score_of(*rows):
    """Rows of onset and length in ticks, 480 to the quarter."""
    onset, length = np.array(rows).T
    return Score(
        480, Notes(onset, length, 60 + np.arange(len(rows)) % 12, [64] * len(rows), [0] * len(rows)), (Track(),)
    )


def test_counted_rhythms_stay_as_they_are():
    score = score_of((0, 480), (480, 160), (640, 160), (800, 160), (960, 60), (1020, 420))
    assert readable_share(score) == 1
    assert readable(score) is score


def test_played_lengths_reach_to_the_next_beginning():
    beats = [(480 * beat, 437 if beat % 2 else 519) for beat in range(16)]
    score = readable(score_of(*beats))
    assert score.notes.onset.tolist() == [480 * beat for beat in range(16)]
    assert score.notes.duration[:-1].tolist() == [480] * 15


def test_short_notes_stay_short():
    score = readable(score_of(*((480 * beat, 130) for beat in range(16))))
    assert score.notes.duration.tolist() == [120] * 16


def test_played_onsets_go_to_the_grid():
    rng = np.random.default_rng(3)
    score = readable(score_of(*((480 * beat + int(rng.integers(0, 25)), 450) for beat in range(16))))
    assert readable_share(score) == 1
    assert score.notes.onset.tolist() == [480 * beat for beat in range(16)]


def test_an_empty_score_is_readable():
    assert readable(Score()) == Score()


@given(scores())
def test_no_note_is_lost_and_all_keep_a_length(score):
    made = readable(score)
    assert sorted(made.notes.pitch) == sorted(score.notes.pitch)
    assert (made.notes.duration > 0).all()
