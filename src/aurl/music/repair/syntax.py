"""One MIDI event at a byte offset: its parts where the bytes can be an event, None where they cannot."""

from __future__ import annotations

from typing import NamedTuple

LONGEST_WAIT = 0xF_FFFF
"""Ticks; a longer delta time is taken for damage (9 minutes at 480 ticks to the beat and 240 bpm)."""
META, SYSEX, SYSEX_END, END_OF_TRACK = 0xFF, 0xF0, 0xF7, 0x2F
META_LENGTHS = {0x2F: 0, 0x51: 3, 0x54: 5, 0x58: 4, 0x59: 2, 0x20: 1, 0x21: 1}
"""Types whose length the standard fixes; sequence number (0) may be empty or two bytes."""
DATA_BYTES = tuple({0xC: 1, 0xD: 1}.get(status >> 4, 2) for status in range(256))


class Event(NamedTuple):
    """Ticks since the event before, status, where its data begin (a meta event's at its type) and where it ends."""

    delta: int
    status: int
    body: int
    end: int


def read_event(data: bytes | bytearray, at: int, end: int, running: int) -> Event | None:
    """The event at `at`, which must end by `end`; `running` is the status in force, 0 for none."""
    delta = 0
    for at in range(at, min(at + 4, end)):  # noqa: B020, PLR1704 -- advances `at` over the delta time
        byte = data[at]
        delta = delta << 7 | byte & 0x7F
        if byte < 0x80:
            break
    else:
        return None
    at += 1
    if at >= end or delta > LONGEST_WAIT:
        return None
    status = data[at]
    if status < 0x80:
        if not running:
            return None
        status = running
    else:
        at += 1
        if status >= 0xF0:
            return _long_event(data, at, end, delta, status)
    after = at + DATA_BYTES[status]
    if after > end or data[at] > 0x7F or data[after - 1] > 0x7F:
        return None
    return Event(delta, status, at, after)


def _long_event(data: bytes | bytearray, at: int, end: int, delta: int, status: int) -> Event | None:
    """A meta or system-exclusive event; no other status from F0 up belongs in a file."""
    body = at
    if status == META:
        if at >= end or data[at] > 0x7F:
            return None
        at += 1
    elif status not in (SYSEX, SYSEX_END):
        return None
    length = 0
    for place in range(at, min(at + 4, end)):
        length = length << 7 | data[place] & 0x7F
        if data[place] < 0x80:
            after = place + 1 + length
            fixed = META_LENGTHS.get(data[body], length) if status == META else length
            return Event(delta, status, body, after) if after <= end and length == fixed else None
    return None


def payload(data: bytes | bytearray, body: int, end: int) -> bytes:
    """The content of a meta event, behind its type and length."""
    at = body + 1
    while at < end and data[at] >= 0x80:
        at += 1
    return bytes(data[at + 1 : end])
