"""Files of Roman numerals: Dezrann and RomanText analyses of When in Rome, and the Beethoven set BPS-FH.

`.dez.json`: labels {type, start, duration, tag} in quarter notes, of which Harmony (numerals) and Tonality (keys) are
read. `.rn.txt`: RomanText, a line a bar ("m1 b: i b3 V65"). `.labels.json`: chords [start, end, key, degree, quality,
inversion, numeral] in quarter notes, keys with - for flat and + for sharp, minor in lower case.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from aurl.data.labelling.base import MAX_LABELS, Given, Spans, chord_spans, expecting, read_json
from aurl.data.labelling.lead_sheets import time
from aurl.music.chords import INTERVALS, Chord
from aurl.music.roman import LocalKey, roman_chord
from aurl.music.theory import key_name, parse_key, pitch_class
from aurl.utils.errors import CorpusError

BEETHOVEN_QUALITIES = {
    "M": "maj", "m": "min", "d": "dim", "a": "aug", "D7": "7", "M7": "maj7", "m7": "min7", "d7": "dim7", "h7": "hdim7",
}  # fmt: skip
_LINE = re.compile(r"m(\d+)(?:-(\d+)\s*=\s*m(\d+)-(\d+)|\s*=\s*m(\d+)|(?=\s))(.*)")
_KEY = re.compile(r"([A-Ga-g][b#]*):")
_BEAT = re.compile(r"b(\d+(?:\.\d+)?)")
_METRE = re.compile(r"time signature\s*:\s*(.*)", re.IGNORECASE)
_REPEATS = {"||", "||:", ":||", ":||:"}
MAX_BARS = 10_000


def read_dezrann(content: bytes) -> Given:
    """The keys and chords of a `.dez.json`."""
    with expecting("Dezrann labels"):
        labels = [
            (each["type"], time(each["start"]), time(each["duration"]), str(each.get("tag", "")))
            for each in read_json(content)["labels"]
        ]
        keys = sorted((start, _local_key(tag)) for kind, start, _, tag in labels if kind == "Tonality")
    if not keys:
        raise CorpusError("Roman numerals without a key")
    starts = [start for start, _ in keys]
    numerals = sorted((start, start + length, tag) for kind, start, length, tag in labels if kind == "Harmony")
    given = _in_keys(
        [(start, end, tag, keys[max(bisect_right(starts, start) - 1, 0)][1]) for start, end, tag in numerals]
    )
    return Given({**given.spans, "key": _key_spans(keys, numerals[-1][1])}, given.unknown)


def read_romantext(content: bytes) -> Given:
    """The keys and chords of an `.rn.txt`."""
    reader = _RomanText()
    with expecting("RomanText"):
        for line in content.decode("utf-8", "replace").lstrip("\ufeff").splitlines():
            reader.read(line.strip())
        return reader.given()


def read_beethoven(content: bytes) -> Given:
    """The keys and chords of a `.labels.json` of BPS-FH."""
    with expecting("labels of BPS-FH"):
        rows = [(time(row[0]), time(row[1]), row) for row in read_json(content)["chords"]]
        keys = [(start, _german_key(row[2])) for start, _, row in rows]
        chords = chord_spans((start, end, str(row[6]), partial(_beethoven_chord, row)) for start, end, row in rows)
    return Given({**chords.spans, "key": _key_spans(keys, rows[-1][1])}, chords.unknown)


def _in_keys(numerals: list[tuple[float, float, str, LocalKey]]) -> Given:
    """The chords of numerals (start, end, numeral, key), each read in its key."""
    return chord_spans((start, end, figure, partial(roman_chord, figure, key)) for start, end, figure, key in numerals)


def _key_spans(keys: list[tuple[float, LocalKey]], end: float) -> Spans:
    """Each key once, from where it begins to where the next does."""
    changes = [each for number, each in enumerate(keys) if not number or each[1] != keys[number - 1][1]]
    ends = [start for start, _ in changes[1:]] + [end]
    return [(start, stop, key_name(key.tonic, key.is_minor)) for (start, key), stop in zip(changes, ends, strict=True)]


def _local_key(text: str) -> LocalKey:
    return LocalKey(*parse_key(text))


def _german_key(text: str) -> LocalKey:
    name = text.replace("-", "b").replace("+", "#")
    return LocalKey(pitch_class(name[0].upper() + name[1:]), name[0].islower())


def _beethoven_chord(row: list[Any]) -> Chord:
    """The chord of a row; degree "5/-7" is the fifth of the key on the flat seventh."""
    key, quality = _german_key(row[2]), str(row[4])
    *applied, degree = reversed(str(row[3]).replace(".0", "").split("/"))
    for part in applied:
        key = LocalKey(_degree(part, key, is_minor_chord=False), is_minor=_is_minor_on(part, key))
    if quality == "a6":
        return Chord((key.tonic + 8) % 12, "7")
    if quality not in BEETHOVEN_QUALITIES:
        raise CorpusError("unknown quality", found=quality)
    name = BEETHOVEN_QUALITIES[quality]
    root = _degree(degree, key, is_minor_chord=quality in ("m", "d", "d7", "h7", "m7"))
    tones, inversion = INTERVALS[name], int(row[5])
    return Chord(root, name, (root + tones[inversion]) % 12 if inversion < len(tones) else None)


def _degree(text: str, key: LocalKey, *, is_minor_chord: bool) -> int:
    sign, number = re.fullmatch(r"([+-]?)(\d)", text).groups()  # type: ignore[union-attr]  # caught as a TypeError
    natural = key.degree(int(number), is_minor_chord and not sign)
    return (natural + {"+": 1, "-": -1, "": 0}[sign]) % 12


def _is_minor_on(text: str, key: LocalKey) -> bool:
    """Whether the triad of the key on this degree is minor."""
    if text[0] in "+-":
        return False
    return text in (("1", "4", "5", "2") if key.is_minor else ("2", "3", "6", "7"))


@dataclass
class _RomanText:
    """A RomanText analysis line by line; each bar keeps its numerals: quarters since it began, figure, key."""

    bars: dict[int, list[tuple[float, str, LocalKey]]] = field(default_factory=dict)
    lengths: dict[int, float] = field(default_factory=dict)
    key: LocalKey | None = None
    quarters: float = 4.0
    beat: float = 1.0
    """Length of a bar and of a beat, in quarters."""
    pickup: float = 0.0
    """Quarters missing from bar 0."""

    def read(self, line: str) -> None:
        """Take in one line; lines of other kinds are passed over."""
        if metre := _METRE.fullmatch(line):
            self._set_metre(metre[1])
        elif bar := _LINE.match(line):
            first, last, source = int(bar[1]), int(bar[2] or bar[1]), bar[3] or bar[5]
            if last > MAX_BARS:
                raise CorpusError("a bar beyond all music", found=line[:40])
            if source is None:
                self._read_bar(first, bar[6].split())
            else:
                self._copy(first, last, int(source))

    def given(self) -> Given:
        """The labels, placed in quarters."""
        count = sum(map(len, self.bars.values()))
        if not 0 < count <= MAX_LABELS:  # a bar may be copied to all others
            raise CorpusError("too many Roman numerals" if count else "no Roman numerals", found=count or None)
        starts = self._starts()
        rows = [
            (time(starts[number] + offset), figure, key)
            for number in sorted(self.bars)
            for offset, figure, key in self.bars[number]
        ]
        end = starts[max(self.bars) + 1]
        ends = [start for start, _, _ in rows[1:]] + [end]
        given = _in_keys([(start, stop, figure, key) for (start, figure, key), stop in zip(rows, ends, strict=True)])
        return Given({**given.spans, "key": _key_spans([(start, key) for start, _, key in rows], end)}, given.unknown)

    def _set_metre(self, text: str) -> None:
        metre = re.fullmatch(r"(slow |fast )?(?:(\d+)/(\d+)|(C))", text.strip(), re.IGNORECASE)
        over, under = (4, 4) if metre and metre[4] else (int(metre[2]), int(metre[3])) if metre else (0, 0)
        if metre is None or not over or not under:
            raise CorpusError("a metre that is not understood", found=text)
        is_compound = over % 3 == 0 and under >= 8 and (metre[1] or "").strip().lower() != "slow"
        self.quarters, self.beat = 4 * over / under, (3 if is_compound else 1) * 4 / under

    def _read_bar(self, number: int, words: list[str]) -> None:
        offset = 0.0
        numerals: list[tuple[float, str, LocalKey]] = []
        for word in words:
            if beat := _BEAT.fullmatch(word):
                offset = (float(beat[1]) - 1) * self.beat
            elif key := _KEY.fullmatch(word):
                self.key = _local_key(key[1])
            elif word not in _REPEATS:
                if self.key is None:
                    raise CorpusError("Roman numerals without a key")
                numerals.append((offset, word, self.key))
        if number == 0 and numerals and not self.bars:
            self.pickup = numerals[0][0]
        self.bars[number], self.lengths[number] = numerals, self.quarters

    def _copy(self, first: int, last: int, source: int) -> None:
        for number in range(first, last + 1):
            self.bars[number] = self.bars.get(source + number - first, [])
            self.lengths[number] = self.quarters
            self.key = self.bars[number][-1][2] if self.bars[number] else self.key

    def _starts(self) -> dict[int, float]:
        """Quarters before each bar and the end; bars without a line are as long as the one before them."""
        first = min(*self.bars, 1)
        starts, length = {first: -self.pickup}, 4.0
        for bar in range(first, max(self.bars) + 1):
            length = self.lengths.get(bar, length)
            starts[bar + 1] = starts[bar] + length
        return starts
