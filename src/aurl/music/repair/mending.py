"""What damaged tracks say, made sound: notes that never end or last no time, ends unheard, absurd signs."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from aurl.music.repair.events import LENGTHS, Bools, Events, Ints, grouped
from aurl.music.repair.report import FaultLog
from aurl.music.repair.syntax import META, payload
from aurl.music.score import Notes, Score

LATEST_TICK = 0x0FFF_FFFF
"""The longest wait that MIDI can write."""
LONGEST_RING_BEATS = 4
"""Beats that a note without an end is given at most."""


class _Notes(NamedTuple):
    """Rows of note events sorted by track, channel and pitch; which start notes, and which begin another key."""

    rows: Ints
    is_start: Bools
    begins: Bools
    group: Ints


def mended_file(file_type: int, ticks_per_beat: int, tracks: Sequence[Events], log: FaultLog) -> bytes:
    """A sound MIDI file of the events; faults of meaning are logged."""
    sizes = [int(np.searchsorted(events.tick, LATEST_TICK, side="right")) for events in tracks]
    late = sum(map(len, tracks)) - sum(sizes)
    log.add("events later than MIDI can write", f"tick {LATEST_TICK}", "left out", late)
    track = np.repeat(np.arange(len(sizes)), sizes)
    events = Events.join([Events.of([]), *(events.until(size) for events, size in zip(tracks, sizes, strict=True))])
    contents, kept = _meaningful(events, track, log)
    again, stuck, silent = _misfits(events, track)
    kept[silent] = False
    _tell(log, "end without a note", "left out", silent, events, track)
    _tell(log, "note starts while it sounds, and ends once", "ended where it starts again", again, events, track)
    last = np.zeros(len(sizes), np.int64)
    np.maximum.at(last, track[kept], events.tick[kept])
    ring = events.tick[stuck] + LONGEST_RING_BEATS * ticks_per_beat
    ring = np.minimum(ring, np.maximum(last[track[stuck]], events.tick[stuck] + ticks_per_beat)).clip(max=LATEST_TICK)
    action = f"ended after {LONGEST_RING_BEATS} beats at most"
    _tell(log, "note that never ends", action, stuck, events, track)
    ends = np.concatenate([again, stuck])
    rows = np.concatenate([np.flatnonzero(kept), ends])
    tick = np.concatenate([events.tick[kept], events.tick[again], ring])
    is_end = np.arange(len(rows)) >= kept.sum()
    if len(ends):
        sequence = np.concatenate([np.flatnonzero(kept) * 2 + 1, again * 2, 2 * len(events) + np.arange(len(stuck))])
        order = np.lexsort((sequence, tick, track[rows]))
        rows, tick, is_end = rows[order], tick[order], is_end[order]
    bodies = _bodies(events, rows, tick, is_end, track[rows], contents)
    header = b"MThd" + struct.pack(">IHHH", 6, file_type, len(bodies), ticks_per_beat)
    return header + b"".join(b"MTrk" + struct.pack(">I", len(body) + 4) + body + b"\0\xff\x2f\0" for body in bodies)


def without_empty_notes(score: Score, log: FaultLog) -> Score:
    """Notes of no length last a 32nd, or until their pitch starts again on their track."""
    notes = score.notes
    empty = np.flatnonzero(notes.duration == 0)
    if not len(empty):
        return score
    log.add("note of no length", f"tick {notes.onset[empty[0]]}", "lasts a 32nd at most", len(empty))
    order = np.lexsort((notes.onset, notes.pitch, notes.track))
    onset, pitch, track = notes.onset[order], notes.pitch[order], notes.track[order]
    again = (pitch[1:] == pitch[:-1]) & (track[1:] == track[:-1])
    room = np.full(len(notes), max(score.ticks_per_beat // 8, 1))
    room[order[:-1]] = np.where(again, np.clip(onset[1:] - onset[:-1], 1, room[0]), room[0])
    duration = np.where(notes.duration == 0, room, notes.duration)
    return score.replace(notes=Notes(notes.onset, duration, notes.pitch, notes.velocity, notes.track))


def _meaningful(events: Events, track: Ints, log: FaultLog) -> tuple[dict[int, bytes], Bools]:
    """The long events that mean something, as bytes by row, and which rows are kept."""
    kept = np.ones(len(events), np.bool_)
    contents: dict[int, bytes] = {}
    for row, data in zip(np.flatnonzero(events.status >= 0xF0).tolist(), events.contents, strict=True):
        kept[row] = events.status[row] == META
        if not kept[row]:
            continue
        place = f"track {track[row]}, byte {events.byte[row]}"
        kind = data[0]
        if 1 <= kind <= 7 and data.isascii():
            contents[row] = b"\xff" + data
            continue
        content = payload(data, 0, len(data))
        wrong = _wrong(kind, content)
        if wrong:
            log.add(wrong, place, "left out")
            kept[row] = False
            continue
        if 1 <= kind <= 7:
            content = _utf8(content, place, log)
        contents[row] = bytes([META, kind]) + _variable_length(len(content)) + content
    return contents, kept


def _misfits(events: Events, track: Ints) -> tuple[Ints, Ints, Ints]:
    """Rows of notes that start again while they sound, of notes that never end, and of ends without a note.

    A pitch ends its notes in the order in which they began; one that starts more often than it ends holds one note.
    """
    notes = _sorted_notes(events, track)
    rows, is_start, begins, group = notes
    if not len(rows):
        return rows, rows, rows
    places = np.flatnonzero(begins)
    counted = np.cumsum(np.where(is_start, 1, -1))
    before = (counted - np.where(is_start, 1, -1))[places]
    balance = counted - before[group]
    lasts = np.append(places[1:], len(rows)) - 1
    single = (balance[lasts] > 0)[group]
    after_start = np.roll(is_start, 1) & ~begins
    lowest = _lowest_before(balance, group)
    silent = ~is_start & np.where(single, ~after_start, balance < lowest)
    again = is_start & single & after_start
    held = np.where(single[lasts], is_start[lasts], balance[lasts] - np.minimum(lowest, balance)[lasts])
    starts = np.cumsum(is_start)
    stuck = is_start & (starts[lasts][group] - starts < held[group])
    return tuple(np.sort(rows[chosen]) for chosen in (again, stuck, silent))  # type: ignore[return-value]


def _sorted_notes(events: Events, track: Ints) -> _Notes:
    rows = np.flatnonzero(events.is_note())
    order, begins = grouped(track[rows] << 11 | events.keys()[rows])
    return _Notes(rows[order], events.is_start()[rows][order], begins, np.cumsum(begins) - 1)


def _lowest_before(balance: Ints, group: Ints) -> Ints:
    """The lowest balance of the group so far, each place itself left out, 0 to begin with."""
    deep = len(balance) + 1
    below = np.minimum.accumulate(balance - group * deep)
    return np.asarray(np.minimum(np.concatenate([[0], below[:-1]]), -group * deep) + group * deep)


def _tell(log: FaultLog, kind: str, action: str, rows: Ints, events: Events, track: Ints) -> None:
    if len(rows):
        log.add(kind, f"track {track[rows[0]]}, byte {events.byte[rows[0]]}", action, len(rows))


def _wrong(kind: int, content: bytes) -> str | None:
    """What no tempo, metre or key can be."""
    if kind == 0x51 and content == b"\0\0\0":
        return "tempo of 0 microseconds"
    if kind == 0x58 and (not content[0] or content[1] > 7):
        return "impossible metre"
    if kind == 0x59 and (not -7 <= struct.unpack("b", content[:1])[0] <= 7 or content[1] > 1):
        return "impossible key signature"
    return None


def _utf8(content: bytes, place: str, log: FaultLog) -> bytes:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        log.add("text that is not UTF-8", place, "read as Latin-1")
        return content.decode("latin-1").encode()
    return content


def _bodies(
    events: Events, rows: Ints, tick: Ints, is_end: Bools, track: Ints, contents: dict[int, bytes]
) -> list[bytes]:
    """The bytes of every track that holds an event; where `is_end` the end of the row's note is meant."""
    status, second = events.status[rows], events.second[rows]
    ends = is_end | (events.is_note() & ~events.is_start())[rows]
    status = np.where(ends, 0x80 | status & 0x0F, status)
    second = np.where(is_end, 64, second)
    first_rows = np.flatnonzero(np.diff(track, prepend=-1))
    wait = np.diff(tick, prepend=0)
    wait[first_rows] = tick[first_rows]
    wait_bytes = 1 + (wait >= 1 << 7) + (wait >= 1 << 14) + (wait >= 1 << 21)
    size = 1 + LENGTHS[status]
    long = np.flatnonzero(status >= 0xF0).tolist()
    said = [contents[row] for row in rows[long].tolist()] if long else []
    size[long] = [len(content) for content in said]
    start = np.concatenate([[0], np.cumsum(wait_bytes + size)])
    buffer = bytearray(int(start[-1]) + 3)
    out = np.frombuffer(buffer, np.uint8)
    at = start[:-1]
    for byte in range(4):
        some = wait_bytes > byte
        left = wait_bytes[some] - 1 - byte
        out[at[some] + byte] = wait[some] >> 7 * left & 0x7F | np.where(left > 0, 0x80, 0)
    at = at + wait_bytes
    for offset, column in enumerate((status, events.first[rows], second)):
        some = size > offset
        out[at[some] + offset] = column[some]
    for place, content in zip(at[long].tolist(), said, strict=True):
        buffer[place : place + len(content)] = content
    cuts = [*start[first_rows].tolist(), int(start[-1])]
    return [bytes(buffer[low:high]) for low, high in pairwise(cuts)]


def _variable_length(value: int) -> bytes:
    encoded = [value & 0x7F]
    while value := value >> 7:
        encoded.append(value & 0x7F | 0x80)
    return bytes(reversed(encoded))
