from __future__ import annotations

import numpy as np
import pytest

from aurl.evaluation.metrics import METRICS, beside, compare, describe, reference_of, unlikeness
from aurl.evaluation.metrics.comparison import COMPARED
from aurl.music.score import Notes, Score, Track
from aurl.utils.errors import CorpusError


def interval(low, semitones):
    """Two notes, one after the other, of half a second each."""
    return Score(480, Notes([0, 480], [480, 480], [low, low + semitones], [80, 80], [0, 0]), (Track(),))


REFERENCE = [interval(60, semitones) for semitones in range(21)]


def row_of(rows, metric):
    return next(row for row in rows if row.metric == metric)


def test_describe_gives_every_metric_by_name():
    described = describe(interval(60, 7))
    assert described == {name: METRICS[name](interval(60, 7)) for name in described}
    assert set(COMPARED) <= set(described) <= set(METRICS)


def test_describe_gives_those_that_are_asked_for():
    assert describe(interval(60, 7), ("pitch_range", "self_similarity_4")) == {"pitch_range": 7}


def test_describe_leaves_out_what_a_score_does_not_have():
    drums = interval(36, 2).replace(tracks=(Track(is_drum=True),))
    assert set(describe(drums, COMPARED)) == {"note_density", "mean_duration", "silence"}


def test_a_reference_tells_of_every_metric_and_a_comparison_of_nine():
    assert set(reference_of(REFERENCE)) >= {*COMPARED, "mean_velocity"}
    assert [row.metric for row in compare([interval(60, 4)], REFERENCE)] == list(COMPARED)


def test_a_row_holds_the_quantiles_of_the_reference():
    row = row_of(compare([interval(60, 4)], REFERENCE), "pitch_range")
    assert (row.reference_5_percent, row.reference_median, row.reference_95_percent) == (1, 10, 19)
    assert row.values == (4,)
    assert row.inside
    assert row.summary() == "4, inside 1 to 19 (median 10)"


def test_a_saved_reference_will_do_as_far_as_it_goes():
    saved = {name: list(quantiles) for name, quantiles in reference_of(REFERENCE).items()}
    assert beside([interval(60, 4)], saved) == compare([interval(60, 4)], REFERENCE)
    assert [row.metric for row in beside([interval(60, 4)], {"pitch_range": (1.0, 2.0, 3.0)})] == ["pitch_range"]


@pytest.mark.parametrize(("semitones", "inside"), [(0, False), (1, True), (19, True), (20, False)])
def test_the_bounds_are_inside(semitones, inside):
    assert row_of(compare([interval(60, semitones)], REFERENCE), "pitch_range").inside is inside


def test_of_several_scores_the_median_decides():
    row = row_of(compare([interval(60, s) for s in (5, 6, 40)], REFERENCE), "pitch_range")
    assert row.values == (5, 6, 40)
    assert row.inside
    assert not row_of(compare([interval(60, s) for s in (5, 39, 40)], REFERENCE), "pitch_range").inside


def test_metrics_that_one_side_lacks_have_no_row():
    drums = [score.replace(tracks=(Track(is_drum=True),)) for score in REFERENCE]
    assert {row.metric for row in compare([interval(60, 4)], drums)} == {"note_density", "mean_duration", "silence"}


def test_a_comparison_needs_a_reference():
    with pytest.raises(CorpusError):
        compare([interval(60, 4)], [])


def melody(pitches, beats):
    """One note after the other, each of `beats`."""
    ticks, count = int(480 * beats), len(pitches)
    same = np.ones(count, np.int64)
    return Score(notes=Notes(ticks * np.arange(count), ticks * same, pitches, 64 * same, 0 * same), tracks=(Track(),))


C_MAJOR = [60, 62, 64, 65, 67, 69, 71, 72]


def test_the_piece_most_like_the_music_learned_is_the_least_unlike():
    learned = reference_of(melody(C_MAJOR, beats) for beats in (0.9, 1.0, 1.1))
    too_fast, out_of_key = melody(C_MAJOR, 0.25), melody([60, 61, 63, 66, 68, 70, 71, 72], 1.0)
    typical = unlikeness(melody(C_MAJOR, 1.05), learned)
    assert typical < unlikeness(too_fast, learned)
    assert typical < unlikeness(out_of_key, learned)
    assert unlikeness(Score(), learned) >= 1 > typical


def test_of_two_pieces_inside_the_nearer_is_less_unlike_and_one_outside_is_more_so():
    learned = {"note_density": (1.0, 2.0, 3.0), "mean_pitch": (50.0, 60.0, 70.0)}
    near, far, outside = (unlikeness(melody([pitch] * 8, 1), learned) for pitch in (61, 69, 71))
    assert 0 < near < far < 0.02
    assert outside == pytest.approx(0.5, abs=0.02)
    assert unlikeness(melody([60] * 8, 1), learned) == 0


def test_a_model_that_tells_nothing_of_what_it_learned_finds_nothing_unlike():
    assert unlikeness(melody(C_MAJOR, 1), {}) == 0
