"""Chords of lead sheets and keys of tunes, as the OpenEWLD, Nottingham and fiddle collections have them.

`.chords.json`: {"chords": [[start, end, "Bb", 10, "minor-seventh", bass pitch class or null], ...]}, quarter notes,
kinds as in MusicXML. `.meta.json`: {"key": "Em", ...} as in the K: field of ABC; modes other than major and minor are
no key of ours.
"""

from __future__ import annotations

import math
import re
from functools import partial
from typing import Any

from aurl.data.labelling.base import Given, chord_spans, expecting, read_json
from aurl.music.chords import Chord
from aurl.music.theory import key_name, parse_key
from aurl.utils.errors import ConfigError, CorpusError

KINDS = {
    "major": "maj", "minor": "min", "dominant": "7", "minor-seventh": "min7", "major-seventh": "maj7",
    "diminished": "dim", "major-sixth": "maj6", "dominant-ninth": "7", "minor-sixth": "min",
    "diminished-seventh": "dim7", "augmented-seventh": "aug", "augmented": "aug", "half-diminished": "hdim7",
    "suspended-fourth": "sus4", "suspended-second": "sus2", "dominant-11th": "7", "dominant-13th": "7",
    "minor-ninth": "min7", "minor-11th": "min7", "minor-13th": "min7", "augmented-ninth": "aug", "major-ninth": "maj7",
    "major-11th": "maj7", "major-13th": "maj7", "minor-major": "min", "maj69": "maj6", "power": "maj",
}  # fmt: skip
"""MusicXML's kinds of chords, as far as they are one of ours or extend it."""


def read_lead_sheet(content: bytes) -> Given:
    """The chords of a `.chords.json`."""
    with expecting("a list of chords"):
        rows = [(time(row[0]), time(row[1]), str(row[4]), row) for row in read_json(content)["chords"]]
        return chord_spans((start, end, kind, partial(_chord, row)) for start, end, kind, row in rows)


def _chord(row: list[Any]) -> Chord:
    if row[4] not in KINDS:
        raise CorpusError("unknown kind of chord", found=row[4])
    return Chord(int(row[3]) % 12, KINDS[row[4]], None if row[5] is None else int(row[5]) % 12)


def read_key(content: bytes) -> Given:
    """The key in a `.meta.json`, for the whole piece."""
    with expecting("facts about a tune"):
        text = read_json(content).get("key")
    if text is None:
        return Given({})
    try:
        tonic, is_minor = parse_key(re.sub(r"(?<=[A-G#b ])(?:M(?:aj(?:or)?)?|Min)$", _usual, str(text)))
    except ConfigError as error:
        raise CorpusError("neither a major nor a minor key", found=error.found) from None
    return Given({"key": [(0.0, math.inf, key_name(tonic, is_minor))]})


def _usual(mode: re.Match[str]) -> str:
    return "min" if mode[0] == "Min" else "maj"


def time(value: Any) -> float:
    """A time in quarter notes; raises ValueError for none."""
    number = float(value)
    if not 0 <= number < 1e7:
        raise ValueError(f"no time: {value!r}")
    return number
