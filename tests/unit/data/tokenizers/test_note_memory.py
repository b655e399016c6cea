"""How a section went before is shown when it returns, and nothing else is."""

import numpy as np
import pytest

from aurl.data.tokenizers import NoteTokenizer
from aurl.data.tokenizers.note_memory import theme
from aurl.data.tokenizers.note_vocabulary import HOW_LONG, HOW_LOUD, WHAT, WHEN, WHO

TOKENIZER = NoteTokenizer()
LAYOUT = TOKENIZER.layout
NAMES = TOKENIZER.vocabulary.fields[WHAT].tokens
PREFIX = 2


def song(form, notes=1):
    """Rows of a bar for each letter, whose note tells the bar's number; the letter is told where it changes."""
    rows = np.zeros((PREFIX, 5), np.int64)
    last = ""
    for number, letter in enumerate(form):
        bar = [[0, 0, LAYOUT.first["bar"], 0, 0]]
        if letter != last:
            bar.append([1, 0, LAYOUT.first["section"] + ord(letter) - ord("A"), 0, 0])
        bar += [[n + 1, 1, LAYOUT.first["pitch"] + number, 1, 1] for n in range(notes)]
        rows = np.concatenate([rows, bar])
        last = letter
    assert (WHEN, WHO, HOW_LONG, HOW_LOUD) == (0, 1, 3, 4)
    return rows


def bars_of(rows):
    """The numbers that the notes tell, each once."""
    pitches = rows[rows[:, WHAT] >= LAYOUT.first["pitch"], WHAT] - LAYOUT.first["pitch"]
    return sorted(set(pitches.tolist()))


def remembered(form, since, most=100, **how):
    """What is remembered of a song of which the bars from `since` on are seen."""
    rows = song(form, **how)
    bars = np.flatnonzero(rows[:, WHAT] == LAYOUT.first["bar"])
    return bars_of(theme(rows, int(bars[since]) + 1, most, LAYOUT))


@pytest.mark.parametrize(
    ("form", "since", "expected"),
    [
        ("AAAABBBBA", 7, [0, 1, 2, 3]),  # the first bar of A has come: from there on
        ("AAAABBBBAAA", 7, [1, 2, 3]),
        ("AAAABBBB", 7, []),  # nothing returns
        ("AAAABBBBA", 2, [0, 1]),  # what is seen is not told twice
        ("AABBAABBA", 8, [0, 1]),  # the first of several is the theme
        ("ABABA", 4, [0]),
    ],
)
def test_the_bars_that_correspond_are_told(form, since, expected):
    assert remembered(form, since) == expected


@pytest.mark.parametrize("most", range(0, 20, 3))
def test_no_more_rows_than_asked_and_whole_bars_only(most):
    rows = song("AAAABBBBA", notes=3)
    found = theme(rows, len(rows), most, LAYOUT)
    assert len(found) <= most
    assert not len(found) or found[0, WHAT] == LAYOUT.first["bar"]
    assert len(found) == 0 or len(rows[rows[:, WHAT] == found[-1, WHAT]]) == 3


def test_a_piece_without_sections_or_bars_has_no_theme():
    assert len(theme(song("")[:0], 0, 10, LAYOUT)) == 0
    without = song("AAAA")
    assert len(theme(without[without[:, WHAT] != LAYOUT.first["section"]], 3, 10, LAYOUT)) == 0


def test_a_window_that_begins_anew_shows_the_theme():
    rows = np.concatenate([TOKENIZER.vocabulary.start[None], song("AAAABBBBBBBBA", notes=4)[PREFIX:]])
    resumed = TOKENIZER.resumed(rows, len(rows) - 20)
    assert set(bars_of(resumed)) >= {0, 11, 12}
    assert TOKENIZER.resumed(rows[:-5], len(rows) - 25).shape[0] < len(resumed)
