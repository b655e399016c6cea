"""The recogniser without training: how much of what sounds is in each chord, and how much is not.

A frame fits a chord by the share of sound on its tones less the share off them, by its bass, less a little for every
tone that is missing; rarer qualities have to fit better. The numbers were set by
hand, one of them after a look at 78 training pieces of POP909-CL; CHANGE_COST is the best of 0.5, 0.75, 1, 1.25 and 1.5
on 87 of them.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aurl.music.chords import INTERVALS, QUALITIES

Array = NDArray[Any]
PRIORS = {
    "maj": 0.0, "min": 0.0, "7": -0.15, "maj7": -0.16, "min7": -0.16, "maj6": -0.2, "dim": -0.12, "hdim7": -0.21,
    "dim7": -0.23, "sus2": -0.13, "sus4": -0.13, "aug": -0.18,
}  # fmt: skip
ONSETS = 0.35
"""Weight of the notes that begin, against those that sound."""
BASS = 0.35
MISSING, FAINT = 0.06, 0.03
"""Cost of a missing tone, and the share below which a tone is missing."""
STATES = 12 * len(QUALITIES) + 1
CHANGE_COST = 1.0
"""Cost of a change on an eighth off the beat; less the stronger the place in the bar (see `change_costs`)."""


def template_fits(pitches: Array) -> Array:
    """How well each frame fits each chord: float[frames, STATES], root by root, then no chord."""
    heard = (1 - ONSETS) * pitches[:, 0] + ONSETS * pitches[:, 1]
    tones, bass_weights, priors = _templates()
    fits = heard @ (2 * tones - 1) + BASS * pitches[:, 2] @ bass_weights - MISSING * (heard < FAINT) @ tones + priors
    no_chord = np.where(pitches[:, 0].sum(1) < 0.05, 1.0, -1.0)
    return np.column_stack([fits, no_chord])


def change_costs(places: Array) -> Array:
    """Cost of a change at each frame, given `place_features`: least where a bar begins."""
    downbeat, on_beat, half_bar = (places[:, i] > 0 for i in range(3))
    return CHANGE_COST * np.select([downbeat, half_bar, on_beat], [0.45, 0.75, 1.0], 2.0)


@cache
def _templates() -> tuple[Array, Array, Array]:
    """Tones [12, chords], weights of the bass [12, chords] and priors [chords], root by root."""
    tones = np.zeros((12, 12, len(QUALITIES)))
    for quality, intervals in enumerate(INTERVALS.values()):
        for root in range(12):
            tones[[(root + interval) % 12 for interval in intervals], root, quality] = 1
    is_root = np.repeat(np.eye(12), len(QUALITIES), axis=1)
    flat = tones.reshape(12, -1)
    bass_weights = 0.75 * is_root + 0.25 * flat - 0.5 * (1 - flat)
    return flat, bass_weights, np.tile([PRIORS[quality] for quality in QUALITIES], 12)
