"""music21's view of a piece to `written.WrittenScore`, and the calls into music21: MusicXML and ABC pass here.

Each staff stays a part of its own, voices of a staff are joined. Spines of dynamics, ornaments, articulations and
slurs are not played.
"""

from __future__ import annotations

import contextlib
import io
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from typing import Any, TypeVar

from aurl.music.notation.written import Change, Marks, Syllable, WrittenNote, WrittenPart, WrittenScore
from aurl.utils.errors import AurlError, MidiError, MissingExtraError

T = TypeVar("T")
MOST_NOTES = 100_000
"""Notes on the page; music21 takes a minute and 0.5 GB for them."""
_SUFFIXES = (("7+", "aug7"), ("M", "maj"), ("power", "5"), ("subtract", "no"), ("alter", ""), (" ", ""))
"""music21's ways of writing chords that lead sheets do not know."""
LIBRARIES = ("music21", "defusedxml")
"""Of the extra `notation`; what is read depends on their versions."""
LARGEST_METRE = 255
_METRE = re.compile(r"[0-9+() ]{1,20}/[0-9]{1,3}(%[0-9])?|[Cc]\|?|none|")
NOTE_VALUES = (1, 2, 4, 8, 16, 32, 64, 128)
NOT_PLAYED = (("harmony", "ChordSymbol", "_updatePitches"), ("stream", "Stream", "makeBeams"))
"""Of the library, module, class and method: the notes in chord symbols, and beams, three quarters of its time."""
NO_PITCH = -1
"""Of percussion without a MIDI number."""
REPEATED = 2
"""How often a repeated bar is played where the repeat does not say."""


def music21() -> Any:
    """The library, silenced; raises MissingExtraError."""
    try:
        with quiet():
            import music21
    except ImportError:
        raise MissingExtraError.of("music21", "notation") from None
    return music21


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep a library's warnings and prints from the user's terminal."""
    sink = io.StringIO()
    with warnings.catch_warnings(), contextlib.redirect_stdout(sink), contextlib.redirect_stderr(sink):
        warnings.simplefilter("ignore")
        yield


def guarded(name: str, format_name: str, read: Callable[[], T]) -> T:
    """Call into the library; whatever it raises becomes a MidiError about the file `name`."""
    try:
        with quiet(), _only_what_is_played():
            return read()
    except AurlError:
        raise
    except Exception as error:  # noqa: BLE001 -- on damaged files music21 raises anything, even RecursionError
        found = f"{type(error).__name__}: {error}".splitlines()[0][:200]
        raise MidiError(
            f"cannot read {name} as {format_name}", found=found, hint="open it in a notation editor and export it again"
        ) from None


@contextlib.contextmanager
def _only_what_is_played() -> Iterator[None]:
    """Take NOT_PLAYED out of the library for a while."""
    owners = [(getattr(getattr(music21(), module), kind), method) for module, kind, method in NOT_PLAYED]
    methods = [getattr(owner, method) for owner, method in owners]
    try:
        for owner, method in owners:
            setattr(owner, method, lambda *_, **__: None)
        yield
    finally:
        for (owner, name), method in zip(owners, methods, strict=True):
            setattr(owner, name, method)


def refuse_metres(metres: Iterable[str], name: str) -> None:
    """Raise MidiError for a metre that is none: music21 does not come back from some of them."""
    for metre in metres:
        numbers = [int(number) for number in re.findall(r"[0-9]+", metre[:40])]
        if not _METRE.fullmatch(metre.strip()) or max(numbers, default=1) > LARGEST_METRE:
            raise MidiError(f"{name} has a metre that means nothing", found=repr(metre[:40]))


def parse_text(text: str, name: str, library_format: str, format_name: str) -> WrittenScore:
    """Read the text of one piece in a format that music21 calls `library_format`."""
    converter = music21().converter
    return guarded(name, format_name, lambda: to_written(converter.parseData(text, format=library_format)))


def to_written(stream: Any) -> WrittenScore:
    """Read a music21 Score; its first part says where the bars are."""
    parts = [part for part in stream.parts if part.recurse().notes] or list(stream.parts)
    if not parts:
        raise ValueError("there is no part")
    bars = [list(part.getElementsByClass("Measure")) or [part] for part in parts]
    first = max(bars, key=len)
    lengths = _lengths(first)
    endings = _endings(parts)
    contents = [_Page(measures) for measures in bars]
    pages = sorted(contents, key=lambda page: page.measures is not first)
    return WrittenScore(
        lengths=lengths,
        marks=[_marks(column, endings) for column in _columns(bars, len(first))],
        parts=[page.part(part) for page, part in zip(contents, parts, strict=True)],
        metres=_first_of(page.metres() for page in pages),
        keys=_first_of(page.keys() for page in pages),
        tempos=_merged([page.tempos() for page in pages]),
        chords=_merged([page.chords() for page in pages]),
        metadata=_metadata(stream),
    )


def _lengths(measures: Sequence[Any]) -> list[Fraction]:
    starts = [fraction(measure.offset) for measure in measures] if len(measures) > 1 else [Fraction(0)]
    ends = [*starts[1:], starts[-1] + fraction(measures[-1].highestTime)]
    return [max(end - start, Fraction(0)) for start, end in zip(starts, ends, strict=True)]


def fraction(value: Any) -> Fraction:
    """A time of music21's (a float where it is dyadic) as the fraction it means."""
    return Fraction(value).limit_denominator(0x7FFF)


def _columns(bars: Sequence[Sequence[Any]], count: int) -> Iterator[list[Any]]:
    """The measures of all parts, by bar."""
    for index in range(count):
        yield [measures[index] for measures in bars if index < len(measures)]


def _endings(parts: Sequence[Any]) -> dict[int, frozenset[int]]:
    """Numbers of the endings that a measure (by id) is in."""
    brackets = [bracket for part in parts for bracket in part.recurse().getElementsByClass("RepeatBracket")]
    return {
        id(measure): frozenset(bracket.numberRange) for bracket in brackets for measure in bracket.getSpannedElements()
    }


def _marks(measures: Sequence[Any], endings: dict[int, frozenset[int]]) -> Marks:
    repeats = [bar for measure in measures for bar in measure.getElementsByClass("Repeat")]
    ends = [bar.times or REPEATED for bar in repeats if bar.direction == "end"]
    signs = {name for m in measures for sign in m.getElementsByClass("RepeatExpression") for name in _classes(sign)}
    return Marks(
        repeat_starts=any(bar.direction == "start" for bar in repeats),
        times=max(ends, default=1),
        endings=next((endings[id(measure)] for measure in measures if id(measure) in endings), frozenset()),
        jump="start" if "DaCapo" in signs else "segno" if signs & {"DalSegno", "AlSegno"} else "",
        segno="Segno" in signs,
        fine="Fine" in signs,
        coda="Coda" in signs,
    )


def _classes(element: Any) -> tuple[str, ...]:
    return tuple(element.classes)


class _Page:
    """The measures of one part, and what stands in them in the order of the page."""

    def __init__(self, measures: Sequence[Any]) -> None:
        self.measures = measures
        self.elements = [(bar, *found) for bar, measure in enumerate(measures) for found in _elements(measure)]

    def of(self, name: str) -> list[tuple[int, Fraction, Any]]:
        """Elements of one of music21's classes."""
        return [found for found in self.elements if name in _classes(found[2])]

    def metres(self) -> list[Change]:
        return [
            Change(bar, Fraction(0), (metre.numerator, metre.denominator))
            for bar, _, metre in self.of("TimeSignature")
            if 1 <= metre.numerator <= 255 and metre.denominator in NOTE_VALUES
        ]

    def keys(self) -> list[Change]:
        return [
            Change(bar, offset, (key.sharps, getattr(key, "mode", None) == "minor"))
            for bar, offset, key in self.of("KeySignature")
            if key.sharps is not None and -7 <= key.sharps <= 7
        ]

    def tempos(self) -> list[Change]:
        marks = [(bar, offset, mark.getQuarterBPM()) for bar, offset, mark in self.of("MetronomeMark")]
        return [Change(bar, offset, bpm) for bar, offset, bpm in marks if bpm and 4 <= bpm <= 2000]

    def chords(self) -> list[Change]:
        return [Change(bar, offset, _symbol(chord)) for bar, offset, chord in self.of("ChordSymbol")]

    def part(self, stream: Any) -> WrittenPart:
        """The notes, syllables and dynamics."""
        instrument = stream.getInstrument(returnDefault=False)
        written = WrittenPart(
            name=stream.partName or "",
            program=(getattr(instrument, "midiProgram", None) or 0) & 127,
            is_drum="UnpitchedPercussion" in getattr(instrument, "classes", ()),
            velocities=[
                Change(bar, offset, round(127 * dynamic.volumeScalar)) for bar, offset, dynamic in self.of("Dynamic")
            ],
        )
        graces: list[tuple[int, Fraction, Any]] = []
        for bar, offset, element in self.elements:
            if "NotRest" not in _classes(element) or "Harmony" in _classes(element):
                continue
            written.syllables.extend(_syllables(bar, offset, element))
            if element.duration.isGrace:
                graces.append((bar, offset, element))
                continue
            leading = [grace for grace in graces if grace[:2] == (bar, offset)]
            for left, (_, _, grace) in zip(range(len(leading), 0, -1), leading, strict=True):
                written.notes.extend(_heads(bar, offset, grace, graces_left=left))
            graces = []
            written.notes.extend(_heads(bar, offset, element))
        return written


def _elements(measure: Any) -> list[tuple[Fraction, Any]]:
    """What stands in a measure and its voices, voice by voice."""
    found, voices = [], []
    for element in measure:
        if "Voice" in _classes(element):
            voices.append((fraction(element.offset), element))
        else:
            found.append((fraction(element.offset), element))
    for start, voice in voices:
        found += [(start + fraction(element.offset), element) for element in voice]
    return found


def _heads(bar: int, offset: Fraction, element: Any, *, graces_left: int = 0) -> Iterator[WrittenNote]:
    heads = element.notes if "ChordBase" in _classes(element) else [element]
    length = fraction(element.quarterLength)
    for head in heads:
        pitch = round(head.pitch.ps) if "Note" in _classes(head) else NO_PITCH
        tie = getattr(head.tie, "type", "")
        velocity = head.volume.velocity if head.hasVolumeInformation() else None
        yield WrittenNote(
            bar, offset, length, pitch, min(127, max(1, int(velocity))) if velocity else 0,
            tie in ("stop", "continue"), tie in ("start", "continue"), graces_left,
        )  # fmt: skip


def _syllables(bar: int, offset: Fraction, element: Any) -> Iterator[Syllable]:
    for index, lyric in enumerate(element.lyrics, 1):
        if lyric.text:
            hyphen = "-" if lyric.syllabic in ("begin", "middle") else ""
            yield Syllable(bar, offset, lyric.number or index, lyric.text + hyphen)


def _symbol(chord: Any) -> str:
    """The chord symbol with flats as lead sheets write them: music21's "B-7" is Bb7."""
    if "NoChord" in _classes(chord):
        return "N.C."
    bass = chord.bass().name.replace("-", "b")
    root = chord.root().name.replace("-", "b")
    suffix = chord.figure.partition("/")[0][len(chord.root().name) :]
    for theirs, usual in _SUFFIXES:
        suffix = suffix.replace(theirs, usual)
    return f"{root}{suffix}" + (f"/{bass}" if bass != root else "")


def _first_of(candidates: Iterator[list[Change]]) -> list[Change]:
    return next((changes for changes in candidates if changes), [])


def _merged(several: list[list[Change]]) -> list[Change]:
    """The changes of all parts in order; of several at one place the first part's."""
    places: dict[tuple[int, Fraction], Any] = {}
    for changes in several:
        for bar, offset, value in changes:
            places.setdefault((bar, offset), value)
    return [Change(bar, offset, value) for (bar, offset), value in sorted(places.items(), key=lambda item: item[0])]


def _metadata(stream: Any) -> dict[str, str]:
    told = {name: getattr(stream.metadata, name, None) for name in ("title", "composer")}
    return {name: str(value) for name, value in told.items() if value}
