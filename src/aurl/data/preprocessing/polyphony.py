"""Fewer notes at a time: inner voices go, melody and bass stay."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from aurl.data.preprocessing.base import transform
from aurl.music.score import Notes, Score
from aurl.utils.config import Config


class ReducePolyphonyConfig(Config):
    """Lets no more than `voices` pitched notes sound at once."""

    name: Literal["reduce_polyphony"] = "reduce_polyphony"
    voices: int = Field(4, ge=1)
    """Most notes at a time, over all tracks but drums; with 1 the melody alone stays."""


@transform(ReducePolyphonyConfig)
def reduce_polyphony(score: Score, config: ReducePolyphonyConfig) -> Score:
    """`score` with at most `voices` notes at a time.

    A note that is the highest sounding when it begins is melody, the lowest is bass (the skyline of Uitdenbogerd and
    Zobel 1999, and its mirror): those begin as before. Of the others, those with a pitch class that is not there yet
    stay first, then those that last longest; a note that has begun is cut short to make room.
    """
    pitched = np.flatnonzero(score.is_pitched & (score.notes.duration > 0))
    notes = score.notes.take(pitched)
    ends = _limited_ends(notes, config.voices)
    duration = score.notes.duration.astype(np.int64)
    duration[pitched] = ends - notes.onset
    kept = np.ones(len(duration), np.bool_)
    kept[pitched] = ends > notes.onset
    columns = score.notes.columns() | {"duration": duration}
    return score.replace(notes=Notes(**columns).take(kept))


def _limited_ends(notes: Notes, voices: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Where each note ends when no more than `voices` sound; at its onset if it is left out."""
    ends, pitches = notes.end.astype(np.int64), notes.pitch.astype(np.int64).tolist()
    onsets, firsts = np.unique(notes.onset, return_index=True)
    sounding: list[int] = []
    for onset, first, last in zip(onsets.tolist(), firsts, np.append(firsts, len(notes))[1:], strict=True):
        candidates = [row for row in sounding if ends[row] > onset] + list(range(first, last))
        sounding = candidates
        if len(candidates) > voices:
            sounding = _most_important(candidates, pitches, ends, voices)
            ends[list(set(candidates) - set(sounding))] = onset
    return ends


def _most_important(
    rows: list[int], pitches: list[int], ends: np.ndarray[tuple[int], np.dtype[np.int64]], voices: int
) -> list[int]:
    """`voices` of the rows: highest, lowest, then those of new pitch classes, then the longest; in order of onset."""
    highest = max(rows, key=lambda row: (pitches[row], row))  # of a unison the one that begins last
    lowest = min(set(rows) - {highest}, key=lambda row: (pitches[row], -row))
    chosen = [highest, lowest][:voices]
    others = sorted(set(rows) - {highest, lowest}, key=lambda row: (-ends[row], row))
    while len(chosen) < voices:
        classes = {pitches[row] % 12 for row in chosen}
        best = next((row for row in others if pitches[row] % 12 not in classes), others[0])
        others.remove(best)
        chosen.append(best)
    return sorted(chosen)
