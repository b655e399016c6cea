from __future__ import annotations

import pytest

from aurl.evaluation.metrics import METRICS
from aurl.music.score import Tempos
from metric_scores import score_of

CHORD = score_of((0, 4, 60), (0, 2, 64), (2, 2, 67), (6, 2, 72))
"""Two notes for two seconds, silence for one, one note for one second."""


@pytest.mark.parametrize(
    ("metric", "value"), [("note_density", 1), ("mean_duration", 1.25), ("polyphony", 5 / 3), ("silence", 0.25)]
)
def test_a_chord_has_known_figures(metric, value):
    assert METRICS[metric](CHORD) == pytest.approx(value)


def test_seconds_follow_the_tempo():
    slow = CHORD.replace(tempos=Tempos([0], [1_000_000]))
    assert METRICS["note_density"](slow) == pytest.approx(0.5)
    assert METRICS["mean_duration"](slow) == pytest.approx(2.5)
    assert METRICS["polyphony"](slow) == pytest.approx(5 / 3)


def test_a_rest_before_the_first_note_is_silence():
    assert METRICS["silence"](score_of((1, 1, 60))) == pytest.approx(0.5)


def test_a_note_inside_another_ends_no_sound():
    assert METRICS["silence"](score_of((0, 4, 60), (1, 1, 64), (3, 2, 67))) == pytest.approx(0)


def test_drums_count_as_notes_but_have_no_pitch():
    score = score_of((0, 1, 60), (1, 1, 36, 1))
    assert METRICS["note_density"](score) == pytest.approx(2)
    assert METRICS["silence"](score) == pytest.approx(0)
    assert METRICS["polyphony"](score) == pytest.approx(1)
