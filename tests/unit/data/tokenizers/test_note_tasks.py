"""Tasks are another order of the same rows: legal where tasks are, and the same music when they are read."""

import numpy as np
import pytest
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st

from aurl.data.tokenizers import EventTokenizer, NoteTokenizer, NoteTokenizerConfig
from aurl.data.tokenizers.grammar import NoteLimits
from aurl.data.tokenizers.note_grammar import NoteGrammar
from aurl.data.tokenizers.note_tasks import (
    FUTURE_BARS,
    Hole,
    arrange,
    drawn_task,
    freed,
    in_future,
    metres,
    split_bars,
)
from aurl.data.tokenizers.note_vocabulary import LONGEST_HOLE, SLOTS, WHAT, WHEN, WHO, is_within
from aurl.data.tokenizers.tasks import TasksConfig
from aurl.music.score import Notes, Score, TimeSignatures, Track
from aurl.utils.errors import ConfigError
from random_scores import scores

METRICAL = NoteTokenizer(NoteTokenizerConfig(styles=("Pop",)))
NUDGED = NoteTokenizer(NoteTokenizerConfig(nudge=True))
PERFORMED = NoteTokenizer(NoteTokenizerConfig(clock="performed"))
TOKENIZERS = st.sampled_from([METRICAL, NUDGED])
WRITES = st.lists(st.booleans(), min_size=4, max_size=4).map(lambda who: np.array([*who, *[False] * (SLOTS - 3)]))
few = settings(max_examples=25, phases=[Phase.generate])


def with_tasks(tokenizer):
    return NoteGrammar(tokenizer.layout, tasks=True)


def names(tokenizer, tokens):
    """The `what` of each row."""
    return [tokenizer.vocabulary.fields[WHAT].tokens[value] for value in tokens[:, WHAT]]


def writable(tokenizer, tokens, writes):
    """`writes` of the tracks that are declared."""
    tracks = sum(name.startswith("program") for name in names(tokenizer, tokens))
    return writes & (np.arange(SLOTS + 1) <= tracks)


def beats(*metre_bars):
    """A note on each quarter of bars of these metres, over one of bass each bar."""
    starts = np.append(0, np.cumsum([1920 * n // d for n, d in metre_bars]))
    onset, same = np.arange(0, starts[-1], 480), np.ones(starts[-1] // 480 + 1, np.int64)[1:]
    bass, ones = starts[:-1], np.ones(len(metre_bars), np.int64)
    return Score(
        tracks=(Track(0), Track(32)),
        time_signatures=TimeSignatures(starts[:-1], *np.array(metre_bars).T),
        notes=Notes.join([
            Notes(onset, 480 * same, 60 + onset // 480 % 12, 66 * same, 0 * same),
            Notes(bass, 480 * ones, 36 * ones, 66 * ones, ones),
        ]),
    )  # fmt: skip


CHANGING = beats((4, 4), (3, 4), (3, 4), (4, 4), (2, 4), (2, 4), (3, 4), (4, 4), (4, 4))


@st.composite
def holes(draw, tokens, layout):
    """A hole of a piece that has a bar after it."""
    bars = len(split_bars(tokens, layout)[1])
    assume(bars > 1)
    first = draw(st.integers(0, bars - 2))
    return Hole(first, draw(st.integers(1, min(LONGEST_HOLE, bars - 1 - first))))


@few
@given(scores(), WRITES, TOKENIZERS)
def test_tracks_in_turn_are_the_same_music_in_a_legal_order(score, writes, tokenizer):
    tokens = tokenizer.encode(score)
    arranged = arrange(tokens, tokenizer.layout, writes=writable(tokenizer, tokens, writes))
    assert with_tasks(tokenizer).first_illegal(arranged) is None
    assert tokenizer.decode(arranged) == tokenizer.decode(tokens)
    assert sum(name == "bar" for name in names(tokenizer, arranged)) == names(tokenizer, tokens).count("bar")


@few
@given(scores(), WRITES)
def test_in_each_bar_what_is_given_comes_first_and_each_track_after_its_fill(score, writes):
    tokens = METRICAL.encode(score)
    writes = writable(METRICAL, tokens, writes)
    arranged = arrange(tokens[:-1], METRICAL.layout, writes=writes)
    head, bars = split_bars(arranged, METRICAL.layout)
    told = [f"fill:{k}" for k in np.flatnonzero(writes)]
    assert [name for name in names(METRICAL, head) if "fill" in name] == told
    assert names(METRICAL, head)[len(head) - len(told) :] == told
    for bar in bars:
        current = None
        for row, name in zip(bar.tolist(), names(METRICAL, bar), strict=True):
            if name.startswith("fill"):
                current = int(name.split(":")[1])
            elif row[WHEN] and current is None:
                assert not writes[row[WHO]]
            elif row[WHEN]:
                assert row[WHO] == current
        assert [name for name in names(METRICAL, bar) if "fill" in name] == told


def test_a_new_window_still_tells_which_tracks_are_written():
    tokens = METRICAL.encode(CHANGING)
    for writes in ([1], [0, 2], []):
        arranged = arrange(tokens, METRICAL.layout, writes=np.isin(np.arange(SLOTS + 1), writes))
        window = METRICAL.resumed(arranged, len(arranged) // 2)
        prefix = split_bars(window, METRICAL.layout)[0]
        assert [name for name in names(METRICAL, prefix) if "fill" in name] == [f"fill:{k}" for k in writes]


@few
@given(scores(), st.data(), TOKENIZERS)
def test_a_hole_is_the_piece_up_to_its_end_in_a_legal_order(score, data, tokenizer):
    tokens = tokenizer.encode(score)[:-1]
    hole = data.draw(holes(tokens, tokenizer.layout))
    writes = data.draw(st.none() | WRITES.map(lambda who: writable(tokenizer, tokens, who)))
    check_hole(tokenizer, tokens, hole, writes)


@pytest.mark.parametrize("hole", [Hole(first, bars) for bars in (1, 2, 5) for first in range(9 - bars)])
def test_a_hole_among_changes_of_metre_keeps_them(hole):
    tokens = METRICAL.encode(CHANGING)[:-1]
    assert len(set(metres(*split_bars(tokens, METRICAL.layout), METRICAL.layout))) > 1
    check_hole(METRICAL, tokens, hole, None)


def check_hole(tokenizer, tokens, hole, writes):
    layout = tokenizer.layout
    head, bars = split_bars(tokens, layout)
    arranged = arrange(tokens, layout, hole=hole, writes=writes)
    assert with_tasks(tokenizer).first_illegal(arranged) is None
    end = hole.first + hole.bars
    assert tokenizer.decode(arranged) == tokenizer.decode(np.concatenate([head, *bars[:end]]))
    in_force = metres(head, bars, layout)
    told_head, told = split_bars(arranged, layout)
    after = min(FUTURE_BARS, len(bars) - end)
    order = [*range(hole.first), *range(end, end + after), *range(hole.first, end)]
    assert metres(told_head, told, layout) == [in_force[bar] for bar in order]
    assert names(tokenizer, arranged).count(f"now:{hole.bars}") == 1


@few
@given(scores(), st.data())
def test_no_time_passes_in_the_future(score, data):
    tokens = METRICAL.encode(score)[:-1]
    hole = data.draw(holes(tokens, METRICAL.layout))
    head, bars = split_bars(tokens, METRICAL.layout)
    arranged = arrange(tokens, METRICAL.layout, hole=hole)
    clock, is_future = METRICAL.clock(arranged), in_future(arranged[:, WHAT], METRICAL.layout)
    assert len(clock.bars) == len(arranged)
    for times in (clock.seconds, clock.beats, clock.bars):
        assert (np.diff(times) >= 0).all()
        assert len(set(times[is_future].tolist())) == 1
    plain = METRICAL.clock(np.concatenate([head, *bars[: hole.first + hole.bars]]))
    assert (clock.beats[-1], clock.bars[-1]) == (plain.beats[-1], plain.bars[-1])
    assert clock.seconds[-1] == pytest.approx(plain.seconds[-1])


@few
@given(scores(), WRITES, st.data())
def test_the_plain_grammar_never_allows_the_rows_of_tasks(score, writes, data):
    tokens = METRICAL.encode(score)[:-1]
    hole = data.draw(holes(tokens, METRICAL.layout))
    arranged = arrange(tokens, METRICAL.layout, writes=writable(METRICAL, tokens, writes), hole=hole).astype(np.int64)
    first, end = METRICAL.layout.first["future"], METRICAL.layout.end["fill"]
    state = METRICAL.grammar.initial
    for row in arranged:
        assert not METRICAL.grammar.mask(state, WHAT, [0, 0])[first:end].any()
        state = METRICAL.grammar.advance(state, row.tolist())
    special = np.flatnonzero(is_within(arranged[:, WHAT], first, end))
    assert METRICAL.grammar.first_illegal(arranged) == special[0]


def walk(tokenizer, grammar, seed, length=160):
    """Rows drawn from what is legal, leaning to short waits and to no end."""
    random, state, rows = np.random.default_rng(seed), grammar.initial, []
    end = tokenizer.layout.first["end"]
    for _ in range(length):
        row = np.zeros((1, len(tokenizer.vocabulary.sizes)), np.int64)
        for field in range(row.shape[1]):
            weights = grammar.mask(state, field, row[0, :field].tolist()).astype(np.float64)
            if field == WHEN:
                weights[30:] *= 0.05
            if field == WHAT:
                weights[end] *= 1e-9
                weights[tokenizer.layout.first["future"] : tokenizer.layout.end["fill"]] *= 20
            row[0, field] = random.choice(len(weights), p=weights / weights.sum())
        rows.append(row[0])
        state = grammar.advance(state, row[0].tolist())
    return np.array(rows)


@pytest.mark.parametrize("tokenizer", [METRICAL, NUDGED])
@settings(max_examples=6)
@given(seed=st.integers(0, 2**32))
def test_walks_among_tasks_decode_and_each_note_of_the_present_is_one(tokenizer, seed):
    tokens = walk(tokenizer, with_tasks(tokenizer), seed)
    assert with_tasks(tokenizer).first_illegal(tokens) is None
    score = tokenizer.decode(tokens)
    assert tokenizer.canonical(score)[0] == score
    present = tokens[~in_future(tokens[:, WHAT], tokenizer.layout)]
    assert len(score.notes) <= tokenizer.note_count(present)
    clock = tokenizer.clock(tokens)
    assert (np.diff(clock.beats) >= 0).all()
    assert (np.diff(clock.bars) >= 0).all()


def test_a_fill_lets_its_own_track_write_alone_and_fills_ascend():
    tokens = METRICAL.encode(CHANGING)[:-1]
    head, bars = split_bars(tokens, METRICAL.layout)
    grammar, layout = with_tasks(METRICAL), METRICAL.layout
    arranged = arrange(np.concatenate([head, bars[0]]), layout, writes=np.arange(SLOTS + 1) == 1)
    state = grammar.initial
    for row in arranged[: len(head) + 4].astype(np.int64):
        state = grammar.advance(state, row.tolist())
    assert names(METRICAL, arranged)[len(head) + 3] == "fill:1"
    assert np.flatnonzero(grammar.mask(state, WHO, [1])).tolist() == [1]
    whats = grammar.mask(state, WHAT, [0, 0])
    assert [name for name in np.array(layout.vocabulary.fields[WHAT].tokens)[whats] if "fill" in name] == ["fill:2"]


def test_after_the_future_a_bar_must_come():
    tokens = arrange(METRICAL.encode(CHANGING)[:-1], METRICAL.layout, hole=Hole(1, 2)).astype(np.int64)
    at = names(METRICAL, tokens).index("now:2")
    for grammar in (METRICAL.grammar, with_tasks(METRICAL)):
        state = grammar.initial
        for row in tokens[: at + 1]:
            state = grammar.advance(state, row.tolist())
        assert np.flatnonzero(grammar.mask(state, WHEN, [])).tolist() == [0]
        whats = grammar.mask(state, WHAT, [0, 0])
        assert names(METRICAL, np.flatnonzero(whats)[:, None] * [0, 0, 1]) == ["bar"]


def test_notes_of_the_future_do_not_count_as_sounding():
    """Of two voices allowed, the held note of the past is one; those of the future are none."""
    notes = Notes([0, 3840, 3840, 3840], [3840, 1920, 1920, 1920], [60, 40, 44, 47], [66] * 4, [0] * 4)
    tokens = METRICAL.encode(Score(tracks=(Track(0),), notes=notes))[:-1]
    grammar = METRICAL.grammar.limited(NoteLimits(polyphony=2))
    state = grammar.initial
    for row in arrange(tokens, METRICAL.layout, hole=Hole(1, 1)).astype(np.int64):
        state = grammar.advance(state, row.tolist())
    assert grammar.mask(state, WHEN, [])[1]  # a second voice on the first beat
    note = [1, 1, METRICAL.layout.first["pitch"] + 64, 24, 1]
    state = grammar.advance(state, note)
    whens = np.flatnonzero(grammar.mask(state, WHEN, []))
    assert whens.tolist() == [0, *range(1 + 24, 1 + 96)]  # full until the quarter note ends


@few
@given(scores(), st.integers(0, 2**32), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_a_drawn_task_is_decided_by_its_random_numbers(score, seed, infill, tracks, free):
    tokens, config = METRICAL.encode(score), TasksConfig(infill=infill, tracks=tracks, free=free)
    drawn = [METRICAL.arranged(tokens, config, np.random.default_rng(seed)) for _ in range(2)]
    assert np.array_equal(*drawn)
    assert with_tasks(METRICAL).first_illegal(drawn[0]) is None
    original = METRICAL.encode(score)
    assert np.array_equal(tokens, original)


def test_shares_of_none_and_all():
    tokens = METRICAL.encode(CHANGING)
    layout, none = METRICAL.layout, TasksConfig()
    for seed in range(40):
        assert np.array_equal(drawn_task(tokens, layout, none, np.random.default_rng(seed)), tokens)
        kinds = names(
            METRICAL, drawn_task(tokens, layout, TasksConfig(infill=1, tracks=1), np.random.default_rng(seed))
        )
        assert kinds.count("future") == 1
        assert any(kind.startswith("fill") for kind in kinds)
        whole = drawn_task(tokens, layout, TasksConfig(free=1), np.random.default_rng(seed))
        assert np.array_equal(whole, METRICAL.unconditional(tokens))
    assert none.is_plain
    assert not TasksConfig(free=0.1).is_plain


@pytest.mark.parametrize("cut", range(1, 30, 3))
def test_a_bar_that_the_window_cuts_is_not_told_as_the_future(cut):
    tokens, layout = METRICAL.encode(CHANGING), METRICAL.layout
    whole = [tuple(map(tuple, split_bars(bar, layout)[1][0])) for bar in split_bars(tokens[:-1], layout)[1]]
    for seed in range(20):
        drawn = drawn_task(tokens[:-cut], layout, TasksConfig(infill=1), np.random.default_rng(seed))
        told = split_bars(drawn[in_future(drawn[:, WHAT], layout)][:-1], layout)[1]
        assert told
        for bar in told[1:]:  # the first may tell its metre
            assert tuple(map(tuple, bar)) in whole


def test_shares_are_how_often_a_task_is_drawn():
    tokens, config = METRICAL.encode(CHANGING), TasksConfig(infill=0.5, tracks=0.25)
    drawn = [names(METRICAL, METRICAL.arranged(tokens, config, np.random.default_rng(seed))) for seed in range(300)]
    assert 120 < sum("future" in kinds for kinds in drawn) < 180
    assert 50 < sum(any(kind.startswith("fill") for kind in kinds) for kinds in drawn) < 100


def test_controls_are_freed_and_all_else_stays():
    tokens = METRICAL.encode(CHANGING.replace(metadata={"genre": "Pop"}))
    without_style = freed(tokens, METRICAL.layout, ["style"])
    assert names(METRICAL, tokens)[2] == "style:Pop"
    assert names(METRICAL, without_style)[2] == "style:free"
    assert (without_style != tokens).any(axis=1).sum() == 1
    batch = np.stack([tokens, tokens])
    untold = METRICAL.unconditional(batch)
    changed = (untold != batch).any(axis=2)
    assert {names(METRICAL, tokens)[at].split(":")[0] for at in np.flatnonzero(changed[0])} <= set(
        METRICAL.layout.controls
    )
    assert all(f"{kind}:free" in names(METRICAL, untold[1]) for kind in METRICAL.layout.controls)


@pytest.mark.parametrize("tokenizer", [PERFORMED, EventTokenizer()])
def test_tokens_without_bars_have_no_tasks(tokenizer):
    with pytest.raises(ConfigError, match="cannot tell tasks"):
        tokenizer.arranged(tokenizer.encode(CHANGING), TasksConfig(infill=1), np.random.default_rng(0))
    assert not any(name.startswith(("future", "now", "fill")) for name in PERFORMED.vocabulary.fields[WHAT].tokens)


def test_tokens_without_controls_cannot_be_untold():
    with pytest.raises(ConfigError, match="no controls"):
        EventTokenizer().unconditional(EventTokenizer().encode(CHANGING))


def future_of(tokenizer, preamble):
    is_future = in_future(preamble[:, WHAT], tokenizer.layout)
    return preamble[is_future]


@pytest.mark.parametrize("hole", [Hole(0, 3), Hole(2, 4), Hole(4, 1)])
def test_while_a_hole_is_written_its_preamble_tells_the_future_and_what_is_left(hole):
    head, bars = split_bars(METRICAL.encode(CHANGING)[:-1], METRICAL.layout)
    in_force = metres(head, bars, METRICAL.layout)
    tokens = arrange(np.concatenate([head, *bars]), METRICAL.layout, hole=hole).astype(np.int64)
    is_bar = is_within(tokens[:, WHAT], *METRICAL.layout.span("bar"))
    present = np.flatnonzero(is_bar & ~in_future(tokens[:, WHAT], METRICAL.layout))[hole.first :]
    for number, at in enumerate(present):
        preamble = METRICAL.preamble(tokens, int(at) + 1)
        assert names(METRICAL, preamble).count(f"now:{hole.bars - number}") == 1
        window = np.concatenate([METRICAL.vocabulary.start[None], preamble, tokens[at + 1 :]])
        assert with_tasks(METRICAL).first_illegal(window) is None
        end = hole.first + hole.bars
        told = split_bars(np.concatenate([preamble, tokens[at + 1 : at + 2]]), METRICAL.layout)
        after = range(end, min(end + FUTURE_BARS, len(bars)))
        assert metres(*told, METRICAL.layout) == [in_force[bar] for bar in (*after, hole.first + number)]


def test_after_its_hole_the_future_is_forgotten():
    head, bars = split_bars(METRICAL.encode(CHANGING)[:-1], METRICAL.layout)
    tokens = arrange(np.concatenate([head, *bars]), METRICAL.layout, hole=Hole(2, 2))
    later = np.concatenate([tokens, bars[4], bars[5]])
    assert not len(future_of(METRICAL, METRICAL.preamble(later, len(later))))
    assert np.array_equal(METRICAL.resumed(later, len(tokens) - 3)[-len(bars[5]) :], bars[5])


def test_a_window_does_not_begin_inside_the_future():
    head, bars = split_bars(METRICAL.encode(CHANGING)[:-1], METRICAL.layout)
    tokens = arrange(np.concatenate([head, *bars]), METRICAL.layout, hole=Hole(2, 4))
    at = names(METRICAL, tokens).index("future")
    for about in range(at, at + 12):
        window = METRICAL.resumed(tokens, about)
        assert with_tasks(METRICAL).first_illegal(np.concatenate([METRICAL.vocabulary.start[None], window])) is None
