from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurl.evaluation.metrics import METRICS
from aurl.music.score import Notes, Score, Tempos, TimeSignatures, Track

PIANO, DRUMS = Track(), Track(is_drum=True)


def score_of(*notes, tracks=(PIANO,), **tables):
    """A score of (onset beat, beats, pitch[, track]) at 120 beats a minute: a beat is half a second."""
    onset, beats, pitch, track = zip(*[(*note, 0)[:4] for note in notes], strict=True) if notes else [()] * 4
    ticks = Notes(np.array(onset) * 480, np.array(beats) * 480, pitch, [80] * len(pitch), track)
    return Score(480, ticks, tracks, **tables)


def bar_of(bar, *pitches):
    return [(4 * bar + beat, 1, pitch) for beat, pitch in enumerate(pitches)]


CHORD = score_of((0, 4, 60), (0, 2, 64), (2, 2, 67), (6, 2, 72))
"""Two notes for two seconds, silence for one, one note for one second."""


@pytest.mark.parametrize(
    ("metric", "value"),
    [
        ("pitch_range", 12),
        ("mean_pitch", 65.75),
        ("note_density", 1),
        ("mean_duration", 1.25),
        ("polyphony", 5 / 3),
        ("silence", 0.25),
        ("pitch_class_entropy", 1.5),
        ("repetition", 0),
    ],
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
    score = score_of((0, 1, 60), (1, 1, 36, 1), tracks=(PIANO, DRUMS))
    assert METRICS["note_density"](score) == pytest.approx(2)
    assert METRICS["silence"](score) == pytest.approx(0)
    assert METRICS["pitch_range"](score) == 0
    assert METRICS["polyphony"](score) == pytest.approx(1)


def test_a_scale_fits_its_key_better_than_all_semitones():
    scale = score_of(*[(beat, 1, 60 + step) for beat, step in enumerate([0, 2, 4, 5, 7, 9, 11, 12])])
    chromatic = score_of(*[(beat, 1, 60 + beat) for beat in range(12)])
    assert METRICS["key_fit"](scale) > 0.8
    assert METRICS["key_fit"](chromatic) == 0


def test_a_profile_played_as_durations_fits_perfectly():
    """Notes as long as the numbers of the minor profile on A (Krumhansl 1990, table 2.1)."""
    profile = [6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17]
    score = score_of(*[(10 * step, length, 57 + step) for step, length in enumerate(profile)])
    assert METRICS["key_fit"](score) == pytest.approx(1, abs=1e-5)


def test_entropy_of_all_pitch_classes_alike_is_log2_12():
    assert METRICS["pitch_class_entropy"](score_of(*[(0, 1, 60 + step) for step in range(12)])) == pytest.approx(
        math.log2(12)
    )
    assert METRICS["pitch_class_entropy"](score_of((0, 1, 60), (1, 1, 72))) == 0


def test_a_bar_repeats_one_before_it_by_onset_and_pitch_class():
    first, other = [60, 62, 64, 65], [67, 65, 64, 62]
    score = score_of(*bar_of(0, *first), *bar_of(1, *other), *bar_of(2, *[p + 12 for p in first]), *bar_of(5, *first))
    assert METRICS["repetition"](score) == pytest.approx(0.5)  # bars 3 and 4 are empty and do not count


def test_onsets_a_hair_off_the_beat_still_repeat():
    late = [(onset + 4.03, 1, pitch) for onset, _, pitch in bar_of(0, 60, 62)]
    early = [(onset + 7.98, 1, pitch) for onset, _, pitch in bar_of(0, 60, 62)]
    assert METRICS["repetition"](score_of(*bar_of(0, 60, 62), *late, *early)) == pytest.approx(2 / 3)


def test_bars_follow_the_time_signature():
    notes = [(3 * bar + beat, 1, 60 + beat) for bar in range(4) for beat in range(3)]
    waltz = score_of(*notes, time_signatures=TimeSignatures([0], [3], [4]))
    assert METRICS["repetition"](waltz) == pytest.approx(0.75)
    assert METRICS["repetition"](score_of(*notes)) == 0


@pytest.mark.parametrize("score", [score_of(), score_of((0, 0, 60, 0), tracks=(DRUMS,))])
def test_a_score_with_nothing_to_measure_has_no_figures(score):
    defined = {name for name, metric in METRICS.items() if not math.isnan(metric(score))}
    assert defined <= {"mean_duration"}


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 8), st.integers(0, 115)), min_size=1, max_size=30),
    st.integers(0, 12),
)
def test_shares_are_shares_and_only_pitch_figures_hear_a_transposition(notes, semitones):
    score, higher = score_of(*notes), score_of(*[(on, length, pitch + semitones) for on, length, pitch in notes])
    for name in ("silence", "repetition"):
        assert math.isnan(METRICS[name](score)) or 0 <= METRICS[name](score) <= 1
    for name in set(METRICS) - {"mean_pitch"}:
        assert METRICS[name](higher) == pytest.approx(METRICS[name](score), nan_ok=True)
    assert METRICS["mean_pitch"](higher) == pytest.approx(METRICS["mean_pitch"](score) + semitones)
