"""The note tokenizer as a whole: exact on its own grid for any score, total for any tokens, on both clocks."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from aurl.data.tokenizers import TOKENIZERS, NoteTokenizer, NoteTokenizerConfig
from aurl.music.midi import midi_bytes, read_midi
from aurl.music.score import (
    WHOLE_SCORE,
    Controls,
    KeySignatures,
    Notes,
    PitchBends,
    Score,
    Tempos,
    Texts,
    TimeSignatures,
    Track,
)

METRICAL = NoteTokenizer(NoteTokenizerConfig(styles=("Pop", "Jazz"), composers=("J. S. Bach",)))
NUDGED = NoteTokenizer(NoteTokenizerConfig(nudge=True))
PERFORMED = NoteTokenizer(NoteTokenizerConfig(clock="performed"))
TOKENIZERS_OF_ALL_KINDS = st.sampled_from([METRICAL, NUDGED, PERFORMED])


few = settings(max_examples=20)


def names(tokenizer, tokens):
    """Each row as the names of its fields, those that are `none` left out."""
    fields = tokenizer.vocabulary.fields
    rows = [[field.tokens[value] for field, value in zip(fields, row, strict=True)] for row in tokens]
    return [" ".join(name for name in row if name != "none") for row in rows]


def table(kind, rows):
    """A table from a list of tuples in the order of its columns."""
    columns = zip(*rows, strict=True) if rows else [[]] * len(kind.DTYPES)
    return kind(*(np.array(column, kind.DTYPES[name]) for name, column in zip(kind.DTYPES, columns, strict=True)))


@st.composite
def scores(draw):
    """Scores with crowded voices, up to 20 tracks, odd metres that cut bars short, labels and pedals."""
    programs = st.sampled_from([0, 5, 40, 127])
    tracks = draw(st.lists(st.builds(Track, programs, st.booleans()), min_size=1, max_size=20))
    track, tick = st.integers(0, len(tracks) - 1), st.one_of(st.integers(0, 300), st.integers(0, 20_000))
    pitch = st.one_of(st.sampled_from([60, 64, 0, 127]), st.integers(0, 127))
    notes = st.tuples(tick, st.integers(0, 4_000), pitch, st.integers(1, 127), track)
    tempos = st.tuples(tick, st.integers(100_000, 3_000_000))
    metres = st.tuples(tick, st.integers(0, 20), st.sampled_from([0, 1, 2, 4, 8, 16, 32, 64]))
    controls = st.tuples(tick, track, st.sampled_from([64, 64, 64, 7]), st.integers(0, 127))
    labels = st.sampled_from([
        ("chord", "Am7"), ("chord", "C/E"), ("chord", "N.C."), ("chord", "?"), ("key", "F# minor"), ("key", "H"),
        ("section", "A"), ("section", "intro"), ("section", "?"), ("marker", "verse"),
    ])  # fmt: skip
    texts = [(time, WHOLE_SCORE, *label) for time, label in draw(st.lists(st.tuples(tick, labels), max_size=5))]
    return Score(
        ticks_per_beat=draw(st.sampled_from([24, 96, 480, 1023])),
        tracks=tuple(tracks),
        notes=table(Notes, draw(st.lists(notes, max_size=12))),
        tempos=table(Tempos, draw(st.lists(tempos, max_size=3))),
        time_signatures=table(TimeSignatures, draw(st.lists(metres, max_size=3))),
        key_signatures=table(KeySignatures, [(0, -2, True)]),
        controls=table(Controls, draw(st.lists(controls, max_size=6))),
        texts=table(Texts, texts),
        metadata=draw(st.sampled_from([{}, {"genre": "POP", "composer": "J. S. Bach"}, {"genre": "Noise"}])),
    )


@given(scores(), TOKENIZERS_OF_ALL_KINDS)
def test_decoding_what_was_encoded_gives_the_canonical_score(score, tokenizer):
    canonical, _ = tokenizer.canonical(score)
    decoded = tokenizer.decode(tokenizer.encode(score))
    assert decoded == canonical
    assert decoded.metadata == canonical.metadata


@few
@given(scores(), TOKENIZERS_OF_ALL_KINDS)
def test_a_score_and_its_canonical_form_have_the_same_tokens(score, tokenizer):
    canonical, _ = tokenizer.canonical(score)
    assert np.array_equal(tokenizer.encode(score), tokenizer.encode(canonical))


@few
@given(scores(), TOKENIZERS_OF_ALL_KINDS)
def test_a_canonical_score_is_canonical_already_and_loses_nothing(score, tokenizer):
    canonical, _ = tokenizer.canonical(score)
    again, report = tokenizer.canonical(canonical)
    assert again == canonical
    lost = {name: count for name, count in report.counts.items() if count}
    assert not lost


@few
@given(scores(), TOKENIZERS_OF_ALL_KINDS)
def test_whatever_is_encoded_is_legal(score, tokenizer):
    assert tokenizer.grammar.first_illegal(tokenizer.encode(score)) is None


@few
@given(scores(), TOKENIZERS_OF_ALL_KINDS)
def test_a_note_is_a_row(score, tokenizer):
    canonical, _ = tokenizer.canonical(score)
    assert tokenizer.note_count(tokenizer.encode(score)) == len(canonical.notes)


@few
@given(scores(), TOKENIZERS_OF_ALL_KINDS, st.data())
def test_a_window_of_a_piece_decodes_to_a_canonical_score(score, tokenizer, data):
    tokens = tokenizer.encode(score)
    start = data.draw(st.integers(0, len(tokens) - 1))
    window = tokens[start : start + data.draw(st.integers(0, len(tokens)))]
    decoded = tokenizer.decode(window)
    assert tokenizer.canonical(decoded)[0] == decoded
    assert len(decoded.notes) <= tokenizer.note_count(window)


@given(st.data(), TOKENIZERS_OF_ALL_KINDS)
def test_any_integers_decode_to_a_canonical_score_and_are_on_the_clock(data, tokenizer):
    sizes = tokenizer.vocabulary.sizes
    count = data.draw(st.integers(0, 60))
    columns = [data.draw(arrays(np.int64, count, elements=st.integers(-1, size))) for size in sizes]
    tokens = np.stack(columns, axis=1)
    decoded = tokenizer.decode(tokens)
    assert tokenizer.canonical(decoded)[0] == decoded
    clock = tokenizer.clock(tokens)
    assert len(clock.seconds) == len(clock.beats) == len(clock.bars) == count
    for times in (clock.seconds, clock.beats, clock.bars):
        assert (np.diff(times) >= 0).all()


def small_score():
    return Score(
        ticks_per_beat=480,
        tracks=(Track(40, name="tune"), Track(0, True)),
        tempos=table(Tempos, [(0, 600_000), (1440, 500_000)]),
        time_signatures=table(TimeSignatures, [(0, 3, 4)]),
        notes=table(Notes, [(0, 480, 72, 66, 0), (480, 960, 74, 100, 0), (480, 60, 38, 66, 1), (1600, 80, 72, 2, 0)]),
        texts=table(Texts, [(0, -1, "key", "D major"), (0, -1, "chord", "D"), (480, -1, "chord", "G/B")]),
        controls=table(Controls, [(480, 0, 64, 127), (960, 0, 64, 0)]),
        metadata={"genre": "jazz"},
    )


def test_a_bar_line_and_its_notes_have_exactly_these_rows():
    assert names(METRICAL, METRICAL.encode(small_score())) == [
        "start", "bars:2", "style:Jazz", "composer:free", "density:<1.5", "polyphony:1", "key:D major",
        "metre:3/4", "tempo:100", "program:Violin", "program:Drums",
        "bar", "position:0 chord:D", "position:0 track:0 pitch:72 duration:24 velocity:66",
        "position:24 chord:G", "position:24 track:0 sustain:on",
        "position:24 track:0 pitch:74 duration:48 velocity:102",
        "position:24 track:1 drum:38 duration:3 velocity:66",
        "position:48 track:0 sustain:off",
        "bar", "position:0 tempo:120", "position:8 track:0 pitch:72 duration:4 velocity:2", "end",
    ]  # fmt: skip


def test_the_performed_clock_has_shifts_and_no_bars():
    rows = names(PERFORMED, PERFORMED.encode(small_score()))
    assert rows[:9] == [
        "start", "style:free", "composer:free", "density:<2", "polyphony:1", "key:D major", "tempo:100",
        "program:Violin", "program:Drums",
    ]  # fmt: skip
    assert rows[9:12] == [
        "shift:0 chord:D", "shift:0 track:0 pitch:72 duration:38 velocity:66", "shift:38 chord:G",
    ]  # fmt: skip
    assert not any("bar" in row or "metre" in row for row in rows)


def test_long_silences_wait():
    notes = table(Notes, [(0, 15, 60, 66, 0), (15 * (2 * 511 + 5), 15, 60, 66, 0)])
    score = Score(ticks_per_beat=480, tracks=(Track(),), notes=notes)  # 15 ticks are a step at 120 bpm
    rows = names(PERFORMED, PERFORMED.encode(score))
    assert [row.split()[:2] for row in rows[-4:-1]] == [
        ["shift:511", "wait"], ["shift:511", "wait"], ["shift:5", "track:0"],
    ]  # fmt: skip


def test_empty_bars_are_rows_too():
    notes = table(Notes, [(0, 480, 60, 66, 0), (480 * 13, 480, 60, 66, 0)])
    tokens = METRICAL.encode(Score(tracks=(Track(),), notes=notes))
    assert names(METRICAL, tokens).count("bar") == 4
    assert METRICAL.clock(tokens).bars[-1] == 4


def test_a_piece_without_notes_has_one_bar():
    assert names(METRICAL, METRICAL.encode(Score()))[-3:] == ["tempo:120", "bar", "end"]


@pytest.mark.parametrize(
    ("given_metres", "told"),
    [
        ([(0, 4, 4), (960, 3, 4)], ["2/4", "3/4"]),  # cut in the middle
        ([(0, 12, 4)], ["6/4"]),  # two of them
        ([(0, 6, 8)], ["6/8"]),
        ([(0, 5, 32)], ["3/16"]),  # filled up to the next sixteenth
        ([(0, 4, 4), (1, 3, 4)], ["3/4"]),  # of no length
    ],
)
def test_bars_become_bars_of_known_metres(given_metres, told):
    notes = table(Notes, [(0, 480, 60, 66, 0), (480 * 11, 480, 62, 66, 0)])
    score = Score(notes=notes, tracks=(Track(),), time_signatures=table(TimeSignatures, given_metres))
    rows = names(METRICAL, METRICAL.encode(score))
    assert [row.removeprefix("metre:") for row in rows if row.startswith("metre")] == told


def test_triplets_and_thirty_seconds_are_exact():
    onset = np.array([0, 160, 320, 480, 540, 600, 660])
    same = np.full(7, 60)
    score = Score(notes=Notes(onset, same, same, same, same * 0), tracks=(Track(),))
    assert METRICAL.canonical(score)[0].notes.onset.tolist() == onset.tolist()


def test_nudges_keep_a_performance_within_an_eighth_of_a_step():
    random = np.random.default_rng(0)
    onset, same = np.sort(random.integers(0, 20_000, 300)), np.full(300, 60)
    score = Score(notes=Notes(onset, same, random.integers(0, 128, 300), same, same * 0), tracks=(Track(),))
    assert METRICAL.canonical(score)[1].errors["onset_error_quarters"] == pytest.approx(0.5 / 24)
    assert NUDGED.canonical(score)[1].errors["onset_error_quarters"] <= 0.5 / 96


def test_a_nudged_note_ends_before_its_voice_starts_again():
    notes = table(Notes, [(0, 480, 60, 66, 0), (485, 475, 60, 66, 0), (950, 480, 60, 66, 0), (955, 400, 62, 66, 0)])
    notes = NUDGED.canonical(Score(notes=notes, tracks=(Track(),)))[0].notes
    same = notes.take(notes.pitch == 60)
    assert same.onset.tolist() == [0, 485, 950]
    assert same.end.tolist() == [480, 950, 1440]
    again = NUDGED.decode(NUDGED.encode(read_midi(midi_bytes(Score(notes=notes, tracks=(Track(),))))))
    assert again.notes.end.tolist() == notes.end.tolist()


def test_one_pitch_on_two_tracks_is_two_notes():
    notes = table(Notes, [(0, 480, 60, 66, 0), (0, 480, 60, 66, 1), (0, 240, 60, 70, 1)])
    canonical, report = METRICAL.canonical(Score(notes=notes, tracks=(Track(0), Track(0))))
    assert len(canonical.notes) == 2
    assert report.counts["notes_merged"] == 1


def test_tracks_beyond_sixteen_join_the_one_of_the_nearest_program():
    tracks = (*(Track(8 * n) for n in range(16)), Track(9), Track(0, True))
    rows = [(240 * n, 240, 60, 66, track) for track in range(16) for n in range(1 + (track > 0))]
    rows += [(4_800, 240, 61, 66, 16), (4_800, 240, 36, 66, 17)]
    score = Score(notes=table(Notes, rows), tracks=tracks)
    canonical, report = METRICAL.canonical(score)
    assert [track.program for track in canonical.tracks] == [*range(8, 128, 8), 0]
    assert canonical.tracks[-1].is_drum
    assert report.counts["tracks_merged"] == 2
    assert canonical.notes.track[canonical.notes.pitch == 61].tolist() == [0]  # program 9 joins program 8
    assert len(canonical.notes) == len(rows) - 1  # track 0 joins program 8 as well, and one of its notes is there


@pytest.mark.parametrize("tokenizer", [METRICAL, PERFORMED])
def test_the_report_counts_what_is_lost(tokenizer):
    score = Score(
        tracks=(Track(12, True, "kit"), Track(3)),
        notes=table(Notes, [(0, 480, 60, 66, 0), (0, 480 * 40, 62, 65, 0)]),
        tempos=table(Tempos, [(0, 500_000), (480, 500_000), (960, 555_000)]),
        time_signatures=table(TimeSignatures, [(0, 10, 4)]),
        key_signatures=table(KeySignatures, [(0, 1, False)]),
        controls=table(Controls, [(0, 0, 64, 100), (0, 0, 7, 90)]),
        pitch_bends=table(PitchBends, [(0, 0, 5)]),
        texts=table(Texts, [(0, -1, "chord", "C/E"), (0, -1, "chord", "???"), (0, -1, "lyric", "la"),
                            (0, -1, "section", "verse")]),
    )  # fmt: skip
    counts = tokenizer.canonical(score)[1].counts
    ones = ("velocities_rounded", "tempos_rounded", "tempos_repeated", "texts", "chord_basses", "chords_not_understood",
            "sections_renamed", "pedal_values_rounded", "controls", "tracks_dropped", "programs_changed",
            "track_names_changed", "key_signatures", "pitch_bends")  # fmt: skip
    assert {name: counts[name] for name in ones} == dict.fromkeys(ones, 1)
    assert counts["notes_shortened"] + counts["durations_rounded"] == 1
    assert counts["bars_changed"] == (5 if tokenizer is METRICAL else 0)
    assert counts["time_signatures"] == (0 if tokenizer is METRICAL else 1)


def test_clock_tells_seconds_beats_and_bars():
    tokens = METRICAL.encode(small_score())
    clock = METRICAL.clock(tokens)
    at = names(METRICAL, tokens).index("bar", 12)
    assert (clock.seconds[at], clock.beats[at], clock.bars[at]) == (pytest.approx(1.8), 3, 1)
    assert (clock.seconds[-1], clock.beats[-1], clock.bars[-1]) == (pytest.approx(1.8 + 1.5), 6, 2)
    performed = PERFORMED.clock(PERFORMED.encode(small_score()))
    assert performed.seconds[-1] == pytest.approx(1.8 + 160 / 960, abs=1 / 64)
    assert performed.beats[-1] == pytest.approx(3 + 160 / 480, abs=0.05)


@pytest.mark.parametrize("tokenizer", [METRICAL, NUDGED, PERFORMED])
def test_fields_without_a_choice_are_masked(tokenizer):
    tokens = tokenizer.encode(small_score())
    for name, counted in zip(names(tokenizer, tokens), tokenizer.field_mask(tokens).tolist(), strict=True):
        is_note, is_timed = "velocity" in name, "position" in name or "shift" in name
        assert counted == [True, is_timed, True] + [is_note] * (len(counted) - 3)
    assert (tokens[~tokenizer.field_mask(tokens)] == 0).all()


@few
@given(scores(), TOKENIZERS_OF_ALL_KINDS, st.data())
def test_a_masked_field_is_forced_by_the_grammar(score, tokenizer, data):
    tokens = tokenizer.encode(score).astype(np.int64)
    row = data.draw(st.integers(0, len(tokens) - 1))
    state = tokenizer.grammar.initial
    for before in tokens[:row]:
        state = tokenizer.grammar.advance(state, before.tolist())
    for field, counted in enumerate(tokenizer.field_mask(tokens[row])):
        if not counted:
            assert tokenizer.grammar.mask(state, field, tokens[row, :field].tolist()).sum() == 1


@few
@given(scores(), TOKENIZERS_OF_ALL_KINDS, st.data())
def test_a_window_has_its_size_and_says_what_is_in_force(score, tokenizer, data):
    tokens = tokenizer.encode(score)
    start = data.draw(st.integers(0, len(tokens) - 1))
    window = tokenizer.window(tokens, start, len(tokens))
    assert len(window) == len(tokens) - start
    known = len(tokenizer.preamble(tokens, start))
    if start > 0 and start + known < len(tokens):
        assert np.array_equal(window[known:], tokens[start + known :])
        programs = [name for name in names(tokenizer, tokens) if name.startswith("program")]
        assert [name for name in names(tokenizer, window[:known]) if name.startswith("program")] == programs


def test_a_preamble_tells_metre_tempo_and_key_as_they_are_there():
    score = Score(
        tracks=(Track(40),), notes=table(Notes, [(480 * n, 480, 60 + n, 66, 0) for n in range(12)]),
        tempos=table(Tempos, [(0, 500_000), (1920, 600_000)]),
        time_signatures=table(TimeSignatures, [(0, 4, 4), (1920, 3, 4)]),
        texts=table(Texts, [(1920, -1, "key", "A minor")]),
    )  # fmt: skip
    tokens = METRICAL.encode(score)
    assert names(METRICAL, METRICAL.preamble(tokens, len(tokens) - 3)) == [
        "bars:4", "style:free", "composer:free", "density:<1.5", "polyphony:1", "key:A minor", "metre:3/4", "tempo:100",
        "program:Violin", "bar",
    ]  # fmt: skip


def test_an_opening_is_the_start_or_a_prompt_without_its_end():
    for tokenizer in (METRICAL, PERFORMED):
        assert names(tokenizer, tokenizer.opening(None)) == ["start"]
        assert np.array_equal(tokenizer.opening(small_score()), tokenizer.encode(small_score())[:-1])


def test_fingerprints_tell_configs_apart_and_copies_do_not():
    prints = {tokenizer.fingerprint for tokenizer in (METRICAL, NUDGED, PERFORMED, NoteTokenizer())}
    assert len(prints) == 4
    assert pickle.loads(pickle.dumps(METRICAL)).fingerprint == METRICAL.fingerprint


def test_it_is_built_by_name():
    tokenizer = TOKENIZERS.build(TOKENIZERS.parse({"name": "note", "clock": "performed"}))
    assert tokenizer.vocabulary.sizes == PERFORMED.vocabulary.sizes
    assert " ".join(field.name for field in NUDGED.vocabulary.fields) == "when who what how_long how_loud nudge"
