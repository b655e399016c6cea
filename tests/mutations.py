"""Seeded damage to MIDI files: the classes of fault a real collection shows, each applied to a sound file.

`mutants(bases, count, seed)` yields (class, number of the base, damaged bytes). Classes and their weights are in
MUTATIONS; `huge_delta` to `no_end` put one fault into an otherwise well-formed file, the others damage raw bytes.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterator, Sequence

Mutation = Callable[[bytes, random.Random], bytes]


def truncate(data: bytes, rng: random.Random) -> bytes:
    """Cut off anywhere behind the header."""
    return data[: rng.randrange(15, len(data))]


def flip_bit(data: bytes, rng: random.Random) -> bytes:
    """One bit turned."""
    damaged = bytearray(data)
    damaged[rng.randrange(14, len(data))] ^= 1 << rng.randrange(8)
    return bytes(damaged)


def random_bytes(data: bytes, rng: random.Random) -> bytes:
    """Eight bytes overwritten with anything."""
    damaged = bytearray(data)
    for _ in range(8):
        damaged[rng.randrange(14, len(data))] = rng.randrange(256)
    return bytes(damaged)


def delete(data: bytes, rng: random.Random) -> bytes:
    """One to three neighbouring bytes lost."""
    at = rng.randrange(22, len(data) - 4)
    return data[:at] + data[at + rng.randrange(1, 4) :]


def insert(data: bytes, rng: random.Random) -> bytes:
    """One to three bytes of anything put in."""
    at = rng.randrange(22, len(data))
    return data[:at] + rng.randbytes(rng.randrange(1, 4)) + data[at:]


def empty(data: bytes, rng: random.Random) -> bytes:
    """No byte left."""
    return b""


def header(data: bytes, rng: random.Random) -> bytes:
    """Wrong name, RIFF around it, junk before it, random fields, or a longer header."""
    return rng.choice(
        [
            b"XThd" + data[4:],
            b"RIFF\0\0\0\0RMIDdata\0\0\0\0" + data,
            b"\0\0junk" + data,
            data[:8] + rng.randbytes(6) + data[14:],
            data[:4] + b"\0\0\0\x0a" + data[8:14] + bytes(4) + data[14:],
        ]
    )


def track_length(data: bytes, rng: random.Random) -> bytes:
    """The first track's length wrong."""
    at = data.index(b"MTrk") + 4
    length = rng.choice([0, 1, 0xFFFFFFFF, 0x7FFFFFFF, 10**9, rng.randrange(1, 5000)])
    return data[:at] + struct.pack(">I", length) + data[at + 4 :]


def track_count(data: bytes, rng: random.Random) -> bytes:
    """The header's count of tracks wrong."""
    return data[:10] + struct.pack(">H", rng.choice([0, 1, 200, 65535])) + data[12:]


def huge_delta(data: bytes, rng: random.Random) -> bytes:
    """The first wait replaced by an absurd one."""
    delta = rng.choice([b"\xff\xff\xff\x7f", b"\xff\xff\xff\xff\xff\x7f", b"\xbf\xff\xff\x7f"])
    return _first_event(data, delta, drop=1)


def zero_division(data: bytes, rng: random.Random) -> bytes:
    """No ticks to the beat."""
    return data[:12] + b"\0\0" + data[14:]


def smpte(data: bytes, rng: random.Random) -> bytes:
    """A division in frames a second."""
    return data[:12] + rng.choice([b"\xe8\x28", b"\xe7\x28", b"\xe2\x50", b"\xe3\x64"]) + data[14:]


def running_status(data: bytes, rng: random.Random) -> bytes:
    """Data bytes before any status."""
    return _first_event(data, b"\x00\x40\x40\x00\x41\x41")


def zero_tempo(data: bytes, rng: random.Random) -> bytes:
    """A tempo of no microseconds."""
    return _first_event(data, b"\x00\xff\x51\x03\x00\x00\x00")


def bad_metre(data: bytes, rng: random.Random) -> bytes:
    """A metre of no beats, or over an absurd power of two."""
    return _first_event(data, b"\x00\xff\x58\x04" + bytes([rng.choice([0, 4]), rng.choice([255, 64, 2]), 24, 8]))


def bad_key(data: bytes, rng: random.Random) -> bytes:
    """A key signature that does not exist."""
    return _first_event(data, b"\x00\xff\x59\x02" + bytes([rng.choice([0x80, 40, 127]), rng.choice([2, 99])]))


def bad_text(data: bytes, rng: random.Random) -> bytes:
    """A track name that is not UTF-8."""
    return _first_event(data, b"\x00\xff\x03\x06\xff\xfe\x80\x81\xc3\x28")


def no_end(data: bytes, rng: random.Random) -> bytes:
    """No track says where it ends."""
    return _right_lengths(data.replace(b"\xff\x2f\x00", b""))


MUTATIONS: dict[Mutation, int] = {
    truncate: 400, flip_bit: 400, random_bytes: 300, delete: 200, insert: 200, empty: 5, header: 100,
    track_length: 80, track_count: 40, huge_delta: 40, zero_division: 24, smpte: 24, running_status: 24,
    zero_tempo: 24, bad_metre: 40, bad_key: 24, bad_text: 24, no_end: 24,
}  # fmt: skip


def mutants(bases: Sequence[bytes], count: int, seed: int) -> Iterator[tuple[str, int, bytes]]:
    """`count` damaged files, the classes in proportion to their weights, each of a base drawn at random."""
    rng = random.Random(seed)
    total = sum(MUTATIONS.values())
    drawn = [mutation for mutation, weight in MUTATIONS.items() for _ in range(round(weight * count / total) or 1)]
    for mutation in (drawn * 2)[:count]:
        base = rng.randrange(len(bases))
        yield mutation.__name__, base, mutation(bases[base], rng)


def _first_event(data: bytes, added: bytes, drop: int = 0) -> bytes:
    at = data.index(b"MTrk") + 8
    return _right_lengths(data[:at] + added + data[at + drop :])


def _right_lengths(data: bytes) -> bytes:
    """Every chunk's length right again, so that only the intended fault remains."""
    before, *tracks = data.split(b"MTrk")
    bodies = [track[4:] for track in tracks]
    return before + b"".join(b"MTrk" + struct.pack(">I", len(body)) + body for body in bodies)
