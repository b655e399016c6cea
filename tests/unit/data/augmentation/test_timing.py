"""Tempo, swing, imprecision."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurl.data.augmentation import HumaniseConfig, StretchConfig, SwingConfig
from aurl.data.augmentation.timing import humanise, stretch, swing
from aurl.music.score import Notes, Score, Texts, Track
from aurl.utils.errors import ConfigError
from random_scores import scores


def rng(seed=0):
    return np.random.default_rng(seed)


@given(scores(), st.integers(0, 20))
def test_stretching_scales_time_and_moves_no_tick(score, seed):
    slower = stretch(score, rng(seed), StretchConfig(shortest=0.8, longest=1.2))
    assert slower.replace(tempos=score.tempos) == score
    if len(score.notes):
        assert 0.79 < slower.duration_seconds / score.duration_seconds < 1.21


def test_a_piece_without_a_tempo_is_stretched_too():
    factors = [
        stretch(Score(), rng(seed), StretchConfig()).tempos.microseconds_per_beat[0] / 5e5 for seed in range(400)
    ]
    assert min(factors) == pytest.approx(0.8, abs=0.01)
    assert max(factors) == pytest.approx(1.2, abs=0.01)


def eighths(**tables):
    count = 8
    notes = Notes(240 * np.arange(count), [240] * count, [60] * count, [64] * count, [0] * count)
    return Score(notes=notes, tracks=(Track(),), **tables)


def test_swing_delays_off_beats_alike_in_every_table_and_leaves_beats():
    texts = Texts([240], [-1], np.array(["chord"], object), np.array(["C"], object))
    swung = swing(eighths(texts=texts), rng(), SwingConfig())
    places = swung.notes.onset % 480
    assert (places[::2] == 0).all()
    assert 240 < places[1] <= 320
    assert (places[1::2] == places[1]).all()
    assert swung.texts.time.tolist() == [places[1]]
    assert (swung.notes.end[:-1] == swung.notes.onset[1:]).all()


@given(scores(), st.integers(0, 9))
def test_swing_keeps_order(score, seed):
    swung = swing(score, rng(seed), SwingConfig())
    assert len(swung.notes) == len(score.notes)
    assert (np.sort(swung.notes.onset) == swung.notes.onset).all()
    assert (swung.notes.duration > 0).all()


@given(scores(), st.integers(0, 9))
def test_a_player_is_imprecise_but_not_far_off(score, seed):
    played = humanise(score, rng(seed), HumaniseConfig(milliseconds=8))
    old, new = (np.sort(s.tempo_map.ticks_to_seconds(s.notes.onset)) for s in (score, played))
    assert (np.abs(old - new) < 0.02 + 60 / 60 / score.ticks_per_beat).all()
    assert (played.notes.duration > 0).all()
    assert played.replace(notes=score.notes) == score


def test_deviations_have_the_size_asked_for():
    count = 5000
    notes = Notes(480 * np.arange(1, count + 1), [480] * count, [60] * count, [64] * count, [0] * count)
    played = humanise(Score(ticks_per_beat=48000, notes=notes, tracks=(Track(),)), rng(), HumaniseConfig(velocity=4))
    assert played.notes.velocity.std() == pytest.approx(4, abs=0.3)
    assert not np.array_equal(played.notes.onset, notes.onset)


def test_a_range_of_lengths_must_not_be_empty():
    with pytest.raises(ConfigError, match="shortest must not exceed longest"):
        StretchConfig.parse({"shortest": 1.1, "longest": 0.9})
