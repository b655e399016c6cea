"""The page of a corpus: whole, self-contained, and deaf to what strangers write into titles."""

import json
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from typer.testing import CliRunner

from aurl.cli.main import app
from aurl.data.corpus import PrepareConfig, build_corpus
from aurl.music.midi import midi_bytes
from aurl.music.score import WHOLE_SCORE, Notes, Score, Texts, Track
from aurl.pipelines.report import bars, names, page, report_corpus, write_report

ATTACK = '<script>alert("1")</script>&<img src=x onerror=alert(1)>'


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """One piece twice, whose names and labels are an attack."""
    root = tmp_path_factory.mktemp("report")
    music = root / "music"
    music.mkdir()
    pitch = 60 + np.cumsum(np.random.default_rng(0).choice([-3, -2, -1, 1, 2, 3, 4], 60)) % 24
    notes = Notes(np.arange(60) * 240, np.full(60, 200), pitch, np.full(60, 80), np.zeros(60))
    texts = Texts([0], [WHOLE_SCORE], ["key"], [ATTACK])
    for copy in "ab":
        content = midi_bytes(Score(480, notes, (Track(name=ATTACK),), texts=texts))
        (music / f"<img src=x onerror=alert({copy})>.mid").write_bytes(content)
    manifest = music / "manifest.csv"
    rows = [f'"<img src=x onerror=alert({copy})>.mid",<b>bold</b>' for copy in "ab"]
    manifest.write_text("\n".join(["path,composer", *rows]))
    build_corpus([music], root / "corpus", PrepareConfig(workers=1, labels=()))
    return root / "corpus"


@pytest.fixture(scope="module")
def facts(corpus):
    return report_corpus(corpus, ["event"], quiet=True)


def test_no_text_of_the_corpus_becomes_markup(facts):
    assert "<b>bold</b>" in facts["counts"]["composer"]
    html = page(facts, f"Corpus {ATTACK}")
    assert "&lt;b&gt;bold" in html
    assert "&lt;img src=x onerror=alert(a)&gt;" in html
    for markup in ("<script", "<img", "<b>bold"):
        assert markup not in html


def test_the_page_needs_nothing_from_elsewhere(facts):
    html = page(facts, "t")
    assert "http" not in html.replace("http://www.w3.org", "")
    assert "prefers-color-scheme: dark" in html
    for section in (
        "Splits",
        "Length in tokens: event",
        "Near-duplicates",
        "Repairs",
        "Failures",
        "polyphony",
        "metre",
    ):
        assert section in html


@pytest.mark.parametrize(
    "drawing",
    [
        bars([0, 3, 0, 5, 0], list("abcde")),
        bars([0, 0], ["a", "b"]),
        names({}),
        names({f"<name {number}>" + "x" * 40: 40 - number for number in range(30)}),
    ],
)
def test_every_drawing_is_well_formed(drawing):
    assert ElementTree.fromstring(drawing).tag == "svg"


def test_a_histogram_shows_from_the_first_filled_bar_to_the_last():
    drawn = bars([0, 3, 0, 5, 0], list("abcde"))
    assert drawn.count("<rect") == 3
    assert ">b</text>" in drawn
    assert ">d</text>" in drawn


def test_names_beyond_the_first_are_added_up():
    drawn = names({str(number): 1 for number in range(20)})
    assert "4 others" in drawn


def test_one_piece_is_enough_and_drums_alone_have_nothing_to_measure(tmp_path):
    notes = Notes(np.arange(8) * 480, np.full(8, 100), np.full(8, 36), np.full(8, 80), np.zeros(8))
    path = tmp_path / "drums.mid"
    path.write_bytes(midi_bytes(Score(480, notes, (Track(is_drum=True),))))
    build_corpus([path], tmp_path / "corpus", PrepareConfig(workers=1, labels=()))
    facts = report_corpus(tmp_path / "corpus", ["event"], quiet=True)
    write_report(facts, "drums", tmp_path / "page.html")
    assert "nothing to measure" in (tmp_path / "page.html").read_text()


def test_the_command_writes_a_page_or_prints_json(corpus, tmp_path):
    out = tmp_path / "r.html"
    result = CliRunner().invoke(app, ["report", str(corpus), "-o", str(out), "-q"])
    assert result.exit_code == 0, result.output
    assert out.read_text().startswith("<!doctype html>")
    result = CliRunner().invoke(app, ["report", str(corpus), "--json", "-q", "--tokenizer", "event"])
    assert json.loads(result.stdout)["corpus"]["pieces"] == 2
