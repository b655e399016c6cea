import json
import sys
import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from aurl.data import pieces
from aurl.data.pieces import Reading, detect_labels, read_entry
from aurl.data.plan import PieceConfig
from aurl.data.sources import Entry
from aurl.music.midi import midi_bytes
from aurl.music.score import Notes, Score, Texts, Track
from aurl.utils.errors import MidiError

UNLABELLED = PieceConfig.parse({"labels": []})
BOOK = b"X:1\nT:One\nM:4/4\nL:1/8\nK:C\nCDEF GABc|\n\nX:2\nT:Two\nM:4/4\nL:1/8\nK:G\nGABc dBGB|\n"


def cadence(*, transposed=0):
    """C, F, G and C in blocks of two beats, four times over."""
    chords = [(60, 64, 67), (60, 65, 69), (59, 62, 67), (60, 64, 67)] * 4
    onset = np.repeat(np.arange(len(chords)) * 960, 3)
    pitch = np.array(chords).ravel() + transposed
    return Score(notes=Notes(onset, np.full(48, 960), pitch, np.full(48, 80), np.zeros(48)), tracks=(Track(),))


MUSIC = midi_bytes(cadence())


def read(content, config=UNLABELLED, name="a.mid", **companions):
    reading = Reading()
    read_entry(Entry(name, content, 0, companions), config, reading)
    return reading


def test_a_sound_file_is_a_piece_without_repairs():
    reading = read(MUSIC)
    ((piece,), failures, repairs) = reading.pieces, reading.failures, reading.repairs
    assert (piece.source, piece.format, piece.repaired) == ("a.mid", "midi", False)
    assert piece.score == cadence()
    assert (failures, repairs) == ([], [])


def test_a_broken_file_is_mended_and_the_repair_is_told():
    reading = read(MUSIC[:-40])
    assert reading.pieces[0].repaired
    (repair,) = reading.repairs
    assert repair.source == "a.mid"
    assert repair.notes_recovered == len(reading.pieces[0].score.notes) > 40
    assert all(fault.kind and fault.action for fault in repair.faults)


@pytest.mark.parametrize("content", [b"", b"not music", b"MThd", "unreadable"])
def test_a_file_without_music_is_a_failure(content):
    reading = read(content)
    assert (len(reading.failures), reading.pieces) == (1, [])


def test_every_tune_of_a_book_is_a_piece():
    pytest.importorskip("music21")
    config = UNLABELLED.merged({"quality": {"min_notes": 1}})
    assert [(each.source, each.format) for each in read(BOOK, config, "b.abc").pieces] == [
        ("b.abc#1", "abc"), ("b.abc#2", "abc"),
    ]  # fmt: skip


def test_what_is_not_good_enough_is_left_out_with_its_reason():
    config = UNLABELLED.merged({"quality": {"min_notes": 1000}})
    assert read(MUSIC, config).failures[0].reason == "fewer than 1000 notes"


def test_transforms_change_the_music_after_its_labels_were_read():
    notes = replace(cadence().notes, onset=cadence().notes.onset + 9600)
    late = cadence().replace(notes=notes, texts=Texts([10560], [-1], ["chord"], ["F"]))
    config = UNLABELLED.merged({"transforms": ["trim_silence"]})
    (piece,) = read(midi_bytes(late), config).pieces
    assert piece.score.notes.onset[0] == 0
    assert piece.score.texts.of("chord").time.tolist() == [960]
    assert piece.score.metadata["labels.chord"] == "given: the file"


def test_a_transform_that_can_do_nothing_with_a_piece_is_a_failure(monkeypatch):
    def refuse(score, configs):
        raise MidiError("nothing of a.mid#2 is left", found="0 notes")

    monkeypatch.setattr(pieces, "apply_transforms", refuse)
    (failure,) = read(MUSIC).failures
    assert (failure.reason, failure.detail) == ("nothing of the file is left", "0 notes")


def test_a_thread_that_gets_no_signals_reads_as_well():
    thread = threading.Thread(target=lambda: found.append(read(MUSIC)))
    found = []
    thread.start()
    thread.join()
    assert len(found[0].pieces) == 1


def test_what_nobody_labelled_is_labelled_by_studies():
    (piece,) = read(MUSIC, PieceConfig()).pieces
    assert piece.score.metadata["labels.chord"].startswith("detected: ")
    assert "C major" in piece.score.texts.of("key").text
    assert piece.score.notes == cadence().notes


def test_given_labels_win_over_detected_ones():
    rows = [[2.0 * n, 2.0 * n + 2, "", (0, 5, 7, 0)[n % 4], "major", None] for n in range(16)]
    companions = {".chords.json": json.dumps({"chords": rows}).encode()}
    (piece,) = read(MUSIC, PieceConfig(), **companions).pieces
    assert piece.score.metadata["labels.chord"] == "given: .chords.json"
    assert piece.score.metadata["labels.key"].startswith("detected: ")
    assert piece.score.texts.of("chord").text[:4].tolist() == ["C", "F", "G", "C"]


def test_labels_that_were_refused_are_told_with_the_repairs():
    reading = read(MUSIC, **{".chords.json": b"{"})
    assert not reading.pieces[0].repaired
    (fault,) = reading.repairs[0].faults
    assert (fault.kind, fault.where) == ("label", ".chords.json")
    assert fault.action.startswith("refused: damaged JSON")


def test_no_studies_no_labels():
    assert detect_labels(cadence(), UNLABELLED) == cadence()


def test_a_file_that_hangs_is_given_up(monkeypatch):
    def hang(content, name):
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            pass
        return []

    monkeypatch.setattr(pieces, "FILE_SECONDS", 0.05)
    monkeypatch.setattr(pieces, "read_all", hang)
    assert [failure.reason for failure in read(MUSIC).failures] == ["not read within 0.05 seconds"]


def test_a_library_that_catches_everything_is_stopped_as_well(monkeypatch):
    """partitura and music21 have `except Exception`, and here and there a bare `except:`."""

    def hang(content, name):
        for _ in range(2):
            try:
                deadline = time.process_time() + 20
                while time.process_time() < deadline:
                    pass
            except Exception:  # noqa: BLE001 - what those libraries do
                return []
        return []

    monkeypatch.setattr(pieces, "FILE_SECONDS", 0.05)
    monkeypatch.setattr(pieces, "read_all", hang)
    assert [failure.reason for failure in read(MUSIC).failures] == ["not read within 0.05 seconds"]


def test_a_file_for_which_there_is_no_memory_is_left_out(monkeypatch):
    monkeypatch.setattr(pieces, "read_all", lambda content, name: np.empty(1 << 60, np.uint8))
    assert [failure.reason for failure in read(MUSIC).failures] == ["too large for the memory there is"]


def test_names_with_a_sharp_are_names(monkeypatch):
    """What is after the # of `Prelude in C#.mid` is not the number of a tune."""

    def slow(content, name):
        yield next(iter(found))
        raise pieces._TooSlowError

    found = pieces.read_all(MUSIC, "Prelude in C#.mid")
    with monkeypatch.context() as patch:
        patch.setattr(pieces, "read_all", slow)
        reading = read(MUSIC, name="Prelude in C#.mid")
    assert (reading.pieces, len(reading.failures)) == ([], 1)

    def refuse(score, configs):
        raise MidiError("nothing of Prelude in C#.mid is left")

    monkeypatch.setattr(pieces, "apply_transforms", refuse)
    (failure,) = read(MUSIC, name="Prelude in C#.mid").failures
    assert failure.reason == "nothing of the file is left"


def test_a_file_of_a_format_whose_library_is_missing_is_listed_with_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "music21", None)
    reading = read(b"X:1\nK:C\nCDEF|\n", PieceConfig(), name="a.abc")
    assert not reading.pieces
    assert 'pip install "aurl[notation]"' in reading.failures[0].reason
