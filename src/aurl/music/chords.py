"""Chords by root, quality and bass, and the ways people write them: lead sheets ("F#m7b5/A") and Harte ("F#:hdim7/b3").

Twelve qualities cover what the corpora hold. Richer chords are read as the one they extend: C9 as C7, Cm6 as Cm, C5 as
C. The notation with a colon is that of Harte, Sandler, Abdallah and Gomez (2005); mir_eval reads it. Knows nothing of
scores.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from aurl.music.theory import PITCH_CLASSES, SCALES, pitch_class
from aurl.utils.errors import ConfigError

INTERVALS = {
    "maj": (0, 4, 7), "min": (0, 3, 7), "dim": (0, 3, 6), "aug": (0, 4, 8), "sus2": (0, 2, 7), "sus4": (0, 5, 7),
    "7": (0, 4, 7, 10), "maj7": (0, 4, 7, 11), "min7": (0, 3, 7, 10), "dim7": (0, 3, 6, 9), "hdim7": (0, 3, 6, 10),
    "maj6": (0, 4, 7, 9),
}  # fmt: skip
"""Semitones of each quality's tones above the root."""
QUALITIES = tuple(INTERVALS)
_SUFFIXES = {"maj": "", "min": "m", "min7": "m7", "hdim7": "m7b5", "maj6": "6"}
"""What follows the root in a chord symbol, where it is not the quality's own name."""
NO_CHORD = "N.C."
_DEGREES = ("1", "b2", "2", "b3", "3", "4", "b5", "5", "b6", "6", "b7", "7")
_SCALE = SCALES["major"]
_NONE = {"n", "nc", "n.c.", "x", "none"}
_SYMBOL = re.compile(r"([A-G][#b]*)(.*?)(?:/([A-G][#b]*))?")
_SUFFIX = re.compile(
    r"(?P<base>maj|m|dim|aug)?(?P<major>maj)?(?P<number>6/?9|5|6|7|9|11|13)?"
    r"(?P<extras>(?:sus[24]?|add[b#]?\d+|no\d+|omit\d+|[b#]\d+|alt|/\d+)*)"
)
_SPELLINGS = (
    ("Δ7", "maj7"), ("Δ", "maj7"), ("ø7", "m7b5"), ("ø", "m7b5"), ("°", "dim"), ("major", "maj"), ("minor", "m"),
    ("min", "m"), ("Maj", "maj"), ("MAJ", "maj"), ("ma7", "maj7"), ("M", "maj"), ("mi", "m"), ("-5", "b5"),
    ("+5", "#5"), ("+9", "#9"), ("-9", "b9"), ("+", "aug"), ("-", "m"),
)  # fmt: skip
"""Other spellings of the parts of a suffix, in the order in which they are replaced."""
_HARTE = re.compile(r"([A-G][#b]*):?([a-z]*\d*)(?:\([^)]*\))?(?:/([b#]*)(\d+))?")
_HARTE_QUALITIES = {quality: quality for quality in QUALITIES} | {
    "": "maj", "1": "maj", "5": "maj", "6": "maj6", "9": "7", "11": "7", "13": "7", "maj9": "maj7", "maj11": "maj7",
    "maj13": "maj7", "min9": "min7", "min11": "min7", "min13": "min7", "min6": "min", "minmaj7": "min",
}  # fmt: skip


@dataclass(frozen=True)
class Chord:
    """Pitch class of the root (None: no chord), quality (one of QUALITIES), pitch class of the bass (None: root)."""

    root: int | None
    quality: str = "maj"
    bass: int | None = None

    def __post_init__(self) -> None:
        if self.quality not in INTERVALS:
            raise ValueError(f"unknown chord quality {self.quality!r}")
        if self.root is None:
            object.__setattr__(self, "quality", "maj")
        if self.root is None or self.bass == self.root:
            object.__setattr__(self, "bass", None)

    @classmethod
    def parse(cls, text: str) -> Chord:
        """Read a chord symbol or Harte's notation; raises ConfigError for anything else."""
        return _parse(text)

    @property
    def symbol(self) -> str:
        """The chord as on a lead sheet: "F#m7b5/A", or "N.C."."""
        if self.root is None:
            return NO_CHORD
        bass = "" if self.bass is None else f"/{PITCH_CLASSES[self.bass]}"
        return f"{PITCH_CLASSES[self.root]}{_SUFFIXES.get(self.quality, self.quality)}{bass}"

    @property
    def harte(self) -> str:
        """The chord in Harte's notation: "F#:hdim7/b3", or "N"."""
        if self.root is None:
            return "N"
        bass = "" if self.bass is None else f"/{_DEGREES[(self.bass - self.root) % 12]}"
        return f"{PITCH_CLASSES[self.root]}:{self.quality}{bass}"

    @property
    def pitch_classes(self) -> frozenset[int]:
        """The pitch classes that sound, the bass among them."""
        if self.root is None:
            return frozenset()
        tones = {(self.root + interval) % 12 for interval in INTERVALS[self.quality]}
        return frozenset(tones if self.bass is None else tones | {self.bass})

    def transposed(self, semitones: int) -> Chord:
        """The same chord `semitones` higher."""
        if self.root is None:
            return self
        bass = None if self.bass is None else (self.bass + semitones) % 12
        return Chord((self.root + semitones) % 12, self.quality, bass)


@cache
def _parse(text: str) -> Chord:
    text = text.strip()
    if text.lower() in _NONE:
        return Chord(None)
    chord = (_parse_harte(text) if ":" in text else None) or _parse_symbol(text) or _parse_harte(text)
    if chord is None:
        raise ConfigError("not a chord", found=repr(text), hint='write it like "F#m7b5/A", "F#:hdim7/b3" or "N.C."')
    return chord


def _parse_harte(text: str) -> Chord | None:
    match = _HARTE.fullmatch(text)
    if match is None or match[2] not in _HARTE_QUALITIES:
        return None
    root, bass = pitch_class(match[1]), None
    if match[4]:
        degree = int(match[4]) - 1
        bass = (root + _SCALE[degree % 7] + match[3].count("#") - match[3].count("b")) % 12
    return Chord(root, _HARTE_QUALITIES[match[2]], bass)


def _parse_symbol(text: str) -> Chord | None:
    match = _SYMBOL.fullmatch(text)
    quality = _read_suffix(match[2]) if match else None
    if match is None or quality is None:
        return None
    return Chord(pitch_class(match[1]), quality, pitch_class(match[3]) if match[3] else None)


def _read_suffix(suffix: str) -> str | None:
    """The quality that a chord symbol's suffix means or extends; None if it means nothing."""
    for spelling, usual in _SPELLINGS:
        suffix = suffix.replace(spelling, usual)
    match = _SUFFIX.fullmatch(re.sub(r"[() ,]", "", re.sub(r"^o|(?<=[/( ])o", "dim", suffix)))
    if match is None:
        return None
    base, number, extras = match["base"], match["number"] or "", match["extras"]
    has_seventh = number in ("7", "9", "11", "13")
    if "sus" in extras:
        return "sus2" if "sus2" in extras else "sus4"
    if base == "dim":
        return "dim7" if has_seventh else "dim"
    if base == "m":
        return _read_minor(has_seventh and not match["major"], "b5" in extras)
    if base == "aug" or "#5" in extras:
        return "aug"
    return _read_major(number, base == "maj" or match["major"] is not None)


def _read_major(number: str, has_major_seventh: bool) -> str:
    if number in ("7", "9", "11", "13"):
        return "maj7" if has_major_seventh else "7"
    return "maj6" if number.startswith("6") else "maj"


def _read_minor(has_seventh: bool, has_flat_fifth: bool) -> str:
    if has_flat_fifth:
        return "hdim7" if has_seventh else "dim"
    return "min7" if has_seventh else "min"
