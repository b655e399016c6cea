"""Piano rolls of a score: what starts and what sounds in each cell of time and pitch, on a grid or at each token.

A roll is three tables of bytes, rows of time by columns of pitch. A cell holds its start, not that of the next; the
last row has no end. The sustain pedal is not in it (the transform `pedal` lengthens notes by it).
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aurl.data.tokenizers.base import Tokenizer
from aurl.music.score import Notes, Score
from aurl.utils.errors import ConfigError

Cells = NDArray[np.uint8]
ALL_PITCHES = range(128)
PIANO_KEYS = range(21, 109)
"""The 88 keys of a piano, A0 to C8."""
MOST_BYTES = 2 << 30
"""Of one roll; finer grids are refused."""
AT_ONCE = 1 << 22
"""Cells that are filled in one go: what the work needs beside the roll stays under 100 MB."""


@dataclass(frozen=True)
class PianoRoll:
    """What starts and sounds, `[t, p]`; column 0 is the pitch `lowest`."""

    onset: Cells
    """How many notes start."""
    velocity: Cells
    """Of the loudest note that sounds; 0 where none does."""
    drums: Cells
    """How many drum notes start, by General MIDI drum; in `onset` and `velocity` there are none."""
    lowest: int

    @property
    def sustain(self) -> NDArray[np.bool_]:
        """Whether a note sounds."""
        return self.velocity > 0

    def __len__(self) -> int:
        return len(self.onset)

    def take(self, rows: NDArray[Any] | slice) -> PianoRoll:
        """Some of the rows, or rows repeated."""
        return PianoRoll(self.onset[rows], self.velocity[rows], self.drums[rows], self.lowest)


def beat_grid(score: Score, steps_per_beat: int) -> NDArray[np.int64]:
    """Ticks at which `steps_per_beat` cells a quarter note start, to the end of the score."""
    if steps_per_beat < 1:
        raise ConfigError("a piano roll needs at least one step a beat", found=steps_per_beat)
    count = max(1, -(-score.end_ticks * steps_per_beat // score.ticks_per_beat))
    _refuse_size(count)
    return np.asarray(np.arange(count) * score.ticks_per_beat // steps_per_beat)


def seconds_grid(score: Score, step_seconds: float) -> NDArray[np.int64]:
    """The ticks nearest to every `step_seconds`, to the end of the score."""
    if not step_seconds > 0:
        raise ConfigError("a step of a piano roll must take time", found=f"{step_seconds} seconds")
    count = max(1.0, np.ceil(score.duration_seconds / step_seconds))
    _refuse_size(count)
    return score.tempo_map.seconds_to_ticks(np.arange(int(count)) * step_seconds)


def piano_roll(score: Score, starts_ticks: ArrayLike, *, pitches: range = ALL_PITCHES) -> PianoRoll:
    """The roll whose rows start at `starts_ticks` (ascending); raises ConfigError if it would be over MOST_BYTES.

    Notes that started before the first row are in `velocity` only, pitches outside `pitches` are nowhere.
    """
    starts = np.asarray(starts_ticks, np.int64)
    _refuse_size(len(starts))
    pitched = score.is_pitched
    notes, hits = score.notes.take(pitched), score.notes.take(~pitched)
    inside = (notes.pitch >= pitches.start) & (notes.pitch < pitches.stop)
    notes = notes if inside.all() else notes.take(inside)
    shape = (len(starts), len(pitches))
    return PianoRoll(
        _count(_rows(starts, notes.onset), notes.pitch - pitches.start, shape),
        _loudest(starts, notes, pitches.start, shape),
        _count(_rows(starts, hits.onset), hits.pitch, (len(starts), len(ALL_PITCHES))),
        pitches.start,
    )


def aligned_roll(tokenizer: Tokenizer, tokens: NDArray[Any], *, pitches: range = ALL_PITCHES) -> PianoRoll:
    """One row for each token: what starts and sounds from its moment to the next one, as the tokens tell it.

    Tokens of one moment share a row, so a row also tells what later tokens of its moment say: a model that predicts
    them must be given the row of the moment before. Moments are those of `tokenizer.clock`; tokens may be a window.
    """
    score = tokenizer.decode(tokens)
    ticks = score.tempo_map.seconds_to_ticks(tokenizer.clock(tokens).seconds)
    moments, row_of = np.unique(ticks, return_inverse=True)
    return piano_roll(score, moments, pitches=pitches).take(row_of)


def npz_bytes(roll: PianoRoll, **times: Any) -> bytes:
    """The roll as a compressed .npz file of `onset`, `velocity`, `drums`, `lowest` and arrays of `times`."""
    buffer = io.BytesIO()
    tables: dict[str, Any] = {"onset": roll.onset, "velocity": roll.velocity, "drums": roll.drums}
    np.savez_compressed(buffer, lowest=np.array(roll.lowest), **tables, **times)
    return buffer.getvalue()


def _refuse_size(rows: float) -> None:
    size = 3 * 128 * rows
    if size > MOST_BYTES:
        raise ConfigError("the piano roll would be too large", found=f"{size / 1e9:.1f} GB", hint="take longer steps")


def _rows(starts: NDArray[np.int64], ticks: NDArray[Any]) -> NDArray[np.int64]:
    """The row that each tick is in; -1 before the first."""
    return np.asarray(np.searchsorted(starts, ticks, side="right") - 1)


def _count(rows: NDArray[np.int64], columns: NDArray[Any], shape: tuple[int, int]) -> Cells:
    table = np.zeros(shape, np.uint8)
    inside = rows >= 0
    cells, counts = np.unique(rows[inside] * shape[1] + columns[inside], return_counts=True)
    table.reshape(-1)[cells] = np.minimum(counts, 255)
    return table


def _loudest(starts: NDArray[np.int64], notes: Notes, lowest: int, shape: tuple[int, int]) -> Cells:
    """The highest velocity in each cell: cells of all notes are filled from the softest note to the loudest."""
    table = np.zeros(shape, np.uint8)
    softest_first = np.argsort(notes.velocity, kind="stable")
    ends = np.maximum(notes.end.astype(np.int64), notes.onset.astype(np.int64) + 1)
    first = np.maximum(_rows(starts, notes.onset), 0)[softest_first]
    spans = np.maximum(_rows(starts, ends - 1)[softest_first] - first + 1, 0)
    spans[ends[softest_first] <= (starts[0] if len(starts) else 0)] = 0
    corners = first * shape[1] + notes.pitch[softest_first] - lowest
    velocities = np.maximum(notes.velocity[softest_first], 1)
    cuts = np.searchsorted(np.cumsum(spans), np.arange(AT_ONCE, int(spans.sum()) + AT_ONCE, AT_ONCE), side="left") + 1
    for part in np.split(np.arange(len(spans)), cuts):
        length = spans[part]
        within = np.arange(length.sum()) - np.repeat(np.cumsum(length) - length, length)
        cells = np.repeat(corners[part], length) + within * shape[1]
        table.reshape(-1)[cells] = np.repeat(velocities[part], length)
    return table
