"""What is heard of rows, against the same worked out from all rows at once."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from aurl.data.tokenizers import NoteTokenizer
from aurl.data.tokenizers.note_grammar import NoteGrammar
from aurl.data.tokenizers.note_tasks import in_future
from aurl.data.tokenizers.note_vocabulary import HOW_LONG, METRE_STEPS, WHAT, WHEN, WHO, is_within
from aurl.generation.hearing import Hearing, Part

TOKENIZER = NoteTokenizer()
LAYOUT = TOKENIZER.layout
GRAMMAR = NoteGrammar(LAYOUT, tasks=True)
SIZES = LAYOUT.vocabulary.sizes
SEEDS = st.integers(0, 2**32)


def walk(seed, length=120):
    """Legal rows, those of tasks among them; rows without a time are rarer where others can come."""
    random, state, written = np.random.default_rng(seed), GRAMMAR.initial, []
    for _ in range(length):
        row = np.zeros((1, len(SIZES)), np.int64)
        for field in range(len(SIZES)):
            weights = GRAMMAR.mask(state, field, row[0, :field].tolist()).astype(np.float64)
            if field == WHEN:
                weights[30:] *= 0.05
                weights[0] = 3
            if field == WHAT:
                weights[LAYOUT.first["end"]] *= weights.sum() == 1
                weights[is_within(np.arange(LAYOUT.size), *LAYOUT.span("metre"))] *= 0.02
                weights[is_within(np.arange(LAYOUT.size), *LAYOUT.span("program"))] *= 0.02
            row[0, field] = random.choice(len(weights), p=weights / weights.sum())
        written.append(row[0])
        state = GRAMMAR.advance(state, row[0].tolist())
    return np.array(written)


def bars_from_scratch(rows, future):
    """Number of the bar of each row, and where each present bar begins and how long it is."""
    what = rows[:, WHAT]
    number = np.cumsum((what == LAYOUT.first["bar"]) & ~future) - 1
    lengths = []
    for bar in range(number[-1] + 1):
        until = np.flatnonzero(~future & (number == bar))[-1]
        told = what[: until + 1][is_within(what[: until + 1], *LAYOUT.span("metre"))]
        lengths.append(METRE_STEPS[told[-1] - LAYOUT.first["metre"]] if len(told) else 96)
    return number, np.append(0, np.cumsum(lengths)).astype(int), lengths


def notes_from_scratch(rows, number, starts, future):
    is_note = (rows[:, WHAT] >= LAYOUT.first["pitch"]) & ~future & (rows[:, WHEN] > 0)
    found = rows[is_note]
    start = starts[number[is_note]] + found[:, WHEN] - 1
    pitch = (found[:, WHAT] - LAYOUT.first["pitch"]) % 128
    notes = np.stack([start, start + LAYOUT.durations[found[:, HOW_LONG] - 1], found[:, WHO], pitch], axis=1)
    return notes[np.lexsort((start, found[:, WHO]))]


def label_from_scratch(rows, steps, future, kind, now, skip=0):
    """The last told of those at the latest step up to now; -1 for none, and where `free` is told."""
    at = np.flatnonzero(is_within(rows[:, WHAT], *LAYOUT.span(kind)) & ~future & (steps <= now))
    if not len(at):
        return -1
    last = at[np.argsort(steps[at], kind="stable")[-1]]
    return rows[last, WHAT] - LAYOUT.first[kind] - skip


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS)
def test_hearing_row_by_row_gives_what_all_rows_say(seed):
    rows = walk(seed)
    hearing = Hearing(LAYOUT, 1)
    hearing.hear(np.zeros(len(rows), np.int64), rows)
    future = in_future(rows[:, WHAT], LAYOUT)
    number, starts, lengths = bars_from_scratch(rows, future)
    piece, last = hearing.pieces[0], number[-1]
    assert hearing.bar.tolist() == [last]
    if last < 0:
        return
    assert hearing.bar_start.tolist() == [starts[last]]
    assert hearing.bar_length.tolist() == [lengths[last]]
    expected = notes_from_scratch(rows, number, starts, future)
    assert hearing.notes(0).tolist() == expected.tolist()
    steps = starts[np.maximum(number, 0)] + np.maximum(rows[:, WHEN] - 1, 0)
    now = int(starts[last] + hearing.time[0])
    assert hearing.chord.tolist() == [label_from_scratch(rows, steps, future, "chord", now)]
    assert hearing.section.tolist() == [label_from_scratch(rows, steps, future, "section", now)]
    assert hearing.key.tolist() == [label_from_scratch(rows, steps, future, "key", now, skip=1)]
    tempos = rows[~future & is_within(rows[:, WHAT], *LAYOUT.span("tempo")), WHAT]
    assert hearing.tempo.tolist() == [tempos[-1] - LAYOUT.first["tempo"]]
    assert piece.note_count == len(expected)
    assert [len(bar) for bar in piece.bars] == np.bincount(
        np.searchsorted(starts, expected[:, 0], side="right") - 1, minlength=last + 1
    ).tolist()


@settings(max_examples=50, deadline=None)
@given(notes=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 127), st.integers(1, 30)), max_size=20))
def test_what_sounds_is_found_whatever_the_order_of_notes(notes):
    part = Part()
    for onset, pitch, length in notes:
        part.add(onset, pitch, onset + length)
    for step in range(0, 75, 3):
        sounding = sorted((pitch, onset + length) for onset, pitch, length in notes if onset <= step < onset + length)
        assert sorted(part.sounding(step)) == sounding
        assert sorted(part.at(step)) == sorted((p, o + length) for o, p, length in notes if o == step)
        earlier = max((onset for onset, _, _ in notes if onset < step), default=None)
        assert sorted(part.before(step)) == sorted((p, o + length) for o, p, length in notes if o == earlier)


@settings(max_examples=30, deadline=None)
@given(seed=SEEDS)
def test_no_row_is_too_strange_to_be_heard(seed):
    random = np.random.default_rng(seed)
    rows = random.integers(0, SIZES, (60, len(SIZES)))
    rows[::7] = random.integers(-5, 2000, (len(rows[::7]), len(SIZES)))
    hearing = Hearing(LAYOUT, 2)
    hearing.hear(np.arange(len(rows)) % 2, rows)
    assert (hearing.bar >= -1).all()


def test_selected_pieces_go_on_apart_from_each_other():
    one, other = walk(1), walk(2)
    hearing = Hearing(LAYOUT, 2)
    for row, second in zip(one[:80], other[:80], strict=True):
        hearing.hear(np.arange(2), np.stack([row, second]))
    hearing.select(np.array([1, 0, 0]))
    for row, second in zip(one[80:], other[80:], strict=True):
        hearing.hear(np.arange(2), np.stack([second, row]))
    alone = Hearing(LAYOUT, 3)
    for piece, rows in enumerate((other, one, one[:80])):
        alone.hear(np.full(len(rows), piece), rows)
    for piece in range(3):
        assert hearing.notes(piece).tolist() == alone.notes(piece).tolist()
        assert hearing.pieces[piece].bars == alone.pieces[piece].bars
        assert hearing.pieces[piece].chords.values == alone.pieces[piece].chords.values
    assert hearing.key.tolist() == alone.key.tolist()


def test_the_bass_is_the_lowest_track_that_is_no_drum():
    hearing, first = Hearing(LAYOUT, 1), LAYOUT.first
    untimed = [first["program"] + 40, first["program"] + 32, first["program"] + 128, first["bar"]]
    rows = [[0, 0, what, 0, 0] for what in untimed]
    hearing.hear(np.zeros(4, np.int64), np.array(rows))
    assert hearing.pieces[0].bass == 2  # nothing has been played
    notes = [[1, 1, first["pitch"] + 40, 1, 1], [1, 2, first["pitch"] + 70, 1, 1], [1, 3, first["drum"] + 3, 1, 1]]
    hearing.hear(np.zeros(4, np.int64), np.array([*notes, rows[-1]]))
    assert hearing.pieces[0].bass == 1
