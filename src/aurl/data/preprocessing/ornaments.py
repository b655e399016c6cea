"""Notes that a grid would throw together though they follow each other: grace notes, mordents, fast trills."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from aurl.music.score import Notes

Ints = NDArray[np.int64]


def keep_ornaments(notes: Notes, target: Ints, reach: Ints) -> tuple[Ints, Ints]:
    """Onsets for notes with the same `target`, and how long those that ornament another may last (0: any length).

    Notes of one track with one target are ornaments of each other where one is half over before the next begins. The
    nearest to the target takes it, the others keep their distance from it, in ticks, as long as that stays within
    `reach` of the target: then the grid throws the same notes together again, and they stay as they are.
    """
    onset = notes.onset.astype(np.int64)
    order = np.lexsort((-notes.duration, onset, target, notes.track))
    begins_group = _changes(notes.track[order], target[order])
    follows = onset[order][1:] > onset[order][:-1]
    over = 2 * onset[order][:-1] + notes.duration[order][:-1] <= 2 * onset[order][1:]
    after_ornament = np.append(False, follows & over) & ~begins_group
    group = np.cumsum(begins_group) - 1
    ornamented = np.bincount(group, weights=after_ornament) > 0
    moved, longest = target.copy(), np.zeros(len(target), np.int64)
    for number in np.flatnonzero(ornamented).tolist():
        first, end = np.searchsorted(group, [number, number + 1])
        rows, cuts = order[first:end], np.flatnonzero(after_ornament[first:end])
        moved[rows], longest[rows] = _spread(onset[rows], notes.duration[rows], cuts, int(target[rows[0]]), reach[rows])
    return moved, longest


def _spread(onset: Ints, duration: Ints, cuts: Ints, target: int, reach: Ints) -> tuple[Ints, Ints]:
    """New onsets and lengths of one group in order of onset; a new member begins at each of `cuts`."""
    member = np.searchsorted(cuts, np.arange(len(onset)), side="right")
    lasts = np.append(cuts, len(onset)) - 1
    place = onset[lasts]  # one place for each member: its last note's, the one that was found to be over in time
    anchor = int(np.argmin(np.abs(place - target)))
    offset = place - place[anchor]
    room = np.where(offset < 0, min(int(reach[0]), target), int(reach[0]))
    scale = min(1.0, float((room / np.maximum(np.abs(offset), 1))[offset != 0].min(initial=1.0)))
    places = target + np.trunc(offset * scale).astype(np.int64)
    longest = np.zeros(len(onset), np.int64)
    if (np.diff(places) == 0).any():  # too little room to tell them apart
        return np.full(len(onset), target), longest
    longest[lasts[:-1]] = np.maximum(1, np.minimum(duration[lasts[:-1]], np.diff(places)))
    return places[member], longest


def _changes(*columns: NDArray[np.generic]) -> NDArray[np.bool_]:
    """Whether each row differs from the one before in any column; the first does."""
    changed = np.ones(len(columns[0]), np.bool_)
    changed[1:] = np.any([column[1:] != column[:-1] for column in columns], axis=0)
    return changed
