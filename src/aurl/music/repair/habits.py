"""What a track usually does, as the bits each event costs to say: damage is what costs many.

The habits come from a first reading that steps over damage. An edit of the bytes is judged by the description length
(Rissanen 1978) of the events behind it: wait, status, pitch, velocity, place in the beat, whether other tracks start
notes at the same tick, and the length of the notes that end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from math import log2

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


class Counts:
    """What a reading of a track shows, counted."""

    def __init__(self) -> None:
        self.waits: Counter[int] = Counter()
        self.statuses: Counter[int] = Counter()
        self.pitches: Counter[int] = Counter()
        self.velocities: Counter[int] = Counter()
        self.lengths: Counter[int] = Counter()
        self.onsets: Counter[int] = Counter()


class Habits:
    """Costs in bits for one track, from its own counts and how many tracks start a note at each tick."""

    def __init__(self, counts: Counts, starts: Mapping[int, int], ticks_per_beat: int) -> None:
        self.ticks_per_beat, self.starts, self.own = ticks_per_beat, starts, counts.onsets
        waits, self.wait_entropy = _costs(counts.waits)
        longest = LONG_BEATS * ticks_per_beat
        self.waits = {wait: bits + 2 * log2(max(wait / longest, 1)) for wait, bits in waits.items()}
        self.statuses, _ = _costs(counts.statuses)
        self.pitches, _ = _costs(counts.pitches)
        self.velocities, _ = _costs(counts.velocities)
        self.lengths, _ = _costs(counts.lengths)
        phases: Counter[int] = Counter()
        for tick, count in counts.onsets.items():
            phases[tick % ticks_per_beat] += count
        self.phases, self.phase_entropy = _costs(phases)
        shared = sum(count for tick, count in counts.onsets.items() if self.is_shared(tick))
        share = (shared + 1) / (sum(counts.onsets.values()) + 2)
        self.together, self.alone = (-log2(share), -log2(1 - share)) if shared else (0.0, 0.0)

    def is_shared(self, tick: int) -> bool:
        """Whether another track starts a note at `tick`."""
        return self.starts.get(tick, 0) > (tick in self.own)

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


def _long_cost(data: bytes | bytearray, status: int, body: int, end: int) -> float:
    if status == META and data[body] == END_OF_TRACK:
        return 0.0 if end >= len(data) else EARLY_END
    if end - body > 4096:
        return ODD_BYTE * (end - body)
    printable = sum(0x20 <= byte < 0x7F for byte in data[body:end])
    return TEXT_BYTE * printable + ODD_BYTE * (end - body - printable)


def _costs(counts: Counter[int]) -> tuple[dict[int, float], float]:
    """Bits of each value, and the mean over the values as they come."""
    total = sum(counts.values())
    costs = {value: min(-log2(count / (total + 1)), UNSEEN - 1) for value, count in counts.items()}
    return costs, sum(costs[value] * count for value, count in counts.items()) / max(total, 1)


def tracks_starting(tracks: Iterable[Counts]) -> Counter[int]:
    """How many tracks start a note at each tick."""
    starts: Counter[int] = Counter()
    for counts in tracks:
        starts.update(counts.onsets.keys())
    return starts
