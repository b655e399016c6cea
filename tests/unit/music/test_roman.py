import pytest

from aurl.music.roman import LocalKey, roman_chord
from aurl.music.theory import parse_key
from aurl.utils.errors import ConfigError


@pytest.mark.parametrize(
    ("key", "figure", "symbol"),
    [
        ("C major", "I", "C"),
        ("C major", "V7", "G7"),
        ("C major", "V65", "G7/B"),
        ("C major", "V4/3", "G7/D"),
        ("C major", "V42", "G7/F"),
        ("C major", "ii6", "Dm/F"),
        ("C major", "IV7", "Fmaj7"),
        ("C major", "viio6", "Bdim/D"),
        ("C major", "viiø7", "Bm7b5"),
        ("C major", "vii/o7", "Bm7b5"),
        ("C major", "V7/V", "D7"),
        ("C major", "V65/ii", "A7/C#"),
        ("C major", "viio7/V/V", "C#dim7"),
        ("C major", "V+", "Gaug"),
        ("C major", "bVI", "Ab"),
        ("C major", "bVI7", "Ab7"),
        ("C major", "N6", "C#/F"),
        ("C major", "Ger65", "Ab7"),
        ("C major", "Cad64", "C/G"),
        ("C major", "I[add9]", "C"),
        ("C minor", "i64", "Cm/G"),
        ("C minor", "V7", "G7"),
        ("C minor", "VI", "Ab"),
        ("C minor", "bVI", "Ab"),
        ("C minor", "VII", "Bb"),
        ("C minor", "viio7", "Bdim7"),
        ("C minor", "#viio", "Bdim"),
        ("C minor", "iiø65", "Dm7b5/F"),
        ("C minor", "III+", "Ebaug"),
        ("C minor", "Cad64", "Cm/G"),
        ("C minor", "iv7", "Fm7"),
        ("F# minor", "V", "C#"),
    ],
)
def test_numerals_are_chords_of_their_key(key, figure, symbol):
    assert roman_chord(figure, LocalKey(*parse_key(key))).symbol == symbol


@pytest.mark.parametrize("figure", ["", "V54", "Ger42", "X7", "IIII", "V7/9", "IV4b3"])
def test_what_cannot_be_told_is_not_guessed(figure):
    with pytest.raises(ConfigError):
        roman_chord(figure, LocalKey(0, is_minor=False))
