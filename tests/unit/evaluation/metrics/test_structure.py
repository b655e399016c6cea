from __future__ import annotations

import math

import numpy as np
import pytest

from aurl.evaluation.metrics import METRICS, is_degenerate
from aurl.music.score import TimeSignatures
from metric_scores import bar_of, score_of

FIRST, OTHER = [60, 62, 64, 65], [67, 65, 64, 62]


def bars(*tunes):
    return [note for bar, tune in enumerate(tunes) for note in bar_of(bar, *tune)]


def invented(count):
    """As many bars, no two of them alike."""
    return [[60 + bar % 12, 60 + bar // 12, 72, 71] for bar in range(count)]


def test_a_bar_repeats_one_before_it_by_onset_and_pitch_class():
    octave = [pitch + 12 for pitch in FIRST]
    score = score_of(*bar_of(0, *FIRST), *bar_of(1, *OTHER), *bar_of(2, *octave), *bar_of(5, *FIRST))
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


@pytest.mark.parametrize("lag", [4, 8, 16])
def test_a_piece_that_comes_round_is_like_itself_at_that_lag(lag):
    passage = invented(lag)
    assert METRICS[f"self_similarity_{lag}"](score_of(*bars(*passage, *passage))) == pytest.approx(1)
    assert math.isnan(METRICS[f"self_similarity_{lag}"](score_of(*bars(*passage))))


def test_similarity_is_the_cosine_of_what_begins_in_each_eighth():
    """Bars of three and of two equal vectors, one of them shared; an octave and a hair's breadth do not matter."""
    first = [(0, 1, 60), (1, 1, 64), (2.5, 1, 67)]
    later = [(16, 1, 72), (17.2, 1, 65)]
    assert METRICS["self_similarity_4"](score_of(*first, *later)) == pytest.approx(1 / math.sqrt(3 * 2))


def test_the_mean_is_over_pairs_of_bars_in_which_something_begins():
    score = score_of(*bars(FIRST, OTHER, [], [], FIRST, [61, 61, 61, 61], FIRST), (0, 1, 36, 1))
    assert METRICS["self_similarity_4"](score) == pytest.approx((1 + 0) / 2)


def dense_self_similarity(score, lag):
    """The definition of issue 5 with a matrix of all bars."""
    places, beats = score.metre_map.ticks_to_bar_beat(score.notes.onset)
    vectors = np.zeros((places.max() + 1 + lag, 12 * 8))
    np.add.at(vectors, (places, np.floor(2 * beats + 1e-6).astype(int) * 12 + score.notes.pitch % 12), 1)
    sizes = np.linalg.norm(vectors, axis=1)
    both = (sizes[:-lag] > 0) & (sizes[lag:] > 0)
    return ((vectors[:-lag] * vectors[lag:]).sum(axis=1)[both] / (sizes[:-lag] * sizes[lag:])[both]).mean()


def test_similarity_agrees_with_the_matrix_it_stands_for():
    rng = np.random.default_rng(3)
    notes = zip(rng.integers(0, 400, 900) / 4, np.ones(900), rng.integers(60, 68, 900), strict=True)
    score = score_of(*notes)
    for lag in (4, 8, 16):
        assert METRICS[f"self_similarity_{lag}"](score) == pytest.approx(dense_self_similarity(score, lag))


@pytest.mark.parametrize("period", [1, 3, 8])
def test_a_passage_heard_four_times_in_a_row_is_a_loop(period):
    passage, rest = invented(period), [[50, 51], [52, 53], [54, 55], [56, 57]]
    looping = METRICS["longest_loop"](score_of(*bars(*passage * 4, *rest)))
    assert looping == pytest.approx(4 * period / (4 * period + 4))
    assert METRICS["longest_loop"](score_of(*bars(*passage * 3, *rest))) == 0


def test_a_loop_is_the_same_to_the_note_and_drums_are_notes():
    four = [FIRST] * 4
    assert METRICS["longest_loop"](score_of(*bars(*four))) == 1
    assert METRICS["longest_loop"](score_of(*bars(*four), (8, 1, 36, 1))) == 0
    assert METRICS["longest_loop"](score_of(*bars(*four[:3], [pitch + 12 for pitch in FIRST]))) == 0
    assert METRICS["longest_loop"](score_of(*[(4 * bar, 1, 36, 1) for bar in range(4)])) == 1


def test_loops_and_silence_are_degenerate_and_music_is_not():
    assert is_degenerate(score_of())
    assert is_degenerate(score_of(*bars(*invented(4), *[FIRST] * 8)))
    assert is_degenerate(score_of(*bars(FIRST, OTHER), (16, 40, 60)))  # a held note is not music either
    assert not is_degenerate(score_of(*bars(*invented(12))))
    assert not is_degenerate(score_of(*bars(*invented(8), *[FIRST] * 4)))
    assert not is_degenerate(score_of((0, 1, 60), (1, 1, 62)))
