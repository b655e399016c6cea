"""The end slows down; what comes before, and every note, stays where it is."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurl.data.preprocessing import RitardandoConfig, ritardando
from aurl.music.score import Notes, Score, Tempos, Track
from random_scores import scores

BAR = 1920


def quarters(count, **tables):
    """A note on every quarter."""
    ones = np.ones(count, np.int64)
    notes = Notes(480 * np.arange(count), 480 * ones, 60 * ones, 64 * ones, 0 * ones)
    return Score(notes=notes, tracks=(Track(),), **tables)


def test_the_last_bars_slow_down_along_the_curve_of_runners():
    score = quarters(16, tempos=Tempos([0], [500_000]))
    result = ritardando(score, RitardandoConfig(bars=2, to=0.5))
    tempos = result.tempos
    assert tempos.time.tolist() == [0, *range(2 * BAR, 4 * BAR - 480, 240), 4 * BAR - 480]
    shares = 500_000 / tempos.microseconds_per_beat[1:]
    assert shares[[0, -1]] == pytest.approx([1, 0.5], rel=1e-5)
    assert shares[7] == pytest.approx((1 - 0.875 * 0.5) ** (1 / 3), rel=1e-5)
    assert (np.diff(shares, 2) < 0).all()  # steeper to the end
    assert result.replace(tempos=score.tempos) == score
    assert result.duration_seconds > score.duration_seconds


def test_changes_of_tempo_on_the_way_are_kept_in_proportion():
    score = quarters(16, tempos=Tempos([0, 3 * BAR], [500_000, 250_000]))
    result = ritardando(score, RitardandoConfig(to=0.5))
    assert result.tempos.microseconds_per_beat[-1] == 500_000
    before, after = (result.tempo_map.ticks_per_second([3 * BAR - 1, 3 * BAR])).tolist()
    assert after / before == pytest.approx(2, rel=0.1)


@given(scores(), st.integers(1, 4), st.floats(0.1, 1))
def test_no_piece_becomes_faster_and_its_beginning_stays(score, bars, to):
    result = ritardando(score, RitardandoConfig(bars=bars, to=to))
    assert result.replace(tempos=score.tempos) == score
    if not len(score.notes):
        return
    ticks = np.arange(0, score.end_ticks + 1, 97)
    before, after = score.tempo_map.ticks_to_seconds(ticks), result.tempo_map.ticks_to_seconds(ticks)
    assert (np.diff(after) >= np.diff(before) * (1 - 1e-4)).all()
    bar = int(score.metre_map.ticks_to_bar_beat(score.notes.onset.max())[0])
    first = int(score.metre_map.bar_to_ticks(max(bar + 1 - bars, 0)))
    np.testing.assert_allclose(after[ticks <= first], before[ticks <= first])
