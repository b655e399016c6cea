import pytest

from aurl.data import chunks
from aurl.data.chunks import chunk_path, cut_chunks, parse_chunk, read_chunk, summarise_chunk
from aurl.data.sources import Entry
from aurl.music.midi import midi_bytes
from aurl.music.score import Notes, Score, Track


def entries(*contents):
    return [Entry(f"{number}.mid", content, number + 1) for number, content in enumerate(contents)]


def test_a_chunk_ends_with_the_file_that_fills_it(monkeypatch):
    monkeypatch.setattr(chunks, "CHUNK_FILES", 3)
    monkeypatch.setattr(chunks, "CHUNK_BYTES", 10)
    cut = list(cut_chunks(entries(b"1", b"22", "bad", b"1" * 40, b"1", b"2"), finished=()))
    assert [[name for name, _ in chunk.contents] for chunk in cut] == [
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
    silent = midi_bytes(Score())
    contents = [("a", tune(1)), ("b", b"x"), ("c", "too odd"), ("d", silent), ("e", tune(2, 7)), ("f", b"")]
    parse_chunk(tmp_path, 3, contents, min_notes=1)
    summaries, failures = summarise_chunk(chunk_path(tmp_path, 3))
    assert [(each.source, each.note_count) for each in summaries] == [("a", 5), ("e", 7)]
    assert summaries[0].duration_seconds == pytest.approx((4 * 240 + 200) / 960)
    assert [each.source for each in failures] == ["b", "c", "d", "f"]
    assert "not a MIDI file" in failures[0].reason
    assert [each.reason for each in failures[1:3]] == ["too odd", "no notes"]
    assert len(read_chunk(chunk_path(tmp_path, 3))) == 2


def test_a_piece_with_too_few_notes_is_left_out(tmp_path, tune):
    parse_chunk(tmp_path, 0, [("a", tune(1, 5)), ("b", tune(1, 6))], min_notes=6)
    summaries, failures = summarise_chunk(chunk_path(tmp_path, 0))
    assert [each.source for each in summaries] == ["b"]
    assert (failures[0].reason, failures[0].detail) == ("fewer than 6 notes", "5")


def test_a_chunk_of_nothing_but_failures_is_a_chunk(tmp_path):
    parse_chunk(tmp_path, 0, [("a", b"?")], min_notes=1)
    summaries, failures = summarise_chunk(chunk_path(tmp_path, 0))
    assert (summaries, len(failures)) == ([], 1)
    assert len(read_chunk(chunk_path(tmp_path, 0))) == 0


def test_equal_music_has_equal_hashes(tmp_path, tune):
    louder = Score(notes=Notes([0], [9], [60], [99], [0]), tracks=(Track(),))
    softer = louder.replace(notes=Notes([0], [9], [60], [9], [0]))
    contents = [(name, midi_bytes(score)) for name, score in zip("abc", [louder, louder, softer], strict=True)]
    parse_chunk(tmp_path, 0, contents, min_notes=1)
    a, b, c = summarise_chunk(chunk_path(tmp_path, 0))[0]
    assert a.content_hash == b.content_hash != c.content_hash
    assert a.note_hash == b.note_hash == c.note_hash
