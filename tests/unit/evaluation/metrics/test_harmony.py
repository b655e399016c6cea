from __future__ import annotations

import math

import pytest

from aurl.evaluation.metrics import METRICS
from aurl.music.score import TimeSignatures
from metric_scores import score_of

C, F, G, AM = (60, 64, 67), (65, 69, 72), (67, 71, 74), (57, 60, 64)


def chords(*played, beats=2):
    return score_of(*[(beats * place, beats, pitch) for place, chord in enumerate(played) for pitch in chord])


def test_a_chord_changes_from_half_bar_to_half_bar():
    assert METRICS["chord_changes"](chords(C, C, C, C)) == 0
    assert METRICS["chord_changes"](chords(C, F, G, C)) == 1
    assert METRICS["chord_changes"](chords(C, F, G, beats=4)) == pytest.approx(2 / 5)


def test_minor_is_another_harmony_than_its_relative():
    assert METRICS["chord_changes"](chords(C, AM)) == 1


def test_a_held_note_belongs_to_every_half_bar_it_sounds_in():
    """The bass goes on; what changes above it makes the harmony."""
    held = chords((64, 67), (65, 69))
    assert METRICS["chord_changes"](held.replace(notes=chords((48, 64, 67), (65, 69)).notes)) == 1
    assert METRICS["chord_changes"](score_of((0, 4, 60), (0, 4, 64), (0, 4, 67))) == 0


def test_a_passing_note_changes_no_harmony():
    assert METRICS["chord_changes"](score_of((0, 4, 60), (0, 4, 64), (0, 4, 67), (2, 0.5, 65), (2.5, 0.5, 69))) == 0


def test_half_bars_follow_the_bar_line():
    waltz = {"time_signatures": TimeSignatures([0], [3], [4])}
    bars = [(3 * bar, 3, pitch) for bar, chord in enumerate((C, F)) for pitch in chord]
    assert METRICS["chord_changes"](score_of(*bars, **waltz)) == pytest.approx(1 / 3)


def test_a_progression_that_comes_round_is_regular():
    around, wandering = chords(*(C, F, G, AM) * 4), chords(C, F, G, AM, F, C, AM, G, C, G, F)
    assert METRICS["chord_irregularity"](around) == pytest.approx(4 / 14)
    assert METRICS["chord_irregularity"](wandering) == 1
    assert math.isnan(METRICS["chord_irregularity"](chords(C, C, C, F)))  # two chords, no succession of three


@pytest.mark.parametrize(
    ("semitones", "value"), [(1, -1.428), (2, -0.582), (3, 0.594), (4, 0.386), (5, 1.240), (6, -0.453), (7, 1.240)]
)
def test_an_interval_is_as_consonant_as_huron_says_in_any_octave(semitones, value):
    assert METRICS["consonance"](score_of((0, 1, 60), (0, 1, 60 + semitones))) == pytest.approx(value)
    assert METRICS["consonance"](score_of((0, 1, 60), (0, 1, 72 + semitones))) == pytest.approx(value)


def test_consonance_is_weighted_by_how_long_a_pair_sounds():
    fifth_then_tritone = score_of((0, 4, 60), (0, 3, 67), (3, 1, 66), (0, 4, 72))
    assert METRICS["consonance"](fifth_then_tritone) == pytest.approx((3 * 1.240 - 0.453) / 4)


def test_a_line_alone_and_drums_sound_with_nothing():
    line = score_of((0, 1, 60), (1, 1, 61), (0, 2, 36, 1))
    assert math.isnan(METRICS["consonance"](line))
