"""Bars as trees, and spans divided so that the metre stays visible."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurl.music.engraving.metre import IN_TUPLET, PLAIN, beat_groups, divide, metre, metre_length, tuplet_metre

SIGNATURES = [
    (4, 4),
    (3, 4),
    (2, 2),
    (6, 8),
    (9, 8),
    (12, 8),
    (5, 4),
    (7, 8),
    (3, 8),
    (4, 8),
    (11, 16),
    (1, 16),
    (5, 32),
]


@pytest.mark.parametrize(
    ("signature", "groups"),
    [
        ((4, 4), (1, 1, 1, 1)), ((3, 4), (1, 1, 1)), ((6, 8), (3, 3)), ((3, 8), (3,)), ((6, 4), (3, 3)),
        ((5, 8), (3, 2)), ((7, 8), (2, 2, 3)), ((4, 8), (2, 2)), ((1, 4), (1,)),
    ],
)  # fmt: skip
def test_units_go_together_as_musicians_count(signature, groups):
    assert beat_groups(*signature) == groups


@pytest.mark.parametrize("signature", SIGNATURES)
def test_a_tree_fills_its_bar(signature):
    tree = metre(*signature).tree
    assert tree.length == metre_length(*signature)

    def check(node):
        if node.children:
            assert [child.start for child in node.children] == [node.start, *(c.end for c in node.children[:-1])]
            assert node.children[-1].end == node.end
        for child in node.children:
            check(child)

    check(tree)


def test_places_of_common_time_are_as_strong_as_counted():
    depth = metre(4, 4).depth
    assert [depth[place] for place in (0, 48, 24, 72, 12, 6, 3)] == [0, 1, 2, 2, 3, 4, 5]


NOTES = [
    ((4, 4), (0, 96), [96]), ((4, 4), (0, 72), [72]), ((4, 4), (24, 72), [48]), ((4, 4), (12, 36), [24]),
    ((4, 4), (36, 60), [12, 12]), ((4, 4), (24, 60), [24, 12]), ((4, 4), (0, 60), [48, 12]), ((4, 4), (24, 96), [72]),
    ((4, 4), (12, 84), [36, 36]), ((4, 4), (18, 30), [6, 6]), ((4, 4), (6, 18), [12]), ((4, 4), (0, 84), [84]),
    ((3, 4), (0, 72), [72]), ((3, 4), (24, 72), [48]), ((6, 8), (0, 36), [36]), ((6, 8), (24, 48), [12, 12]),
    ((6, 8), (0, 48), [36, 12]), ((6, 8), (0, 72), [72]), ((7, 8), (0, 84), [24, 24, 36]), ((5, 4), (0, 120), [72, 48]),
]  # fmt: skip


@pytest.mark.parametrize(("signature", "span", "lengths"), NOTES)
def test_notes_show_the_beats_they_cross(signature, span, lengths):
    assert [b - a for a, b in divide(*span, metre(*signature), PLAIN, is_rest=False)] == lengths


@pytest.mark.parametrize(
    ("signature", "span", "lengths"),
    [
        ((4, 4), (24, 72), [24, 24]), ((4, 4), (0, 72), [48, 24]), ((4, 4), (12, 36), [12, 12]),
        ((6, 8), (0, 24), [24]), ((6, 8), (12, 36), [12, 12]), ((6, 8), (0, 36), [36]), ((6, 8), (24, 48), [12, 12]),
    ],
)  # fmt: skip
def test_rests_never_syncopate(signature, span, lengths):
    assert [b - a for a, b in divide(*span, metre(*signature), PLAIN, is_rest=True)] == lengths


@given(st.sampled_from(SIGNATURES), st.data(), st.booleans())
def test_every_span_can_be_written(signature, data, is_rest):
    length = metre_length(*signature) // 3
    start = data.draw(st.integers(0, length - 1))
    end = data.draw(st.integers(start + 1, length))
    spans = divide(3 * start, 3 * end, metre(*signature), PLAIN, is_rest=is_rest)
    assert spans[0][0] == 3 * start
    assert spans[-1][1] == 3 * end
    assert all(a[1] == b[0] for a, b in itertools.pairwise(spans))
    assert all(b - a in PLAIN for a, b in spans)


@given(st.sampled_from([3, 6, 12, 24, 48, 96]), st.data())
def test_every_span_of_a_tuplet_can_be_written(length, data):
    start = data.draw(st.integers(0, length - 1))
    end = data.draw(st.integers(start + 1, length))
    if end - start < length:
        assert all(b - a in IN_TUPLET for a, b in divide(start, end, tuplet_metre(length), IN_TUPLET, is_rest=False))
