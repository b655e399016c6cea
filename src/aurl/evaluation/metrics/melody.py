"""How the top line moves: the skyline of all pitched notes, whichever track plays them."""

from __future__ import annotations

import numpy as np

from aurl.evaluation.metrics.view import mean, view_of
from aurl.music.score import Score

PARTS = 8
"""Moments of a bar at which its contour is read."""
RETURNS = range(4, 17)
"""Bars after which a contour may come back."""


def mean_interval(score: Score) -> float:
    """Mean size in semitones of the steps and leaps of the skyline (pitch interval of Yang and Lerch 2018)."""
    return mean(np.abs(np.diff(view_of(score).skyline[1])))


def step_share(score: Score) -> float:
    """Share of the skyline's intervals, 0..1, of one or two semitones (stepwise motion; McKay and Fujinaga 2006)."""
    sizes = np.abs(np.diff(view_of(score).skyline[1]))
    return mean((sizes == 1) | (sizes == 2))


def contour_similarity(score: Score) -> float:
    """Correlation, -1..1, of each bar's contour with the most alike of those 4 to 16 bars before, mean over bars.

    A contour is the skyline at eight moments of the bar; compared by correlation (Müllensiefen and Frieler 2004), so
    that a sequence a third higher is the same. Bars without movement have none.
    """
    view = view_of(score)
    onsets, pitches = view.skyline
    bars = np.unique(view.pitched_places[0])
    starts, ends = score.metre_map.bar_to_ticks(bars), score.metre_map.bar_to_ticks(bars + 1)
    moments = starts[:, None] + (ends - starts)[:, None] * np.arange(PARTS) // PARTS
    contours = pitches[np.maximum(np.searchsorted(onsets, moments, side="right") - 1, 0)] if len(bars) else moments
    contours = contours - contours.mean(axis=1, keepdims=True)
    sizes = np.linalg.norm(contours, axis=1)
    bars, contours = bars[sizes > 0], contours[sizes > 0] / sizes[sizes > 0, None]
    best = np.full(len(bars), -np.inf)
    for lag in RETURNS:
        _, now, then = np.intersect1d(bars, bars + lag, assume_unique=True, return_indices=True)
        best[now] = np.maximum(best[now], (contours[now] * contours[then]).sum(axis=1))
    return mean(best[best > -np.inf])
