"""Pages engraved by Verovio."""

import sys
from xml.etree import ElementTree

import numpy as np
import pytest

from aurl.music.engraving import require_engraver, svg_pages, write_engraving
from aurl.music.score import Notes, Score, Texts, Track
from aurl.utils.errors import ConfigError, MidiError, MissingExtraError

pytest.importorskip("verovio")


def score(bars=2):
    onset = np.arange(4 * bars) * 480
    texts = Texts([0], [-1], np.array(["chord"], object), np.array(["Bb7"], object))
    notes = Notes(onset, [480] * len(onset), 60 + onset // 480 % 12, [64] * len(onset), [0] * len(onset))
    return Score(480, notes, (Track(),), texts=texts, metadata={"title": "Étude", "composer": "C. W."})


def test_a_page_has_the_notes_title_and_words_in_fonts_that_all_have():
    (page,) = svg_pages(score())
    ElementTree.fromstring(page)
    assert page.count('class="note"') == 8
    assert "Étude" in page
    assert "C. W." in page
    assert "♩" in page
    assert "♭" in page
    assert not [letter for letter in page if 0xE000 <= ord(letter) <= 0xF8FF]


def test_pages_of_an_svg_are_numbered(tmp_path):
    assert write_engraving(score(), tmp_path / "short.svg") == [tmp_path / "short.svg"]
    paths = write_engraving(score(120), tmp_path / "long.svg")
    assert len(paths) > 1
    assert [path.name for path in paths] == [f"long-{number}.svg" for number in range(1, len(paths) + 1)]
    assert sum(path.read_text().count('class="note"') for path in paths) == 480


def test_a_pdf_holds_all_pages_and_the_same_bytes_each_time(tmp_path):
    pytest.importorskip("typst")
    assert write_engraving(score(120), tmp_path / "a.pdf") == [tmp_path / "a.pdf"]
    write_engraving(score(120), tmp_path / "b.pdf")
    data = (tmp_path / "a.pdf").read_bytes()
    assert data.startswith(b"%PDF")
    assert data == (tmp_path / "b.pdf").read_bytes()


def test_another_suffix_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="must end in"):
        write_engraving(score(), tmp_path / "a.png")


@pytest.mark.parametrize(("module", "suffix"), [("verovio", ".svg"), ("typst", ".pdf")])
def test_a_missing_library_is_named_with_its_extra(module, suffix, monkeypatch):
    require_engraver(".svg")
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match="engraving"):
        require_engraver(suffix)


def test_what_cannot_be_engraved_is_a_typed_error(monkeypatch):
    monkeypatch.setattr("aurl.music.engraving.pages.musicxml_text", lambda score: "no music")
    with pytest.raises(MidiError, match="Verovio"):
        svg_pages(score())
