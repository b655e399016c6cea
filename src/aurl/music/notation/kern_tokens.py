"""What single tokens of Humdrum mean: notes, keys, tempos, dynamics, chord symbols; knows nothing of spines or time.

After the Humdrum Toolkit (Huron 1995) and the **kern pages of humdrum.org. A kern pitch is the one that sounds, under
an octave sign and on a transposing instrument too: `*8va`, `*ITr` and `*Tr` change nothing here.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

MOST_DOTS = 8
LONGEST_TOKEN = 500
LEVELS = {
    "pppp": 13, "ppp": 19, "pp": 32, "p": 44, "mp": 57, "mf": 70, "f": 89, "ff": 108, "fff": 114, "ffff": 121,
}  # fmt: skip
"""Velocities of dynamics, music21's, as in MusicXML."""
ACCENT = 108
"""Velocity of what is struck at a sf, fz or fp, for that moment only."""
PROGRAMS = {
    "piano": 0, "fortp": 0, "cemba": 6, "clavi": 7, "organ": 19, "accor": 21, "guitr": 24, "lute": 24, "violn": 40,
    "viola": 41, "cello": 42, "cbass": 43, "vioBC": 43, "harp": 46, "timpa": 47, "vox": 52, "canto": 52, "soprn": 52,
    "mezzo": 52, "alto": 52, "tenor": 52, "barit": 52, "bass": 52, "tromp": 56, "tromb": 57, "tuba": 58, "cor": 60,
    "sax": 65, "saxA": 65, "saxT": 66, "saxR": 67, "oboe": 68, "cangl": 69, "fagot": 70, "clars": 71, "picco": 72,
    "flt": 73, "flts": 73, "recor": 74,
}  # fmt: skip
"""Of instrument codes (`*Icello`), General MIDI from 0."""
_NAMES = {
    "violonc": 42, "cello": 42, "violin": 40, "violon": 40, "viola": 41, "contrab": 43, "flaut": 73, "flute": 73,
    "oboe": 68, "clarin": 71, "fagott": 70, "bassoon": 70, "corn": 60, "tromb": 57, "trump": 56, "canto": 52,
    "voice": 52, "soprano": 52, "alto": 52, "tenor": 52,
}  # fmt: skip
_BEATS = {"whole": 4.0, "half": 2.0, "quarter": 1.0, "eighth": 0.5, "sixteenth": 0.25}
_METRONOME = re.compile(rf"\[({'|'.join(_BEATS)})(?:-note)?(-dot)?\]\s*=\s*([0-9]{{1,3}})\b")
_KINDS = {
    "major": "", "minor": "m", "dominant": "7", "dominant-seventh": "7", "major-seventh": "maj7", "minor-seventh": "m7",
    "augmented": "aug", "diminished": "dim", "diminished-seventh": "dim7", "half-diminished": "m7b5",
    "half-diminished-seventh": "m7b5", "major-sixth": "6", "minor-sixth": "m6", "dominant-ninth": "9",
    "major-ninth": "maj9", "minor-ninth": "m9", "suspended-second": "sus2", "suspended-fourth": "sus4", "power": "5",
}  # fmt: skip
"""Of **mxhm, MusicXML's words, as lead sheets write them."""
_VALUE = re.compile(r"([0-9]+)(?:%([0-9]+))?")
_PITCH = re.compile(r"([a-gA-G])\1*")
_STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}


class Head(NamedTuple):
    """A note head: MIDI pitch and ties."""

    pitch: int
    tied_to_previous: bool
    tied_to_next: bool


class Sound(NamedTuple):
    """A note, chord or rest (no heads); a grace note has no duration (quarter notes)."""

    duration: Fraction
    heads: tuple[Head, ...]
    is_grace: bool


@lru_cache(1 << 14)
def sound(token: str) -> Sound:
    """What a token of a kern spine sounds; raises ValueError for one that means nothing."""
    if len(token) > LONGEST_TOKEN:
        raise ValueError(f"a chord {len(token)} characters long")
    parts = token.split(" ")
    heads = tuple(head for part in parts if "r" not in part for head in _heads(part))
    is_grace = "q" in token or "Q" in token
    return Sound(Fraction(0) if is_grace else _duration(parts[0]), heads, is_grace)


def _heads(part: str) -> list[Head]:
    found = _PITCH.search(part)
    if not found:
        return []
    octave = len(found[0]) if found[1].islower() else 1 - len(found[0])
    pitch = 48 + 12 * octave + _STEPS[found[1].upper()] + part.count("#") - part.count("-")
    goes_on = "_" in part
    return [Head(pitch, goes_on or "]" in part, goes_on or "[" in part)]


def _duration(part: str) -> Fraction:
    """Quarter notes of "8." or "12%5" (5 twelfths of a whole note) or "0" (two whole notes); 0 without a number."""
    found = _VALUE.search(part)
    if not found:
        return Fraction(0)
    return _quarters(found[1], found[2] or "1", part.count("."))


@lru_cache(1 << 10)
def _quarters(number: str, multiple: str, dots: int) -> Fraction:
    if len(number) > 4 or len(multiple) > 4 or dots > MOST_DOTS:
        raise ValueError(f"the duration {number[:20]}%{multiple[:20]} with {dots} dots means nothing")
    whole = Fraction(int(multiple), int(number)) if int(number) else Fraction(2 ** len(number))
    return 4 * whole * (2 - Fraction(1, 2**dots))


def sharps(token: str) -> int | None:
    """Sharps (flats negative) of "*k[f#c#]"; None if it is no key signature, or none of the usual ones."""
    found = re.fullmatch(r"\*k\[((?:[a-g][#n-])*)\]", token)
    if not found or {"#", "-"} <= set(found[1]):
        return None
    count = found[1].count("#") - found[1].count("-")
    return count if abs(count) <= 7 else None


def tonic(token: str) -> tuple[int, bool] | None:
    """(sharps, is minor) of the key "*A-:" or "*f#:"; None for anything else."""
    found = re.fullmatch(r"\*([A-Ga-g])([#-]?):", token)
    if not found:
        return None
    fifths = "FCGDAEB".index(found[1].upper()) - 1 + {"#": 7, "-": -7, "": 0}[found[2]]
    return (fifths - 3, True) if found[1].islower() else (fifths, False)


def tempo(token: str) -> float | None:
    """Quarter notes a minute of "*MM120", 4 to 2000; None for anything else."""
    found = re.match(r"\*MM([0-9]{1,4}(?:\.[0-9]{1,4})?)", token)
    return float(found[1]) if found and 4 <= float(found[1]) <= 2000 else None


def metronome(text: str) -> float | None:
    """Quarter notes a minute of "[half-dot] = 60" in a text; None if there is no such thing."""
    found = _METRONOME.search(text)
    if not found or not int(found[3]):
        return None
    return _BEATS[found[1]] * (1.5 if found[2] else 1) * int(found[3])


def program_named(name: str) -> int:
    """The General MIDI program of an instrument's name, in French, Italian or English; 0 (piano) if it is none."""
    return next((program for start, program in _NAMES.items() if name.lower().startswith(start)), 0)


def level(token: str) -> tuple[int | None, bool]:
    """Velocity that a token of a **dynam spine sets from here on, and whether it accents this moment."""
    words = re.findall("[a-z]+", token)
    accents = any("z" in word or word in ("sf", "fp", "sfp") for word in words)
    return next((LEVELS[word] for word in words if word in LEVELS), None), accents


def chord_symbol(token: str) -> str:
    """The text of a **harte or **mxhm token ("B- minor-seventh/D-") as a lead sheet has it."""
    root, _, rest = token.partition(" ")
    if root == "none":
        return "N.C."
    kind, _, bass = rest.partition("/")
    symbol = root + _KINDS.get(kind, kind) + (f"/{bass}" if bass else "")
    return re.sub(r"(?<=[A-G])-+|(?<=/[A-G])-+", lambda flats: "b" * len(flats[0]), symbol)
