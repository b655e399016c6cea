import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurl.data.rows import (
    SCORE_FIELDS,
    STRING_MAP,
    TABLES,
    RowReader,
    Strings,
    content_hash,
    note_hash,
    score_columns,
    string_map,
)
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

TICK = st.integers(0, 2**31 - 1)
BYTE = st.integers(0, 127)
TEXT = st.text(max_size=6)


def table_of(kind, *columns, max_size=4):
    def build(rows):
        return kind(*(np.array([row[c] for row in rows] + [None], object)[:-1] for c in range(len(columns))))

    def typed(table_rows):
        if kind is Texts:
            return build(table_rows)
        return kind(*(np.array([row[c] for row in table_rows], dtype) for c, dtype in enumerate(kind.DTYPES.values())))

    return st.lists(st.tuples(*columns), max_size=max_size).map(typed)


@st.composite
def scores(draw):
    tracks = draw(st.lists(st.builds(Track, BYTE, st.booleans(), TEXT), min_size=1, max_size=3))
    track = st.integers(0, len(tracks) - 1)
    return Score(
        ticks_per_beat=draw(st.integers(1, 32767)),
        notes=draw(table_of(Notes, TICK, TICK, BYTE, BYTE, track, max_size=12)),
        tracks=tuple(tracks),
        tempos=draw(table_of(Tempos, TICK, st.integers(0, 2**24))),
        time_signatures=draw(table_of(TimeSignatures, TICK, st.integers(0, 255), st.integers(0, 255))),
        key_signatures=draw(table_of(KeySignatures, TICK, st.integers(-7, 7), st.booleans())),
        controls=draw(table_of(Controls, TICK, track, BYTE, BYTE)),
        pitch_bends=draw(table_of(PitchBends, TICK, track, st.integers(-8192, 8191))),
        texts=draw(
            table_of(Texts, TICK, st.integers(WHOLE_SCORE, len(tracks) - 1), st.sampled_from(["lyric", "chord"]), TEXT)
        ),
        metadata=draw(st.dictionaries(TEXT, TEXT, max_size=3)),
    )


def batch_of(pieces):
    columns = score_columns(pieces)
    columns["metadata"] = pa.array([string_map(score.metadata) for score in pieces], STRING_MAP)
    columns["title"] = pa.array(["A title", None] * len(pieces))[: len(pieces)]
    return pa.RecordBatch.from_pydict(columns)


def chord(*pitches, beat=480, **fields):
    count = len(pitches)
    columns = np.arange(count) * beat, np.full(count, beat), np.array(pitches), np.full(count, 64), np.zeros(count, int)
    return Score(beat, Notes(*columns), (Track(),), **fields)


@given(st.lists(scores(), min_size=1, max_size=4))
def test_scores_come_back_equal(pieces):
    reader = RowReader(batch_of(pieces))
    for row, score in enumerate(pieces):
        read = reader.score(row)
        assert read == score
        assert read.tracks == score.tracks
        assert {name: table.dtype for name, table in read.notes.columns().items()} == Notes.DTYPES
        assert reader.metadata(row) == ({"title": "A title"} if row % 2 == 0 else {}) | dict(score.metadata)


def test_what_others_say_does_not_hide_what_the_corpus_says():
    reader = RowReader(batch_of([chord(60, metadata={"title": "another", "key": "C"})]))
    assert reader.metadata(0) == {"title": "A title", "key": "C"}


def test_a_score_read_back_can_be_worked_with():
    score = chord(60, 64, 67, tempos=Tempos([0], [600_000]))
    read = RowReader(batch_of([score])).score(0)
    assert read.duration_seconds == score.duration_seconds
    assert read.replace(ticks_per_beat=960).notes == score.notes


def test_notes_are_views_of_the_batch():
    batch = batch_of([chord(60), chord(62, 64)])
    pitches = batch.column("pitch").values.to_numpy()
    assert np.shares_memory(RowReader(batch).score(1).notes.pitch, pitches)


def test_every_table_of_a_score_is_stored():
    assert {*TABLES} == {*Score.table_names(), "tracks"}


def test_only_types_that_every_reader_knows_are_used():
    for field in SCORE_FIELDS[1:]:
        assert pa.types.is_list(field.type)
        assert pa.types.is_primitive(field.type.value_type) or field.type.value_type == pa.string()


@given(st.lists(st.none() | TEXT), st.integers(0, 5), st.integers(0, 5))
def test_strings_of_a_sliced_array_are_those_of_the_slice(texts, start, length):
    strings = Strings(pa.array(texts, pa.string()).slice(start, length))
    expected = [text or "" for text in texts[start : start + length]]
    assert strings[0 : len(expected)].tolist() == expected
    assert [strings.text(row) for row in range(len(expected))] == expected


@pytest.mark.parametrize(
    "change",
    [
        {"ticks_per_beat": 96},
        {"tracks": (Track(5),)},
        {"tempos": Tempos([0], [400_000])},
        {"texts": Texts([0], [WHOLE_SCORE], ["marker"], ["A"])},
        {"notes": chord(60, 65).notes},
        {"controls": Controls([0], [0], [64], [127])},
    ],
)
def test_the_content_hash_sees_every_change_but_metadata(change):
    score = chord(60, 64)
    assert content_hash(score.replace(**change)) != content_hash(score)
    assert content_hash(score.replace(metadata={"title": "x"})) == content_hash(score)


def test_copies_with_other_tracks_loudness_or_resolution_have_the_same_note_hash():
    score, fine = chord(60, 64), chord(60, 64, beat=960)
    notes = score.notes
    louder = Notes(notes.onset, notes.duration, notes.pitch, notes.velocity + 9, np.array([1, 0]))
    copy = score.replace(notes=louder, tracks=(Track(40), Track(41)))
    assert note_hash(copy) == note_hash(score) == note_hash(fine)
    assert note_hash(chord(60, 65)) != note_hash(score)
