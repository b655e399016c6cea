"""Makes a piece readable: music on places that no musician counts is quantised before it is notated.

What is played is rarely as long as it is written. So notes that end near the beginning of a later note of their track
are ended there: small gaps are filled, small overlaps trimmed, and what is struck together mostly ends together. No
triplet is read out of an end alone: in beats where nothing begins on a triplet, ends go to sixteenths.
"""

from __future__ import annotations

import numpy as np

from aurl.data.preprocessing.quantise import QuantiseConfig, quantise
from aurl.music.score import Score

COUNTED = 24
"""Steps of a quarter on which note values lie."""
PLAIN, TRIPLET = 3, 4
"""Steps of a 32nd and of a triplet sixteenth: the finest values that are counted."""
SHARE = 0.95
"""Of onsets and ends, that must be on counted places."""
NEAR_BEATS, NEAR_SHARE = 0.25, 1 / 3
"""How near the end of a note must be to a beginning: a sixteenth, or this share of its length."""
SIXTEENTHS = 4
"""Of a quarter."""
LONGEST_BAR = 1 << 12
"""Quarters; no metre is longer."""
GRID = QuantiseConfig(grid=(16, 12), mode="adaptive")


def readable_share(score: Score) -> float:
    """Share of onsets and ends, from the bar line on, that lie on 32nds or triplet sixteenths."""
    ticks = np.concatenate([score.notes.onset, score.notes.end]).astype(np.int64)
    _, beats = score.metre_map.ticks_to_bar_beat(ticks)
    steps = np.rint(beats * COUNTED).astype(np.int64)
    near = np.abs(beats * COUNTED - steps) <= max(0.1, 0.51 * COUNTED / score.ticks_per_beat)
    return float((near & ((steps % PLAIN == 0) | (steps % TRIPLET == 0))).mean()) if len(ticks) else 1.0


def readable(score: Score) -> Score:
    """`score` itself if its notes are on counted places, else with each beat on sixteenths or triplet eighths."""
    return score if readable_share(score) >= SHARE else _legato(_without_odd_ends(quantise(score, GRID)))


def _without_odd_ends(score: Score) -> Score:
    """Ends on sixteenths, but in beats in which notes begin on triplets."""
    notes, metre = score.notes, score.metre_map
    end = notes.end.astype(np.int64)
    (begin_bar, begin), (end_bar, place) = metre.ticks_to_bar_beat(notes.onset), metre.ticks_to_bar_beat(end)
    is_triplet = np.rint(begin * COUNTED) % (COUNTED // SIXTEENTHS) != 0
    begin_beat, end_beat = (
        LONGEST_BAR * begin_bar + begin.astype(np.int64),
        LONGEST_BAR * end_bar + place.astype(np.int64),
    )
    of_triplets = np.isin(end_beat, begin_beat[is_triplet])
    moved = metre.bar_to_ticks(end_bar, np.rint(place * SIXTEENTHS) / SIXTEENTHS)
    end = np.where(of_triplets | (moved <= notes.onset), end, moved)
    return score.replace(notes=notes.replace(duration=end - notes.onset))


def _legato(score: Score) -> Score:
    """Notes ended at the beginning of a later note of their track where that is near."""
    notes = score.notes
    end = notes.end.astype(np.int64)
    for track in range(len(score.tracks)):
        rows = np.flatnonzero(notes.track == track)
        starts = np.unique(notes.onset[rows]).astype(np.int64)
        after = np.searchsorted(starts, end[rows])
        for place in (after, after - 1):  # the beginning before the end wins over the one after it, trimmed over filled
            target = starts[np.clip(place, 0, len(starts) - 1)]
            near = np.maximum(NEAR_BEATS * score.ticks_per_beat, NEAR_SHARE * notes.duration[rows])
            fits = (target > notes.onset[rows]) & (np.abs(target - notes.end[rows]) <= near)
            end[rows[fits]] = target[fits]
    return score.replace(notes=notes.replace(duration=end - notes.onset))
