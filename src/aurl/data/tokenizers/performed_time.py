"""Performed time as ticks: steps of 1/64 s and tempo changes on them, written so that reading gives the same steps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from aurl.data.tokenizers.runs import Ints
from aurl.music.score import Tempos

TICKS_PER_BEAT = 480
STEPS_PER_SECOND = 64
_UNITS_PER_STEP = TICKS_PER_BEAT * 1_000_000 // STEPS_PER_SECOND
"""A step in ticks * microseconds per beat, the whole numbers in which a TempoMap counts."""


def write_tempos(steps: Ints, microseconds_per_beat: Ints) -> Tempos:
    """Tempo changes at `steps`, the first of them 0.

    Each is at the tick nearest to it, counted from where the ticks so far really are: no error adds up.
    """
    tick = elapsed = 0
    ticks = [0]
    for step, tempo in zip(steps[1:].tolist(), microseconds_per_beat[:-1].tolist(), strict=True):
        jump = (2 * (step * _UNITS_PER_STEP - elapsed) + tempo) // (2 * tempo)
        tick, elapsed = tick + jump, elapsed + jump * tempo
        ticks.append(tick)
    return Tempos(np.array(ticks, np.int32), microseconds_per_beat.astype(np.int32))


def ticks_of(steps: Ints, tempo_steps: Ints, tempos: Tempos) -> NDArray[np.int32]:
    """The tick of each step, counted from the tempo change before it, so that what begins with it shares its tick.

    With the half tick by which that change may be off, a tick is at most one tick from its time: 2/15 of a step at 60
    bpm, a third at 24.
    """
    tempo = tempos.microseconds_per_beat
    if len(tempo) == 1:
        return np.asarray(np.rint(steps * (_UNITS_PER_STEP / tempo[0])).astype(np.int32))
    at = np.searchsorted(tempo_steps, steps, side="right") - 1
    return np.asarray(
        tempos.time[at] + np.rint((steps - tempo_steps[at]) * _UNITS_PER_STEP / tempo[at]).astype(np.int32)
    )
