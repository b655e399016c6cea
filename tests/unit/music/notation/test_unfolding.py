"""The order in which bars are played."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurl.music.notation.unfolding import MOST_BARS, playing_order
from aurl.music.notation.written import Marks

FIRST, SECOND = frozenset({1}), frozenset({2})


def start(**others: object) -> Marks:
    return Marks(repeat_starts=True, **others)  # type: ignore[arg-type]


PLAIN, END = Marks(), Marks(times=2)


@pytest.mark.parametrize(
    ("marks", "order"),
    [
        ([PLAIN, PLAIN], [0, 1]),
        ([PLAIN, END, PLAIN], [0, 1, 0, 1, 2]),
        ([PLAIN, start(), END, PLAIN], [0, 1, 2, 1, 2, 3]),
        ([PLAIN, END, PLAIN, END], [0, 1, 0, 1, 2, 3, 2, 3]),
        ([start(), Marks(times=3)], [0, 1] * 3),
        ([PLAIN, Marks(times=2, endings=FIRST), Marks(endings=SECOND), PLAIN], [0, 1, 0, 2, 3]),
        ([PLAIN, Marks(times=2, endings=FIRST), Marks(times=2, endings=SECOND), PLAIN], [0, 1, 0, 2, 3]),
        ([PLAIN, Marks(times=2, endings=FIRST), PLAIN], [0, 1, 0, 2]),
        (
            [PLAIN, Marks(times=2, endings=frozenset({1, 2})), Marks(endings=frozenset({3})), END],
            [0, 1, 0, 1, 0, 2, 3, 3],
        ),
        (
            [start(), Marks(times=2, endings=FIRST), Marks(endings=SECOND)] * 2,
            [0, 1, 0, 2, 3, 4, 3, 5],
        ),
        ([PLAIN, Marks(fine=True), Marks(jump="start")], [0, 1, 2, 0, 1]),
        ([PLAIN, Marks(segno=True), Marks(jump="segno")], [0, 1, 2, 1, 2]),
        ([END, Marks(jump="start")], [0, 0, 1, 0, 1]),
        (
            [Marks(segno=True), Marks(coda=True), Marks(jump="segno"), Marks(coda=True)],
            [0, 1, 2, 0, 1, 3],
        ),
        ([PLAIN, Marks(times=2, endings=FIRST), Marks(endings=SECOND, jump="start")], [0, 1, 0, 2, 0, 2]),
    ],
)
def test_bars_are_played_as_players_do(marks: list[Marks], order: list[int]) -> None:
    assert playing_order(marks) == order


def test_endless_repeats_are_refused() -> None:
    assert playing_order([Marks(times=MOST_BARS + 1)]) is None


@given(
    st.lists(
        st.builds(
            Marks,
            repeat_starts=st.booleans(),
            times=st.integers(1, 3),
            endings=st.frozensets(st.integers(1, 3), max_size=2),
            jump=st.sampled_from(["", "start", "segno"]),
            segno=st.booleans(),
            fine=st.booleans(),
            coda=st.booleans(),
        ),
        min_size=1,
        max_size=12,
    )
)
def test_any_marks_give_a_finite_order_of_bars_that_exist(marks: list[Marks]) -> None:
    order = playing_order(marks)
    assert order is not None
    assert all(0 <= bar < len(marks) for bar in order)
    assert len(order) <= 3 * 2 * len(marks) + len(marks)


@given(st.lists(st.builds(Marks, repeat_starts=st.booleans(), times=st.integers(1, 3)), min_size=1, max_size=12))
def test_without_endings_and_jumps_every_bar_is_played(marks: list[Marks]) -> None:
    order = playing_order(marks)
    assert order is not None
    assert set(order) == set(range(len(marks)))
