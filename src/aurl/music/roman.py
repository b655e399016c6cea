"""Roman numerals in a key, as RomanText (Tymoczko, Gotham, Cuthbert and Ariza 2019) writes them: "viio43/V".

Upper case is major, lower case minor; in minor keys the sixth and seventh degree are raised under a minor or diminished
chord ("viio") and not under a major one ("VI", "VII"). Sevenths belong to the key unless o or ø says otherwise. Added
and missing notes in brackets are passed over. What is beyond this raises ConfigError.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from aurl.music.chords import INTERVALS, Chord
from aurl.music.theory import SCALES
from aurl.utils.errors import ConfigError

MAJOR_SCALE, MINOR_SCALE = SCALES["major"], SCALES["minor"]
DEGREES = ("I", "II", "III", "IV", "V", "VI", "VII")
INVERSIONS = {"": 0, "5": 0, "53": 0, "6": 1, "63": 1, "64": 2}
SEVENTH_INVERSIONS = {"7": 0, "65": 1, "43": 2, "642": 3, "42": 3, "2": 3, "9": 0, "b9": 0, "b7": 0}
SIXTHS = {"It", "It6", "Ger", "Ger6", "Ger65", "Fr", "Fr6", "Fr43"}
"""Augmented sixths with the flat sixth degree in the bass: they sound as its dominant seventh, or part of it."""
_FIGURE = re.compile(r"([b#]*)([iv]+|[IV]+)([oø+]?)(maj)?([b\d]*)(\+?)")


@dataclass(frozen=True)
class LocalKey:
    """Pitch class of the tonic, and whether the key is minor."""

    tonic: int
    is_minor: bool

    def degree(self, number: int, is_minor_chord: bool) -> int:
        """Pitch class of a degree (1..7) as the root of a chord."""
        scale = MINOR_SCALE if self.is_minor else MAJOR_SCALE
        raised = self.is_minor and is_minor_chord and number >= 6
        return (self.tonic + scale[number - 1] + raised) % 12


@cache
def roman_chord(figure: str, key: LocalKey) -> Chord:
    """The chord that `figure` stands for in `key`; raises ConfigError for what cannot be told without guessing."""
    text = re.sub(r"\[[^\]]*\]", "", figure).replace("/o", "ø").replace("°", "o")
    text = re.sub(r"(?<=\d)/(?=\d)", "", text)  # V4/3 is V43
    head, _, applied = text.partition("/")
    if applied:
        key = _applied_key(applied, key)
    if head in SIXTHS:
        return Chord((key.tonic + 8) % 12, "7")
    if head == "Cad64":
        return _inverted(key.tonic, "min" if key.is_minor else "maj", 2)
    if head in ("N", "N6"):
        return _inverted((key.tonic + 1) % 12, "maj", len(head) - 1)
    return _numeral(head, key)


def _applied_key(numeral: str, key: LocalKey) -> LocalKey:
    """The key of "V" in "V7/V", or of "V/ii" in "V7/V/ii"."""
    for part in reversed(numeral.split("/")):
        match = _FIGURE.fullmatch(part)
        if match is None or match[2].upper() not in DEGREES or match[5]:
            raise ConfigError("not a degree", found=numeral)
        key = LocalKey(_root(match, key), match[2].islower())
    return key


def _root(match: re.Match[str], key: LocalKey) -> int:
    number, is_minor_chord = DEGREES.index(match[2].upper()) + 1, match[2].islower()
    natural = key.degree(number, is_minor_chord)
    if key.is_minor and number >= 6 and match[1] == ("#" if is_minor_chord else "b"):
        return natural  # "bVI" and "#vii" only say what the case says already
    return (natural + match[1].count("#") - match[1].count("b")) % 12


def _numeral(head: str, key: LocalKey) -> Chord:
    match = _FIGURE.fullmatch(head)
    if match is None or match[2].upper() not in DEGREES:
        raise ConfigError("not a Roman numeral that is understood", found=head)
    root, mark, figures = _root(match, key), match[3] or match[6], match[5]
    if figures in INVERSIONS and mark != "ø" and not match[4]:
        triads = {"o": "dim", "+": "aug", "": "min" if match[2].islower() else "maj"}
        return _inverted(root, triads[mark], INVERSIONS[figures])
    if mark == "ø" and figures in ("", "6", "64"):
        return _inverted(root, "dim", INVERSIONS[figures])
    if figures not in SEVENTH_INVERSIONS:
        raise ConfigError("figures that are not understood", found=head)
    return _inverted(root, _seventh(match, mark, root, key), SEVENTH_INVERSIONS[figures])


def _seventh(match: re.Match[str], mark: str, root: int, key: LocalKey) -> str:
    if mark:
        return {"o": "dim7", "ø": "hdim7", "+": "aug"}[mark]
    scale = MINOR_SCALE if key.is_minor else MAJOR_SCALE
    above = (key.tonic + scale[(DEGREES.index(match[2].upper()) + 6) % 7] - root) % 12
    is_major_seventh = match[4] is not None or (above == 11 and not match[1] and match[5] != "b7")
    if match[2].islower():
        return "min" if is_major_seventh else "min7"
    return "maj7" if is_major_seventh else "7"


def _inverted(root: int, quality: str, inversion: int) -> Chord:
    """The chord with its tone number `inversion` in the bass; a bass beyond our quality is not kept."""
    tones = INTERVALS[quality]
    return Chord(root, quality, (root + tones[inversion]) % 12 if inversion < len(tones) else None)
