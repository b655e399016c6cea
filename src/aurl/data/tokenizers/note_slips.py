"""Rows of `note` as one reads them who has made slips before, while what is to follow stays as it is.

A model that goes on from what it wrote itself meets mistakes that it never met in training, and adds to them (Bengio et
al. 2015, Scheduled sampling). Here a part of the notes that it reads is wrong, missing or one too many, other values
being drawn from notes of the same track (Xie et al. 2017, Data noising as smoothing, drew them from all words). How
large a part differs from window to window, so that a clean past is still trusted.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from aurl.data.tokenizers.note_tasks import Rows
from aurl.data.tokenizers.note_vocabulary import HOW_LONG, HOW_LOUD, WHAT, WHO, NoteLayout
from aurl.data.tokenizers.tasks import Slips

MISTAKEN = (WHAT, HOW_LONG, HOW_LOUD)
"""Fields of which one is wrong in a wrong note."""


def slips(rows: Rows, layout: NoteLayout, share: float, rng: np.random.Generator) -> Slips:
    """A window `[t, f]` in which a share of the notes, `share` on average, is wrong, half as many missing and added."""
    notes = np.flatnonzero(rows[:, WHAT] >= layout.first["pitch"])
    rate, chance = rng.uniform(0, 2 * share), rng.random(len(notes))
    others = _others(rows, notes, rng)
    fields = np.array(MISTAKEN)[rng.integers(len(MISTAKEN), size=len(notes))]
    wrong, missing, added = (
        (chance >= low * rate) & (chance < high * rate) for low, high in ((0, 1), (1, 1.5), (1.5, 2))
    )
    read = rows.copy()
    read[notes[wrong], fields[wrong]] = rows[others[wrong], fields[wrong]]
    added &= rows[others, WHAT] != rows[notes, WHAT]
    more = rows[notes[added]]
    more[:, WHAT] = rows[others[added], WHAT]
    at = notes[added] + (more[:, WHAT] > rows[notes[added], WHAT])  # lower pitches come first
    there = ~np.isin(np.arange(len(rows)), notes[missing])
    counts = np.append(True, there[:-1])
    kept, counts = np.insert(there, at, values=True), np.insert(counts, at, values=False)
    read, wanted = np.insert(read, at, more, axis=0), np.insert(rows, at, more, axis=0)
    return Slips(read[kept], wanted[kept], counts[kept])


def _others(rows: Rows, notes: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """For each of `notes` one of the same track, by chance."""
    others = notes.copy()
    for who in np.unique(rows[notes, WHO]):
        track = rows[notes, WHO] == who
        others[track] = rng.choice(notes[track], int(track.sum()))
    return others
