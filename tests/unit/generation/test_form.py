"""Forms that are drawn: as long as asked, with phrases that come back as long as they were."""

import re
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurl.generation.conditions import Conditions, formed
from aurl.generation.form import COUNTS, INTERLUDE, INTRO, MOVES, OUTRO, context_of, draw_form, moves_from


def parts(form):
    return [(letter, int(bars)) for letter, bars in re.findall(r"([A-Z])(\d+)", form)]


@given(st.integers(1, 300), st.integers(0, 2**40), st.booleans())
def test_a_form_has_as_many_bars_as_asked_and_intro_and_outro_at_its_ends(bars, seed, ends):
    form = parts(draw_form(bars, seed, ends=ends))
    letters = [letter for letter, _ in form]
    assert sum(length for _, length in form) == bars
    assert min(length for _, length in form) >= 1
    assert INTRO not in letters[1:]
    assert OUTRO not in (letters[:-1] if ends else letters)
    assert not any(a == b == INTERLUDE for a, b in pairwise(letters))


def test_a_phrase_is_as_long_when_it_returns_but_at_the_end():
    returns = 0
    for seed in range(50):
        body = [part for part in parts(draw_form(96, seed)) if part[0] not in (INTRO, INTERLUDE, OUTRO)]
        told = {}
        for letter, bars in body[:-1]:
            returns += letter in told
            assert told.setdefault(letter, bars) == bars
    assert returns > 200


def test_three_minutes_have_an_intro_an_outro_and_phrases_that_return():
    forms = [[letter for letter, _ in parts(draw_form(80, seed))] for seed in range(40)]
    assert all(form[0] == INTRO and form[-1] == OUTRO and len(form) > len(set(form)) for form in forms)
    assert len(set(map(tuple, forms))) > 30


def test_the_same_seed_draws_the_same_form():
    assert draw_form(64, 5) == draw_form(64, 5)
    assert len({draw_form(64, seed) for seed in range(9)}) > 5


def test_moves_lead_where_they_say():
    assert moves_from("ABA") == {"repeat": ["A"], "go on": ["B"], "interlude": ["X"], "new": ["C"]}
    assert moves_from("ABCX") == {"go back": ["A", "B", "C"], "new": ["D"]}
    assert moves_from("ABCB") == {"repeat": ["B"], "go on": ["C"], "go back": ["A"], "interlude": ["X"], "new": ["D"]}
    assert [context_of(body) for body in ("A", "AA", "ABBB", "ABX", "ABCD")] == [(1, 1), (1, 2), (2, 2), (2, 0), (3, 1)]


def test_every_context_has_somewhere_to_go():
    """Also where all letters have been used."""
    for body in ("A", "AA", "AX", "AB", "ABB", "ABX", "ABC", "ABCC", "ABCX", "ABCDEFGHJKLMNPQRSTUVWYZ"):
        counts = dict(zip(MOVES, COUNTS[context_of(body)], strict=True))
        assert sum(counts[move] for move in moves_from(body)) > 0


@pytest.mark.parametrize(("bars", "most", "ends"), [(40, 40, True), (None, 100, False)])
def test_only_a_form_that_is_left_open_is_drawn(bars, most, ends):
    drawn = formed(Conditions(sections=" Auto", tempo=90), 3, bars, most)
    assert drawn == Conditions(sections=draw_form(bars or most, 3, ends=ends), tempo=90)
    for told in (Conditions(), Conditions(sections="AABA")):
        assert formed(told, 3, bars, most) is told


def test_moves_are_as_frequent_as_in_the_songs():
    """Of a first phrase that was heard once: mostly repeated, else followed by a new one."""
    seen = np.zeros(len(MOVES))
    for seed in range(300):
        body = [letter for letter, _ in parts(draw_form(90, seed)) if letter not in (INTRO, OUTRO)]
        for number in range(1, len(body)):
            if context_of(body[:number]) == (1, 1):
                ways = moves_from(body[:number])
                seen[[body[number] in ways.get(move, ()) for move in MOVES].index(True)] += 1
    expected = np.array(COUNTS[1, 1]) / sum(COUNTS[1, 1])
    assert np.abs(seen / seen.sum() - expected).max() < 0.08
