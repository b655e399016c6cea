"""One HTML file that shows and plays a score, and loads nothing."""

import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from aurl.music.html_roll import html_roll, write_html_roll
from aurl.music.score import Notes, Score, Texts, Track
from aurl.utils.errors import ConfigError

SCORE = Score(
    480,
    Notes([0, 480, 480], [480, 240, 960], [60, 64, 36], [64, 80, 100], [0, 0, 1]),
    (Track(0, name="Piano </script>"), Track(0, True, "Kit")),
    texts=Texts([0, 480], [-1, -1], np.array(["section", "chord"], object), np.array(["A", "Am<7"], object)),
)
VOID = {"meta", "input", "link", "br", "img"}


class Balanced(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.seen = [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def data_of(page):
    return json.loads(re.search(r'<script id="score" type="application/json">(.*?)</script>', page, re.DOTALL)[1])


def test_all_notes_are_in_it_in_seconds():
    data = data_of(html_roll(SCORE))
    assert data["notes"] == [[0, 0.5, 60, 64, 0], [0.5, 0.25, 64, 80, 0], [0.5, 1, 36, 100, 1]]
    assert data["seconds"] == 1.5
    assert data["low"] < 36 < 64 < data["high"]
    assert [track["drum"] for track in data["tracks"]] == [False, True]
    assert data["labels"] == [[0, "section", "A"], [0.5, "chord", "Am<7"]]
    assert data["bars"] == [0]


def test_it_is_whole_html_that_loads_nothing():
    page = html_roll(SCORE, "A & <B>")
    parser = Balanced()
    parser.feed(page)
    assert not parser.open
    assert not [attrs for _, attrs in parser.seen if {"src", "href"} & attrs.keys()]
    assert "://" not in page
    assert "<title>A &amp; &lt;B&gt;</title>" in page


def test_a_score_without_notes_is_drawn_empty():
    assert data_of(html_roll(Score()))["notes"] == []


def test_it_is_written_as_html_only(tmp_path):
    write_html_roll(SCORE, tmp_path / "a.html", "A")
    assert (tmp_path / "a.html").read_text(encoding="utf-8") == html_roll(SCORE, "A")
    with pytest.raises(ConfigError):
        write_html_roll(SCORE, tmp_path / "a.txt")
