"""What every reader of labels returns, and how it reads JSON that nobody vouches for."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aurl.music.chords import NO_CHORD, Chord
from aurl.music.score import TextKind
from aurl.utils.errors import AurlError, CorpusError

Spans = list[tuple[float, float, str]]
"""Labels of one kind: start and end in quarter notes (each ends where the next begins at the latest), and text."""
MAX_UNKNOWN = 0.1
"""Share of the labels of a file that may be beyond us before the whole file is refused."""
MAX_LABELS = 100_000


@dataclass(frozen=True)
class Given:
    """Labels by kind, and those that could not be understood: what stands there, by how often."""

    spans: Mapping[TextKind, Spans]
    unknown: Mapping[str, int] = field(default_factory=dict)


def read_json(content: bytes) -> Any:
    """The value in a JSON file; raises CorpusError."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise CorpusError("damaged JSON", found=error) from None


@contextmanager
def expecting(what: str) -> Iterator[None]:
    """Turn what untyped data of another shape raises into a CorpusError."""
    try:
        yield
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise CorpusError(f"not {what}", found=f"{type(error).__name__}: {error}") from None


def chord_spans(rows: Iterable[tuple[float, float, str, Callable[[], Chord]]]) -> Given:
    """Chords of rows of start, end, what is written, and its reading; raises CorpusError if too many are beyond us.

    A chord that cannot be read is no chord, and gaps are none either.
    """
    spans: Spans = []
    unknown: dict[str, int] = {}
    for start, end, written, read in rows:
        try:
            symbol = read().symbol
        except AurlError:
            unknown[written] = unknown.get(written, 0) + 1
            symbol = NO_CHORD
        spans.append((start, end, symbol))
    if not 0 < len(spans) <= MAX_LABELS:
        raise CorpusError("no chords" if not spans else "too many chords", found=len(spans))
    if sum(unknown.values()) > MAX_UNKNOWN * len(spans):
        raise CorpusError("too many chords that cannot be read", found=", ".join(sorted(unknown)[:5]))
    return Given({"chord": without_gaps(sorted(spans))}, unknown)


def without_gaps(spans: Spans) -> Spans:
    """The spans with no chord wherever nothing is said for a sixteenth or longer."""
    filled: Spans = []
    for start, end, text in spans:
        before = filled[-1][1] if filled else start
        if start - before >= 0.25:
            filled.append((before, start, NO_CHORD))
        filled.append((start, max(start, end), text))
    return filled
