"""Quantisation: what is on the grid stays, chance goes, feel and ornaments stay."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurl.data.preprocessing import QuantiseConfig, quantise
from aurl.data.preprocessing.quantise import find_swing
from aurl.music.score import Controls, Notes, Score, Texts, TimeSignatures, Track
from random_scores import scores

GRIDS = st.sampled_from([16, 32, 12, 8, (16, 12), (32, 24)])
RNG = np.random.default_rng(0)


def line(onsets, durations=None, pitches=None, **tables):
    """Notes on one track, 480 ticks a beat."""
    count = len(onsets)
    durations = [100] * count if durations is None else durations
    pitches = 60 + np.arange(count) % 12 if pitches is None else pitches
    notes = Notes(np.asarray(onsets), np.asarray(durations), pitches, [64] * count, [0] * count)
    return Score(notes=notes, tracks=(Track(),), **tables)


@given(scores(), GRIDS)
def test_strict_again_is_unchanged(score, grid):
    once = quantise(score, QuantiseConfig(grid=grid))
    assert quantise(once, QuantiseConfig(grid=grid)) == once


@pytest.mark.parametrize("mode", ["strict", "groove", "adaptive"])
@given(steps=st.lists(st.integers(0, 64), min_size=1, unique=True))
def test_what_is_on_the_grid_stays(mode, steps):
    score = line(120 * np.array(sorted(steps)), [120] * len(steps))
    assert quantise(score, QuantiseConfig(grid=16, mode=mode)) == score


def test_strict_takes_the_nearest_point_of_a_mix_for_onsets_and_ends():
    score = line([5, 155, 250, 355], [90, 90, 100, 130])
    quantised = quantise(score, QuantiseConfig(grid=(16, 12)))
    assert quantised.notes.onset.tolist() == [0, 160, 240, 360]
    assert quantised.notes.end.tolist() == [120, 240, 360, 480]


def test_a_note_lasts_to_the_next_point_at_least():
    assert quantise(line([3], [10]), QuantiseConfig(grid=16)).notes.duration.tolist() == [120]


def test_half_strength_goes_half_way():
    assert quantise(line([20], [120]), QuantiseConfig(grid=16, strength=0.5)).notes.onset.tolist() == [10]


def test_places_count_from_the_bar_line():
    bars = TimeSignatures([0, 300], [4, 4], [4, 4])
    assert quantise(line([310, 425], time_signatures=bars), QuantiseConfig(grid=16)).notes.onset.tolist() == [300, 420]


def swung(place, jitter=0, bars=32):
    """Eighths of which the second of each beat comes at `place`; a quarter of a bar in straight sixteenths' order."""
    exact = (np.arange(4 * bars)[:, None] * 480 + [0, round(place * 480)]).ravel()
    return exact, line(np.maximum(0, exact + np.rint(jitter * RNG.standard_normal(len(exact))).astype(int)))


@pytest.mark.parametrize("mode", ["groove", "adaptive"])
@pytest.mark.parametrize("place", [0.5, 0.58, 0.62, 0.67])
def test_swing_stays_and_chance_goes(mode, place):
    exact, score = swung(place, jitter=6)
    onset = quantise(score, QuantiseConfig(grid=16, mode=mode)).notes.onset
    assert np.abs(onset - exact).max() <= 8
    assert np.ptp(onset[1::2] % 480) <= 8


def test_strict_takes_swing_away():
    assert quantise(swung(0.58)[1], QuantiseConfig(grid=8)).notes.onset[1] == 240


def test_straight_and_triplet_music_is_not_taken_for_swung():
    assert find_swing(np.tile([0, 0.25, 0.5, 0.75], 20), [16]) == 0.5
    assert find_swing(np.tile([0, 1 / 3, 2 / 3], 20), [16, 12]) == 0.5
    assert find_swing(np.array([0.6]), [16]) == 0.5
    assert find_swing(np.tile([0, 0.6], 20), [16]) == pytest.approx(0.6)


def test_groove_keeps_what_is_systematic_at_a_place_of_the_bar():
    onsets = np.arange(32) * 480 + np.where(np.arange(32) % 4 == 1, 30, 0)
    assert quantise(line(onsets), QuantiseConfig(mode="groove")).notes.onset.tolist() == onsets.tolist()


def test_adaptive_chooses_triplets_and_sixteenths_beat_by_beat():
    beats = [[0, 120, 240, 360], [480, 640, 800]] * 8
    exact = np.concatenate([np.array(beat) + 960 * (n // 2) for n, beat in enumerate(beats)])
    played = np.maximum(0, exact + np.rint(np.clip(18 * RNG.standard_normal(len(exact)), -35, 35)).astype(int))
    adaptive = quantise(line(played), QuantiseConfig(mode="adaptive")).notes.onset
    assert (adaptive == exact).mean() > 0.97


def test_a_grace_note_keeps_its_distance():
    score = line([455, 485], [25, 400], [62, 60])
    assert quantise(score, QuantiseConfig(grid=16)).notes.onset.tolist() == [450, 480]


def test_notes_of_a_chord_are_brought_together():
    score = line([470, 478, 491], [400, 400, 400], [60, 64, 67])
    assert quantise(score, QuantiseConfig(grid=16)).notes.onset.tolist() == [480, 480, 480]


def test_a_trill_too_fast_for_its_grid_stays_in_order():
    score = line([0, 20, 40, 60, 80, 100], [20] * 6, [60, 62] * 3)
    onsets = quantise(score, QuantiseConfig(grid=8)).notes.onset
    assert (np.diff(onsets) > 0).all()


def test_controls_go_with_the_notes_and_labels_to_the_grid():
    tables = {
        "controls": Controls([465, 960], [0, 0], [64, 64], [127, 0]),
        "texts": Texts([470], [-1], np.array(["chord"], object), np.array(["C"], object)),
    }
    quantised = quantise(line([470, 975], **tables), QuantiseConfig(grid=16))
    assert quantised.controls.time.tolist() == [475, 946]
    assert quantised.texts.time.tolist() == [480]
