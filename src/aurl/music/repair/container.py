"""The outside of a MIDI file: where header and tracks are, also where their names or lengths are damaged.

`read_layout` never looks into a track. Positions are byte offsets in the file.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from aurl.music.repair.report import FaultLog
from aurl.utils.errors import MidiError

DEFAULT_DIVISION = 480
"""Ticks to the beat where the header does not say."""
TRACK_NAME = re.compile(
    rb"MTrk|(?:(?:Trk|Mrk|MTk)(?=\0\0)|MTr(?=\0\0[^\0]))|(?:.Trk|M.rk|MT.k|MTr.|M.Trk|MT.rk|MTr.k)(?=\0)", re.DOTALL
)
"""A track's name, also with one byte changed, lost or put in; the zero behind it is the top of any sane length."""
NAME_HINT = re.compile(rb"MT|rk(?=\0)")
"""What is in every such name, and quick to find."""
MOST_TRACKS = 256 * 16
"""All that can be told apart: 16 channels of each port that the port event's one byte can say."""
END_OF_TRACK = b"\xff\x2f\x00"


@dataclass(frozen=True)
class Chunk:
    """The bytes of one track."""

    start: int
    end: int


@dataclass(frozen=True)
class Layout:
    """What the header says, mended, and the tracks."""

    file_type: int
    division: int
    tracks: tuple[Chunk, ...]


def is_whole(data: bytes) -> bool:
    """Whether header, number of tracks and all lengths add up to the end, and every track says that it ends."""
    if len(data) < 14 or data[:8] != b"MThd\0\0\0\x06":
        return False
    file_type, count, division = struct.unpack(">HHH", data[8:14])
    if file_type > 2 or not 0 < division < 0x8000:
        return False
    at = 14
    for _ in range(count):
        end = _declared_end(data, at)
        if data[at : at + 4] != b"MTrk" or end > len(data) or data[end - 3 : end] != END_OF_TRACK:
            return False
        at = end
    return at == len(data) and count <= MOST_TRACKS


def read_layout(data: bytes, log: FaultLog) -> Layout:
    """Header and tracks of a file that may be damaged; MidiError where there is neither."""
    at = data.find(b"MThd")
    names = list(_names(data, max(at, 0)))
    if at < 0 and not names:
        raise MidiError("not a MIDI file: it holds neither MThd nor MTrk", found=f"it starts with {data[:8]!r}")
    if at < 0:
        log.add("damaged header", "byte 0", "read without it")
        at = max(names[0][0] - 14, 0) if names[0][0] >= 14 else -14
    elif at > 0:
        wrapped = data.startswith(b"RIFF")
        log.add("RIFF wrapper" if wrapped else "bytes before the header", "byte 0", "skipped")
    file_type, division, count = _header(data, at, log)
    tracks = _tracks(data, at + 14, names, log)
    if count != len(tracks):
        log.add("wrong number of tracks", f"byte {max(at + 10, 0)}", f"{count} announced, {len(tracks)} read")
    return Layout(file_type, division, tracks)


def _header(data: bytes, at: int, log: FaultLog) -> tuple[int, int, int]:
    if at < 0 or at + 14 > len(data):
        log.add("missing header", "byte 0", f"taken as type 1, {DEFAULT_DIVISION} ticks to the beat")
        return 1, DEFAULT_DIVISION, -1
    length, file_type, count, division = struct.unpack(">IHHH", data[at + 4 : at + 14])
    if length != 6:
        log.add("wrong header length", f"byte {at + 4}", "ignored")
    if file_type > 2:
        log.add("unknown file type", f"byte {at + 8}", "taken as type 1")
        file_type = 1
    if division & 0x8000:
        frames, ticks = 256 - (division >> 8), division & 0xFF
        log.add("SMPTE division", f"byte {at + 12}", "half a second taken as one beat")
        division = frames * ticks // 2 if frames * ticks > 1 else DEFAULT_DIVISION
    if division == 0:
        log.add("no ticks to the beat", f"byte {at + 12}", f"taken as {DEFAULT_DIVISION}")
        division = DEFAULT_DIVISION
    return file_type, division, count


def _names(data: bytes, at: int) -> Iterator[tuple[int, int]]:
    """Where names of tracks begin and end: what `TRACK_NAME.finditer` finds, in a tenth of the time."""
    for hint in NAME_HINT.finditer(data, at):
        found = TRACK_NAME.search(data, max(at, hint.start() - 3), hint.start() + 16)
        if found and found.start() <= hint.start():
            at = found.end()
            yield found.span()


def _tracks(data: bytes, at: int, names: list[tuple[int, int]], log: FaultLog) -> tuple[Chunk, ...]:
    """Tracks by their names; a length that leads to the next name or to the end of the file is believed."""
    tracks: list[Chunk] = []
    starts = {start for start, _ in names}
    for index, (start, name_end) in enumerate(names):
        if tracks and start < tracks[-1].end:
            continue  # the name is a text inside a track whose length is right
        place = f"track {len(tracks)}, byte {start}"
        if data[start : start + 4] != b"MTrk":
            log.add("damaged track name", place, "read as a track")
        following = names[index + 1][0] if index + 1 < len(names) else len(data)
        end = _declared_end(data, name_end - 4) if name_end - 4 >= 0 else 0
        if end != len(data) and end not in starts and not _alien(data, end, following):
            log.add("wrong track length", place, "ended at the next track or the end of the file")
            end = following
        tracks.append(Chunk(min(name_end + 4, len(data)), end))
        if len(tracks) > MOST_TRACKS:
            hint = f"at most {MOST_TRACKS} are read: 16 channels of 256 ports"
            raise MidiError("more tracks than MIDI can tell apart", found=f"over {MOST_TRACKS}", hint=hint)
    if not tracks and at < len(data):
        log.add("no track name", f"byte {at}", "the rest read as one track")
        tracks.append(Chunk(min(at + 8, len(data)), len(data)))
    return tuple(tracks)


def _alien(data: bytes, at: int, following: int) -> bool:
    """Whether a chunk of another name, its length right, or only padding lies between two tracks."""
    if not at < following <= len(data) or data[at - 3 : at] != END_OF_TRACK:
        return False
    return data[at : at + 4].isalnum() or not data[at:following].strip(b"\0")


def _declared_end(data: bytes, at: int) -> int:
    return at + 8 + int.from_bytes(data[at + 4 : at + 8], "big")
