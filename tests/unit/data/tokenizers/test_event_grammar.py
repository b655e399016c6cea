"""What may follow what, and that every walk through the grammar is music."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurl.data.tokenizers import EventTokenizer
from aurl.data.tokenizers import event_vocabulary as ev
from aurl.data.tokenizers.event_grammar import EventGrammar, moment_table
from aurl.data.tokenizers.grammar import NoteLimits

GRAMMAR = EventGrammar()
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
        "instrument:Drums note_on:40 shift:5 note_off:40 instrument:Piano note_off:60 instrument:Bass sustain:on end",
        "shift:5 sustain:on note_on:62",
        "shift:5 note_off:60 end pad pad",
        "shift:5 tempo:90 end",
        "instrument:Bass note_on:60 shift:5 instrument:Piano note_off:60 note_on:60",
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
        "note_on:60",
        "shift:4 note_off:61",
        "shift:4 note_off:60 shift:4 note_off:60",
        "shift:4 instrument:Bass note_off:60",
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
    state = GRAMMAR.initial
    for name in OPENING.split():
        state = GRAMMAR.advance(state, [NAMES[name]])
    assert GRAMMAR.advance(state, [NAMES["unknown"]]) == state
    after_off = GRAMMAR.advance(GRAMMAR.advance(state, [NAMES["shift:1"]]), [NAMES["note_off:60"]])
    at_once = GRAMMAR.advance(state, [NAMES["note_off:60"]])
    assert (GRAMMAR.mask(at_once, 0, []) == GRAMMAR.mask(after_off, 0, [])).all()


def test_no_state_that_can_be_reached_is_a_dead_end():
    table = moment_table()
    reached, todo = set(), [table.initial]
    while todo:
        state = todo.pop()
        if state not in reached:
            reached.add(state)
            todo += table.following[state][table.legal[state]].tolist()
            assert table.legal[state].any()
    assert len(reached) > 20


def test_an_instrument_whose_every_pitch_sounds_is_no_dead_end():
    """It cannot be given more notes, and can be named where they can end."""
    chord = " ".join(f"note_on:{pitch}" for pitch in range(21, 109) if pitch != 60)
    state = GRAMMAR.initial
    for name in f"{OPENING} {chord}".split():
        state = GRAMMAR.advance(state, [NAMES[name]])
    legal = {KINDS[value] for value in np.flatnonzero(GRAMMAR.mask(state, 0, []))}
    assert legal == {"shift", "instrument"}
    assert not GRAMMAR.mask(state, 0, [])[NAMES["instrument:Piano"]]
    later = GRAMMAR.advance(GRAMMAR.advance(state, [NAMES["instrument:Bass"]]), [NAMES["note_on:30"]])
    later = GRAMMAR.advance(later, [NAMES["shift:1"]])
    assert GRAMMAR.mask(later, 0, [])[NAMES["instrument:Piano"]]
    back = GRAMMAR.advance(later, [NAMES["instrument:Piano"]])
    assert {KINDS[value] for value in np.flatnonzero(GRAMMAR.mask(back, 0, []))} == {"note_off", "sustain"}


@given(st.integers(0, 2**32), st.integers(0, 100))
def test_masks_and_first_illegal_agree(seed, length):
    """Whatever follows a legal walk, the mask allows it exactly when the walk with it is legal."""
    tokens = random_walk(seed, length)
    state = GRAMMAR.initial
    for token in tokens:
        state = GRAMMAR.advance(state, token.tolist())
    legal = GRAMMAR.mask(state, 0, [])
    for value in np.random.default_rng(seed).choice(ev.SIZE, 30, replace=False):
        grown = np.concatenate([tokens, [[value]]])
        assert (GRAMMAR.first_illegal(grown) is None) == legal[value]


def random_walk(seed, length, grammar=GRAMMAR):
    """Legal tokens, kinds chosen evenly so that shifts and notes do not crowd out the rest."""
    random, state, tokens = np.random.default_rng(seed), grammar.initial, []
    for _ in range(length):
        mask = grammar.mask(state, 0, [])
        choice = random.choice(ev.SIZE, p=mask * WEIGHTS / (mask * WEIGHTS).sum())
        tokens.append(choice)
        state = grammar.advance(state, [choice])
    return np.array(tokens)[:, None]


@given(st.integers(0, 2**32), st.integers(0, 150))
def test_every_walk_through_the_grammar_decodes_to_a_canonical_score(seed, length):
    tokenizer = EventTokenizer()
    tokens = random_walk(seed, length)
    assert GRAMMAR.first_illegal(tokens) is None
    score = tokenizer.decode(tokens)
    assert tokenizer.canonical(score)[0] == score
    assert tokenizer.decode(tokenizer.encode(score)) == score


@given(st.integers(0, 2**32), st.integers(1, 4))
def test_a_limited_grammar_never_exceeds_its_polyphony_and_never_gets_stuck(seed, polyphony):
    grammar = GRAMMAR.limited(NoteLimits(polyphony))
    tokens = random_walk(seed, 150, grammar)
    assert GRAMMAR.first_illegal(tokens) is None
    sounding = np.cumsum([{"note_on": 1, "note_off": -1}.get(KINDS[token], 0) for token in tokens[:, 0]])
    assert 0 <= sounding.max() <= polyphony


@given(st.integers(0, 2**32), st.floats(0.1, 2.0))
def test_no_note_lasts_longer_than_its_limit_and_silence_may(seed, seconds):
    """No note-on, no shift and no end comes between its time and its end."""
    tokens = random_walk(seed, 150, GRAMMAR.limited(NoteLimits(seconds=seconds)))
    assert GRAMMAR.first_illegal(tokens) is None
    clock, instrument, began = 0, None, {}
    for token in tokens[:, 0]:
        kind = KINDS[token]
        assert all(clock - time <= 64 * seconds for time in began.values())
        overdue = [note for note, time in began.items() if clock - time >= int(64 * seconds)]
        if overdue:
            assert kind in ("note_off", "instrument", "tempo")
        match kind:
            case "shift":
                clock += token - ev.SHIFT + 1
            case "instrument":
                instrument = token
            case "note_on":
                began[instrument, token - ev.NOTE_ON] = clock
            case "note_off":
                del began[instrument, token - ev.NOTE_OFF]
    silent = GRAMMAR.limited(NoteLimits(seconds=seconds))
    opening = silent.advance(silent.advance(silent.initial, [NAMES["start"]]), [NAMES["tempo:120"]])
    assert silent.mask(opening, 0, [])[ev.SHIFT : ev.VELOCITY].all()
