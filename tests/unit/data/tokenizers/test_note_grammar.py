"""What may follow what in rows of notes, and that every walk through the grammar is music."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aurl.data.tokenizers import NoteTokenizer, NoteTokenizerConfig
from aurl.data.tokenizers.grammar import NO_LIMITS, NoteLimits
from aurl.data.tokenizers.note_vocabulary import HOW_LONG, WHAT, WHEN, WHO

METRICAL = NoteTokenizer()
NUDGED = NoteTokenizer(NoteTokenizerConfig(nudge=True))
PERFORMED = NoteTokenizer(NoteTokenizerConfig(clock="performed"))
LIMITS = NoteLimits(polyphony=2, seconds=0.5)
PREFIX = "start,bars:free,style:free,composer:free,density:free,polyphony:free,key:free,metre:3/4,tempo:120"
OPENING = f"{PREFIX},program:Violin,program:Drums,bar"
NOTE = "duration:24 velocity:66"


def rows(text, tokenizer=METRICAL):
    """Rows from the names of their fields, separated by commas."""
    found = []
    for row in text.split(","):
        values = [0] * len(tokenizer.vocabulary.fields)
        for name in row.split():
            at = next(n for n, field in enumerate(tokenizer.vocabulary.fields) if name in field.tokens)
            values[at] = tokenizer.vocabulary.fields[at].tokens.index(name)
        found.append(values)
    return np.array(found)


def state_after(tokens, grammar):
    state = grammar.initial
    for row in tokens:
        state = grammar.advance(state, row.tolist())
    return state


def walk(tokenizer, grammar, seed, length=120):
    """Rows drawn from what is legal, leaning to short waits."""
    random, state, written = np.random.default_rng(seed), grammar.initial, []
    for _ in range(length):
        row = np.zeros((1, len(tokenizer.vocabulary.sizes)), np.int64)
        for field in range(row.shape[1]):
            weights = grammar.mask(state, field, row[0, :field].tolist()).astype(np.float64)
            if field == WHEN:
                weights[30:] *= 0.05
            row[0, field] = random.choice(len(weights), p=weights / weights.sum())
        written.append(row[0])
        state = grammar.advance(state, row[0].tolist())
    return np.array(written)


@pytest.mark.parametrize("tokenizer", [METRICAL, PERFORMED])
@settings(max_examples=4)
@given(seed=st.integers(0, 2**32))
def test_where_the_end_is_all_that_can_come_without_a_time_it_must_come(tokenizer, seed):
    state, end = tokenizer.grammar.initial, tokenizer.vocabulary.end.tolist()
    for row in walk(tokenizer, tokenizer.grammar, seed, length=60):
        whats = tokenizer.grammar.mask(state, WHAT, end[:WHAT])
        assert tokenizer.grammar.must_end(state) == (np.flatnonzero(whats).tolist() == [end[WHAT]])
        state = tokenizer.grammar.advance(state, row.tolist())


@pytest.mark.parametrize("limits", [NO_LIMITS, LIMITS])
@pytest.mark.parametrize("tokenizer", [METRICAL, NUDGED, PERFORMED])
@settings(max_examples=4)
@given(seed=st.integers(0, 2**32))
def test_every_walk_is_legal_and_each_of_its_note_rows_is_a_note(tokenizer, limits, seed):
    grammar = tokenizer.grammar if limits is NO_LIMITS else tokenizer.grammar.limited(limits)
    tokens = walk(tokenizer, grammar, seed)
    assert tokenizer.grammar.first_illegal(tokens) is None
    ends = np.flatnonzero((tokens == tokenizer.vocabulary.end).all(axis=1))
    whole = tokens[: ends[0]] if len(ends) else tokens
    notes = tokenizer.decode(tokens).notes
    assert len(notes) == tokenizer.note_count(whole)
    if limits is LIMITS and len(notes):
        sounding = [((notes.onset + 10 <= t) & (notes.end - 5 > t)).sum() for t in notes.onset + 10]
        assert max(sounding) <= LIMITS.polyphony


@pytest.mark.parametrize(
    "rest",
    [
        f"position:0 track:0 pitch:60 {NOTE}",
        f"position:0 track:0 pitch:60 {NOTE},position:0 track:0 pitch:61 {NOTE},position:0 track:1 drum:36 {NOTE}",
        f"position:0 chord:C,position:0 track:0 sustain:on,position:0 track:0 pitch:60 {NOTE},bar,bar,end,pad,pad",
        "metre:2/4,position:0 tempo:100,position:0 section:A,position:47 chord:C,position:48 chord:D",
        f"position:71 track:1 drum:0 {NOTE},end",
    ],
)
def test_legal(rest):
    tokens = rows(f"{OPENING},{rest}")
    illegal = METRICAL.grammar.first_illegal(tokens)
    assert illegal is None or tokens[illegal, WHEN] == 49  # position 48 is beyond a bar of 2/4


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("bar", 0),
        (f"{PREFIX},end", 9),
        (f"{PREFIX},position:0 chord:C", 9),
        ("start,style:free", 1),
        (f"{OPENING},program:Violin", 12),
        (f"{OPENING},position:72 chord:C", 12),
        (f"{OPENING},position:5 chord:C,position:4 chord:D", 13),
        (f"{OPENING},position:5 chord:C,position:5 chord:D", 13),
        (f"{OPENING},position:5 chord:C,position:5 key:C", 13),
        (f"{OPENING},position:5 chord:C,metre:4/4", 13),
        (f"{OPENING},position:0 track:0 pitch:60 {NOTE},position:0 track:0 pitch:60 {NOTE}", 13),
        (f"{OPENING},position:0 track:0 pitch:60 {NOTE},position:0 track:0 pitch:59 {NOTE}", 13),
        (f"{OPENING},position:0 track:1 drum:60 {NOTE},position:0 track:0 pitch:61 {NOTE}", 13),
        (f"{OPENING},position:0 track:0 drum:60 {NOTE}", 12),
        (f"{OPENING},position:0 track:2 pitch:60 {NOTE}", 12),
        (f"{OPENING},position:0 track:0 pitch:60 duration:24", 12),
        (f"{OPENING},position:0 chord:C {NOTE}", 12),
        (f"{OPENING},position:0 key:free", 12),
        (f"{OPENING},end,bar", 13),
    ],
)
def test_illegal(text, at):
    text = text.replace("key:C", "key:free") if "key:C" in text else text
    assert METRICAL.grammar.first_illegal(rows(text)) == at


def test_values_beyond_the_vocabulary_are_illegal():
    tokens = rows(f"{OPENING},end")
    tokens[5, WHAT] = 60_000
    assert METRICAL.grammar.first_illegal(tokens) == 5


def test_where_the_limit_is_reached_nothing_begins_before_a_note_ends():
    grammar = METRICAL.grammar.limited(NoteLimits(polyphony=1))
    state = state_after(rows(f"{OPENING},position:10 track:0 pitch:60 {NOTE}"), grammar)
    whens = np.flatnonzero(grammar.mask(state, WHEN, []))
    assert whens.tolist() == [0, *range(1 + 34, 1 + 72)]


def test_a_limit_above_all_voices_is_none():
    grammar = METRICAL.grammar.limited(NoteLimits(polyphony=100_000))
    text = f"{OPENING},position:0 track:0 pitch:60 {NOTE},position:0 track:0 pitch:61 {NOTE},end"
    assert grammar.first_illegal(rows(text)) is None


def test_on_the_performed_clock_a_full_voice_waits():
    grammar = PERFORMED.grammar.limited(NoteLimits(polyphony=1))
    start = PREFIX.replace("bars:free,", "").replace("metre:3/4,", "")
    state = state_after(
        rows(f"{start},program:Violin,shift:0 track:0 pitch:60 duration:1024 velocity:66", PERFORMED), grammar
    )
    chosen = np.flatnonzero(grammar.mask(state, WHEN, []))
    assert chosen.tolist() == [0, 512]
    assert np.flatnonzero(grammar.mask(state, WHO, [512])).tolist() == [0]
    waits = grammar.mask(state, WHAT, [512, 0])
    assert waits[PERFORMED.vocabulary.fields[WHAT].tokens.index("wait")]


@pytest.mark.parametrize(("tempo", "longest"), [("tempo:120", 24), ("tempo:60", 12)])
def test_the_longest_note_depends_on_the_tempo(tempo, longest):
    grammar = METRICAL.grammar.limited(NoteLimits(seconds=0.5))
    state = state_after(rows(OPENING.replace("tempo:120", tempo)), grammar)
    pitch = METRICAL.vocabulary.fields[WHAT].tokens.index("pitch:60")
    legal = grammar.mask(state, HOW_LONG, [1, 1, pitch])
    assert np.flatnonzero(legal).tolist() == list(range(1, longest + 1))


def test_a_state_never_changes():
    """Nor does a mask that was asked for before."""
    tokens = rows(f"{OPENING},position:5 track:0 pitch:60 {NOTE}")
    grammar = METRICAL.grammar.limited(LIMITS)
    states = [state_after(tokens[:count], grammar) for count in range(len(tokens) + 1)]
    masks = [grammar.mask(state, WHEN, []).copy() for state in states]
    state = grammar.initial
    for count, row in enumerate(tokens):
        assert state == states[count]
        state = grammar.advance(state, row.tolist())
    assert all(np.array_equal(grammar.mask(state, WHEN, []), mask) for state, mask in zip(states, masks, strict=True))
