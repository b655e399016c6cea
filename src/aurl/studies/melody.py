"""Which notes are the melody: the track that carries it, and of that track what is on top (the skyline).

The skyline of Uitdenbogerd and Zobel (1998) keeps the highest of the notes that sound together. The track is the one
whose name says so, or else the one that scores best by being high, by one note at a time, and by how much it plays.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from aurl.music.score import Notes, Score, TextKind
from aurl.music.theory import pitch_name
from aurl.studies.base import STUDIES, Annotation, Study
from aurl.utils.config import Config

Array = NDArray[Any]
_NAMES = re.compile(r"melod|vocal|voice|voc\b|sing|lead\b|solo|soprano|tune", re.IGNORECASE)
_WEIGHTS = np.array([0.5, 4.0, 1.0, 1.0])
"""Of mean pitch (octaves above the score's), of the skyline's share of the notes, of time played, of the share of
half-bars in which it plays: chosen on 40 songs of POP909."""
SHOWN = 12


class MelodyConfig(Config):
    """The melody finder."""

    name: Literal["melody"] = "melody"


@STUDIES.register(MelodyConfig)
class MelodyStudy(Study):
    """The notes of the melody by name, each where it begins; their confidence is always 1."""

    kind: ClassVar[TextKind] = "marker"

    def __init__(self, config: MelodyConfig) -> None:
        self.config = config

    def analyse(self, score: Score) -> Annotation:
        """Name the notes of the melody."""
        notes = score.notes.take(find_melody(score))
        beats = score.tempo_map.ticks_to_beats(notes.onset)
        labels = tuple(map(pitch_name, notes.pitch.tolist()))
        end = score.tempo_map.ticks_to_beats(notes.end).max(initial=0.0)
        return Annotation(self.kind, "melody", beats, labels, np.ones(len(labels)), float(end))

    def apply(self, score: Score) -> Score:
        """The melody's notes alone."""
        return score.replace(notes=score.notes.take(find_melody(score)))

    def summarise(self, annotations: Iterable[Annotation]) -> dict[str, Any]:
        """Notes by name and the commonest steps from one to the next."""
        pieces = 0
        notes: Counter[str] = Counter()
        steps: Counter[str] = Counter()
        for annotation in annotations:
            pieces += 1
            notes.update(annotation.labels)
            steps.update(f"{before} {after}" for before, after in pairwise(annotation.labels) if before != after)
        return {
            "pieces": pieces,
            "notes": notes.total(),
            "notes_by_name": dict(notes.most_common(SHOWN)),
            "steps": dict(steps.most_common(SHOWN)),
        }


def find_melody(score: Score) -> Array:
    """For each note, whether it belongs to the melody: the skyline of the melody's track."""
    track = melody_track(score)
    if track is None:
        return np.zeros(len(score.notes), bool)
    rows = np.flatnonzero((score.notes.track == track) & score.is_pitched)
    chosen = np.zeros(len(score.notes), bool)
    chosen[rows[skyline(score.notes.take(rows))]] = True
    return chosen


def melody_track(score: Score) -> int | None:
    """The track that carries the melody; None without pitched notes."""
    notes = score.notes.take(score.is_pitched)
    playing = np.unique(notes.track)
    if not len(playing):
        return None
    named = [int(track) for track in playing if _NAMES.search(score.tracks[track].name)]
    if named:
        return named[0]
    merits = [_merit(notes.take(notes.track == track), score, float(notes.pitch.mean())) for track in playing]
    return int(playing[int(np.argmax(merits))])


def skyline(notes: Notes) -> Array:
    """For each note, whether none that sounds when it begins is higher."""
    end = np.maximum(notes.end, notes.onset + 1)
    moments, moment = np.unique(notes.onset, return_inverse=True)
    held = np.full(len(moments), -1, end.dtype)  # the latest end of the higher notes begun by each moment
    on_top = np.zeros(len(notes), bool)
    for pitch in np.unique(notes.pitch)[::-1]:
        rows = np.flatnonzero(notes.pitch == pitch)
        on_top[rows] = held[moment[rows]] <= notes.onset[rows]
        np.maximum.at(held, moment[rows], end[rows])
        np.maximum.accumulate(held, out=held)
    return on_top


def _merit(notes: Notes, score: Score, mean_pitch: float) -> float:
    """How much like a melody a track is."""
    height = (notes.pitch.mean() - mean_pitch) / 12
    length, half_bar = max(score.end_ticks, 1), 2 * score.ticks_per_beat
    played = min(1.0, notes.duration.sum(dtype=np.int64) / length)
    busy = len(np.unique(notes.onset // half_bar)) / -(-length // half_bar)
    return float(_WEIGHTS @ [height, skyline(notes).mean(), played, busy])
