import errno
import io
import os
from pathlib import Path

import mido
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mido import Message, MetaMessage

from aurl.music import midi
from aurl.music.midi import midi_bytes, read_midi, write_midi
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
from aurl.utils.errors import MidiError, StorageError

TICK = st.integers(0, 5000)
VALUE = st.integers(0, 127)
TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8)


def file_of(*tracks, ticks_per_beat=480):
    """Bytes of a MIDI file with `tracks`, each a list of mido messages."""
    file = mido.MidiFile(ticks_per_beat=ticks_per_beat, charset="latin1")
    file.tracks.extend(mido.MidiTrack(track) for track in tracks)
    buffer = io.BytesIO()
    file.save(file=buffer)
    return buffer.getvalue()


def on(pitch=60, wait=0, velocity=64, channel=0):
    return Message("note_on", note=pitch, velocity=velocity, channel=channel, time=wait)


def off(pitch=60, wait=0, channel=0):
    return Message("note_off", note=pitch, channel=channel, time=wait)


def rows(table):
    return list(zip(*(column.tolist() for column in table.columns().values()), strict=True))


def notes(*rows):
    return Notes(*np.array(rows).reshape(-1, 5).T)


def one_note(**tables):
    return Score(notes=notes((0, 1, 60, 90, 0)), tracks=(Track(),), **tables)


def table_of(draw, kind, *columns):
    drawn = draw(st.lists(st.tuples(*columns), max_size=12))
    return kind(*(np.array(column, object) for column in zip(*drawn, strict=True))) if drawn else kind.empty()


def as_midi_pairs(table):
    """Of each pitch of a track, the n-th note to begin is the n-th to end: all that MIDI can tell."""
    table = table.sorted()
    end = table.end.copy()
    for key in set(zip(table.track, table.pitch, strict=True)):
        of_key = (table.track == key[0]) & (table.pitch == key[1])
        end[of_key] = np.sort(end[of_key])
    return Notes(table.onset, end - table.onset, table.pitch, table.velocity, table.track)


@st.composite
def scores(draw):
    tracks = draw(st.lists(st.builds(Track, VALUE, st.booleans(), st.just("") | TEXT), min_size=1, max_size=20))
    track = st.integers(0, len(tracks) - 1)
    # a track is kept for its notes, so each has one
    one_each = [Notes([t], [1], [60], [1], [t]) for t in range(len(tracks))]
    more = table_of(draw, Notes, TICK, TICK, st.integers(58, 62), st.integers(1, 127), track)
    lyrics = table_of(draw, Texts, TICK, track, st.just("lyric"), TEXT)
    kinds = st.sampled_from(["marker", "chord", "key", "section"])
    markers = table_of(draw, Texts, TICK, st.just(WHOLE_SCORE), kinds, TEXT)
    return Score(
        draw(st.integers(1, 32767)),
        as_midi_pairs(Notes.join([*one_each, more])),
        tuple(tracks),
        table_of(draw, Tempos, TICK, st.integers(0, 2**24 - 1)),
        table_of(draw, TimeSignatures, TICK, st.integers(0, 255), st.sampled_from([1, 2, 4, 8, 16, 32, 64, 128])),
        table_of(draw, KeySignatures, TICK, st.integers(-7, 7), st.booleans()),
        table_of(draw, Controls, TICK, track, VALUE, VALUE),
        table_of(draw, PitchBends, TICK, track, st.integers(-8192, 8191)),
        Texts.join([markers, lyrics]),
    )


@given(scores())
def test_a_score_survives_midi(score):
    assert read_midi(midi_bytes(score)) == score


def test_a_file_survives_reading_and_writing(tmp_path):
    score = one_note(tempos=Tempos([0], [400_001]))
    write_midi(score, tmp_path / "a.mid")
    assert read_midi(tmp_path / "a.mid") == score == read_midi(str(tmp_path / "a.mid"))


def test_notes_keep_time_length_pitch_and_velocity():
    score = read_midi(file_of([on(60, 10, 7), off(60, 470), on(127, 0, 127), on(127, 5, 0)], ticks_per_beat=97))
    assert rows(score.notes) == [(10, 470, 60, 7, 0), (480, 5, 127, 127, 0)]
    assert score.ticks_per_beat == 97


def test_overlapping_notes_of_one_pitch_end_in_the_order_they_began():
    score = read_midi(file_of([on(60), on(60, 10), off(60, 10), off(60, 10)]))
    assert rows(score.notes) == [(0, 20, 60, 64, 0), (10, 20, 60, 64, 0)]
    assert read_midi(midi_bytes(score)) == score


def test_notes_without_length_survive():
    score = read_midi(file_of([on(60, 5), off(60), on(60), off(60, 7)]))
    assert rows(score.notes) == [(5, 0, 60, 64, 0), (5, 7, 60, 64, 0)]
    assert read_midi(midi_bytes(score)) == score


def test_tracks_alike_in_program_and_name_stay_apart():
    track = [MetaMessage("track_name", name="Violin"), Message("program_change", program=40), on(), off(wait=5)]
    score = read_midi(file_of(track, track))
    assert score.tracks == (Track(40, False, "Violin"),) * 2
    assert score.notes.track.tolist() == [0, 1]


def test_one_midi_track_parts_by_channel_and_program():
    changes = [on(), off(wait=5), Message("program_change", program=24), on(), off(wait=5)]
    drums = [on(channel=9), off(wait=5, channel=9)]
    score = read_midi(file_of([MetaMessage("track_name", name="all"), *changes, *drums]))
    assert score.tracks == (Track(0, False, "all"), Track(24, False, "all"), Track(0, True, "all"))
    assert read_midi(midi_bytes(score)) == score


def test_more_than_sixteen_tracks_stay_apart():
    tracks = tuple(Track(program, program == 7) for program in range(40))
    score = Score(notes=notes(*((0, 5, 60, 90, track) for track in range(40))), tracks=tracks)
    assert read_midi(midi_bytes(score)) == score


def test_controls_keep_their_order_within_a_tick():
    numbers = [101, 100, 6, 64, 0]
    score = read_midi(file_of([*(Message("control_change", control=n, value=n) for n in numbers), on(), off(wait=9)]))
    assert score.controls.number.tolist() == numbers
    assert len(score.pedals) == 1
    assert read_midi(midi_bytes(score)) == score


def test_bends_tempos_metres_and_keys_are_read():
    head = [
        MetaMessage("set_tempo", tempo=500_001),
        MetaMessage("set_tempo", tempo=1),
        MetaMessage("time_signature", numerator=7, denominator=128),
        MetaMessage("key_signature", key="F#m"),
    ]
    score = read_midi(file_of(head, [Message("pitchwheel", pitch=-8192), on(), off(wait=1)]))
    assert rows(score.tempos) == [(0, 500_001), (0, 1)]
    assert rows(score.time_signatures) == [(0, 7, 128)]
    assert rows(score.key_signatures) == [(0, 3, True)]
    assert rows(score.pitch_bends) == [(0, 0, -8192)]


def test_a_metre_over_more_than_a_byte_holds_is_dropped():
    data = file_of([MetaMessage("time_signature", numerator=4, denominator=4), on(), off(wait=1)])
    broken = data.replace(b"\xff\x58\x04\x04\x02", b"\xff\x58\x04\x04\x09")
    assert broken != data
    assert len(read_midi(broken).time_signatures) == 0


def test_lyrics_belong_to_the_track_that_sings_them():
    song = [MetaMessage("track_name", name="song"), on(), MetaMessage("lyrics", text="la", time=3), off(wait=5)]
    score = read_midi(file_of([MetaMessage("track_name", name="title")], [on(), off(wait=1)], song))
    assert [track.name for track in score.tracks] == ["", "song"]
    assert rows(score.texts) == [(3, 1, "lyric", "la")]


def test_a_track_of_lyrics_alone_is_kept():
    words = [MetaMessage("track_name", name="Words"), MetaMessage("lyrics", text="la", time=3)]
    score = read_midi(file_of([MetaMessage("track_name", name="song"), on(), off(wait=5)], words))
    assert score.tracks == (Track(name="song"), Track(name="Words"))
    assert read_midi(midi_bytes(score)) == score


def test_a_track_without_notes_or_lyrics_is_left_out():
    score = read_midi(file_of([MetaMessage("track_name", name="x"), Message("control_change")], [on(), off(wait=1)]))
    assert score.tracks == (Track(),)
    assert len(score.controls) == 0


def test_a_note_that_never_ends_is_left_out_with_its_track():
    score = read_midi(file_of([on(), Message("control_change")], [on(), off(wait=1), on(62)]))
    assert rows(score.notes) == [(0, 1, 60, 64, 0)]
    assert len(score.controls) == 0


def test_markers_without_chords_are_markers():
    score = read_midi(file_of([MetaMessage("marker", text="A", time=7), on(), off(wait=1)]))
    assert rows(score.texts) == [(7, WHOLE_SCORE, "marker", "A")]


def test_markers_and_chords_survive_in_any_script():
    texts = Texts([0, 0, 480], [WHOLE_SCORE] * 3, ["marker", "chord", "chord"], ["Überleitung 間奏", "F♯m7", "C"])
    score = one_note(texts=texts)
    assert read_midi(midi_bytes(score)) == score


def test_lyrics_of_the_whole_score_go_to_its_first_track():
    texts = Texts([0], [WHOLE_SCORE], ["lyric"], ["la"])
    assert rows(read_midi(midi_bytes(one_note(texts=texts))).texts) == [(0, 0, "lyric", "la")]
    assert rows(read_midi(midi_bytes(Score(texts=texts))).texts) == [(0, 0, "lyric", "la")]


def test_bytes_that_are_not_utf8_do_not_stop_reading():
    score = read_midi(file_of([MetaMessage("track_name", name="Stra\xdfe"), on(), off(wait=1)]))
    assert score.tracks[0].name.startswith("Stra")
    assert read_midi(midi_bytes(score)) == score


def test_text_that_utf8_cannot_write_is_replaced():
    score = Score(notes=notes((0, 1, 60, 90, 0)), tracks=(Track(name="\ud800"),))
    assert read_midi(midi_bytes(score)).tracks[0].name == "?"


def test_a_score_without_notes_survives():
    score = Score(tempos=Tempos([0], [400_000]))
    assert read_midi(midi_bytes(score)) == score


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "is empty"),
        (b"RIFF1234", "starts with b'RIFF1234'"),
        (b"MThd\0\0\0\6\0\1", "cannot read"),
        (file_of([on(), off(wait=5)])[:-4], "cannot read"),
        (b"MThd\0\0\0\6\0\1\0\1\xe7\x28", "cannot read"),
        (b"MThd\0\0\0\6\0\1\0\0\0\0", "0 ticks to the beat"),
        (file_of([on(), *(off(wait=2**28 - 1) for _ in range(9)), on(), off(wait=1)]), "beyond 2147483647 ticks"),
    ],
)
def test_bytes_that_are_no_music_are_refused(data, problem):
    with pytest.raises(MidiError, match=problem):
        read_midi(data)


def test_files_that_cannot_be_opened_are_refused(tmp_path):
    with pytest.raises(MidiError, match="No such file"):
        read_midi(tmp_path / "missing.mid")
    with pytest.raises(MidiError, match="directory"):
        read_midi(tmp_path)


def test_a_gigantic_file_is_refused_unread(tmp_path, monkeypatch):
    with (tmp_path / "a.mid").open("wb") as file:
        os.truncate(file.fileno(), midi.LARGEST_FILE + 1)
    monkeypatch.setattr(Path, "read_bytes", lambda _: pytest.fail("the file was read"))
    with pytest.raises(MidiError, match="too large"):
        read_midi(tmp_path / "a.mid")


@pytest.mark.parametrize(
    ("score", "found"),
    [
        (one_note(tempos=Tempos([0], [2**24])), "16777216"),
        (one_note(tempos=Tempos([-1], [5])), "-1"),
        (one_note(controls=Controls([0], [0], [64], [128])), "128"),
        (one_note(time_signatures=TimeSignatures([0], [3], [5])), "5"),
        (one_note(time_signatures=TimeSignatures([0], [3], [0])), "0"),
        (one_note(pitch_bends=PitchBends([0], [0], [8192])), "8192"),
        (one_note(ticks_per_beat=40_000), "40000"),
        (Score(notes=notes((0, 1, 60, 0, 0)), tracks=(Track(),)), "0"),
        (Score(notes=notes((2**28, 1, 60, 1, 0)), tracks=(Track(),)), "268435456"),
    ],
)
def test_what_midi_cannot_hold_is_refused(score, found):
    with pytest.raises(MidiError, match=rf"MIDI holds .*found: \[?{found}"):
        midi_bytes(score)


def test_a_full_disk_is_a_storage_error(tmp_path, monkeypatch):
    def full(path, content):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(StorageError, match="No space left"):
        write_midi(one_note(), tmp_path / "a.mid")
    assert list(tmp_path.iterdir()) == []


def test_a_score_of_read_only_arrays_is_written() -> None:
    """As those of a memory-mapped corpus are."""
    score = Score(notes=Notes([0], [480], [60], [64], [0]), tracks=(Track(),), tempos=Tempos([0], [500000]))
    for table in (score.notes, score.tempos):
        for column in table.columns().values():
            column.setflags(write=False)
    assert read_midi(midi_bytes(score)) == score


@pytest.mark.parametrize("length", [1, 127, 128, 20_000])
def test_what_made_a_piece_is_a_text_event_beside_the_music(length):
    score = Score(480, notes((0, 480, 60, 64, 0)), (Track(),))
    told = score.replace(metadata={"provenance": "é" * length})
    written = mido.MidiFile(file=io.BytesIO(midi_bytes(told)))
    texts = [event for track in written.tracks for event in track if event.type == "text"]
    assert [event.text.encode("latin1").decode() for event in texts] == ["é" * length]
    assert read_midi(midi_bytes(told)) == read_midi(midi_bytes(score))
