"""Labels of a piece: those that people gave it, read from the file and from files beside it, before detected ones.

Given labels lie in the music itself (chord symbols of MusicXML, markers that begin with "chord: ") or beside it, in
files of the same name with one of LABEL_SUFFIXES. They are kept as rows of `Score.texts`, and the metadata says under
"labels.chord" that they are "given: .chords.json" or "detected: chords". A label that does not fit the music is
refused, never bent to fit. How each convention writes labels down is `aurl.data.labelling`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from aurl.data.labelling import (
    MELODY_SUFFIX,
    Given,
    Spans,
    read_beethoven,
    read_dezrann,
    read_key,
    read_lead_sheet,
    read_romantext,
    read_sections,
    split_chord_track,
)
from aurl.music.chords import NO_CHORD, Chord
from aurl.music.score import WHOLE_SCORE, Score, TextKind, Texts
from aurl.utils.errors import AurlError, CorpusError

READERS: dict[str, Callable[[bytes], Given]] = {
    ".chords.json": read_lead_sheet,
    ".labels.json": read_beethoven,
    ".dez.json": read_dezrann,
    ".rn.txt": read_romantext,
    ".meta.json": read_key,
}
"""Readers of label files; where several give labels of one kind, the first that fits counts."""
SECTIONS_SUFFIX = ".struct1.txt"
LABEL_SUFFIXES = (*READERS, SECTIONS_SUFFIX, MELODY_SUFFIX)
"""Endings of the files that hold labels of the piece whose name they begin with, or what places those labels."""
CHORD_TRACK_SUFFIX = ".cl.mid"
"""Ending of music whose chords are a track of its own."""
KINDS: tuple[TextKind, ...] = ("chord", "key", "section")
MAX_OVERHANG = {"chord": 8.0, "key": 8.0, "section": 16.0}
"""Quarter notes by which labels of each kind and the music may end apart."""
MIN_EXPLAINED, MIN_EXPLAINED_MELODY = 0.7, 0.4
"""Least share of the notes, by duration, that belong to the chords they are labelled with; and of a lone melody's."""


@dataclass(frozen=True)
class Refusal:
    """A label file (or part of it) that was not used, and why."""

    where: str
    reason: str
    count: int = 1


def source_key(kind: str) -> str:
    """Name under which a score's metadata says where its labels of a kind come from."""
    return f"labels.{kind}"


def given_labels(score: Score, name: str, companions: Mapping[str, bytes]) -> tuple[Score, list[Refusal]]:
    """The score `name` with the labels that people gave it, from itself and from `companions`, and what was refused."""
    score, refusals = _own_labels(score)
    if name.lower().endswith(CHORD_TRACK_SUFFIX):
        try:
            music, given = split_chord_track(score)
            score = _labelled(music, _fitting(given, music), f"track of {CHORD_TRACK_SUFFIX}")
        except CorpusError as error:
            refusals.append(_refusal(CHORD_TRACK_SUFFIX, error))
    for suffix in (*READERS, SECTIONS_SUFFIX):
        if suffix not in companions:
            continue
        try:
            given = _read(suffix, score, companions)
            score = _labelled(score, _fitting(given, score), suffix)
        except CorpusError as error:
            refusals.append(_refusal(suffix, error))
        else:
            refusals += [Refusal(suffix, f"not understood: {text}", count) for text, count in given.unknown.items()]
    return score, refusals


def labelled_kinds(score: Score) -> set[str]:
    """Kinds of labels that a score has."""
    return {kind for kind in KINDS if source_key(kind) in score.metadata}


def _read(suffix: str, score: Score, companions: Mapping[str, bytes]) -> Given:
    content = companions[suffix]
    return read_sections(content, score, companions) if suffix == SECTIONS_SUFFIX else READERS[suffix](content)


def _refusal(where: str, error: AurlError) -> Refusal:
    found = "" if error.found is None else f" ({error.found})"
    return Refusal(where, f"{error.problem}{found}"[:300])


def _own_labels(score: Score) -> tuple[Score, list[Refusal]]:
    """Labels that are in the file already, chords as symbols of ours; those that are no chords are refused."""
    texts, refusals = score.texts, []
    sources = {source_key(kind): "given: the file" for kind in KINDS if (texts.kind == kind).any()}
    if not sources:
        return score, []
    words = texts.text.copy()
    unknown: dict[str, int] = {}
    for row in np.flatnonzero(texts.kind == "chord"):
        try:
            words[row] = Chord.parse(words[row]).symbol
        except AurlError:
            unknown[words[row]] = unknown.get(words[row], 0) + 1
            words[row] = NO_CHORD
    refusals = [Refusal("the file", f"not understood: {text[:80]}", count) for text, count in unknown.items()]
    return score.replace(
        texts=Texts(texts.time, texts.track, texts.kind, words), metadata={**score.metadata, **sources}
    ), refusals


def _fitting(given: Given, score: Score) -> Given:
    """`given` if it fits the music; raises CorpusError if not."""
    end = score.end_ticks / score.ticks_per_beat
    for kind, spans in given.spans.items():
        last = max(stop for _, stop, _ in spans)
        if spans[-1][0] > end or (last < math.inf and abs(last - end) > MAX_OVERHANG[kind]):
            found = f"{kind} labels end at quarter note {last:g}, the music at {end:g}"
            raise CorpusError("labels of other length than the music", found=found)
    share = _explained(given.spans.get("chord", []), score)
    notes = score.notes
    is_melody = len(np.unique(notes.onset)) == len(notes)
    if share < (MIN_EXPLAINED_MELODY if is_melody else MIN_EXPLAINED):
        raise CorpusError("chords of other music", found=f"they explain {share:.0%} of its notes")
    return given


def _explained(spans: Spans, score: Score) -> float:
    """Share of the pitched notes, by duration, whose pitch belongs to the chord at their onset; 1 without chords."""
    starts = np.array([start for start, _, _ in spans]) * score.ticks_per_beat
    tones = [Chord.parse(text).pitch_classes for _, _, text in spans]
    notes = score.notes.take(score.is_pitched)
    belongs = np.array([[tone in each for tone in range(12)] for each in tones], np.bool_).reshape(-1, 12)
    at = np.searchsorted(starts, notes.onset + score.ticks_per_beat / 16, side="right") - 1  # played a little early
    heard = np.flatnonzero(at >= 0)
    heard = heard[belongs[at[heard]].any(axis=1)]
    weights = notes.duration[heard].astype(np.float64)
    if not weights.sum():
        return 1.0
    return float(weights[belongs[at[heard], notes.pitch[heard] % 12]].sum() / weights.sum())


def _labelled(score: Score, given: Given, source: str) -> Score:
    """The score with those kinds of labels that it has not yet."""
    new = {kind: spans for kind, spans in given.spans.items() if kind not in labelled_kinds(score)}
    rows = [(start, kind, text) for kind, spans in new.items() for start, text in _changes(spans, kind)]
    beats = np.array([start for start, _, _ in rows])
    texts = Texts(
        np.rint(beats * score.ticks_per_beat).astype(np.int64),
        np.full(len(rows), WHOLE_SCORE),
        np.array([*(kind for _, kind, _ in rows), None], object)[:-1],
        np.array([*(text for _, _, text in rows), None], object)[:-1],
    )
    sources = {source_key(kind): f"given: {source}" for kind in new}
    return score.replace(texts=Texts.join([score.texts, texts]), metadata={**score.metadata, **sources})


def _changes(spans: Spans, kind: str) -> list[tuple[float, str]]:
    """Start and text of each label, equal neighbours joined unless they are sections; chords end with no chord."""
    rows: list[tuple[float, str]] = []
    for start, _, text in spans:
        if not rows or kind == "section" or rows[-1][1] != text:
            rows.append((start, text))
    if kind == "chord" and rows[-1][1] != NO_CHORD and spans[-1][1] < math.inf:
        rows.append((spans[-1][1], NO_CHORD))
    return rows
