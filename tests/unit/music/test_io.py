"""Any music file is read as what it is."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from aurl.music.io import MOST_TEXT, SUFFIXES, read_all, read_music, sniff
from aurl.music.midi import midi_bytes
from aurl.music.score import Notes, Score, Track
from aurl.utils.errors import MidiError, MissingExtraError

TUNE = """X:7
T:Scale
M:4/4
L:1/8
Q:1/4=90
K:G
|:"G"[GB]2 (3ABc d4|[1 "Am7"F2 F2 =F4:|[2 "D/F#"G8-|G8|
"""
BOOK = "% a book\nM:3/4\n\n" + TUNE + "\nwords between tunes\n\nX:8\nT:Other\nL:1/4\nK:C\nCDE|\n"
KERN = """!!!OTL: Short
**kern\t**kern
*staff2\t*staff1
*M3/4\t*M3/4
*k[f#]\t*k[f#]
=1\t=1
*^\t*
4C\t2.G\t4cc
4D\t.\t[2dd
4E\t.\t.
*v\t*v\t*
=2\t=2
2.GG\t2dd]
.\t4r
==\t==
*-\t*-
"""
MIDI = midi_bytes(Score(480, Notes([0, 480], [480, 240], [60, 64], [80, 90], [0, 0]), (Track(0, False, "a"),)))


def beats(score: Score) -> list[tuple[float, float, int]]:
    notes, unit = score.notes, score.ticks_per_beat
    return list(zip((notes.onset / unit).tolist(), (notes.duration / unit).tolist(), notes.pitch.tolist(), strict=True))


def test_abc_is_unfolded_with_its_chords_and_tempo() -> None:
    score, report = read_music(TUNE.encode(), "scale.abc")
    third = 1 / 3
    bar = [(0, 1, 67), (0, 1, 71), (1, third, 69), (1 + third, third, 71), (1 + 2 * third, third, 72), (2, 2, 74)]
    first_ending = [(4, 1, 66), (5, 1, 66), (6, 2, 65)]
    expected = bar + first_ending + [(onset + 8, *rest) for onset, *rest in bar] + [(12, 8, 67)]
    assert [tuple(pytest.approx(value) for value in row) for row in expected] == beats(score)
    assert score.texts.of("chord").text.tolist() == ["G", "Am7", "G", "D/F#"]
    assert score.tempos.bpm.round().tolist() == [90]
    assert score.key_signatures.sharps.tolist() == [1]
    assert score.metadata["title"] == "Scale"
    assert report.is_clean


@pytest.mark.parametrize(
    ("tune", "expected"),
    [
        ("X:1\nK:C\nCD|\n", [(0, 0.5, 60), (0.5, 0.5, 62)]),
        ("X:1\nM:\nL:\nK:C\nCD|\n", [(0, 0.5, 60), (0.5, 0.5, 62)]),
        ("X:1\nM:2/4\nK:C\nCD|\n", [(0, 0.25, 60), (0.25, 0.25, 62)]),
        ("X:1\nM:C\nK:C\nF8|[K:G][L:1/16]F16|\n", [(0, 4, 65), (4, 4, 66)]),
        ("X:1\nM:C\nK:C\nV:1\nF8|\nV:2\nC8|\nV:1\nG8|\n[V:2]D8|\n", [(0, 4, 60), (0, 4, 65), (4, 4, 62), (4, 4, 67)]),
    ],
)  # fmt: skip
def test_what_the_library_misreads_of_abc_is_read_as_the_standard_says(
    tune: str, expected: list[tuple[float, float, int]]
) -> None:
    assert sorted(beats(read_music(tune.encode(), "a.abc")[0])) == expected


def test_of_a_book_one_tune_is_read_and_the_others_are_told() -> None:
    score, report = read_music(BOOK.encode(), "book.abc")
    assert score.metadata["title"] == "Scale"
    assert [(fault.kind, fault.count) for fault in report.faults] == [("further tune in the book", 1)]


def test_all_tunes_of_a_book_have_names_and_what_precedes_them_holds_for_each() -> None:
    pieces = read_all(BOOK.encode(), "book.abc")
    assert [name for name, _, _ in pieces] == ["book.abc#7", "book.abc#8"]
    assert [report.is_clean for _, _, report in pieces] == [True, True]
    other = pieces[1][1]
    assert [pitch for _, _, pitch in beats(other)] == [60, 62, 64]
    assert other.time_signatures.numerator.tolist() == [3]


def test_a_tune_that_cannot_be_read_does_not_spoil_the_book() -> None:
    damaged = "X:1\nT:Bad\nM:4/4\nL:nonsense\nK:C\nCDEF|\n\n"
    pieces = read_all((damaged + TUNE).encode(), "book.abc")
    assert [name for name, _, _ in pieces] == ["book.abc#7"]
    assert pieces[0][2].faults[0].kind == "tune that cannot be read"
    with pytest.raises(MidiError, match="as ABC"):
        read_all(damaged.encode(), "book.abc")


def test_kern_keeps_spines_that_split_and_joins_ties() -> None:
    score, report = read_music(KERN.encode(), "short.krn")
    expected = [(0, 1, 48), (0, 3, 55), (0, 1, 72), (1, 1, 50), (1, 4, 74), (2, 1, 52), (3, 3, 43)]
    assert sorted(beats(score)) == sorted(expected)
    assert len(score.tracks) == 2
    assert (score.time_signatures.numerator.tolist(), score.key_signatures.sharps.tolist()) == ([3], [1])
    assert report.is_clean


def test_midi_is_read_with_its_repair(tmp_path: Path) -> None:
    path = tmp_path / "a.mid"
    path.write_bytes(MIDI)
    score, report = read_music(path)
    assert beats(score) == [(0, 1, 60), (1, 0.5, 64)]
    assert report.notes_recovered == 2
    assert read_all(path)[0][:2] == (str(path), score)


def test_patterns_of_a_type_2_file_are_read() -> None:
    assert len(read_music(MIDI[:8] + struct.pack(">H", 2) + MIDI[10:])[0].notes) == 2


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (MIDI, "midi"),
        (TUNE.encode(), "abc"),
        (b"\xef\xbb\xbf" + TUNE.replace("\n", "\r\n").encode(), "abc"),
        (TUNE.encode("utf-16"), "abc"),
        (KERN.encode(), "kern"),
        (b"<?xml version='1.0'?><score-partwise/>", "musicxml"),
        (b"PK\x03\x04", "musicxml"),
        (b"", None),
        (b"Dear reader,\nX: marks the spot\n", None),
    ],
)
def test_content_tells_the_format(data: bytes, kind: str | None) -> None:
    assert sniff(data) == kind


def test_a_wrong_suffix_is_told_and_not_believed() -> None:
    score, report = read_music(TUNE.encode(), "scale.mid")
    assert len(score.notes) == 16
    assert [fault.kind for fault in report.faults] == ["wrong suffix"]


def test_a_suffix_is_believed_where_content_tells_nothing() -> None:
    assert len(read_music(b"M:4/4\nL:1/4\nK:C\nCDEF|\n", "no_number.abc")[0].notes) == 4


def test_old_files_in_latin_1_and_new_ones_in_utf_16_are_read() -> None:
    named = TUNE.replace("Scale", "Gammé")
    for encoding in ("latin-1", "utf-8", "utf-16"):
        assert read_music(named.encode(encoding))[0].metadata["title"] == "Gammé"


@pytest.mark.parametrize(
    ("data", "name", "message"),
    [
        (b"hello", "letter.txt", "no music"),
        (TUNE.replace("4/4", "44|[1 F2 F4:/4").encode(), "a.abc", "metre that means nothing"),
        (KERN.replace("3/4", "99999999/4").encode(), "a.krn", "metre that means nothing"),
        (b"X:1\nK:C\n" + b"C" * MOST_TEXT, "a.abc", "too large"),
        (b"**kern\n4c\t4d\n4e\n*-\n", "a.krn", "as Humdrum kern"),
    ],
)
def test_what_is_no_music_is_refused(data: bytes, name: str, message: str) -> None:
    with pytest.raises(MidiError, match=message):
        read_music(data, name)


def test_missing_and_empty_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MidiError, match="No such file"):
        read_music(tmp_path / "none.abc")
    (tmp_path / "empty.abc").touch()
    with pytest.raises(MidiError, match="is empty"):
        read_music(tmp_path / "empty.abc")


@pytest.mark.parametrize(
    ("module", "data", "package"),
    [
        ("music21", TUNE.encode(), "music21"),
        ("defusedxml", b"<score-partwise/>", "defusedxml"),
    ],
)
def test_a_missing_library_is_named_with_its_extra(
    monkeypatch: pytest.MonkeyPatch, module: str, data: bytes, package: str
) -> None:
    monkeypatch.setitem(__import__("sys").modules, module, None)
    with pytest.raises(MissingExtraError, match=rf"{package} is not installed.*aurl\[notation\]"):
        read_music(data)


def test_suffixes_are_lower_case() -> None:
    assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in SUFFIXES)
