"""What damaged tracks say, made sound: notes that never end or last no time, ends unheard, absurd signs."""

from __future__ import annotations

import struct
from collections import Counter, deque
from collections.abc import Iterable

import numpy as np

from aurl.music.repair.recovery import Item
from aurl.music.repair.report import FaultLog
from aurl.music.repair.syntax import META, payload
from aurl.music.score import Notes, Score
from aurl.utils.errors import MidiError

MOST_TRACKS = 0xFFFF
LONGEST_RING_BEATS = 4
"""Beats that a note without an end is given at most."""


def mended_file(file_type: int, ticks_per_beat: int, tracks: Iterable[list[Item]], log: FaultLog) -> bytes:
    """A sound MIDI file of the events; faults of meaning are logged."""
    mended = (_mended_track(number, items, ticks_per_beat, log) for number, items in enumerate(tracks))
    bodies = [_body(events) for events in mended if events]
    if len(bodies) > MOST_TRACKS:
        raise MidiError("more tracks than MIDI can hold", found=len(bodies))
    header = b"MThd" + struct.pack(">IHHH", 6, file_type, len(bodies), ticks_per_beat)
    return header + b"".join(b"MTrk" + struct.pack(">I", len(body)) + body for body in bodies)


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


def _mended_track(number: int, items: list[Item], ticks_per_beat: int, log: FaultLog) -> list[tuple[int, bytes]]:
    """Ticks and bytes of events, ordered."""
    unbalanced = _unbalanced(items)
    sounding: dict[int, deque[int]] = {}
    events: list[tuple[int, bytes]] = []
    for item in items:
        place = f"track {number}, byte {item.byte}"
        if item.status >= 0xF0:
            _add_meta(events, item, place, log)
        elif item.status >= 0xA0:
            events.append((item.tick, bytes([item.status]) + item.data))
        else:
            _add_note_event(events, item, sounding, unbalanced, place, log)
    return _with_ends(events, sounding, number, ticks_per_beat, log)


def _unbalanced(items: Iterable[Item]) -> set[int]:
    """Channel and pitch of notes that start more often than they end."""
    balance: Counter[int] = Counter()
    for item in items:
        if item.status < 0xA0:
            balance[_key(item)] += 1 if _starts(item) else -1
    return {key for key, count in balance.items() if count > 0}


def _add_note_event(
    events: list[tuple[int, bytes]],
    item: Item,
    sounding: dict[int, deque[int]],
    unbalanced: set[int],
    place: str,
    log: FaultLog,
) -> None:
    key = _key(item)
    held = sounding.setdefault(key, deque())
    if not _starts(item):
        if held:
            held.popleft()
            events.append((item.tick, bytes([0x80 | item.status & 0x0F]) + item.data))
        else:
            log.add("end without a note", place, "left out")
        return
    if held and key in unbalanced:
        log.add("note starts while it sounds, and ends once", place, "ended where it starts again")
        events.append((item.tick, _off(key)))
        held.clear()
    held.append(item.tick)
    events.append((item.tick, bytes([item.status]) + item.data))


def _add_meta(events: list[tuple[int, bytes]], item: Item, place: str, log: FaultLog) -> None:
    """Keep the meta events that mean something; system-exclusive ones are skipped."""
    if item.status != META:
        return
    kind, content = item.data[0], payload(item.data, 0, len(item.data))
    wrong = _wrong(kind, content)
    if wrong:
        log.add(wrong, place, "left out")
        return
    if 1 <= kind <= 7:
        content = _utf8(content, place, log)
    events.append((item.tick, bytes([META, kind]) + _variable_length(len(content)) + content))


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


def _with_ends(
    events: list[tuple[int, bytes]], sounding: dict[int, deque[int]], number: int, ticks_per_beat: int, log: FaultLog
) -> list[tuple[int, bytes]]:
    last = events[-1][0] if events else 0
    stuck = [(onset, key) for key, onsets in sounding.items() for onset in onsets]
    for onset, key in stuck:
        ring = onset + LONGEST_RING_BEATS * ticks_per_beat
        events.append((min(ring, max(last, onset + ticks_per_beat)), _off(key)))
    log.add("note that never ends", f"track {number}", f"ended after {LONGEST_RING_BEATS} beats at most", len(stuck))
    return sorted(events, key=lambda event: event[0]) if stuck else events


def _body(events: Iterable[tuple[int, bytes]]) -> bytes:
    body, now = bytearray(), 0
    for tick, content in events:
        body += _variable_length(tick - now) + content
        now = tick
    return bytes(body) + b"\0\xff\x2f\0"


def _variable_length(value: int) -> bytes:
    encoded = [value & 0x7F]
    while value := value >> 7:
        encoded.append(value & 0x7F | 0x80)
    return bytes(reversed(encoded))


def _key(item: Item) -> int:
    return (item.status & 0x0F) << 7 | item.data[0]


def _starts(item: Item) -> bool:
    return item.status >= 0x90 and item.data[1] > 0


def _off(key: int) -> bytes:
    return bytes([0x80 | key >> 7, key & 0x7F, 64])
