"""A grammar as tables: masks, next states, and where a sequence breaks it."""

import numpy as np
import pytest

from aurl.data.tokenizers.grammar import NoteLimits, TableGrammar
from aurl.utils.errors import ConfigError

A, B = 0, 1


@pytest.fixture
def alternating():
    """Two values that must alternate, beginning with A; the state is the value that is due."""
    legal = np.array([[True, False], [False, True]])
    following = np.array([[B, A], [B, A]])
    return TableGrammar(legal, following, initial=A)


def column(*values):
    return np.array(values)[:, None]


def test_the_mask_follows_the_state(alternating):
    assert [alternating.mask(state, 0, []).tolist() for state in (A, B)] == [[True, False], [False, True]]


def test_a_grammar_of_one_field_has_no_second(alternating):
    with pytest.raises(IndexError, match="field 1"):
        alternating.mask(A, 1, [A])


def test_advance_moves_the_state(alternating):
    assert [alternating.advance(A, [A]), alternating.advance(B, [B])] == [B, A]


def test_a_legal_sequence_has_no_first_illegal(alternating):
    assert alternating.first_illegal(column(A, B, A)) is None
    assert alternating.first_illegal(np.zeros((0, 1), np.int64)) is None


def test_first_illegal_is_where_the_sequence_breaks(alternating):
    assert alternating.first_illegal(column(A, B, B, A, A)) == 2


@pytest.mark.parametrize("beyond", [-1, 2])
def test_values_beyond_the_vocabulary_are_illegal(alternating, beyond):
    assert alternating.first_illegal(column(A, B, beyond, B)) == 2
    assert alternating.first_illegal(column(A, A, beyond)) == 1


def test_tokens_that_say_nothing_of_notes_cannot_be_held_to_limits_of_notes(alternating):
    with pytest.raises(ConfigError, match="limits of notes"):
        alternating.limited(NoteLimits(4))
