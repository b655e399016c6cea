"""Scores made from scores. Each function is pure: the score it is given is not changed."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aurl.music.score import Score
from aurl.music.theory import PITCH_CLASSES, pitch_class

Ints = NDArray[np.int64]

LOWEST, HIGHEST = 21, 108
"""A0 and C8, the range of a piano: music is not moved beyond it."""
_NOTE_NAME = re.compile(r"(?:^|(?<=/))([A-G])([#b]?)")
"""The root of a chord symbol, the bass after a slash, the tonic of a key."""


def transpose(score: Score, semitones: int) -> Score:
    """All pitched notes, keys (signatures and labels) and chord symbols moved by `semitones`; drums stay.

    Raises ValueError if a note would leave what MIDI holds; `transposition_range` tells what is musical.
    """
    if not semitones:
        return score
    notes, keys, texts = score.notes, score.key_signatures, score.texts
    changes: dict[str, Any] = {"notes": notes.replace(pitch=notes.pitch + np.int16(semitones) * score.is_pitched)}
    if len(keys):
        sharps = (keys.sharps.astype(np.int16) + 7 * semitones + 5) % 12 - 5
        changes["key_signatures"] = keys.replace(sharps=sharps)
    labels = np.flatnonzero((texts.kind == "chord") | (texts.kind == "key"))
    if len(labels):
        text = texts.text.copy()
        text[labels] = [_moved_label(label, semitones) for label in text[labels]]
        changes["texts"] = texts.replace(text=text)
    return score.replace(**changes)


def retime(score: Score, moved: Callable[[Ints], Ints]) -> Score:
    """Every event at the tick that `moved`, which must not decrease, gives for its old one; notes by onset and end.

    A note that had a length keeps one tick at least.
    """
    notes = score.notes
    tables = {name: table for name in score.table_names() if name != "notes" and len(table := getattr(score, name))}
    times = [notes.onset, notes.end, *(table.time for table in tables.values())]
    ticks = moved(np.concatenate(times, dtype=np.int64))  # once for all tables: most are short
    ends = list(accumulate(map(len, times)))
    onset, end, *others = (ticks[stop - len(time) : stop] for time, stop in zip(times, ends, strict=True))
    duration = np.maximum(end - onset, np.minimum(notes.duration, 1))
    changed = {name: table.replace(time=time) for (name, table), time in zip(tables.items(), others, strict=True)}
    return score.replace(notes=notes.replace(onset=onset, duration=duration), **changed)


def until(score: Score, end_ticks: int) -> Score:
    """`score` without what begins at `end_ticks` or later, its notes ending there at the latest."""
    notes = score.notes.take(score.notes.onset < end_ticks)
    tables = {name: getattr(score, name) for name in score.table_names() if name != "notes"}
    return score.replace(
        notes=notes.replace(duration=np.minimum(notes.duration, end_ticks - notes.onset)),
        **{name: table.take(table.time < end_ticks) for name, table in tables.items()},
    )


def transposition_range(score: Score) -> tuple[int, int]:
    """The fewest and the most semitones by which pitched notes move and stay on a piano; (0, 0) if one is off it."""
    pitch = score.notes.pitch[score.is_pitched].astype(np.int64)
    if not len(pitch) or pitch.min() < LOWEST or pitch.max() > HIGHEST:
        return 0, 0
    return LOWEST - int(pitch.min()), HIGHEST - int(pitch.max())


@lru_cache(1 << 14)
def _moved_label(label: str, semitones: int) -> str:
    """A chord symbol or a key moved; pieces repeat theirs, and corpora each other's."""
    return _NOTE_NAME.sub(lambda name: PITCH_CLASSES[(pitch_class(name[0]) + semitones) % 12], label)
