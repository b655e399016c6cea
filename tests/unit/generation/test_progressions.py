"""Chords from text and files."""

import numpy as np
import pytest

from aurl.generation.progressions import LARGEST_SHEET, Progression, read_progression
from aurl.music.midi import write_midi
from aurl.music.score import Score, Texts, TimeSignatures
from aurl.utils.errors import ConfigError


def read(source, **options):
    return [(bar, step, chord.symbol) for bar, step, chord in read_progression(source, **options)]


@pytest.mark.parametrize(
    ("text", "key", "expected"),
    [
        ("Am F", None, [(0, 0, "Am"), (1, 0, "F")]),
        ("Am  F | C", None, [(0, 0, "Am"), (0, 48, "F"), (1, 0, "C")]),
        ("|: C . . G7 | % :|", None, [(0, 0, "C"), (0, 72, "G7"), (1, 0, "C"), (1, 72, "G7")]),
        ("C / / F | . G", None, [(0, 0, "C"), (0, 72, "F"), (1, 48, "G")]),
        (". C | F", None, [(0, 0, "N.C."), (0, 48, "C"), (1, 0, "F")]),
        ("C C | C G", None, [(0, 0, "C"), (1, 48, "G")]),
        ("C | G % | C", None, [(0, 0, "C"), (1, 0, "G"), (2, 0, "C")]),
        ("N.C. F#m7b5/A A:min7/b3", None, [(0, 0, "N.C."), (1, 0, "F#m7b5/A"), (2, 0, "Am7/C")]),
        ("i VI III VII", "A minor", [(0, 0, "Am"), (1, 0, "F"), (2, 0, "C"), (3, 0, "G")]),
        ("ii65 V7/V V", "C", [(0, 0, "Dm7/F"), (1, 0, "D7"), (2, 0, "G")]),
        ("{key: Em}\n# mine\ni iv\n", None, [(0, 0, "Em"), (1, 0, "Am")]),
        ("[Am]One [F]two\nno chords here\n[C]three", None, [(0, 0, "Am"), (1, 0, "F"), (2, 0, "C")]),
        ("[Am]One [F]two | [C]three |", None, [(0, 0, "Am"), (0, 48, "F"), (1, 0, "C")]),
    ],
)
def test_text_is_read_bar_by_bar(text, key, expected):
    assert read(text, key=key) == expected


def test_it_begins_again_until_the_bars_are_full():
    assert read("C G | Am", bars=5) == [
        (0, 0, "C"), (0, 48, "G"), (1, 0, "Am"), (2, 0, "C"), (2, 48, "G"), (3, 0, "Am"), (4, 0, "C"), (4, 48, "G"),
    ]  # fmt: skip
    assert read("C", bars=3) == [(0, 0, "C")]


def test_bars_of_three_beats_are_divided_likewise():
    assert read("C . G", beats_per_bar=3) == [(0, 0, "C"), (2, 0, "G")]
    assert read("C . G |", beats_per_bar=3) == [(0, 0, "C"), (0, 48, "G")]


def test_the_chord_in_force_is_found_at_any_step():
    progression = Progression.read("C G | Am")
    assert [progression.at(bar, step, 96)[1].symbol for bar, step in ((0, 0), (0, 47), (0, 48), (1, 95), (2, 95))] == [
        "C", "C", "G", "Am", "G",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "no chords"), ("  \n", "no chords"), ("hello", "not a chord"), ("i VI", "not a chord"),
        ("% | C", "before the first"), (". C", "before the first"), ("missing.cho", "no such file"),
        ("x" * 5000, "not a chord"),
    ],
)  # fmt: skip
def test_nonsense_is_refused(text, problem):
    with pytest.raises(ConfigError, match=problem):
        read_progression(text)


def test_numerals_need_to_be_ones_and_keys_too():
    with pytest.raises(ConfigError, match="Roman numeral"):
        read_progression("i XQ", key="C")
    with pytest.raises(ConfigError, match="not a key"):
        read_progression("i iv", key="H")


def test_a_file_of_chords_is_read_as_text(tmp_path):
    sheet = tmp_path / "song.cho"
    sheet.write_text("{title: Song}\n{key: G}\n[I]One [V7]two", encoding="utf-8")
    assert read(sheet) == [(0, 0, "G"), (1, 0, "D7")]
    assert read(str(sheet)) == read(sheet)
    with pytest.raises(ConfigError, match="no such file"):
        read_progression(tmp_path / "other.cho")
    sheet.write_text("C " * LARGEST_SHEET, encoding="utf-8")
    with pytest.raises(ConfigError, match="too large"):
        read_progression(sheet)


def test_chord_symbols_of_music_are_read_at_their_place_in_the_bar(tmp_path):
    labels = [(0, "Am"), (480, "F"), (1440, "C"), (3 * 1440, "G7")]
    texts = Texts(
        np.array([time for time, _ in labels]), np.full(4, -1), np.full(4, "chord", object),
        np.array([symbol for _, symbol in labels], object),
    )  # fmt: skip
    score = Score(time_signatures=TimeSignatures(np.zeros(1), np.array([3]), np.array([4])), texts=texts)
    write_midi(score, tmp_path / "sheet.mid")
    assert read(tmp_path / "sheet.mid", beats_per_bar=3) == [(0, 0, "Am"), (0, 24, "F"), (1, 0, "C"), (3, 0, "G7")]
    assert read(tmp_path / "sheet.mid", beats_per_bar=6)[1] == (0, 48, "F")
    write_midi(Score(), tmp_path / "empty.mid")
    with pytest.raises(ConfigError, match="no chord symbols"):
        read_progression(tmp_path / "empty.mid")


def test_an_unreadable_file_is_refused(tmp_path, monkeypatch):
    sheet = tmp_path / "song.txt"
    sheet.write_text("C", encoding="utf-8")
    monkeypatch.setattr(type(sheet), "read_bytes", lambda _: (_ for _ in ()).throw(PermissionError(13, "denied")))
    with pytest.raises(ConfigError, match="cannot read"):
        read_progression(sheet)
