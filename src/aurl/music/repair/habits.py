"""What a track usually does, as the bits each event costs to say: damage is what costs many.

The habits come from a first reading that steps over damage. An edit of the bytes is judged by the description length
(Rissanen 1978) of the events behind it: wait, status, pitch, velocity, place in the beat, whether other tracks start
notes at the same tick, and the length of the notes that end.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from math import log2
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aurl.music.repair.events import Bools, Events, Ints, Run, grouped
from aurl.music.repair.syntax import END_OF_TRACK, META, Event

UNSEEN = 14.0
"""Bits of a value that the track does not show elsewhere."""
SILENT_END = 12.0
"""Bits of an end without a note."""
RETRIGGER = 7.0
"""Bits of a note that starts while it sounds."""
EARLY_END = 40.0
"""Bits of an end of track with music behind it."""
TEXT_BYTE, ODD_BYTE = 5.5, 9.0
"""Bits of a byte inside long events: printable, or not."""
LONG_BEATS = 4
"""A wait of more beats costs two bits more for each doubling."""
BYTE = 6.0
"""Bits of a byte left unread behind the horizon; about what a byte of notes costs."""


class Costs:
    """Bits of each value that a column shows; a value it does not show costs UNSEEN."""

    def __init__(self, shown: NDArray[Any], free_up_to: float = np.inf) -> None:
        self.values, counts = np.unique(shown.astype(np.int64), return_counts=True)
        bits = np.minimum(-np.log2(counts / (len(shown) + 1)), UNSEEN - 1)
        self.mean = float((bits * counts).sum() / max(len(shown), 1))
        self.bits = bits + 2 * np.log2(np.maximum(self.values / free_up_to, 1))
        self.of: dict[int, float] = dict(zip(self.values.tolist(), self.bits.tolist(), strict=True))

    def all_of(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Bits of many values."""
        if not len(self.values):
            return np.full(len(values), UNSEEN)
        place = np.searchsorted(self.values, values).clip(max=len(self.values) - 1)
        return np.where(self.values[place] == values, self.bits[place], UNSEEN)


class Starts:
    """How many tracks start a note at each tick."""

    def __init__(self, tracks: Sequence[Events]) -> None:
        starts = [_distinct(track.tick[track.is_start()]) for track in tracks] if len(tracks) > 1 else []
        ticks = np.sort(np.concatenate([np.empty(0, np.int64), *starts]))
        begins = np.flatnonzero(np.diff(ticks, prepend=-1))
        self.ticks, self.counts = ticks[begins], np.diff(begins, append=len(ticks))
        self._ticks = self.ticks.data

    def at(self, tick: int) -> int:
        """The tracks that start a note at `tick`."""
        place = bisect_left(self._ticks, tick)
        return int(self.counts[place]) if place < len(self._ticks) and self._ticks[place] == tick else 0


class Habits:
    """Costs in bits for one track, from its own events and how many tracks start a note at each tick."""

    def __init__(self, events: Events, starts: Starts, ticks_per_beat: int) -> None:
        self.ticks_per_beat, self.starts = ticks_per_beat, starts
        waits = Costs(np.diff(events.tick, prepend=0), LONG_BEATS * ticks_per_beat)
        is_start = events.is_start()
        onsets = events.tick[is_start]
        phases = Costs(onsets % ticks_per_beat)
        self._columns, self.own_ticks = (waits, phases), _distinct(onsets)
        self.waits, self.wait_entropy = waits.of, waits.mean
        self.phases, self.phase_entropy = phases.of, phases.mean
        self.statuses = Costs(events.status).of
        self.pitches = Costs(events.first[is_start]).of
        self.velocities = Costs(events.second[is_start]).of
        self.lengths = Costs(_lengths(events)).of
        self.own: set[int] = set(self.own_ticks.tolist())
        shared = int(self._are_shared(onsets).sum())
        share = (shared + 1) / (len(onsets) + 2)
        self.together, self.alone = (-log2(share), -log2(1 - share)) if shared else (0.0, 0.0)

    def is_shared(self, tick: int) -> bool:
        """Whether another track starts a note at `tick`."""
        return self.starts.at(tick) > (tick in self.own)

    def _are_shared(self, ticks: Ints) -> Bools:
        """`is_shared` of many ticks."""
        if not len(self.starts.ticks):
            return np.zeros(len(ticks), np.bool_)
        place = np.searchsorted(self.starts.ticks, ticks).clip(max=len(self.starts.ticks) - 1)
        counts = np.where(self.starts.ticks[place] == ticks, self.starts.counts[place], 0)
        return np.asarray(counts > np.isin(ticks, self.own_ticks))

    def cost(self, data: bytes | bytearray, event: Event, tick: int, sounding: dict[int, int]) -> float:
        """Bits of an event that happens at `tick`; `sounding` (channel and pitch to onset) is brought up to date."""
        delta, status, body, end = event
        bits = self.waits.get(delta, UNSEEN) + self.statuses.get(status, UNSEEN)
        kind = status & 0xF0
        if kind == 0xF0:
            return bits + _long_cost(data, status, body, end)
        if kind not in (0x80, 0x90):
            return bits + 7.0 * (end - body)
        key = (status & 0x0F) << 7 | data[body]
        if kind == 0x90 and data[body + 1]:
            bits += self.pitches.get(data[body], UNSEEN) + self.velocities.get(data[body + 1], UNSEEN)
            bits += self.phases.get(tick % self.ticks_per_beat, UNSEEN)
            bits += self.together if self.is_shared(tick) else self.alone
            bits += RETRIGGER if key in sounding else 0.0
            sounding[key] = tick
            return bits
        onset = sounding.pop(key, None)
        if onset is None:
            return bits + SILENT_END + 7.0
        return bits + self.lengths.get(tick - onset, UNSEEN) + log2(len(sounding) + 1)

    def is_suspicious(
        self, data: bytes | bytearray, event: Event, tick: int, sounding: Mapping[int, int], left: int
    ) -> bool:
        """Whether an event deserves a search for an edit that explains the bytes better; `left` bytes follow it."""
        delta, status, body, _ = event
        if status not in self.statuses or (status == META and data[body] == END_OF_TRACK and left > 0):
            return True
        surprise = self.waits.get(delta, UNSEEN) - self.wait_entropy
        kind = status & 0xF0
        if kind == 0x90 and data[body + 1]:
            surprise += self.phases.get(tick % self.ticks_per_beat, UNSEEN) - self.phase_entropy
            surprise += 0.0 if self.is_shared(tick) else self.alone - self.together
            return surprise > 10.0
        key = (status & 0x0F) << 7 | data[body]
        return surprise > 8.0 or (kind in (0x80, 0x90) and key not in sounding)

    def first_suspicious(self, run: Run, tick: int, sounding: Mapping[int, int]) -> int:
        """The first event of a run, which begins at `tick`, that `is_suspicious`; the run's length where none is."""
        waits, phases = self._columns
        ticks = tick + np.cumsum(run.delta)
        surprise = waits.all_of(run.delta) - self.wait_entropy
        is_note = run.status < 0xA0
        is_start = (run.status >= 0x90) & is_note & (run.second > 0)
        on_tick = phases.all_of(ticks % self.ticks_per_beat) - self.phase_entropy
        on_tick += np.where(self._are_shared(ticks), 0.0, self.alone - self.together)
        odd = np.where(is_start, surprise + on_tick > 10.0, surprise > 8.0)
        odd |= ~np.isin(run.status, list(self.statuses))
        rows = np.flatnonzero(is_note)
        keys = (run.status[rows] & 0x0F).astype(np.int64) << 7 | run.first[rows]
        order, begins = grouped(keys)
        held = np.roll(is_start[rows][order], 1)
        held[begins] = np.isin(keys[order][begins], list(sounding))
        odd[rows[order]] |= ~held & ~is_start[rows][order]
        return int(np.argmax(odd)) if odd.any() else len(odd)


def _long_cost(data: bytes | bytearray, status: int, body: int, end: int) -> float:
    if status == META and data[body] == END_OF_TRACK:
        return 0.0 if end >= len(data) else EARLY_END
    if end - body > 4096:
        return ODD_BYTE * (end - body)
    printable = sum(0x20 <= byte < 0x7F for byte in data[body:end])
    return TEXT_BYTE * printable + ODD_BYTE * (end - body - printable)


def _distinct(ascending: Ints) -> Ints:
    return np.asarray(ascending[np.diff(ascending, prepend=-1) != 0])


def _lengths(events: Events) -> Ints:
    """Ticks from each start of a note to the next end of its pitch."""
    rows = np.flatnonzero(events.is_note())
    order, begins = grouped(events.keys()[rows])
    is_start, tick = events.is_start()[rows][order], events.tick[rows][order]
    ends = ~is_start[1:] & is_start[:-1] & ~begins[1:]
    return np.asarray(tick[1:][ends] - tick[:-1][ends])
