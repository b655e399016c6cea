"""Chord progressions as people write them: symbols, Roman numerals, or a lead sheet.

`"Am F C G"` has a chord a bar; with bar lines, `"Am F | C . . G7 | %"`, those of a bar share it equally, `.` (or `/`)
holds the chord before and `%` repeats the bar before. Roman numerals ("i VI III VII") need a key. A lead sheet is a
file: ChordPro (chords in brackets, `{key: Am}`) or plain text as above, or music with chord symbols (MusicXML, ABC,
kern, MIDI that Aurl wrote). A progression that is shorter than the piece begins again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

from aurl.data.tokenizers.note_vocabulary import STEPS_PER_QUARTER
from aurl.music.chords import Chord
from aurl.music.roman import LocalKey, roman_chord
from aurl.music.score import Score
from aurl.music.theory import parse_key
from aurl.utils.errors import ConfigError

LARGEST_SHEET = 1 << 20
"""Bytes of a text with chords."""
_BAR_LINE = re.compile(r":?\|+[\]:]?")
_HOLDS = {".", "/"}
_AGAIN = "%"
_HINT = 'write it like "Am F C G", "i VI III VII" with a key, or name a file'


class ChordAt(NamedTuple):
    """A chord and where it begins: bar from 0, step in the bar."""

    bar: int
    step: int
    chord: Chord


@dataclass(frozen=True)
class Progression:
    """Chords bar by bar: where in the bar each begins, as a share of it; one begins with each bar."""

    bars: tuple[tuple[tuple[Fraction, Chord], ...], ...]

    @classmethod
    def read(cls, source: str | Path, key: str | None = None) -> Progression:
        """The progression that a text says, or the file that it names; raises ConfigError, or MidiError for music."""
        path = _file(source)
        return cls(_carried(_read_text(str(source), key) if path is None else _read_file(path, key)))

    def in_bar(self, bar: int, bar_steps: int) -> list[tuple[int, Chord]]:
        """The chords of a bar of so many steps, with the steps at which they begin."""
        return [(int(share * bar_steps), chord) for share, chord in self.bars[bar % len(self.bars)]]

    def at(self, bar: int, step: int, bar_steps: int) -> tuple[int, Chord]:
        """The chord in force at a step of a bar of so many steps, and the step at which it begins or goes on."""
        return next(entry for entry in reversed(self.in_bar(bar, bar_steps)) if entry[0] <= max(step, 0))

    def changes(self, bars: int, bar_steps: int) -> list[ChordAt]:
        """Where chords change in so many bars."""
        found: list[ChordAt] = []
        for bar in range(bars):
            for step, chord in self.in_bar(bar, bar_steps):
                if not found or found[-1].chord != chord:
                    found.append(ChordAt(bar, step, chord))
        return found


def read_progression(
    source: str | Path, *, key: str | None = None, beats_per_bar: float = 4, bars: int | None = None
) -> list[ChordAt]:
    """Where the chords of `source` change in `bars` bars (once through when not given); beats are quarter notes."""
    progression = Progression.read(source, key)
    return progression.changes(bars or len(progression.bars), round(beats_per_bar * STEPS_PER_QUARTER))


def read_chord(text: str, key: str | None) -> Chord:
    """A chord symbol, or a Roman numeral in `key`; raises ConfigError."""
    try:
        return Chord.parse(text)
    except ConfigError:
        if key is None:
            raise ConfigError("not a chord", found=repr(text), hint=f"{_HINT}; numerals need a key") from None
    return roman_chord(text, LocalKey(*parse_key(key)))


def _file(source: str | Path) -> Path | None:
    """The file that `source` names; None if it is the text itself."""
    path = Path(source)
    try:
        if path.is_file():
            return path
    except (OSError, ValueError):
        return None  # too long for a name, or with a zero byte
    if isinstance(source, Path) or re.fullmatch(r"\S+\.[A-Za-z]\w{1,7}", source):
        raise ConfigError("no such file with chords", found=str(source), hint=_HINT)
    return None


def _read_file(path: Path, key: str | None) -> Bars:
    from aurl.music.io import SUFFIXES, read_music, sniff

    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read {path}", found=error.strerror) from None
    is_music = bool(sniff(data))
    if len(data) > LARGEST_SHEET and not is_music:
        raise ConfigError(f"{path} is too large for a text with chords", found=f"{len(data)} bytes")
    if is_music or path.suffix.lower() in SUFFIXES:
        return _of_score(read_music(data, path.name)[0], path)
    return _read_text(data.decode("utf-8", "replace"), key)


Bars = list[list[tuple[Fraction, Chord]]]


def _read_text(text: str, key: str | None) -> Bars:
    text = re.sub(r"^\s*#.*$", "", text, flags=re.MULTILINE)
    told = re.search(r"\{\s*key\s*:\s*([^}]*?)\s*\}", text)
    key = key or (told[1] if told else None)
    text = _BAR_LINE.sub("|", re.sub(r"\{[^}]*\}", "", text))
    if "[" in text:
        text = "\n".join("".join(re.findall(r"\||\[[^\]|]*\]", line)) for line in text.splitlines())
        text = re.sub(r"[\[\]]", " ", text)
    words = [part.split() for part in re.split(r"[|\n]", text)] if "|" in text else [[word] for word in text.split()]
    bars: Bars = []
    for bar in words:
        if bar:
            bars.append(_read_bar(bar, bars, key))
    if not bars:
        raise ConfigError("no chords", found=repr(text[:40]), hint=_HINT)
    return bars


def _read_bar(words: list[str], before: Bars, key: str | None) -> list[tuple[Fraction, Chord]]:
    """The chords of one bar; what only holds the chord before is left out."""
    if words == [_AGAIN] and before:
        return before[-1]
    chords = [
        (Fraction(index, len(words)), read_chord(word, key))
        for index, word in enumerate(words)
        if word not in _HOLDS and word != _AGAIN
    ]
    if not chords and not before:
        raise ConfigError("nothing comes before the first chord", found=" ".join(words), hint=_HINT)
    return chords


def _of_score(score: Score, path: Path) -> Bars:
    """The chord symbols of a score."""
    labels = score.texts.of("chord")
    if not len(labels):
        raise ConfigError(f"{path.name} has no chord symbols", hint="ChordPro, or music with chords over the notes")
    last = int(score.metre_map.ticks_to_bar_beat(max(score.end_ticks - 1, int(labels.time[-1]), 0))[0])
    starts = score.metre_map.bar_to_ticks(range(last + 2)).tolist()
    number = score.metre_map.ticks_to_bar_beat(labels.time)[0].tolist()
    bars: Bars = [[] for _ in range(last + 1)]
    for bar, tick, text in zip(number, labels.time.tolist(), labels.text.tolist(), strict=True):
        share = Fraction(tick - starts[bar], max(starts[bar + 1] - starts[bar], 1))
        bars[bar].append((share, read_chord(text, None)))
    return bars


def _carried(bars: Bars) -> tuple[tuple[tuple[Fraction, Chord], ...], ...]:
    """Each bar with the chord that it begins with, be it that of the bar before; before the first there is none."""
    found, last = [], Chord(None)
    for bar in bars:
        whole = bar if bar and bar[0][0] == 0 else [(Fraction(0), last), *bar]
        found.append(tuple(whole))
        last = whole[-1][1]
    return tuple(found)
