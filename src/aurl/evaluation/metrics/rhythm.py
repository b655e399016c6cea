"""When notes begin within the bar and how long they last, in quarter notes: tempo does not matter.

Onsets are those of all notes, drums too, rounded to `GRID` parts of a quarter note; lengths are those of pitched notes,
as a drum's says nothing.
"""

from __future__ import annotations

import math

import numpy as np

from aurl.evaluation.metrics.view import BAR, BEAT, BETWEEN, GRID, HALF_BEAT, entropy_bits, mean, view_of
from aurl.music.score import Score


def onset_entropy(score: Score) -> float:
    """Entropy in bits of the moments at which notes begin, by position in the bar (Palmer and Krumhansl 1990)."""
    view = view_of(score)
    _, firsts = np.unique(view.cells, return_index=True)
    return entropy_bits(view.places[1][firsts])


def syncopation(score: Score) -> float:
    """Metrical levels, 0..3, by which what follows an onset unplayed is stronger than the onset, mean over onsets.

    An onset is syncopated when a stronger position passes before the next one (Longuet-Higgins and Lee 1984); the
    levels are bar line, quarter, eighth and the rest.
    """
    view = view_of(score)
    moments, firsts = np.unique(view.cells, return_index=True)
    bars, positions, levels = view.places[0][firsts], view.places[1][firsts], view.levels[firsts]
    last_passed = positions[:-1] + np.diff(moments) - 1
    to_next_bar = np.diff(bars) - (positions[1:] == 0)
    passes = [to_next_bar > 0] + [last_passed // unit > positions[:-1] // unit for unit in (GRID, GRID // 2)]
    strongest = np.select(passes, [BAR, BEAT, HALF_BEAT], BETWEEN)
    return mean(np.maximum(0, strongest - levels[:-1]))


def groove_consistency(score: Score) -> float:
    """1 less the share of positions in which neighbouring bars differ in whether a note begins (Wu and Yang 2020).

    As MusPy's with 12 steps to the quarter, in any metre; where the last note ends on a bar line, MusPy counts the
    empty bar after it.
    """
    view = view_of(score)
    last = view.bar_count - 1
    if last < 1:
        return math.nan
    bars, positions = view.places
    stride = int(positions.max()) + 1
    onsets = np.unique(bars * stride + positions)
    in_both = np.isin(onsets + stride, onsets).sum()
    in_any = 2 * len(onsets) - ((onsets // stride == 0) | (onsets // stride == last)).sum()
    cells = float(score.tempo_map.ticks_to_beats(score.metre_map.bar_to_ticks(last))) * GRID
    return float(1 - (in_any - 2 * in_both) / cells)


def duration_entropy(score: Score) -> float:
    """Entropy in bits of the lengths of notes in `GRID` parts of a quarter (note lengths of Yang and Lerch 2018)."""
    return entropy_bits(np.rint(view_of(score).pitched.duration * (GRID / score.ticks_per_beat)))
