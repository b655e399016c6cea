"""One file of music to the pieces it holds: read and mended, labelled by hand, changed, judged, labelled by ear.

Given labels come before the transforms, because they were made for the file as it is; detected ones after, because
they are of the music as it is stored. What a file cannot give is a Failure, what was wrong with it a Repair.
"""

from __future__ import annotations

import re
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import PurePosixPath

from aurl.data.labels import given_labels, labelled_kinds
from aurl.data.plan import PieceConfig
from aurl.data.preprocessing import apply_transforms
from aurl.data.quality import refusal
from aurl.data.sources import Entry
from aurl.data.store import Failure, FaultRecord, Repair
from aurl.music.io import SUFFIXES, read_all, sniff
from aurl.music.repair.report import Fault, RepairReport
from aurl.music.score import Score
from aurl.studies import STUDIES, Study
from aurl.utils.errors import AurlError, MidiError, MissingExtraError

FILE_SECONDS = 120.0
"""Processor time after which a file is given up."""


@dataclass(frozen=True)
class Piece:
    """A piece that goes into the corpus."""

    source: str
    format: str
    repaired: bool
    score: Score


@dataclass
class Reading:
    """What came of some files."""

    pieces: list[Piece] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    repairs: list[Repair] = field(default_factory=list)


class _TooSlowError(BaseException):
    """A file took longer than FILE_SECONDS; not an Exception, as libraries that read notation catch any of those."""


def read_entry(entry: Entry, config: PieceConfig, reading: Reading) -> None:
    """Add what the file `entry` holds to `reading`; nothing in a file raises."""
    if isinstance(entry.content, str):
        reading.failures.append(Failure(source=entry.name, reason=entry.content))
        return
    before = len(reading.pieces)
    try:
        with _time_limit(FILE_SECONDS):
            _read(entry, entry.content, config, reading)
    except MidiError as error:
        reading.failures.append(_failure(entry.name, entry.name, error))
    except MissingExtraError as error:
        reading.failures.append(Failure(source=entry.name, reason=str(error)))
    except (_TooSlowError, MemoryError) as error:
        is_slow = isinstance(error, _TooSlowError)
        reason = f"not read within {FILE_SECONDS:g} seconds" if is_slow else "too large for the memory there is"
        del reading.pieces[before:]
        reading.failures.append(Failure(source=entry.name, reason=reason))


def _read(entry: Entry, content: bytes, config: PieceConfig, reading: Reading) -> None:
    suffix = PurePosixPath(entry.name.lower()).suffix
    kind = sniff(content) or SUFFIXES.get(suffix, "")
    for source, found, report in read_all(content, entry.name):
        given, refusals = given_labels(found, entry.name, entry.companions)
        refused = [Fault("label", each.where, f"refused: {each.reason}", each.count) for each in refusals]
        if report.faults or refused:
            reading.repairs.append(_repair(source, report, refused))
        try:
            score = apply_transforms(given, config.transforms)
        except MidiError as error:
            reading.failures.append(_failure(source, entry.name, error))
            continue
        if reason := refusal(score, config.quality, sum(fault.count for fault in report.faults)):
            reading.failures.append(Failure(source=source, reason=reason))
            continue
        reading.pieces.append(Piece(source, kind, not report.is_clean, detect_labels(score, config)))


def detect_labels(score: Score, config: PieceConfig) -> Score:
    """The score with the labels of the configured studies, where it has none of their kind."""
    for study in _studies(config.model_dump_json(include={"labels"})):
        if study.kind not in labelled_kinds(score):
            score = study.analyse(score).label(score)
    return score


@lru_cache(maxsize=4)
def _studies(config: str) -> tuple[Study, ...]:
    """The studies of a configuration, which may be slow to build."""
    return tuple(map(STUDIES.build, PieceConfig.model_validate_json(config).labels))


def _repair(source: str, report: RepairReport, refused: list[Fault]) -> Repair:
    faults = [FaultRecord(**vars(fault)) for fault in (*report.faults, *refused)]
    return Repair(source=source, faults=faults, notes_recovered=report.notes_recovered)


def _failure(source: str, name: str, error: AurlError) -> Failure:
    """The error without the name of the file, so that equal reasons can be counted."""
    reason = re.sub(rf"{re.escape(name)}(#\w+)?", "the file", error.problem)
    return Failure(source=source, reason=reason, detail="" if error.found is None else str(error.found))


@contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """Raise _TooSlowError after so much processor time, and until it gets through, where there are such signals."""
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_: object) -> None:
        raise _TooSlowError

    before: Callable[..., object] | int | None = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds, 1.0)  # again and again: a bare `except:` may swallow it
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
