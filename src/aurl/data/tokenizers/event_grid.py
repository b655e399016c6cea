"""The grid of the `event` tokenizer: a score's notes, tempos and pedals in whole steps of 1/64 s of performed time.

Between a Score and its tokens stands this table of integers. A voice is one pitch of one instrument,
`instrument << 10 | pitch index`; on the grid a voice sounds one note at a time, every note lasts a step or more, a
tempo stands at step 0, and neither tempos nor pedals repeat themselves. Times end at LAST_STEP (12 days).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from aurl.data.tokenizers import event_vocabulary as ev
from aurl.data.tokenizers.performed_time import TICKS_PER_BEAT, ticks_of, write_tempos
from aurl.data.tokenizers.runs import Ints, ends_run, last_changes, starts_run
from aurl.music.score import SUSTAIN_PEDAL, Controls, Notes, Score

STEP_BITS = 26
LAST_STEP = (1 << STEP_BITS) - 1
VOICE_BITS = 10
PITCH_MASK = (1 << VOICE_BITS) - 1


class GridNotes(NamedTuple):
    """Notes in steps, with voices and velocity bins; columns of equal length."""

    start: Ints
    end: Ints
    voice: NDArray[np.uint16]
    velocity: NDArray[Any]

    def take(self, rows: NDArray[Any]) -> GridNotes:
        """The notes that an index array or a boolean mask selects."""
        return GridNotes(self.start[rows], self.end[rows], self.voice[rows], self.velocity[rows])


class GridTempos(NamedTuple):
    """Tempo changes: when, and which of the 32 tempos; in order of time."""

    step: Ints
    tempo: Ints


class GridPedals(NamedTuple):
    """Changes of the sustain pedal: when, of which instrument, whether it goes down; in order of time."""

    step: Ints
    instrument: Ints
    down: NDArray[np.bool_]


class Grid(NamedTuple):
    """A score on the grid."""

    notes: GridNotes
    tempos: GridTempos
    pedals: GridPedals


def read_grid(score: Score) -> Grid:
    """Snap a score to the grid, its notes not yet resolved: they may still repeat or overlap."""
    notes, controls, tempos = score.notes, score.controls, score.tempos
    is_pedal = controls.number == SUSTAIN_PEDAL
    pedal_ticks = controls.time[is_pedal]
    ticks = np.concatenate([notes.onset, np.add(notes.onset, notes.duration, dtype=np.int64), tempos.time, pedal_ticks])
    seconds = score.tempo_map.ticks_to_seconds(ticks)
    steps = np.minimum(np.maximum(np.rint(seconds * ev.STEPS_PER_SECOND), 0), LAST_STEP).astype(np.int64)
    count = len(notes)
    tempo_end = 2 * count + len(tempos)
    instruments = np.array([ev.instrument_of(track) for track in score.tracks], np.uint16)
    pedal_instruments = instruments[controls.track[is_pedal]].astype(np.int64)
    return Grid(
        _snap_notes(notes, steps[:count], steps[count : 2 * count], instruments),
        resolve_tempos(steps[2 * count : tempo_end], ev.tempo_bins(tempos.microseconds_per_beat)),
        resolve_pedals(steps[tempo_end:], pedal_instruments, controls.value[is_pedal] >= SUSTAIN_PEDAL),
    )


def _snap_notes(notes: Notes, start: Ints, end: Ints, instruments: NDArray[np.uint16]) -> GridNotes:
    pitch = notes.pitch - np.uint8(ev.LOWEST_PITCH)  # what lies below wraps to above
    voice = np.asarray(instruments[notes.track] << VOICE_BITS | pitch, np.uint16)
    snapped = GridNotes(start, np.maximum(end, start + 1), voice, notes.velocity >> ev.VELOCITY_SHIFT)
    inside = (pitch < ev.PITCH_COUNT) & (start < LAST_STEP)
    return snapped if inside.all() else snapped.take(inside)


def merge(notes: GridNotes) -> GridNotes:
    """One note where a voice starts several at once, the longest and the loudest; ordered by voice, then start.

    `notes` must be in order of start. Voices have 16 bits, so numpy's stable sort is a radix sort.
    """
    notes = notes.take(np.argsort(notes.voice, kind="stable"))
    new = starts_run(notes.start, notes.voice)
    if new.all():
        return notes
    first = np.flatnonzero(new)
    longest, loudest = np.maximum.reduceat(notes.end, first), np.maximum.reduceat(notes.velocity, first)
    return GridNotes(notes.start[first], longest, notes.voice[first], loudest)


def cut(notes: GridNotes) -> GridNotes:
    """End every note where its voice starts the next one, if not before; takes what `merge` returns."""
    end = notes.end.copy()
    limit = np.where(notes.voice[1:] == notes.voice[:-1], notes.start[1:], LAST_STEP)
    np.minimum(end[:-1], limit, out=end[:-1])
    return GridNotes(notes.start, end, notes.voice, notes.velocity)


def resolve_tempos(step: Ints, tempo: Ints) -> GridTempos:
    """The last tempo of each step, without repetitions, after 120 bpm at step 0; `step` ascends."""
    return GridTempos(*last_changes(step, tempo, ev.DEFAULT_TEMPO_BIN))


def resolve_pedals(step: Ints, instrument: Ints, down: NDArray[np.bool_]) -> GridPedals:
    """The last pedal state of each instrument and step, without repetitions, up before the first; `step` ascends."""
    if not len(step):
        return GridPedals(step, instrument, down)
    order = np.argsort(instrument.astype(np.uint8), kind="stable")
    step, instrument, down = step[order], instrument[order], down[order]
    last = ends_run(step, instrument)
    step, instrument, down = step[last], instrument[last], down[last]
    # A run of one state begins where the instrument or the state changes; an instrument's first state counts if down.
    changes = np.flatnonzero(starts_run(instrument, down) & (down | ~starts_run(instrument)))
    changes = changes[np.argsort(step[changes], kind="stable")]
    return GridPedals(step[changes], instrument[changes], down[changes])


def write_score(grid: Grid) -> Score:
    """The score of a grid whose notes are resolved; reading it back gives the same grid."""
    notes, pedals = grid.notes, grid.pedals
    tempos = write_tempos(grid.tempos.step, ev.MICROSECONDS_PER_BEAT[grid.tempos.tempo])
    ticks = ticks_of(np.concatenate([notes.start, notes.end, pedals.step]), grid.tempos.step, tempos)
    count = len(notes.start)
    onset, end, pedal_ticks = ticks[:count], ticks[count : 2 * count], ticks[2 * count :]
    instrument = notes.voice >> VOICE_BITS
    present, slot = _tracks_of(instrument, pedals.instrument)
    pitch = (notes.voice & PITCH_MASK).astype(np.uint8) + np.uint8(ev.LOWEST_PITCH)
    return Score(
        ticks_per_beat=TICKS_PER_BEAT,
        notes=Notes(onset, end - onset, pitch, ev.velocities(notes.velocity), slot[instrument]),
        tracks=tuple(ev.track_of(i) for i in present),
        tempos=tempos,
        controls=_write_pedals(pedal_ticks, slot[pedals.instrument], pedals.down),
    )


def _tracks_of(*instruments: NDArray[Any]) -> tuple[list[int], NDArray[np.uint16]]:
    """The instruments that occur, ascending, and the track of each."""
    used = np.zeros(ev.INSTRUMENT_COUNT, np.int64)
    for column in instruments:
        used += np.bincount(column, minlength=ev.INSTRUMENT_COUNT)
    return np.flatnonzero(used).tolist(), (np.cumsum(used > 0) - 1).astype(np.uint16)


def _write_pedals(ticks: NDArray[np.int32], track: NDArray[np.uint16], down: NDArray[np.bool_]) -> Controls:
    if not len(ticks):
        return Controls.empty()
    number = np.full(len(ticks), SUSTAIN_PEDAL, np.uint8)
    return Controls(ticks, track, number, down.astype(np.uint8) * np.uint8(127))
