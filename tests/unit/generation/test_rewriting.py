"""What is locked comes back as it was, to the bit; what is written lies in the cells asked for, and nowhere else."""

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from aurl.data.tokenizers import EventTokenizer, NoteTokenizer, NoteTokenizerConfig
from aurl.data.tokenizers.note_grammar import NoteGrammar
from aurl.data.tokenizers.note_tasks import FUTURE_BARS, arrange, in_future, metres, split_bars
from aurl.data.tokenizers.note_vocabulary import LONGEST_HOLE, SLOTS, WHAT, WHEN, WHO
from aurl.generation.generator import GenerationConfig, generate
from aurl.generation.rewriting import Rewrite
from aurl.music.midi import midi_bytes, read_midi
from aurl.music.score import SUSTAIN_PEDAL, Controls, Notes, PitchBends, Score, Tempos, Texts, TimeSignatures, Track
from aurl.utils.errors import ConfigError

TOKENIZER = NoteTokenizer()
LAYOUT = TOKENIZER.layout
TASKS = NoteGrammar(LAYOUT, tasks=True)
few = settings(
    max_examples=12,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def table(kind, rows):
    columns = zip(*rows, strict=True) if rows else [[]] * len(kind.DTYPES)
    return kind(*(np.array(column, kind.DTYPES[name]) for name, column in zip(kind.DTYPES, columns, strict=True)))


def piece(*, seed=0, ticks_per_beat=480, metres=((0, 4, 4),), quarters=48, programs=(0, 33, None), notes=60):
    """Random notes on and off the grid (None are drums), with pedals, a wheel, tempos, chords; bars at `metres`."""
    random = np.random.default_rng(seed)
    end, count = quarters * ticks_per_beat, len(programs)
    onset = random.integers(0, end - 1, notes)
    columns = (
        onset, random.integers(1, np.minimum(2 * ticks_per_beat, end - onset) + 1), random.integers(30, 90, notes),
        random.integers(1, 128, notes), random.integers(0, count, notes),
    )  # fmt: skip
    rows = list(zip(*columns, strict=True)) + [(end - 10, 10, 60 + track, 80, track) for track in range(count)]
    score = Score(
        ticks_per_beat=ticks_per_beat,
        tracks=tuple(Track(0, True, "Kit") if p is None else Track(p, False, f"My {p}") for p in programs),
        notes=table(Notes, [*dict.fromkeys(rows)]),
        time_signatures=table(TimeSignatures, [(q * ticks_per_beat, n, d) for q, n, d in metres]),
        tempos=table(Tempos, [(0, 500_000), (5 * ticks_per_beat + 1, 431_234)]),
        controls=table(Controls, [(77, 1, 7, 99), *((t, 0, 64, t // 700 % 2 * 127) for t in range(1, end, 700))]),
        pitch_bends=table(PitchBends, [(99, 1, 512)]),
        texts=table(Texts, [(0, -1, "chord", "C"), (2 * ticks_per_beat, -1, "chord", "G7"), (9, -1, "marker", "hm")]),
    )  # fmt: skip
    return read_midi(midi_bytes(score))


UNEVEN = ((0, 1, 4), (1, 4, 4), (9, 3, 4), (18, 7, 8), (25, 2, 2))
"""A pickup, then changes."""


def rewritten(score, note_runtime, *, context=96, seed=0, **rewrite):
    runtime = note_runtime(TOKENIZER, context=context)
    config = GenerationConfig(seed=seed)
    (made,) = generate(runtime, TOKENIZER, config, prompt=score, rewrite=Rewrite(**rewrite))
    assert made.stopped_by == "length"
    return made


def cells(score, table, bars, tracks):
    """Which rows of a table lie in bars (numbers from 1; None: all) of tracks (from 0; None: all that there are)."""
    time = table.columns()["onset" if "onset" in table.columns() else "time"]
    bar = score.metre_map.ticks_to_bar_beat(time)[0] + 1
    last = score.metre_map.ticks_to_bar_beat(max(score.end_ticks - 1, 0))[0] + 1
    inside = (bar <= last) if bars is None else np.isin(bar, bars)
    return inside if tracks is None else inside & np.isin(table.track, tracks)


def check(score, made, bars, tracks):
    """Outside of the cells nothing changed, as tables and as a file."""
    result = made.score
    for before, after in ((score, result), (read_midi(midi_bytes(score)), read_midi(midi_bytes(result)))):
        locked = [each.notes.take(~cells(score, each.notes, bars, tracks)) for each in (before, after)]
        assert locked[0] == locked[1]
        for name in ("tempos", "time_signatures", "key_signatures", "pitch_bends", "texts"):
            assert getattr(before, name) == getattr(after, name)
        kept = [
            each.controls.take(~((each.controls.number == SUSTAIN_PEDAL) & cells(score, each.controls, bars, tracks)))
            for each in (before, after)
        ]
        assert kept[0] == kept[1]
    assert result.tracks[: len(score.tracks)] == score.tracks
    assert (result.notes.duration > 0).all()
    assert result.ticks_per_beat == score.ticks_per_beat


def check_tokens(score, tokens):
    """They are legal, and each bar has the metre that the score has there."""
    assert TASKS.first_illegal(tokens) is None
    is_future = in_future(tokens[:, WHAT], LAYOUT)
    bars = np.flatnonzero(tokens[:, WHAT] == LAYOUT.first["bar"])
    present = [
        metre for metre, at in zip(metres(*split_bars(tokens, LAYOUT), LAYOUT), bars, strict=True) if not is_future[at]
    ]
    original = metres(*split_bars(TOKENIZER.encode(score), LAYOUT), LAYOUT)
    assert present == original[: len(present)]


@few
@given(
    st.integers(0, 1000), st.sampled_from([100, 480, 960]),
    st.sampled_from([((0, 4, 4),), ((0, 3, 4), (12, 4, 4)), UNEVEN]),
    st.sampled_from([("3-4", [3, 4]), ("1", [1]), ("2,5-6", [2, 5, 6])]),
)  # fmt: skip
def test_bars_are_written_anew_and_all_others_are_as_they_were(note_runtime, seed, ticks_per_beat, metres, bars):
    score = piece(seed=seed, ticks_per_beat=ticks_per_beat, metres=metres)
    made = rewritten(score, note_runtime, bars=bars[0], seed=seed)
    check(score, made, bars[1], None)
    check_tokens(score, made.tokens)
    assert len(bars[1]) == 1 or made.score.notes != score.notes  # one short bar may come out the same


@pytest.mark.parametrize("rewrite", [{"bars": "2-3"}, {"bars": "1,3", "tracks": (2,)}, {"tracks": (1,)}])
def test_what_is_written_is_what_the_tokens_say(note_runtime, rewrite):
    grid = TOKENIZER.canonical(piece(quarters=20))[0]
    heard = 0
    for seed in range(4):
        made = rewritten(grid, note_runtime, seed=seed, **rewrite)
        bars = {"2-3": [2, 3], "1,3": [1, 3]}.get(rewrite.get("bars", ""))
        tracks = [number - 1 for number in rewrite.get("tracks", ())] or None
        told = TOKENIZER.decode(made.tokens).notes
        told, found = (notes.take(cells(grid, notes, bars, tracks)) for notes in (told, made.score.notes))
        voices = [{*zip(n.onset.tolist(), n.pitch.tolist(), n.track.tolist(), strict=True)} for n in (told, found)]
        assert voices[1] <= voices[0]
        assert len(voices[0] - voices[1]) <= 2  # a locked note of the same voice sounds there
        heard += len(voices[1])
    assert heard > 10


@few
@given(
    st.integers(0, 1000),
    st.sampled_from([100, 480, 960]),
    st.sampled_from([((0, 4, 4),), UNEVEN]),
    st.sampled_from([1, 2, 3]),
)
def test_a_track_is_written_anew_and_all_others_are_as_they_were(note_runtime, seed, ticks_per_beat, metres, track):
    score = piece(seed=seed, ticks_per_beat=ticks_per_beat, metres=metres, quarters=16, notes=24)
    made = rewritten(score, note_runtime, tracks=(track,), seed=seed)
    check(score, made, None, [track - 1])
    check_tokens(score, made.tokens)


@few
@given(st.integers(0, 1000), st.sampled_from([((0, 4, 4),), UNEVEN]))
def test_some_bars_of_some_tracks(note_runtime, seed, metres):
    score = piece(seed=seed, metres=metres)
    made = rewritten(score, note_runtime, bars="2-4,7", tracks=(1, 3), seed=seed)
    check(score, made, [2, 3, 4, 7], [0, 2])
    check_tokens(score, made.tokens)


@pytest.mark.parametrize(("rewrite", "who"), [({"tracks": (2,)}, 2), ({"harmonise": True}, 0)])
def test_a_model_is_shown_the_rest_as_it_was_in_training(note_runtime, rewrite, who):
    grid = TOKENIZER.canonical(piece(quarters=20))[0]
    trained = arrange(TOKENIZER.encode(grid)[:-1], LAYOUT, writes=np.arange(SLOTS + 1) == who)
    read = rewritten(grid, note_runtime, **rewrite).tokens
    given = [rows[(rows[:, WHEN] == 0) | (rows[:, WHO] != who)] for rows in (trained, read)]
    assert np.array_equal(*given)


def test_locks_say_the_same_the_other_way_round(note_runtime):
    score = piece()
    pairs = [
        ({"bars": "3-5"}, {"lock_bars": "1-2,6-"}),
        ({"tracks": (2,)}, {"lock_tracks": (1, 3)}),
        ({"tracks": (2, 3), "bars": "2"}, {"lock_tracks": (1,), "lock_bars": "1,3-"}),
    ]
    for given_ones, locked in pairs:
        one, other = (rewritten(score, note_runtime, **each) for each in (given_ones, locked))
        assert one.score == other.score


@pytest.mark.parametrize("bars", [None, "2-3"])
def test_an_instrument_is_added_and_nothing_else_changes(note_runtime, bars):
    score = piece(quarters=16)
    made = rewritten(score, note_runtime, add=("flute", "drums"), bars=bars)
    assert [(track.program, track.is_drum) for track in made.score.tracks[3:]] == [(73, False), (0, True)]
    check(score, made, None if bars is None else [2, 3], [3, 4])
    assert {3, 4} <= set(made.score.notes.track.tolist())


def test_harmonising_writes_chord_symbols_alone(note_runtime):
    score = piece(quarters=16)
    made = rewritten(score, note_runtime, harmonise=True)
    assert made.score.replace(texts=score.texts) == score
    chords = made.score.texts.of("chord")
    assert len(chords) > 1
    assert made.score.texts.take(made.score.texts.kind != "chord") == score.texts.take(score.texts.kind != "chord")
    partly = rewritten(score, note_runtime, harmonise=True, bars="3-")
    assert (partly.score.texts.of("chord").time[:2] == [0, 960]).all()


def test_a_hole_knows_the_bars_after_it_before_its_last_eight(note_runtime):
    score = piece(quarters=80)
    tokens = rewritten(score, note_runtime, bars="3-13,16-").tokens
    names = np.array(TOKENIZER.vocabulary.fields[WHAT].tokens)[tokens[:, WHAT]].tolist()
    at = names.index("future")
    assert names[:at].count("bar") == 13 - LONGEST_HOLE
    assert names[at : names.index(f"now:{LONGEST_HOLE}")].count("bar") == 2 <= FUTURE_BARS
    assert names.count("future") == 1  # nothing follows the second hole
    assert names.count("bar") == 20 + 2
    check_tokens(score, tokens)


@pytest.mark.parametrize("context", [64, 400])
def test_several_holes_pass_through_a_window_of_any_size(note_runtime, context):
    score = piece(metres=UNEVEN)
    made = rewritten(score, note_runtime, bars="2,4,6-7,9", context=context)
    check(score, made, [2, 4, 6, 7, 9], None)
    check_tokens(score, made.tokens)
    names = np.array(TOKENIZER.vocabulary.fields[WHAT].tokens)[made.tokens[:, WHAT]].tolist()
    assert names.count("future") == 4


@pytest.mark.parametrize("bars", ["2", "3", "4-5", "2,4"])
def test_locked_bars_begin_with_the_pedal_as_it_was(note_runtime, bars):
    score = piece(quarters=32)
    for seed in range(3):
        result = rewritten(score, note_runtime, bars=bars, seed=seed).score
        for end in score.metre_map.bar_to_ticks([int(part[-1]) for part in bars.split(",")]):
            down = []
            for controls in (score.controls, result.controls):
                before = (controls.number == SUSTAIN_PEDAL) & (controls.track == 0) & (controls.time < end)
                down.append(controls.value[before][-1] >= SUSTAIN_PEDAL)
            assert down[0] == down[1]


def test_locked_rows_are_told_as_they_are(note_runtime):
    score = piece(quarters=24)
    encoded = split_bars(TOKENIZER.encode(score)[:-1].astype(np.int64), LAYOUT)
    told = split_bars(rewritten(score, note_runtime, bars="4").tokens, LAYOUT)
    assert np.array_equal(told[0], encoded[0])
    for bar in range(3):
        assert np.array_equal(told[1][bar][: len(encoded[1][bar])], encoded[1][bar])


def test_variations_differ_and_a_seed_repeats(note_runtime):
    score, config = piece(quarters=16), GenerationConfig(variations=2, seed=5)
    made = [
        generate(note_runtime(TOKENIZER), TOKENIZER, config, prompt=score, rewrite=Rewrite(bars="2")) for _ in range(2)
    ]
    assert made[0][0].score != made[0][1].score
    assert [each.score for each in made[0]] == [each.score for each in made[1]]
    assert rewritten(score, note_runtime, bars="2", seed=6, context=64).score == made[0][1].score


@pytest.mark.parametrize(
    ("rewrite", "message"),
    [
        ({}, "nothing is to be written"),
        ({"lock_bars": "1-"}, "nothing is to be written"),
        ({"lock_tracks": (1, 2, 3)}, "nothing is to be written"),
        ({"bars": "0"}, "not bars of this piece"),
        ({"bars": "13"}, "'13' of 12 bars"),
        ({"bars": "3-2"}, "not bars"),
        ({"bars": "a"}, "not bars"),
        ({"bars": "1,,2"}, "not bars"),
        ({"tracks": (4,)}, "track 4 has no notes"),
        ({"lock_tracks": (0,)}, "track 0 has no notes"),
        ({"add": ("flute",) * 14}, "16 tracks at most"),
        ({"add": ("nose flute",)}, "nose flute"),
    ],
)
def test_what_cannot_be_written_is_refused(note_runtime, rewrite, message):
    with pytest.raises(ConfigError, match=message):
        rewritten(piece(), note_runtime, **rewrite)


@pytest.mark.parametrize("both", [{"bars": "1", "lock_bars": "2"}, {"tracks": (1,), "lock_tracks": (2,)}])
def test_what_is_written_is_not_locked(both):
    with pytest.raises(ConfigError, match="either written or locked"):
        Rewrite.parse(both)


def test_more_than_sixteen_tracks_are_refused(note_runtime):
    notes = table(Notes, [(0, 100, 60, 80, track) for track in range(17)])
    score = Score(notes=notes, tracks=tuple(Track(track) for track in range(17)))
    with pytest.raises(ConfigError, match="16 tracks at most"):
        rewritten(score, note_runtime, bars="1")


def test_it_takes_a_piece_and_tokens_that_know_bars_and_tracks(note_runtime):
    with pytest.raises(ConfigError, match="no piece to rewrite"):
        rewritten(None, note_runtime, bars="1")
    for tokenizer in (EventTokenizer(), NoteTokenizer(NoteTokenizerConfig(clock="performed"))):
        with pytest.raises(ConfigError, match="bars and tracks"):
            generate(note_runtime(tokenizer), tokenizer, GenerationConfig(), prompt=piece(), rewrite=Rewrite(bars="1"))
