"""A piece that slows down towards its end, as players do."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from aurl.data.preprocessing.base import transform
from aurl.music.score import Score, Tempos
from aurl.utils.config import Config

CURVE = 3.0
"""q of Friberg and Sundberg (1999): runners' steps and ritards of musicians alike slow down with 2 to 3."""
SLOWEST = 2**24 - 1
"""Microseconds a quarter note that MIDI can say."""


class RitardandoConfig(Config):
    """The last bars become slower; nothing else changes."""

    name: Literal["ritardando"] = "ritardando"
    bars: int = Field(2, ge=1, le=64)
    """How many, up to the last in which a note begins."""
    to: float = Field(0.6, gt=0, le=1)
    """Tempo of the last onset, as a share of what it was."""


@transform(RitardandoConfig)
def ritardando(score: Score, config: RitardandoConfig) -> Score:
    """`score` with a tempo for every eighth note of its last bars.

    At the share x of the way to the last onset the tempo is multiplied by (1 + (to^q - 1) x)^(1/q) (Friberg and
    Sundberg 1999, eq. 4); tempos that the piece has there are kept in proportion.
    """
    if not len(score.notes):
        return score
    last, metre = int(score.notes.onset.max()), score.metre_map
    first = int(metre.bar_to_ticks(max(int(metre.ticks_to_bar_beat(last)[0]) + 1 - config.bars, 0)))
    if first >= last:
        return score
    tempos = score.tempos
    eighths = np.arange(first, last, max(score.ticks_per_beat // 2, 1))
    times = np.unique(np.concatenate([eighths, [last], tempos.time[tempos.time > first]]))
    way = np.minimum((times - first) / (last - first), 1.0)
    share = (1 + (config.to**CURVE - 1) * way) ** (1 / CURVE)
    microseconds = 1e6 * score.ticks_per_beat / score.tempo_map.ticks_per_second(times) / share
    told = Tempos(times, np.rint(np.minimum(microseconds, SLOWEST)))
    return score.replace(tempos=Tempos.join([tempos.take(tempos.time < first), told]))
