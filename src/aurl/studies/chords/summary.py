"""What the chords of many pieces have in common, told by degree: I is the tonic that a piece's own chords suggest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import numpy as np

from aurl.music.chords import Chord
from aurl.music.theory import estimate_key
from aurl.studies.base import Annotation

DEGREES = ("I", "bII", "II", "bIII", "III", "IV", "#IV", "V", "bVI", "VI", "bVII", "VII")
_MINOR_THIRD = ("min", "min7", "dim", "dim7", "hdim7")
_FIGURES = {
    "7": "7", "maj7": "maj7", "min7": "7", "dim": "o", "dim7": "o7", "hdim7": "ø7", "aug": "+", "sus2": "sus2",
    "sus4": "sus4", "maj6": "6",
}  # fmt: skip
PROGRESSION = 4
SHOWN = 12


def summarise_chords(annotations: Iterable[Annotation]) -> dict[str, Any]:
    """Counts over annotations of chords: beats by quality and by degree, progressions of PROGRESSION chords."""
    pieces, chords = 0, 0
    qualities: Counter[str] = Counter()
    degrees: Counter[str] = Counter()
    progressions: Counter[str] = Counter()
    for annotation in annotations:
        parsed = [Chord.parse(label) for label in annotation.labels]
        pieces, chords = pieces + 1, chords + len(parsed)
        tonic = _tonic(parsed, annotation)
        names = [degree(chord, tonic) for chord in parsed]
        for chord, name, beats in zip(parsed, names, annotation.durations, strict=True):
            qualities["none" if chord.root is None else chord.quality] += float(beats)  # type: ignore[assignment]
            degrees[name] += float(beats)  # type: ignore[assignment]
        distinct = [names[0], *(b for a, b in pairwise(names) if a != b)] if names else []
        windows = zip(*(distinct[i:] for i in range(PROGRESSION)), strict=False)
        progressions.update(" ".join(window) for window in windows if "none" not in window)
    beats = sum(qualities.values())
    return {
        "pieces": pieces,
        "chords": chords,
        "beats_per_chord": beats / max(chords, 1),
        "share_of_beats_by_quality": {name: count / beats for name, count in qualities.most_common()},
        "share_of_beats_by_degree": {name: count / beats for name, count in degrees.most_common(SHOWN)},
        "progressions": dict(progressions.most_common(SHOWN)),
    }


def degree(chord: Chord, tonic: int) -> str:
    """A chord as a Roman numeral over `tonic`: small letters for a minor third; "none" for no chord."""
    if chord.root is None:
        return "none"
    numeral = DEGREES[(chord.root - tonic) % 12]
    if chord.quality in _MINOR_THIRD:
        numeral = numeral.lower()
    return numeral + _FIGURES.get(chord.quality, "")


def _tonic(chords: list[Chord], annotation: Annotation) -> int:
    weights = np.zeros(12)
    for chord, beats in zip(chords, annotation.durations, strict=True):
        weights[list(chord.pitch_classes)] += beats
    return estimate_key(weights)[0]
