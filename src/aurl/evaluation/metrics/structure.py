"""Whether a piece comes back to what it said, and whether it says anything else: form, loops, silence."""

from __future__ import annotations

import math

import numpy as np

from aurl.evaluation.metrics.view import GRID, Ints, mean, view_of
from aurl.music.score import Score

LONGEST_PERIOD = 8
"""Bars of the longest passage that makes a loop."""
TIMES_HEARD = 4
"""How often in a row a passage is heard before it is a loop: folk tunes say theirs up to three times."""


def repetition(score: Score) -> float:
    """Share of the bars, 0..1, that say what an earlier bar has said.

    A bar says its set of (onset since the bar line, pitch class), onsets rounded to `GRID` parts of a quarter note;
    octaves, lengths and loudness do not matter. Bars in which no pitched note begins are not counted.
    """
    view = view_of(score)
    contents = _bar_contents(*view.pitched_places, view.pitches % 12)
    return 1 - len(set(contents)) / len(contents) if contents else math.nan


def self_similarity_4(score: Score) -> float:
    """Cosine, 0..1, of what each bar and the one 4 bars later say, mean over pairs in which both say something.

    A bar says how many notes of each pitch class begin in each of its eighths.
    """
    return bar_similarity(score, 4)


def self_similarity_8(score: Score) -> float:
    """As `self_similarity_4`, 8 bars later."""
    return bar_similarity(score, 8)


def self_similarity_16(score: Score) -> float:
    """As `self_similarity_4`, 16 bars later."""
    return bar_similarity(score, 16)


def longest_loop(score: Score) -> float:
    """Share of the bars, 0..1, in the longest loop: up to 8 bars heard at least four times in a row, to the note.

    Onsets, pitches and drums must be the same, lengths and loudness need not. Bars in which nothing begins are not
    counted.
    """
    view = view_of(score)
    voices = score.notes.pitch + np.where(score.is_pitched, 0, 128)
    contents = _bar_contents(*view.places, voices)
    names: dict[bytes, int] = {}
    said = np.array([names.setdefault(content, len(names)) for content in contents])
    longest = max((_loop_bars(said, period) for period in range(1, LONGEST_PERIOD + 1)), default=0)
    return longest / len(said) if len(said) else math.nan


def is_degenerate(score: Score) -> bool:
    """Whether a piece is a loop or silence rather than music.

    It is when it has no notes, when nothing begins in more than half of its bars, or when more than half of the bars in
    which something begins are one loop (`longest_loop`).
    """
    view = view_of(score)
    playing = len(np.unique(view.places[0]))
    return 2 * playing < max(1, view.bar_count) or longest_loop(score) > 0.5


def bar_similarity(score: Score, lag: int) -> float:
    """Cosine, 0..1, of what each bar and the one `lag` bars later say, as in `self_similarity_4`; NaN without any."""
    view = view_of(score)
    bars, positions = view.pitched_places
    if not len(bars):
        return math.nan
    eighths = positions // (GRID // 2)
    stride = (int(eighths.max()) + 1) * 12
    keys, counts = np.unique(bars * stride + eighths * 12 + view.pitches % 12, return_counts=True)
    playing, of_key = np.unique(keys // stride, return_inverse=True)
    sizes = np.sqrt(np.bincount(of_key, counts**2))
    _, now, then = np.intersect1d(keys, keys + lag * stride, assume_unique=True, return_indices=True)
    products = np.bincount(of_key[then], counts[now] * counts[then], minlength=len(playing))
    _, first, later = np.intersect1d(playing, playing - lag, assume_unique=True, return_indices=True)
    return mean(products[first] / (sizes[first] * sizes[later]))


def _loop_bars(said: Ints, period: int) -> int:
    """Bars of the longest stretch that repeats after `period` bars; 0 where it is heard too seldom."""
    differs = np.flatnonzero(said[period:] != said[:-period])
    runs = np.diff(np.concatenate([[-1], differs, [max(0, len(said) - period)]])) - 1
    longest = int(runs.max()) + period
    return longest if longest >= TIMES_HEARD * period else 0


def _bar_contents(bars: Ints, positions: Ints, values: Ints) -> list[bytes]:
    """What each bar with an onset says, in order: its set of (position, value)."""
    if not len(bars):
        return []
    height, width = int(values.max()) + 1, int(positions.max()) + 1
    keys = np.unique((bars * width + positions) * height + values)
    of_bar, said = np.divmod(keys, width * height)
    return [bar.tobytes() for bar in np.split(said, np.flatnonzero(np.diff(of_bar)) + 1)]
