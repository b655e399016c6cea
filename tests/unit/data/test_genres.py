from __future__ import annotations

import pytest

from aurl.data.genres import short_name


@pytest.mark.parametrize(
    ("genre", "name"),
    [
        ("pop", "pop"),
        ("Pop", "pop"),
        ("fiddle/reel", "fiddle"),
        ("art song", "song"),
        ("popular/jazz standard (pre-1930s)", "jazz"),
        ("popular", None),
        ("", None),
    ],
)
def test_a_genre_goes_by_a_name_whose_words_it_contains(genre, name):
    assert short_name(genre, ["pop", "fiddle", "song", "jazz", "?"]) == name


def test_the_genre_itself_comes_before_words_of_it():
    assert short_name("art song", ["song", "Art Song"]) == "Art Song"
