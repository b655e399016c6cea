"""The sustain pedal said by the lengths of notes."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np

from aurl.data.preprocessing.base import transform
from aurl.music.score import SUSTAIN_PEDAL, Score
from aurl.utils.config import Config


class PedalToDurationsConfig(Config):
    """Notes sound until the pedal is lifted; it has nothing to set."""

    name: Literal["pedal_to_durations"] = "pedal_to_durations"


@transform(PedalToDurationsConfig)
def pedal_to_durations(score: Score, config: PedalToDurationsConfig) -> Score:  # noqa: ARG001 -- a transform's signature
    """`score` without its sustain pedal: a note released while it is down ends where it is lifted.

    A note that is struck again ends there at the latest, as strings do; drums do not hear the pedal.
    """
    notes = score.notes
    ends = notes.end.astype(np.int64)
    for track in np.unique(score.pedals.track):
        pedals = score.pedals.take(score.pedals.track == track)
        rows = np.flatnonzero((notes.track == track) & score.is_pitched)
        span = np.searchsorted(pedals.onset, ends[rows], side="right") - 1
        lifted = (pedals.onset + pedals.duration)[span]
        held = (span >= 0) & (ends[rows] < lifted)
        ends[rows[held]] = lifted[held]
    ends = np.maximum(notes.end, np.minimum(ends, _struck_again(score)))
    controls = score.controls
    return score.replace(
        notes=replace(notes, duration=ends - notes.onset),
        controls=controls.take(controls.number != SUSTAIN_PEDAL),
    )


def _struck_again(score: Score) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """The next onset of each note's pitch on its track; never, for the last."""
    notes = score.notes
    order = np.lexsort((notes.onset, notes.pitch, notes.track))
    same = (np.diff(notes.pitch[order].astype(np.int64)) == 0) & (np.diff(notes.track[order].astype(np.int64)) == 0)
    following = np.full(len(notes), np.iinfo(np.int64).max)
    following[order[:-1][same]] = notes.onset[order[1:]][same]
    return following
