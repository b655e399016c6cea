"""Keys with modulations: where the scale changes, then the key of each passage between.

Passages are found by the likeliest sequence of the twelve diatonic scales, each window of two beats judged by Krumhansl
and Kessler's profiles (a major key and its relative minor share a scale). The key of a passage, which of the two and of
their neighbours, is decided by a linear classifier on what it sounds like as a whole, how it begins and how it ends:
one set of weights for all tonics, fitted by `benchmarks/train_keys.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from itertools import pairwise
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load

from aurl.music.score import Score, TextKind
from aurl.music.theory import MAJOR_PROFILE, MINOR_PROFILE, key_name, parse_key
from aurl.studies.base import STUDIES, Annotation, Study
from aurl.studies.chords.decoding import best_path
from aurl.studies.grid import Grid, make_grid
from aurl.studies.key_features import WINDOW, passage_features, window_features
from aurl.utils.config import Config

Array = NDArray[Any]
CHANGE_COST = 5.0
"""Cost of a new scale, in windows of two beats that fit it perfectly and the old one not at all."""
SMOOTHING = 4
"""Windows on either side that a window is judged with: eight beats."""
_TURNS = (np.arange(12)[:, None] + np.arange(12)) % 12


class KeysConfig(Config):
    """The key recogniser."""

    name: Literal["keys"] = "keys"


@STUDIES.register(KeysConfig)
class KeyStudy(Study):
    """Keys of a score, each holding until the next."""

    kind: ClassVar[TextKind] = "key"

    def __init__(self, config: KeysConfig) -> None:
        self.config = config

    def analyse(self, score: Score) -> Annotation:
        """Name the keys of a score; a score without pitched notes has none."""
        grid = make_grid(score)
        if not len(grid):
            return Annotation(self.kind, "keys", np.zeros(0), (), np.zeros(0), 0.0)
        windows = window_features(grid)
        path = best_path(scale_fits(windows), np.full(len(windows), CHANGE_COST))
        starts = np.flatnonzero(np.diff(path, prepend=-1))
        ends = np.append(starts[1:], len(path))
        keys = [classify(windows[start:end], shipped_weights()) for start, end in zip(starts, ends, strict=True)]
        return _annotate(grid, starts, keys)

    def summarise(self, annotations: Iterable[Annotation]) -> dict[str, Any]:
        """Beats by key, modulations by how far the tonic moves."""
        pieces = 0
        beats: Counter[str] = Counter()
        moves: Counter[str] = Counter()
        for annotation in annotations:
            pieces += 1
            for label, duration in zip(annotation.labels, annotation.durations, strict=True):
                beats[label] += float(duration)  # type: ignore[assignment]
            moves.update(_move(before, after) for before, after in pairwise(annotation.labels))
        total = sum(beats.values()) or 1.0
        return {
            "pieces": pieces,
            "modulations": moves.total(),
            "share_of_beats": {label: count / total for label, count in beats.most_common()},
            "modulations_by_move": dict(moves.most_common()),
        }


def scale_fits(windows: Array) -> Array:
    """How well the music around each window correlates with each diatonic scale: float[windows, 12]."""
    sums = np.cumsum(np.pad(windows[:, 0], ((SMOOTHING + 1, SMOOTHING), (0, 0))), axis=0)
    around = sums[2 * SMOOTHING + 1 :] - sums[: -2 * SMOOTHING - 1]
    around = around - around.mean(1, keepdims=True)
    around /= np.linalg.norm(around, axis=1, keepdims=True) + 1e-9
    profiles = np.stack([MAJOR_PROFILE, np.roll(MINOR_PROFILE, 9)])  # the relative minor begins on the sixth degree
    profiles = profiles - profiles.mean(1, keepdims=True)
    profiles /= np.linalg.norm(profiles, axis=1, keepdims=True)
    fits = around[:, _TURNS] @ profiles.T  # windows, scale, mode
    return np.asarray(fits.max(2))


def classify(windows: Array, weights: Mapping[str, Array]) -> tuple[int, bool, float]:
    """Tonic (from the grid's origin), whether minor, and probability of the key of a passage."""
    turned = passage_features(windows)[:, _TURNS].swapaxes(0, 1).reshape(12, -1)
    logits = turned @ weights["weight"].T + weights["bias"]  # tonic, mode
    probabilities = np.exp(logits - logits.max())
    best = int(logits.argmax())
    return best // 2, bool(best % 2), float(probabilities.flat[best] / probabilities.sum())


@cache
def shipped_weights() -> dict[str, Array]:
    """The weights that come with the package."""
    return load((files("aurl") / "assets" / "studies" / "keys.safetensors").read_bytes())


def _annotate(grid: Grid, starts: Array, keys: list[tuple[int, bool, float]]) -> Annotation:
    kept = [i for i in range(len(keys)) if i == 0 or keys[i][:2] != keys[i - 1][:2]]
    labels = tuple(key_name((keys[i][0] + grid.origin) % 12, keys[i][1]) for i in kept)
    beats = starts[kept] * (WINDOW * grid.frame_beats)
    return Annotation("key", "keys", beats, labels, np.array([keys[i][2] for i in kept]), len(grid) * grid.frame_beats)


def _move(before: str, after: str) -> str:
    """Such as "up 7, major to minor": how a modulation changes tonic and mode."""
    (old, old_minor), (new, new_minor) = parse_key(before), parse_key(after)
    modes = ("major", "minor")
    return f"up {(new - old) % 12}, {modes[old_minor]} to {modes[new_minor]}"
