"""A track's events as columns, and runs of plain ones read many at a time.

Rows are in the order of the file; `first` and `second` are an event's data bytes (0 where it has none); what stands in
a meta or system-exclusive event is in `contents`, one entry for each row of status F0 and up, a meta event's with its
type.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from aurl.music.repair.syntax import DATA_BYTES, END_OF_TRACK, LONGEST_WAIT, META, META_LENGTHS, SYSEX, SYSEX_END

Ints = NDArray[np.int64]
Bytes = NDArray[np.uint8]
Bools = NDArray[np.bool_]
LENGTHS = np.array(DATA_BYTES, np.int64)
MOST_CONTENT = np.array([0 if kind == END_OF_TRACK else META_LENGTHS.get(kind, 0x7F) for kind in range(128)])
LEAST_CONTENT = np.array([0x80 if kind == END_OF_TRACK else META_LENGTHS.get(kind, 0) for kind in range(128)])
"""Bytes that a meta event of a type may hold, if they are fewer than 128 and it does not end the track."""


class Row(NamedTuple):
    """One event: absolute tick, byte in the file, status, data bytes, and what a long event says."""

    tick: int
    byte: int
    status: int
    first: int
    second: int
    content: bytes


@dataclass(frozen=True)
class Events:
    """Columns of events; ticks are absolute."""

    tick: Ints
    byte: NDArray[np.int32]
    status: Bytes
    first: Bytes
    second: Bytes
    contents: list[bytes]

    def __len__(self) -> int:
        return len(self.tick)

    @classmethod
    def of(cls, rows: Sequence[Row]) -> Events:
        """Single events as columns."""
        table = np.array([row[:5] for row in rows], np.int64).reshape(-1, 5).T
        status, first, second = table[2:].astype(np.uint8)
        contents = [row.content for row in rows if row.content]
        return cls(table[0].copy(), table[1].astype(np.int32), status, first, second, contents)

    @classmethod
    def join(cls, parts: Sequence[Events]) -> Events:
        """Events one behind the other."""
        if len(parts) == 1:
            return parts[0]
        return cls(
            np.concatenate([part.tick for part in parts]),
            np.concatenate([part.byte for part in parts]),
            np.concatenate([part.status for part in parts]),
            np.concatenate([part.first for part in parts]),
            np.concatenate([part.second for part in parts]),
            [content for part in parts for content in part.contents],
        )

    def until(self, count: int) -> Events:
        """The first events."""
        columns = [column[:count] for column in (self.tick, self.byte, self.status, self.first, self.second)]
        return Events(*columns, self.contents[: int((self.status[:count] >= 0xF0).sum())])  # type: ignore[call-arg, arg-type]

    def is_note(self) -> Bools:
        """Whether rows start or end notes."""
        return self.status < 0xA0

    def is_start(self) -> Bools:
        """Whether rows start notes; a start of no velocity is an end."""
        return (self.status >= 0x90) & (self.status < 0xA0) & (self.second > 0)

    def keys(self) -> Ints:
        """Channel and pitch as one number."""
        return (self.status & 0x0F).astype(np.int64) << 7 | self.first


def grouped(keys: Ints) -> tuple[Ints, Bools]:
    """The order that puts equal keys together, and which places of it begin a new key."""
    few = not len(keys) or keys.max() < 1 << 16
    order = np.argsort(keys.astype(np.uint16) if few else keys, kind="stable")  # a radix sort, if of 16 bits
    return order, np.diff(keys[order], prepend=-1) != 0


class Run(NamedTuple):
    """Plain events that follow one another: where they, and what stands behind the status, begin; ends; the columns."""

    at: Ints
    body: Ints
    end: Ints
    delta: Ints
    status: Bytes
    first: Bytes
    second: Bytes

    def until(self, count: int) -> Run:
        """The first events."""
        return Run(*(column[:count] for column in self))  # type: ignore[arg-type]


def read_run(data: bytes, running: int) -> Run:
    """The events from the first byte on, up to what is none, a long text or a track's end; `running` holds before."""
    size = len(data)
    padded = np.frombuffer(data + b"\xff" * 8, np.uint8)
    top = padded >= 0x80
    wait = np.ones(size, np.int64)
    longer = top[:size]
    for extra in (1, 2, 3):
        wait += longer
        longer = longer & top[extra : size + extra]
    place = np.arange(size) + wait
    status = padded[place]
    told = status >= 0x80
    body = place + told
    data_bytes = LENGTHS[status]
    wrong = longer | (status >= 0xF0) | top[body]
    follow = np.full((size + 1, 2), -1)  # where the next event begins, twice that; plus 1 if it has one data byte
    for single in (0, 1):
        count = np.where(told, data_bytes, 2 - single)
        follow[:size, single] = np.where(wrong | (count == 2) & top[body + 1], -1, (body + count) * 2 + 2 - count)
    rows = np.flatnonzero((status >= 0xF0) & ~longer)
    follow[rows] = _long_ends(padded, status[rows], body[rows], size)[:, None] * 2 + (0, 1)
    return _columns(padded, _walk(follow, 2 - DATA_BYTES[running]), wait, running)


def _long_ends(padded: Bytes, status: Bytes, body: Ints, size: int) -> Ints:
    """Where meta and system-exclusive events of less than 128 bytes end; a negative place where there is none."""
    is_meta = status == META
    told = body + is_meta
    length = padded[told].astype(np.int64)
    end = told + 1 + length
    kind = padded[body] & 0x7F
    whole = (length < 0x80) & (end <= size)
    fits = (padded[body] < 0x80) & (length >= LEAST_CONTENT[kind]) & (length <= MOST_CONTENT[kind])
    return np.where(whole & np.where(is_meta, fits, (status == SYSEX) | (status == SYSEX_END)), end, -1)


def _walk(follow: Ints, single: int) -> Ints:
    """Where the events begin, and where the last one ends."""
    links, place, path = follow.ravel().data, single, []
    while place >= 0:
        path.append(place)
        place = links[place]
    return np.array(path, np.int64) >> 1


def _columns(padded: Bytes, path: Ints, wait: Ints, running: int) -> Run:
    at, end = path[:-1], path[1:]
    length = wait[at]
    delta = np.zeros(len(at), np.int64)
    for byte in range(4):
        delta = np.where(byte < length, delta << 7 | padded[at + byte] & 0x7F, delta)
    said = padded[at + length]
    is_long = said >= 0xF0
    last_told = np.maximum.accumulate(np.where((said >= 0x80) & ~is_long, at + length, -1))
    status = np.where(last_told >= 0, padded[last_told], running).astype(np.uint8)
    body = at + length + (said >= 0x80)
    first = np.where(is_long, 0, padded[body])
    second = np.where(is_long | (LENGTHS[status] != 2), 0, padded[body + 1])
    wrong = np.flatnonzero((delta > LONGEST_WAIT) | ~is_long & (status == 0))
    run = Run(at, body, end, delta, np.where(is_long, said, status), first, second)
    return run.until(int(wrong[0]) if len(wrong) else len(at))
