"""What is given of a piece is written exactly once and at its place, whatever the model chooses."""

import itertools
from copy import copy

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurl.data.tokenizers import NoteTokenizer
from aurl.data.tokenizers.note_tasks import row_of
from aurl.data.tokenizers.note_vocabulary import HOW_LONG, WHAT, WHEN, WHO
from aurl.generation.plan import BarPlan, Cursor, Plan

LAYOUT = NoteTokenizer().layout
START, BAR, END = (row_of(kind, 0, LAYOUT) for kind in ("start", "bar", "end"))


def note(step, pitch=60, who=1):
    return np.array([[step + 1, who, LAYOUT.first["pitch"] + pitch, 1, 1]])


def label(step, chord=1):
    row = row_of("chord", chord, LAYOUT)
    row[0, WHEN] = step + 1
    return row


def written(cursor, *chosen):
    """The rows that come of the model's choices, each repeated until it is written itself."""
    rows = []
    for choice in chosen:
        for _ in range(20):
            rows.append(cursor.settle(choice))
            if cursor.is_over or not len(rows[-1]) or (rows[-1][-1] == choice[0]).all():
                break
    return np.concatenate(rows)


def cursor(plan, prompt=START):
    return Cursor(plan, LAYOUT, prompt)


def test_without_a_plan_what_is_chosen_is_written():
    rows = [row_of("style", 0, LAYOUT), row_of("tempo", 3, LAYOUT), BAR, note(5), BAR, END]
    assert np.array_equal(written(cursor(Plan()), *rows), np.concatenate(rows))


def test_rows_of_the_prefix_stand_in_place_of_the_models():
    key, tempo = row_of("key", 5, LAYOUT), row_of("tempo", 9, LAYOUT)
    piece = cursor(Plan(prefix={"key": key, "tempo": tempo}))
    for kind in LAYOUT.prefix[1:]:
        expected = {"key": key, "tempo": tempo}.get(kind, row_of(kind, 0, LAYOUT))
        assert np.array_equal(piece.settle(row_of(kind, 0, LAYOUT)), expected)


def test_programs_follow_the_prefix_and_open_the_first_bar():
    programs = np.concatenate([row_of("program", program, LAYOUT) for program in (40, 128)])
    piece = cursor(Plan(programs=programs, bars={0: BarPlan(BAR, (label(0),))}))
    tempo = row_of("tempo", 9, LAYOUT)
    assert np.array_equal(piece.settle(tempo), np.concatenate([tempo, programs, BAR]))
    assert np.array_equal(piece.settle(note(0)), label(0))
    assert np.array_equal(piece.settle(note(0)), note(0))


@given(
    st.sets(st.integers(0, 95), max_size=5).map(sorted),
    st.lists(st.lists(st.integers(0, 95), max_size=6).map(sorted), min_size=3, max_size=3),
)
def test_each_given_row_comes_once_in_order_and_never_late(given_steps, bars):
    """The model chooses notes that ascend in each bar, one more bar than is planned, and does not know of labels."""
    labels = [label(step, chord) for chord, step in enumerate(given_steps)]
    piece = cursor(Plan(bars={1: BarPlan(BAR, tuple(labels))}))
    choices = [row for bar in bars for row in (BAR, *(note(step, n) for n, step in enumerate(bar)))]
    rows = np.concatenate([*_settled(piece, choices), piece.settle(BAR)])
    starts = np.append(np.flatnonzero((rows == BAR).all(axis=1)), len(rows))
    parts = [rows[first + 1 : stop] for first, stop in itertools.pairwise(starts)]
    for number, (part, steps) in enumerate(zip(parts, bars, strict=False)):
        told = part[part[:, WHO] == 0]
        assert np.array_equal(told, np.concatenate([*labels, told[:0]]) if number == 1 else told[:0])
        places = part[:, :HOW_LONG].tolist()
        assert places == sorted(places)
        assert part[part[:, WHO] == 1, WHEN].tolist() == [step + 1 for step in steps]


def _settled(piece, choices):
    """What is written while a model makes these choices, each again where something given came before it."""
    for choice in choices:
        while True:
            rows = piece.settle(choice)
            yield rows
            if (rows[-1] == choice[0]).all():
                break


def test_what_is_given_is_written_before_the_piece_ends():
    piece = cursor(Plan(bars={0: BarPlan(BAR, (label(3), label(7)))}))
    piece.settle(BAR)
    assert np.array_equal(piece.settle(END), np.concatenate([label(3), label(7)]))
    assert np.array_equal(piece.settle(END), END)


def test_parts_follow_each_other_and_then_the_next_bar_until_the_stop():
    first, second = (row_of("fill", who, LAYOUT) for who in (1, 2))
    opening = np.concatenate([BAR, first])
    plan = Plan(bars={n: BarPlan(opening, parts=(second,)) for n in range(2)}, stop=2)
    piece = cursor(plan, opening)
    assert np.array_equal(piece.settle(note(3)), note(3))
    for expected in (second, opening, second):
        assert np.array_equal(piece.settle(BAR), expected)
        assert not piece.is_over
    assert len(piece.settle(END)) == 0
    assert piece.is_over


def test_a_piece_may_have_bars_before_its_plan():
    prompt = np.concatenate([START, BAR, note(0), BAR, note(0)])
    piece = cursor(Plan(bars={1: BarPlan(BAR, (label(0, 1),)), 2: BarPlan(BAR, (label(0, 2),))}), prompt)
    assert piece.bar == 1
    rows = written(piece, note(9), BAR, note(2))
    assert rows[:, WHAT].tolist() == [row[0, WHAT] for row in (note(9), BAR, label(0, 2), note(2))]


@pytest.mark.parametrize("choice", [note(8), BAR])
def test_a_copy_goes_its_own_way(choice):
    piece = cursor(Plan(bars={0: BarPlan(BAR, (label(3), label(7)), parts=(row_of("fill", 1, LAYOUT),))}))
    piece.settle(BAR)
    twin = copy(piece)
    one, other = ([each.settle(choice) for _ in range(3)] for each in (piece, twin))
    assert all(map(np.array_equal, one, other))


def test_a_piece_from_nothing_has_notes_in_its_first_bar():
    masks = {WHEN: np.ones(LAYOUT.vocabulary.sizes[WHEN], np.bool_)}
    piece = cursor(Plan(masks=masks, bars={0: BarPlan(BAR, (label(0),))}))
    assert piece.mask(WHEN) is masks[WHEN]  # in the prefix
    piece.settle(BAR)
    for row in (note(0), label(12)):  # a given label stands in place of the note, the second is the model's own
        piece.settle(row)
        assert np.array_equal(np.flatnonzero(~piece.mask(WHEN)), [0])
        assert piece.mask(WHAT) is None
    twin = copy(piece)
    piece.settle(note(24))
    assert piece.mask(WHEN) is masks[WHEN]
    assert not twin.mask(WHEN)[0]
    assert cursor(Plan(), np.concatenate([START, BAR])).mask(WHEN) is None  # what goes on has begun
