"""The course of each kind of schedule, worked out by hand."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurl.utils.errors import ConfigError
from aurl.utils.schedules import Schedule

KINDS = ["constant", "linear", "cosine", "exponential", "cyclical"]


def course(steps=5, **values):
    schedule = Schedule.parse({"warmup_steps": 0, **values})
    return [schedule.value(step, steps) for step in range(steps)]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("constant", [8, 8, 8, 8, 8]),
        ("linear", [8, 6.5, 5, 3.5, 2]),
        ("cosine", [8, 5 + 3 * math.sqrt(0.5), 5, 5 - 3 * math.sqrt(0.5), 2]),
        ("exponential", [8, 8 / math.sqrt(2), 4, 4 / math.sqrt(2), 2]),
    ],
)
def test_the_course_of_a_kind(kind, expected):
    assert course(kind=kind, start=8, end=2) == pytest.approx(expected)


def test_cyclical_moves_then_rests_and_ends_at_the_end():
    assert course(9, kind="cyclical", start=0, end=1, cycles=2) == [0, 0.5, 1, 1, 0, 0.5, 1, 1, 1]


def test_piecewise_joins_its_points_and_holds_outside_them():
    points = [[0.25, 1.0], [0.5, 0.0], [0.75, 4.0]]
    assert course(9, kind="piecewise", points=points) == [1, 1, 1, 0.5, 0, 2, 4, 4, 4]


def test_warm_up_rises_from_zero_to_start():
    assert course(10, kind="constant", start=4, warmup_steps=3)[:5] == [1, 2, 3, 4, 4]


@given(
    kind=st.sampled_from(KINDS),
    start=st.floats(0.01, 10),
    end=st.floats(0.01, 10),
    warmup=st.integers(0, 20),
    steps=st.integers(1, 50),
)
def test_every_value_is_within_bounds_and_the_last_is_held(kind, start, end, warmup, steps):
    schedule = Schedule(kind=kind, start=start, end=end, warmup_steps=warmup)
    values = [schedule.value(step, steps) for step in range(steps + 2)]
    assert all(0 <= value <= max(start, end) * (1 + 1e-9) for value in values)
    if steps > warmup + 1 and kind != "constant":
        assert values[steps - 1] == pytest.approx(end)
        assert values[steps] == values[steps - 1]


@pytest.mark.parametrize(
    "values",
    [
        {"kind": "exponential", "end": 0},
        {"kind": "piecewise"},
        {"kind": "piecewise", "points": [[0.5, 1], [0.25, 1]]},
        {"kind": "piecewise", "points": [[0.5, 1], [0.5, 2]]},
        {"kind": "stairs"},
        {"warmup_steps": -1},
        {"start": -1},
        {"end": -0.1},
        {"start": math.inf},
        {"end": math.nan},
        {"kind": "piecewise", "points": [[0, 1], [0.5, -1]]},
        {"kind": "piecewise", "points": [[0, math.inf]]},
    ],
)
def test_an_impossible_schedule_is_refused(values):
    with pytest.raises(ConfigError):
        Schedule.parse(values)
