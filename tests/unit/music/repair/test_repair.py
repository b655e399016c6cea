"""Each kind of damage has a file built by hand, with the notes that must come back."""

import itertools
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aurl.music.midi import midi_bytes, read_midi
from aurl.music.repair import Fault, RepairReport, faults_by_kind, read_midi_repaired
from aurl.music.repair import recovery as recovery_module
from aurl.music.repair.events import Events, Row
from aurl.music.repair.mending import mended_file
from aurl.music.repair.report import FaultLog
from aurl.music.score import Notes, Score, Track
from aurl.utils.errors import MidiError
from mutations import mutants

END = b"\0\xff\x2f\0"
NOTES = [(0, 60), (96, 62), (192, 64), (288, 65)]


def body(pitches=(60, 62, 64, 65), *, length=0x60):
    """One note after the other, each with its own status bytes."""
    return b"".join(bytes([0, 0x90, p, 80, length, 0x80, p, 64]) for p in pitches)


def chunk(content, *, name=b"MTrk", length=None):
    return name + struct.pack(">I", len(content) if length is None else length) + content


def header(*, tracks=1, division=96, file_type=1):
    return b"MThd" + struct.pack(">IHHH", 6, file_type, tracks, division)


def file_of(*contents, **fields):
    return header(tracks=len(contents), **fields) + b"".join(map(chunk, contents))


def onsets(score):
    return list(zip(score.notes.onset.tolist(), score.notes.pitch.tolist(), strict=True))


def kinds(report):
    return {fault.kind for fault in report.faults}


@pytest.fixture(scope="module")
def piece():
    """Three tracks on a grid, two of them often together."""
    rng = np.random.default_rng(4)
    rows = [
        (step * 60 * (track + 1), 50, int(rng.integers(40, 80)), 70 + 5 * (step % 3), track)
        for track in range(3)
        for step in range(120 // (track + 1))
    ]
    return midi_bytes(Score(480, Notes(*np.array(rows).T), (Track(0), Track(24), Track(40))))


def test_a_sound_file_is_read_as_it_is(piece):
    score, report = read_midi_repaired(piece)
    assert score == read_midi(piece)
    assert report == RepairReport((), len(score.notes))
    assert report.is_clean


def test_a_path_is_read_too(piece, tmp_path):
    (tmp_path / "piece.mid").write_bytes(piece)
    assert read_midi_repaired(tmp_path / "piece.mid")[0] == read_midi(piece)


def test_a_sound_file_without_notes_is_sound():
    score, report = read_midi_repaired(file_of(b"\0\xff\x51\3\7\xa1\x20" + END))
    assert report == RepairReport((), 0)
    assert len(score.tempos) == 1


SOUND = file_of(body() + END)
OUTSIDE = {
    "bytes before the header": b"\0junk" + SOUND,
    "RIFF wrapper": b"RIFF\0\0\0\0RMIDdata\0\0\0\0" + SOUND,
    "damaged header": b"XThd" + SOUND[4:],
    "missing header": SOUND[14:],
    "wrong header length": SOUND[:4] + b"\0\0\0\x0a" + SOUND[8:14] + bytes(4) + SOUND[14:],
    "unknown file type": file_of(body() + END, file_type=9),
    "SMPTE division": file_of(body() + END, division=0xE828),
    "no ticks to the beat": file_of(body() + END, division=0),
    "wrong number of tracks": header(tracks=3) + chunk(body() + END),
    "wrong track length": header() + chunk(body() + END, length=5),
    "damaged track name": header() + chunk(body() + END, name=b"M\xffrk"),
    "no track name": header() + chunk(body() + END, name=b"Q\xffxk"),
    "no end of track": file_of(body()),
}


@pytest.mark.parametrize("kind", OUTSIDE)
def test_a_damaged_container_loses_no_note(kind):
    score, report = read_midi_repaired(OUTSIDE[kind])
    assert kind in kinds(report)
    assert onsets(score) == NOTES
    assert set(score.notes.duration.tolist()) == {96}
    assert report.notes_recovered == 4


def test_smpte_frames_become_ticks_of_a_beat_of_half_a_second():
    score, _ = read_midi_repaired(OUTSIDE["SMPTE division"])
    assert score.ticks_per_beat == 24 * 40 // 2


@pytest.mark.parametrize("lost", [b"Trk", b"Mrk", b"MTk"])
def test_a_track_name_that_lost_a_byte_is_found(lost):
    score, _ = read_midi_repaired(header() + chunk(body() + END, name=lost))
    assert onsets(score) == NOTES


def test_chunks_of_other_names_and_padding_are_no_fault_of_the_tracks():
    between = header(tracks=2) + chunk(body() + END) + chunk(b"abcd", name=b"XFIH") + chunk(body() + END)
    score, report = read_midi_repaired(between)
    assert report.is_clean
    assert len(score.notes) == 8


def test_a_track_name_inside_a_text_starts_no_track():
    text = b"\0\xff\1\4MTrk"
    score, report = read_midi_repaired(header(tracks=9) + chunk(text + body() + END))
    assert kinds(report) == {"wrong number of tracks"}
    assert onsets(score) == NOTES


INSIDE = {
    "tempo of 0 microseconds": b"\0\xff\x51\3\0\0\0",
    "impossible metre": b"\0\xff\x58\4\0\2\x18\x08",
    "impossible key signature": b"\0\xff\x59\2\x28\0",
}


@pytest.mark.parametrize("kind", INSIDE)
def test_signs_that_mean_nothing_are_left_out(kind):
    score, report = read_midi_repaired(file_of(INSIDE[kind] + body() + END))
    assert report.faults[0].kind == kind
    assert report.faults[0].where == "track 0, byte 22"
    assert onsets(score) == NOTES
    assert len(score.tempos) == len(score.time_signatures) == len(score.key_signatures) == 0


def test_a_damaged_file_keeps_its_names_even_in_latin_1():
    score, report = read_midi_repaired(file_of(b"\0\xff\3\4F\xfcnf" + body()))
    assert "text that is not UTF-8" in kinds(report)
    assert score.tracks[0].name == "Fünf"


def test_a_note_that_never_ends_is_ended():
    score, report = read_midi_repaired(file_of(b"\0\x90\x30\x50" + body() + END))
    assert Fault("note that never ends", "track 0, byte 22", "ended after 4 beats at most") in report.faults
    assert onsets(score) == [(0, 48), *NOTES]
    assert score.notes.duration.tolist()[0] == 384


def test_a_note_that_starts_again_before_its_only_end_is_cut_there():
    score, report = read_midi_repaired(file_of(b"\0\x90\x3c\x50\x30\x90\x3c\x50\x30\x80\x3c\x40" + END))
    assert kinds(report) == {"note starts while it sounds, and ends once"}
    assert onsets(score) == [(0, 60), (48, 60)]
    assert score.notes.duration.tolist() == [48, 48]


def test_overlapping_notes_that_all_end_are_no_fault():
    overlapping = b"\0\x90\x3c\x50\x30\x90\x3c\x50\x30\x80\x3c\x40\x30\x80\x3c\x40" + END
    assert read_midi_repaired(file_of(overlapping)) == (read_midi(file_of(overlapping)), RepairReport((), 2))
    score, report = read_midi_repaired(header(tracks=2) + chunk(overlapping))
    assert score == read_midi(file_of(overlapping))
    assert kinds(report) == {"wrong number of tracks"}


def test_an_end_without_a_note_is_left_out():
    score, report = read_midi_repaired(file_of(b"\0\x80\x20\x40" + body()))
    assert "end without a note" in kinds(report)
    assert onsets(score) == NOTES


def test_a_note_of_no_length_lasts_a_32nd_or_until_it_starts_again():
    score, report = read_midi_repaired(
        file_of(b"\0\x90\x3c\x50\0\x80\x3c\x40\4\x90\x3c\x50\0\x80\x3c\x40\0\x90\x3d\x50\0\x80\x3d\x40" + END)
    )
    assert kinds(report) == {"note of no length"}
    assert report.faults[0].count == 3
    assert score.notes.duration.tolist() == [4, 12, 12]


def test_an_absurd_wait_is_taken_as_none():
    score, _ = read_midi_repaired(file_of(b"\xff\xff\xff\x7f\xb0\7\x50" + body() + END))
    assert onsets(score) == NOTES


def test_data_bytes_over_127_cost_one_note_at_most():
    damaged = body((60, 62, 64, 65, 67, 69) * 4)
    at = 8 * 9 + 3  # the velocity of the tenth note
    damaged = damaged[:at] + b"\xd0" + damaged[at + 1 :]
    score, report = read_midi_repaired(file_of(damaged + END))
    assert not report.is_clean
    assert len(set(onsets(score)) & set(onsets(read_midi(file_of(body((60, 62, 64, 65, 67, 69) * 4) + END))))) >= 23


@pytest.mark.parametrize("edit", ["deleted", "inserted"])
def test_after_one_byte_lost_or_put_in_most_notes_keep_their_time(edit):
    whole = body((60, 62, 64, 65, 67, 69) * 4)
    truth, kept = set(onsets(read_midi(file_of(whole + END)))), []
    for at in range(80, 90):
        damaged = whole[:at] + (whole[at + 1 :] if edit == "deleted" else b"\xc5" + whole[at:])
        score, report = read_midi_repaired(header() + chunk(damaged + END, length=len(whole + END)))
        assert not report.is_clean
        kept.append(len(set(onsets(score)) & truth))
    assert sum(kept) > 0.8 * 10 * len(truth)
    assert sorted(kept)[5] >= len(truth) - 1


def test_an_early_end_of_track_does_not_end_the_music():
    score, report = read_midi_repaired(file_of(body() + END + body((70, 72, 74))))
    assert onsets(score)[:4] == NOTES
    assert len(score.notes) == 7
    assert not report.is_clean


def test_data_before_any_status_are_passed_over():
    score, report = read_midi_repaired(file_of(b"\0\x40\x40\0\x41\x41" + body() + END))
    assert onsets(score)[-4:] == NOTES
    assert not report.is_clean


def test_pedals_bends_and_programs_survive_beside_damage():
    events = b"\0\xc0\x28\0\xb0\x40\x7f\0\xe0\0\x50\0\xd0\x20\0\xf0\3abc"
    score, _ = read_midi_repaired(file_of(events + body()))
    assert score.tracks == (Track(40),)
    assert score.controls.value.tolist() == [127]
    assert len(score.pitch_bends) == 1


def test_a_file_that_is_cut_off_keeps_what_is_there(piece):
    score, report = read_midi_repaired(piece[: len(piece) // 2])
    assert {"wrong track length", "no end of track"} <= kinds(report)
    assert not set(onsets(score)) - set(onsets(read_midi(piece)))
    assert len(score.notes) > 100


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "empty"),
        (b"<html>no music</html>", "neither MThd nor MTrk"),
        (SOUND[:20], "no note that can be recovered"),
        (SOUND[:16], "no note that can be recovered"),
        (b"MThd", "no note"),
    ],
)
def test_what_holds_no_music_is_refused(data, problem):
    with pytest.raises(MidiError, match=problem):
        read_midi_repaired(data)


def test_most_notes_of_forty_mutants_come_back(piece):
    truth = set(onsets(read_midi(piece)))
    found = 0
    for _, _, data in mutants([piece], 40, seed=1):
        try:
            found += len(truth & set(onsets(read_midi_repaired(data)[0])))
        except MidiError:
            continue
    assert found / (40 * len(truth)) > 0.75


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300), st.booleans())
def test_any_bytes_become_a_score_or_a_midi_error(data, dressed):
    try:
        score, report = read_midi_repaired(header() + b"MTrk\0\0\1\0" + data if dressed else data)
    except MidiError:
        return
    assert report.notes_recovered == len(score.notes)
    assert read_midi(midi_bytes(score)).ticks_per_beat == score.ticks_per_beat


def test_without_budget_damage_is_stepped_over(piece, monkeypatch):
    monkeypatch.setattr(recovery_module.Budget, "__init__", lambda self, events=0: setattr(self, "events", 0))
    damaged = bytearray(piece)
    damaged[120:124] = b"\xf4\xf5\xf6\xfd"
    score, report = read_midi_repaired(bytes(damaged))
    assert "unreadable bytes" in kinds(report)
    assert len(score.notes) > 150


def test_a_report_says_everything_in_words_and_plain_values():
    report = RepairReport((Fault("extra bytes", "track 1, byte 93", "taken out", 2),), 1)
    assert report.summary() == "1 note; 2 extra bytes (track 1, byte 93): taken out"
    assert report.to_dict() == {
        "faults": [{"kind": "extra bytes", "where": "track 1, byte 93", "action": "taken out", "count": 2}],
        "notes_recovered": 1,
    }
    assert RepairReport((), 3).summary() == "3 notes; sound"
    other = RepairReport((Fault("a", "byte 0", "skipped", 5),), 0)
    assert list(faults_by_kind([report, other, report]).items()) == [("a", 5), ("extra bytes", 4)]


@pytest.fixture(scope="module")
def long_piece():
    """Two tracks of some hundred notes with pedals, bends, programs and texts between them."""
    rng = np.random.default_rng(9)
    tracks = []
    for channel in (0, 3):
        content = bytearray()
        for step in range(700):
            pitch = int(rng.integers(40, 70))
            content += bytes([int(rng.choice([0, 24, 48])), 0x90 | channel, pitch, 70 + step % 3])
            content += bytes([24, pitch, 0] if step % 2 else [0x81, 0x10, 0x80 | channel, pitch, 64])
            if step % 40 == 7:
                content += bytes([0, 0xB0 | channel, 64, 127, 0, 0xE0 | channel, 0, 80, 0, 0xC0 | channel, 5, 0, 6])
            if step % 150 == 9:
                content += b"\0\xff\5\2la"
        tracks.append(bytes(content) + END)
    return file_of(*tracks)


def test_events_taken_many_at_once_are_those_taken_one_by_one(long_piece, monkeypatch):
    damaged = [data for _, _, data in mutants([long_piece], 18, seed=5) if data]
    at_once = [read_or_refusal(data) for data in damaged]
    monkeypatch.setattr(recovery_module, "CALM", 10**9)
    assert at_once == [read_or_refusal(data) for data in damaged]


def read_or_refusal(data):
    try:
        return read_midi_repaired(data)
    except MidiError as error:
        return str(error)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([1, 5, 30]), st.booleans(), st.sampled_from([60, 61])), min_size=1))
def test_ends_go_to_the_notes_that_began_first(steps):
    ticks = itertools.accumulate(wait for wait, _, _ in steps)
    rows = [
        Row(tick, 0, 0x90 if starts else 0x80, pitch, 64, b"")
        for tick, (_, starts, pitch) in zip(ticks, steps, strict=True)
    ]
    notes = read_midi(mended_file(1, 96, [Events.of(rows)], FaultLog())).notes
    found = zip(notes.onset.tolist(), notes.duration.tolist(), notes.pitch.tolist(), strict=True)
    assert sorted(found) == sorted(paired(steps))


def paired(steps):
    """(onset, length, pitch), by queues; a pitch that starts more often than it ends holds one note at a time."""
    tick, last, held, found = 0, 0, {60: [], 61: []}, []
    balance = {pitch: sum(2 * starts - 1 for _, starts, p in steps if p == pitch) for pitch in held}
    for wait, starts, pitch in steps:
        tick += wait
        queue = held[pitch]
        if queue and (not starts or balance[pitch] > 0):
            found.append((queue[0], tick - queue.pop(0), pitch))
        elif not starts:
            continue
        if starts:
            queue.append(tick)
        last = tick
    return found + [
        (onset, min(4 * 96, max(last - onset, 96)), pitch) for pitch, queue in held.items() for onset in queue
    ]


def test_long_events_between_notes_are_taken_many_at_once(monkeypatch):
    words = b"\0\xff\5\2la\0\xf0\2\1\xf7"
    data = header() + chunk((body() + words) * 300, length=1)
    at_once = read_midi_repaired(data)
    assert len(at_once[0].notes) == 1200
    assert at_once[0].texts.text.tolist() == ["la"] * 300
    monkeypatch.setattr(recovery_module, "CALM", 10**9)
    assert at_once == read_midi_repaired(data)
