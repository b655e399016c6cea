import multiprocessing
import os
import signal
import time

import numpy as np
import pytest

from aurl.data import chunks
from aurl.data.chunks import (
    chunk_path,
    cut_chunks,
    journal_path,
    keep_chunk,
    parse_chunk,
    read_chunk,
    summarise_chunk,
)
from aurl.data.dedup import sketch
from aurl.data.plan import PieceConfig
from aurl.data.sources import Entry
from aurl.music.midi import midi_bytes, read_midi
from aurl.music.score import Notes, Score, Texts, Track

CONFIG = PieceConfig.parse({"labels": [], "quality": {"min_notes": 1, "min_seconds": 0, "min_distinct_pitches": 1}})


def entries(*contents):
    return [Entry(f"{number}.mid", content, number + 1) for number, content in enumerate(contents)]


def parse(tmp_path, *contents, config=CONFIG):
    """The outcome of a chunk of these files, named a.mid, b.mid and so on."""
    files = [Entry(f"{chr(97 + number)}.mid", content, 0) for number, content in enumerate(contents)]
    keep_chunk(tmp_path, 0, parse_chunk(files, config, journal_path(tmp_path, 0)))
    return summarise_chunk(chunk_path(tmp_path, 0))


def test_a_chunk_ends_with_the_file_that_fills_it(monkeypatch):
    monkeypatch.setattr(chunks, "CHUNK_FILES", 3)
    monkeypatch.setattr(chunks, "CHUNK_BYTES", 10)
    cut = list(cut_chunks(entries(b"1", b"22", "bad", b"1" * 40, b"1", b"2"), finished=()))
    assert [[entry.name for entry in chunk.contents] for chunk in cut] == [
        ["0.mid", "1.mid", "2.mid"],
        ["3.mid"],
        ["4.mid", "5.mid"],
    ]
    assert [(chunk.number, chunk.files, chunk.bytes, chunk.position) for chunk in cut] == [
        (0, 3, 3, 3),
        (1, 1, 40, 4),
        (2, 2, 2, 6),
    ]


def test_finished_chunks_come_without_contents_and_move_no_border(monkeypatch):
    monkeypatch.setattr(chunks, "CHUNK_FILES", 2)
    cut = list(cut_chunks(entries(b"1", b"2", b"3", b"4", b"5"), finished={0, 2}))
    assert [(len(chunk.contents), chunk.files, chunk.position) for chunk in cut] == [(0, 2, 2), (2, 2, 4), (0, 1, 5)]


def test_what_came_of_each_file_is_kept(tmp_path, tune):
    outcome = parse(tmp_path, tune(1), b"x", "too odd", midi_bytes(Score()), tune(2, 7), b"")
    assert [(each.source, each.note_count) for each in outcome.summaries] == [("a.mid", 5), ("e.mid", 7)]
    first = outcome.summaries[0]
    assert (first.format, first.repaired) == ("midi", False)
    assert first.duration_seconds == pytest.approx((4 * 240 + 200) / 960)
    assert np.array_equal(first.sketch, sketch(read_midi(tune(1))))
    assert [each.source for each in outcome.failures] == ["b.mid", "c.mid", "d.mid", "f.mid"]
    assert outcome.failures[1].reason == "too odd"
    assert len(read_chunk(chunk_path(tmp_path, 0))) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["chunk-000000.arrow"]


def test_a_chunk_of_nothing_but_failures_is_a_chunk(tmp_path):
    outcome = parse(tmp_path, b"?")
    assert (outcome.summaries, len(outcome.failures)) == ([], 1)
    assert len(read_chunk(chunk_path(tmp_path, 0))) == 0


def test_equal_music_has_equal_hashes(tmp_path):
    louder = Score(notes=Notes([0], [9], [60], [99], [0]), tracks=(Track(),))
    softer = louder.replace(notes=Notes([0], [9], [60], [9], [0]))
    a, b, c = parse(tmp_path, *map(midi_bytes, (louder, louder, softer))).summaries
    assert a.content_hash == b.content_hash != c.content_hash
    assert a.note_hash == b.note_hash == c.note_hash


def test_labels_and_repairs_are_counted_and_kept(tmp_path, tune):
    texts = Texts([0], [-1], ["chord"], ["Am7"])
    labelled = midi_bytes(read_midi(tune(1)).replace(texts=texts))
    outcome = parse(tmp_path, labelled, tune(2)[:-4], tune(3))
    assert outcome.labels == {("chord", "given"): 1}
    assert [(each.source, each.notes_recovered) for each in outcome.repairs] == [("b.mid", 5)]
    assert [each.repaired for each in outcome.summaries] == [False, True, False]


def test_the_file_that_is_read_can_be_told_while_it_is_read(tmp_path, tune, monkeypatch):
    seen = []
    journal = journal_path(tmp_path, 7)
    monkeypatch.setattr(chunks, "read_entry", lambda entry, *_: seen.append((entry.name, journal.read_text())))
    parse_chunk(entries(tune(1), tune(2)), CONFIG, journal)
    assert seen == [("0.mid", "0.mid"), ("1.mid", "1.mid")]
    assert not journal.exists()
    monkeypatch.undo()
    parse_chunk(entries(tune(1)), CONFIG, tmp_path / "nowhere" / "journal")  # on another machine


def test_a_process_that_is_asked_to_end_does_not_blame_the_file(tmp_path, tune, monkeypatch):
    """It ends of the signal as ever, but the journal, which would say that the file killed it, is gone."""
    journal = tmp_path / "journal"

    def ask(*_):
        assert journal.exists()
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)

    monkeypatch.setattr(chunks, "read_entry", ask)
    process = multiprocessing.get_context("fork").Process(target=parse_chunk, args=(entries(tune(1)), CONFIG, journal))
    process.start()
    process.join(30)
    assert process.exitcode == -signal.SIGTERM
    assert not journal.exists()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
