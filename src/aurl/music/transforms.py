"""Scores made from scores. Each function is pure: the score it is given is not changed."""

from __future__ import annotations

import re

import numpy as np

from aurl.music.score import Score
from aurl.music.theory import PITCH_CLASSES

LOWEST, HIGHEST = 21, 108
"""A0 and C8, the range of a piano: music is not moved beyond it."""
_NOTE_NAME = re.compile(r"(?:^|(?<=/))([A-G])([#b]?)")
"""The root of a chord symbol, and the bass after a slash."""
_NATURALS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}


def transpose(score: Score, semitones: int) -> Score:
    """All pitched notes, keys and chord symbols moved by `semitones`; drums stay.

    Raises ValueError if a note would leave what MIDI holds; `transposition_range` tells what is musical.
    """
    if not semitones:
        return score
    notes = score.notes
    pitch = np.where(score.is_pitched, notes.pitch.astype(np.int16) + semitones, notes.pitch)
    columns = notes.columns() | {"pitch": pitch}
    keys, texts = score.key_signatures, score.texts
    sharps = (keys.sharps.astype(np.int16) + 7 * semitones + 5) % 12 - 5
    chords = [
        _NOTE_NAME.sub(lambda name: _moved_name(name, semitones), text) if kind == "chord" else text
        for kind, text in zip(texts.kind, texts.text, strict=True)
    ]
    return score.replace(
        notes=type(notes)(**columns),
        key_signatures=type(keys)(**keys.columns() | {"sharps": sharps}),
        texts=type(texts)(**texts.columns() | {"text": np.array([*chords, None], object)[:-1]}),
    )


def transposition_range(score: Score) -> tuple[int, int]:
    """The fewest and the most semitones by which pitched notes move and stay on a piano; (0, 0) if one is off it."""
    pitch = score.notes.pitch[score.is_pitched].astype(np.int64)
    if not len(pitch) or pitch.min() < LOWEST or pitch.max() > HIGHEST:
        return 0, 0
    return LOWEST - int(pitch.min()), HIGHEST - int(pitch.max())


def _moved_name(name: re.Match[str], semitones: int) -> str:
    accidental = {"#": 1, "b": -1}.get(name[2], 0)
    return PITCH_CLASSES[(_NATURALS[name[1]] + accidental + semitones) % 12]
