import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from aurl.music.timing import MetreMap, TempoMap

TICKS_PER_BEAT = st.integers(1, 1920)
TICKS = st.lists(st.integers(0, 10**6), min_size=1, max_size=50)


@st.composite
def tempo_maps(draw):
    changes = draw(st.dictionaries(st.integers(0, 10**6), st.integers(1_000, 2_000_000), max_size=300))
    return TempoMap(list(changes), list(changes.values()), draw(TICKS_PER_BEAT))


@st.composite
def metre_maps(draw):
    metres = st.tuples(st.integers(1, 16), st.sampled_from([1, 2, 4, 8, 16]))
    changes = draw(st.dictionaries(st.integers(0, 10**5), metres, max_size=20))
    numerators, denominators = [n for n, _ in changes.values()], [d for _, d in changes.values()]
    return MetreMap(list(changes), numerators, denominators, draw(st.integers(4, 1920)))


@given(tempo_maps(), TICKS)
def test_every_tick_survives_seconds(tempo_map, ticks):
    np.testing.assert_array_equal(tempo_map.seconds_to_ticks(tempo_map.ticks_to_seconds(ticks)), ticks)


@given(tempo_maps(), TICKS)
def test_every_tick_survives_beats(tempo_map, ticks):
    np.testing.assert_array_equal(tempo_map.beats_to_ticks(tempo_map.ticks_to_beats(ticks)), ticks)


@given(metre_maps(), TICKS)
def test_every_tick_survives_bar_and_beat(metre_map, ticks):
    bars, beats = metre_map.ticks_to_bar_beat(ticks)
    np.testing.assert_array_equal(metre_map.bar_to_ticks(bars, beats), ticks)


@given(metre_maps(), st.lists(st.integers(0, 500), min_size=1))
def test_a_bar_begins_on_its_first_tick(metre_map, bars):
    starts = metre_map.bar_to_ticks(bars)
    np.testing.assert_array_equal(metre_map.ticks_to_bar_beat(starts)[0], bars)
    before = starts[starts > 0] - 1
    np.testing.assert_array_equal(metre_map.ticks_to_bar_beat(before)[0], np.array(bars)[starts > 0] - 1)


def test_without_changes_there_are_120_beats_a_minute_in_four_four():
    assert TempoMap([], [], 480).ticks_to_seconds(960) == 1.0
    bar, beat = MetreMap([], [], [], 480).ticks_to_bar_beat(480 * 5)
    assert (bar, beat) == (1, 1.0)


def test_the_defaults_hold_until_the_first_change():
    tempo_map = TempoMap([480], [1_000_000], 480)
    np.testing.assert_array_equal(tempo_map.ticks_to_seconds([480, 960]), [0.5, 1.5])
    metre_map = MetreMap([1920], [3], [4], 480)
    np.testing.assert_array_equal(metre_map.bar_to_ticks([0, 1, 2]), [0, 1920, 1920 + 1440])


def test_the_last_of_several_changes_at_a_tick_counts():
    assert TempoMap([0, 0], [250_000, 1_000_000], 480).ticks_to_seconds(480) == 1.0
    assert MetreMap([0, 0], [3, 5], [4, 4], 480).bar_to_ticks(1) == 5 * 480


def test_changes_may_come_in_any_order():
    tempo_map = TempoMap([960, 0], [1_000_000, 250_000], 480)
    assert tempo_map.ticks_to_seconds(1440) == 1.5


def test_seconds_go_to_the_nearest_tick_across_a_change():
    tempo_map = TempoMap([0, 480], [480_000, 960_000], 480)  # a tick lasts 1 ms, then 2 ms
    np.testing.assert_array_equal(tempo_map.seconds_to_ticks([0.0104, 0.0106, 0.4809, 0.4811]), [10, 11, 480, 481])


def test_the_tempo_in_force_is_told_in_ticks_a_second():
    tempo_map = TempoMap([480, 960], [250_000, 1_000_000], 480)
    assert tempo_map.ticks_per_second([0, 479, 480, 959, 960, 5000]).tolist() == [960, 960, 1920, 1920, 480, 480]
    assert tempo_map.seconds_to_ticks(tempo_map.ticks_to_seconds(480) + 0.125) == 480 + 240
    assert TempoMap([], [], 480).ticks_per_second([0, 7]) == 960


def test_a_tempo_of_zero_takes_no_time_and_divides_nothing():
    tempo_map = TempoMap([0, 480], [0, 500_000], 480)
    assert tempo_map.ticks_to_seconds(960) == 0.5
    assert tempo_map.seconds_to_ticks(0.5) == 960


def test_seconds_do_not_drift_over_a_thousand_changes():
    times = np.arange(1000) * 7
    tempo_map = TempoMap(times, np.full(1000, 333_333), 480)
    assert tempo_map.ticks_to_seconds(7000) == 7000 * 333_333 / 480e6


def test_a_metre_inside_a_bar_starts_a_new_bar():
    metre_map = MetreMap([0, 1000], [4, 3], [4, 8], 480)
    bars, beats = metre_map.ticks_to_bar_beat([999, 1000, 1720])
    np.testing.assert_array_equal(bars, [0, 1, 2])
    np.testing.assert_array_equal(beats, [999 / 480, 0, 0])


def test_bars_need_not_be_whole_ticks():
    metre_map = MetreMap([0], [7], [16], 5)  # 8.75 ticks a bar
    np.testing.assert_array_equal(metre_map.bar_to_ticks(np.arange(5)), [0, 9, 18, 27, 35])
    bars, beats = metre_map.ticks_to_bar_beat([8, 9, 35])
    np.testing.assert_array_equal(bars, [0, 1, 4])
    np.testing.assert_array_equal(beats, [1.6, 0.05, 0])


def test_signatures_of_no_beats_are_ignored():
    metre_map = MetreMap([0, 10, 20], [3, 0, 4], [4, 4, 0], 480)
    np.testing.assert_array_equal(metre_map.bar_to_ticks([1, 2]), [1440, 2880])
