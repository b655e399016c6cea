"""The event tokenizer as a whole: exact on its own grid for any score, total for any tokens."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from aurl.data.tokenizers import EventTokenizer
from aurl.data.tokenizers import event_vocabulary as ev
from aurl.music.score import Controls, KeySignatures, Notes, Score, Tempos, Texts, TimeSignatures, Track

TOKENIZER = EventTokenizer()
NAMES = TOKENIZER.vocabulary.fields[0].tokens


def names(tokens):
    return [NAMES[value] for value in tokens[:, 0]]


def ids(text):
    return np.array([NAMES.index(name) for name in text.split()], np.uint16)[:, None]


def table(kind, rows):
    """A table from a list of tuples in the order of its columns."""
    columns = zip(*rows, strict=True) if rows else [[]] * len(kind.DTYPES)
    return kind(*(np.array(column, kind.DTYPES[name]) for name, column in zip(kind.DTYPES, columns, strict=True)))


@st.composite
def scores(draw):
    """Scores with crowded voices, few enough pitches and onsets that notes repeat and overlap."""
    programs = st.sampled_from([0, 5, 40, 96, 127])
    tracks = draw(st.lists(st.builds(Track, programs, st.booleans()), min_size=1, max_size=4))
    track, tick = st.integers(0, len(tracks) - 1), st.one_of(st.integers(0, 300), st.integers(0, 40_000))
    pitch = st.one_of(st.sampled_from([60, 64, 21, 108]), st.integers(0, 127))
    notes = st.tuples(tick, st.integers(0, 2_000), pitch, st.integers(1, 127), track)
    tempos = st.tuples(tick, st.integers(100_000, 2_000_000))
    controls = st.tuples(tick, track, st.sampled_from([64, 64, 64, 7]), st.integers(0, 127))
    return Score(
        ticks_per_beat=draw(st.sampled_from([24, 96, 480, 1023])),
        tracks=tuple(tracks),
        notes=table(Notes, draw(st.lists(notes, max_size=30))),
        tempos=table(Tempos, draw(st.lists(tempos, max_size=6))),
        controls=table(Controls, draw(st.lists(controls, max_size=12))),
        time_signatures=table(TimeSignatures, [(0, 3, 4)]),
        key_signatures=table(KeySignatures, [(0, -2, True)]),
        texts=table(Texts, [(0, -1, "marker", "verse")]),
    )


@given(scores())
def test_decoding_what_was_encoded_gives_the_canonical_score(score):
    canonical, _ = TOKENIZER.canonical(score)
    assert TOKENIZER.decode(TOKENIZER.encode(canonical)) == canonical


@given(scores())
def test_a_score_and_its_canonical_form_have_the_same_tokens(score):
    canonical, _ = TOKENIZER.canonical(score)
    assert np.array_equal(TOKENIZER.encode(score), TOKENIZER.encode(canonical))


@given(scores())
def test_a_canonical_score_is_canonical_already_and_loses_nothing(score):
    canonical, _ = TOKENIZER.canonical(score)
    again, report = TOKENIZER.canonical(canonical)
    assert again == canonical
    assert not any(report.counts.values())


@given(scores())
def test_whatever_is_encoded_is_legal(score):
    assert TOKENIZER.grammar.first_illegal(TOKENIZER.encode(score)) is None


@given(scores())
def test_canonical_onsets_are_whole_steps_at_most_half_a_step_away(score):
    canonical, report = TOKENIZER.canonical(score)
    steps = canonical.tempo_map.ticks_to_seconds(canonical.notes.onset) * 64
    assert np.abs(steps - np.rint(steps)).max(initial=0) < 2 / 15
    assert report.errors["onset_error_seconds"] <= 1 / 128 + 1e-9


@given(scores(), st.data())
def test_a_window_of_a_piece_decodes_and_keeps_what_it_says(score, data):
    tokens = TOKENIZER.encode(score)
    start = data.draw(st.integers(0, len(tokens) - 1))
    window = tokens[start : start + data.draw(st.integers(0, len(tokens)))]
    decoded = TOKENIZER.decode(window)
    assert len(decoded.notes) == TOKENIZER.note_count(window)
    assert TOKENIZER.canonical(decoded)[0] == decoded


@given(arrays(st.sampled_from([np.uint16, np.int64, np.int8, np.uint64]), st.integers(0, 200)))
def test_any_integers_decode_to_a_canonical_score(tokens):
    decoded = TOKENIZER.decode(tokens[:, None])
    assert TOKENIZER.canonical(decoded)[0] == decoded


@given(arrays(np.uint16, st.integers(0, 300), elements=st.integers(2, ev.SIZE + 2)))
def test_any_ids_decode_to_a_canonical_score_and_are_on_the_clock(tokens):
    decoded = TOKENIZER.decode(tokens[:, None])
    assert TOKENIZER.canonical(decoded)[0] == decoded
    clock = TOKENIZER.clock(tokens[:, None])
    assert (np.diff(clock.seconds) >= 0).all()
    assert (np.diff(clock.beats) >= 0).all()


def test_three_notes_have_exactly_these_tokens():
    score = Score(
        ticks_per_beat=480,
        tracks=(Track(3), Track(33)),
        tempos=Tempos(np.array([0]), np.array([600_000])),
        notes=table(Notes, [(0, 240, 60, 65, 0), (240, 480, 64, 66, 0), (240, 6_400, 36, 100, 1)]),
        controls=table(Controls, [(240, 0, 64, 127), (720, 0, 64, 0)]),
    )
    assert names(TOKENIZER.encode(score)) == [
        "start", "tempo:100", "instrument:Piano", "velocity:66", "note_on:60",
        "shift:19", "note_off:60", "sustain:on", "note_on:64", "instrument:Bass", "velocity:102", "note_on:36",
        "shift:39", "instrument:Piano", "note_off:64", "sustain:off",
        "shift:473", "instrument:Bass", "note_off:36", "end",
    ]  # fmt: skip


def test_tokens_are_16_bit_rows_of_one_field():
    tokens = TOKENIZER.encode(Score())
    assert tokens.dtype == np.uint16
    assert tokens.shape == (3, 1)
    assert names(tokens) == ["start", "tempo:120", "end"]


def test_long_silences_are_full_shifts_and_then_the_rest():
    notes = table(Notes, [(0, 15, 60, 66, 0), (15 + 15 * (2 * 512 + 7), 15 * 1024, 60, 66, 0)])
    score = Score(ticks_per_beat=480, tracks=(Track(),), notes=notes)  # 15 ticks are a step at 120 bpm
    assert [name for name in names(TOKENIZER.encode(score)) if "shift" in name] == [
        "shift:1", "shift:512", "shift:512", "shift:7", "shift:512", "shift:512",
    ]  # fmt: skip


def test_thousands_of_tempo_changes_do_not_drift():
    random = np.random.default_rng(0)
    time, tempo = np.arange(4_000) * 37, random.integers(290_000, 1_100_000, 4_000)
    onset = np.sort(random.integers(0, 37 * 4_000, 2_000))
    columns = (np.full(2_000, 60), random.integers(21, 109, 2_000), np.full(2_000, 70), np.zeros(2_000, int))
    score = Score(tempos=Tempos(time, tempo), notes=Notes(onset, *columns), tracks=(Track(),))
    canonical, report = TOKENIZER.canonical(score)
    assert len(canonical.tempos) > 3_000
    assert TOKENIZER.decode(TOKENIZER.encode(canonical)) == canonical
    assert np.array_equal(TOKENIZER.encode(score), TOKENIZER.encode(canonical))
    end, canonical_end = (s.tempo_map.ticks_to_seconds(s.notes.onset[-1:])[0] for s in (score, canonical))
    assert abs(end - canonical_end) < 0.009
    assert report.errors["onset_error_seconds"] < 0.0079


def test_music_beyond_twelve_days_is_left_out_and_counted():
    notes = table(Notes, [(0, 100, 60, 66, 0), (1_000, 2**30, 62, 66, 0), (2**30, 100, 64, 66, 0)])
    score = Score(ticks_per_beat=24, tracks=(Track(),), notes=notes)
    canonical, report = TOKENIZER.canonical(score)
    assert canonical.notes.pitch.tolist() == [60, 62]
    assert report.counts["notes_beyond_the_clock"] == 1
    assert TOKENIZER.decode(TOKENIZER.encode(score)) == canonical


def test_tokens_of_more_than_twelve_days_end_there():
    days = np.full(2**26 // 512 + 100, ev.VELOCITY - 1, np.uint16)
    tokens = np.concatenate([ids("note_on:60")[:, 0], days, ids("note_off:60 note_on:62 shift:1 note_off:62")[:, 0]])
    decoded = TOKENIZER.decode(tokens[:, None])
    assert decoded.notes.pitch.tolist() == [60]
    assert TOKENIZER.canonical(decoded)[0] == decoded


def test_decoding_stops_at_the_first_end():
    tokens = ids("note_on:60 shift:8 note_off:60 end note_on:62 shift:8 note_off:62")
    assert TOKENIZER.decode(tokens).notes.pitch.tolist() == [60]


def test_without_an_instrument_and_a_velocity_notes_are_for_piano_and_mezzoforte():
    decoded = TOKENIZER.decode(ids("note_on:60 shift:8 note_off:60"))
    assert decoded.tracks == (Track(0, False, "Piano"),)
    assert decoded.notes.velocity.tolist() == [66]
    assert decoded.tempos.bpm.tolist() == [120]


def test_an_open_note_ends_with_the_piece_and_lasts_a_step_at_least():
    decoded = TOKENIZER.decode(ids("note_on:60 shift:8 note_on:62"))
    assert (decoded.notes.duration * 64 / 960).tolist() == [8, 1]


def test_a_note_off_without_a_note_is_passed_over():
    assert len(TOKENIZER.decode(ids("note_off:60 shift:8 instrument:Bass note_off:62")).notes) == 0


def test_a_note_on_while_it_sounds_strikes_again():
    decoded = TOKENIZER.decode(ids("note_on:60 shift:8 note_on:60 shift:16 note_off:60"))
    assert (decoded.notes.onset * 64 / 960).tolist() == [0, 8]
    assert (decoded.notes.duration * 64 / 960).tolist() == [8, 16]


def test_unknown_ids_say_nothing():
    tokens = np.array([-5, ev.NOTE_ON, 99_999, ev.SHIFT, 774, ev.UNKNOWN, ev.NOTE_OFF])[:, None]
    assert TOKENIZER.decode(tokens) == TOKENIZER.decode(ids("note_on:21 shift:1 note_off:21"))
    assert TOKENIZER.note_count(tokens) == 1


def test_tracks_of_one_family_become_one_named_after_it():
    notes = table(Notes, [(0, 480, 60, 66, 0), (0, 480, 64, 66, 1), (0, 480, 40, 66, 2)])
    canonical, _ = TOKENIZER.canonical(Score(tracks=(Track(40), Track(47), Track(0, True)), notes=notes))
    assert canonical.tracks == (Track(40, False, "Strings"), Track(0, True, "Drums"))
    assert canonical.notes.track.tolist() == [0, 0, 1]


def test_equal_notes_merge_into_the_longest_and_loudest():
    notes = table(Notes, [(0, 480, 60, 100, 0), (1, 960, 60, 20, 1)])
    canonical, _ = TOKENIZER.canonical(Score(tracks=(Track(), Track()), notes=notes))
    assert (canonical.notes.duration.tolist(), canonical.notes.velocity.tolist()) == ([960], [102])


def test_an_overlap_is_cut_at_the_next_onset_of_the_same_pitch_only():
    notes = table(Notes, [(0, 960, 60, 66, 0), (480, 960, 60, 66, 0), (240, 960, 61, 66, 0)])
    canonical, _ = TOKENIZER.canonical(Score(tracks=(Track(),), notes=notes))
    assert canonical.notes.duration.tolist() == [480, 960, 960]


def test_pedals_keep_the_last_state_of_a_step_and_no_repetitions():
    changes = [(0, 0), (480, 64), (481, 100), (960, 127), (1440, 0), (1441, 127), (1920, 63)]
    controls = table(Controls, [(time, 0, 64, value) for time, value in changes])
    notes = table(Notes, [(0, 1920, 60, 66, 0)])
    canonical, _ = TOKENIZER.canonical(Score(tracks=(Track(),), notes=notes, controls=controls))
    assert canonical.controls.time.tolist() == [480, 1920]
    assert canonical.controls.value.tolist() == [127, 0]


def test_the_clock_tells_seconds_beats_and_bars_of_four():
    tokens = ids("start tempo:120 note_on:60 shift:64 note_off:60 shift:512 tempo:60 shift:192 note_on:60 end")
    clock = TOKENIZER.clock(tokens)
    assert clock.seconds.tolist() == [0, 0, 0, 1, 1, 9, 9, 12, 12, 12]
    assert clock.beats.tolist() == [0, 0, 0, 2, 2, 18, 18, 21, 21, 21]
    assert clock.bars.tolist() == [0, 0, 0, 0, 0, 4, 4, 5, 5, 5]
    assert clock.bars.dtype == np.int64


def test_the_clock_runs_at_120_before_any_tempo():
    assert TOKENIZER.clock(ids("shift:64 tempo:60 shift:64")).beats.tolist() == [2, 2, 3]
    assert len(TOKENIZER.clock(np.zeros((0, 1), np.uint16)).bars) == 0


def test_note_count_counts_note_ons():
    assert TOKENIZER.note_count(ids("note_on:60 note_off:60 note_on:108 sustain:on note_on:21 note_off:21")) == 3


@pytest.mark.parametrize("tokens", [np.zeros(0, np.uint16), np.zeros((0, 1), np.int64), ids("start end pad pad")])
def test_nothing_decodes_to_an_empty_score_at_120(tokens):
    decoded = TOKENIZER.decode(tokens)
    assert (len(decoded.notes), decoded.tracks, decoded.tempos.bpm.tolist()) == (0, (), [120])


def test_a_tokenizer_crosses_to_another_process():
    other = pickle.loads(pickle.dumps(TOKENIZER))
    assert other.fingerprint == TOKENIZER.fingerprint
    assert np.array_equal(other.encode(Score()), TOKENIZER.encode(Score()))


def test_a_window_inside_a_piece_is_told_tempo_and_instrument():
    tokens = ids(
        "start tempo:100 instrument:Bass velocity:66 note_on:60 shift:5 note_off:60 tempo:90 note_on:62 shift:1 end"
    )
    assert names(TOKENIZER.preamble(tokens, 6)) == ["tempo:100", "instrument:Bass"]
    assert names(TOKENIZER.window(tokens, 6, 11)) == ["tempo:90", "instrument:Bass", "note_on:62", "shift:1", "end"]
    assert np.array_equal(TOKENIZER.window(tokens, 0, 4), tokens[:4])
    assert np.array_equal(TOKENIZER.window(tokens, 9, 11), tokens[9:])
    assert names(TOKENIZER.preamble(tokens[:1], 1)) == ["tempo:120", "instrument:Piano"]


def test_every_field_of_an_event_is_a_choice():
    assert TOKENIZER.field_mask(TOKENIZER.encode(Score())).all()
