"""What may follow what, and that every walk through the grammar is music."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurl.data.tokenizers import EventTokenizer
from aurl.data.tokenizers import event_vocabulary as ev
from aurl.data.tokenizers.event_grammar import event_grammar

GRAMMAR = event_grammar()
NAMES = {name: index for index, name in enumerate(ev.event_vocabulary().fields[0].tokens)}
KINDS = [name.split(":")[0] for name in NAMES]
WEIGHTS = np.array([0.01 if kind == "end" else 1 / KINDS.count(kind) for kind in KINDS])
OPENING = "start tempo:120 instrument:Piano velocity:66 note_on:60"


def ids(text):
    return np.array([NAMES[name] for name in text.split()])[:, None]


def is_legal(text):
    return GRAMMAR.first_illegal(ids(text)) is None


@pytest.mark.parametrize(
    "rest",
    [
        "note_on:64",
        "velocity:70 note_on:64",
        "instrument:Bass velocity:70 note_on:64 instrument:Guitar note_on:40",
        "shift:512 shift:512 shift:3 tempo:90 note_off:60",
        "shift:5 note_off:60 instrument:Drums note_off:40 instrument:Bass sustain:on instrument:Piano sustain:off end",
        "shift:5 sustain:on note_on:62",
        "shift:5 note_off:60 end pad pad",
        "shift:5 tempo:90 end",
    ],
)
def test_the_order_of_a_moment_is_legal(rest):
    assert is_legal(f"{OPENING} {rest}")


@pytest.mark.parametrize(
    "rest",
    [
        "note_off:60",
        "sustain:on",
        "tempo:90",
        "end",
        "pad",
        "start",
        "unknown",
        "instrument:Bass note_off:60",
        "instrument:Bass sustain:on",
        "velocity:70 velocity:66",
        "velocity:70 shift:4",
        "instrument:Bass shift:4",
        "instrument:Bass instrument:Piano",
        "shift:4 shift:4",
        "shift:4 end",
        "shift:512 end",
        "shift:4 tempo:90 tempo:100",
        "shift:4 note_off:60 tempo:90",
        "shift:4 sustain:on note_off:60",
        "shift:4 sustain:on sustain:off",
        "shift:4 sustain:on instrument:Bass note_off:60",
        "shift:4 note_off:60 end note_on:60",
        "shift:4 note_off:60 end end",
    ],
)
def test_any_other_order_is_illegal_at_its_last_token(rest):
    tokens = ids(f"{OPENING} {rest}")
    assert GRAMMAR.first_illegal(tokens) == len(tokens) - 1


@pytest.mark.parametrize(
    "text",
    [
        "tempo:120",
        "start shift:1",
        "start tempo:120 note_on:60",
        "start tempo:120 velocity:2",
        "start tempo:120 sustain:on",
        "start tempo:120 instrument:Piano note_on:60",
        "start tempo:120 instrument:Piano note_off:60",
    ],
)
def test_a_piece_declares_tempo_instrument_and_velocity_before_it_plays(text):
    assert GRAMMAR.first_illegal(ids(text)) == len(ids(text)) - 1


def test_an_empty_piece_is_legal():
    assert is_legal("start tempo:120 end")


def test_unknown_changes_nothing_and_illegal_tokens_lead_where_their_kind_leads():
    state = np.array([GRAMMAR.initial])
    for name in OPENING.split():
        state = GRAMMAR.advance(state, ids(name))
    assert GRAMMAR.advance(state, ids("unknown")) == state
    after_off = GRAMMAR.advance(GRAMMAR.advance(state, ids("shift:1")), ids("note_off:60"))
    assert GRAMMAR.advance(state, ids("note_off:60")) == after_off


def test_no_state_that_can_be_reached_is_a_dead_end():
    reached, todo = set(), [GRAMMAR.initial]
    while todo:
        state = todo.pop()
        if state not in reached:
            reached.add(state)
            todo += GRAMMAR.following[state][GRAMMAR.legal[state]].tolist()
            assert GRAMMAR.legal[state].any()
    assert len(reached) > 20


def random_walk(seed, length):
    """Legal tokens, kinds chosen evenly so that shifts and notes do not crowd out the rest."""
    random, state, tokens = np.random.default_rng(seed), np.array([GRAMMAR.initial]), []
    for _ in range(length):
        mask = GRAMMAR.masks(state, 0)[0]
        choice = random.choice(ev.SIZE, p=mask * WEIGHTS / (mask * WEIGHTS).sum())
        tokens.append(choice)
        state = GRAMMAR.advance(state, np.array([[choice]]))
    return np.array(tokens)[:, None]


@given(st.integers(0, 2**32), st.integers(0, 150))
def test_every_walk_through_the_grammar_decodes_to_a_canonical_score(seed, length):
    tokenizer = EventTokenizer()
    tokens = random_walk(seed, length)
    assert GRAMMAR.first_illegal(tokens) is None
    score = tokenizer.decode(tokens)
    assert tokenizer.canonical(score)[0] == score
    assert tokenizer.decode(tokenizer.encode(score)) == score
