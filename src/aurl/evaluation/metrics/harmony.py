"""Which notes sound together and how that goes on; pitched notes only, weighted by how long they last in ticks.

A harmony is the major or minor triad whose notes sound longest in half a bar (two quarter notes from the bar line on);
bars in which nothing begins have none. It is no chord recogniser (`aurl.studies.chords` is), but hears both sides of a
comparison alike.
"""

from __future__ import annotations

import math

import numpy as np

from aurl.evaluation.metrics.view import Ints, View, mean, view_of
from aurl.music.score import Score

CONSONANCE = np.array([-1.428, -0.582, 0.594, 0.386, 1.240, -0.453])
"""Consonance of interval classes 1 to 6 (Huron 1994, table 2)."""
_TRIADS = np.array(
    [np.roll(np.isin(np.arange(12), triad), root) for triad in ((0, 4, 7), (0, 3, 7)) for root in range(12)], np.int64
)
"""The notes of each triad, major before minor: [24, 12]."""


def chord_changes(score: Score) -> float:
    """Share of the half bars, 0..1, that bring another harmony than the one before."""
    return mean(np.diff(_harmonies(view_of(score))) != 0)


def chord_irregularity(score: Score) -> float:
    """Share of the successions of three harmonies, 0..1, that are distinct (Wu and Yang 2020, CPI)."""
    harmonies = _harmonies(view_of(score))
    changed = harmonies[np.append(True, np.diff(harmonies) != 0)] if len(harmonies) else harmonies
    if len(changed) < 3:
        return math.nan
    trigrams = (changed[:-2] * 24 + changed[1:-1]) * 24 + changed[2:]
    return len(np.unique(trigrams)) / len(trigrams)


def consonance(score: Score) -> float:
    """Mean consonance, -1.43 for semitones .. 1.24 for fifths, of the pairs of pitch classes that sound together."""
    view = view_of(score)
    notes = view.pitched
    times, at = np.unique(np.concatenate([notes.onset, notes.end]), return_inverse=True)
    changes = np.zeros((len(times), 12), np.int64)
    np.add.at(changes, (at, np.tile(view.pitches % 12, 2)), np.repeat([1, -1], len(notes)))
    sounds = np.cumsum(changes, axis=0)[:-1] > 0
    lengths = np.diff(times)
    pairs = [(sounds & np.roll(sounds, steps, axis=1)).sum(axis=1) @ lengths for steps in range(1, 7)]
    pairs[5] = pairs[5] / 2  # a tritone is found from either end
    return float(CONSONANCE @ pairs / sum(pairs)) if sum(pairs) else math.nan


def _harmonies(view: View) -> Ints:
    """The triad of each half bar in which a pitched note sounds: 0..11 major, 12..23 minor.

    Counted from the first note's pitch class: transposing a piece changes no choice between triads that fit alike.
    """
    if not len(view.pitches):
        return np.zeros(0, np.int64)
    bars = np.unique(view.pitched_places[0])
    starts, ends = view.score.metre_map.bar_to_ticks(bars), view.score.metre_map.bar_to_ticks(bars + 1)
    half = 2 * view.score.ticks_per_beat
    counts = -(-(ends - starts) // half)
    of_bar = np.repeat(np.arange(len(bars)), counts)
    begin = starts[of_bar] + half * (np.arange(len(of_bar)) - np.repeat(np.cumsum(counts) - counts, counts))
    weights = _sounding_ticks(view, begin, np.minimum(begin + half, ends[of_bar]))
    fits = weights[weights.any(axis=1)] @ _TRIADS.T
    return np.asarray(fits.argmax(axis=1), np.int64)


def _sounding_ticks(view: View, begin: Ints, end: Ints) -> Ints:
    """Ticks for which notes of each pitch class, from the first note's on, sound within each span: [spans, 12]."""
    classes = (view.pitches - view.pitches[0]) % 12
    columns = []
    for pitch_class in range(12):
        notes = view.pitched.take(classes == pitch_class)
        columns.append(_played_until(notes.onset, notes.end, end) - _played_until(notes.onset, notes.end, begin))
    return np.stack(columns, axis=1)


def _played_until(onset: Ints, note_end: Ints, times: Ints) -> Ints:
    """Ticks of all notes before each time."""
    return _elapsed_since(onset, times) - _elapsed_since(np.sort(note_end), times)


def _elapsed_since(starts: Ints, times: Ints) -> Ints:
    """The sum, over all starts before each time, of the ticks since."""
    count = np.searchsorted(starts, times)
    return np.asarray(count * times - np.append(0, np.cumsum(starts, dtype=np.int64))[count])
