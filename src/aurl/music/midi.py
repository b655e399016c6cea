"""MIDI files to Score and back, on symusic; nothing above this module sees symusic.

A MIDI track that plays several channels or programs becomes one track for each, with the same name; tracks stay apart
even where they share name and program. Times stay the file's ticks. `read_midi(write_midi(read_midi(file)))` equals
`read_midi(file)`.

What symusic does not keep, and so neither do we: channel pressure, key pressure, system-exclusive, text, copyright,
cue, instrument-name and channel-prefix events, release velocities, notes that never end, controls and bends of a
channel that plays no note in the same MIDI track, the name of a track that plays nothing (often the title of the
piece), empty texts, bytes that are not UTF-8, and which of the 16 channels a track was on.

What the round trip of a Score made by hand normalises:
- a track is kept for its notes or its lyrics; without notes its program and controls go;
- markers and chord symbols belong to the whole score, lyrics to a track (those of the whole score to the first);
- MIDI ends notes of one pitch in one track in the order in which they began, so nested ones swap their ends;
- more than 15 pitched tracks share channels, which a synthesizer that ignores track boundaries will mix up.

The metadata `provenance` (what made the piece) is written as a text event, which reading leaves aside.

MIDI has no event for chord symbols, keys as heard and sections: they are markers whose text starts with their kind
("chord: Am7").
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import symusic
from symusic import core

from aurl.music.score import (
    WHOLE_SCORE,
    Array,
    Controls,
    KeySignatures,
    Notes,
    PitchBends,
    Score,
    Table,
    Tempos,
    Texts,
    TimeSignatures,
    Track,
)
from aurl.utils.errors import MidiError
from aurl.utils.files import write_file

T = TypeVar("T", bound=Table)
LARGEST_FILE = 512 * 1024 * 1024
"""Bytes; longer files are refused unread."""
LATEST_TICK = 0x0FFF_FFFF
"""The longest wait that MIDI can write."""
LABEL_KINDS = ("chord", "key", "section")
"""Texts that are written as markers which begin with the kind, a colon and a space."""
LIMITS = (
    ("notes", "onset", 0, LATEST_TICK),
    ("notes", "duration", 0, LATEST_TICK),
    ("notes", "end", 0, LATEST_TICK),
    ("notes", "velocity", 1, 127),
    ("tempos", "time", 0, LATEST_TICK),
    ("tempos", "microseconds_per_beat", 0, 0xFF_FFFF),
    ("time_signatures", "time", 0, LATEST_TICK),
    ("key_signatures", "time", 0, LATEST_TICK),
    ("controls", "time", 0, LATEST_TICK),
    ("controls", "number", 0, 127),
    ("controls", "value", 0, 127),
    ("pitch_bends", "time", 0, LATEST_TICK),
    ("pitch_bends", "value", -8192, 8191),
    ("texts", "time", 0, LATEST_TICK),
)


def read_midi(source: str | Path | bytes) -> Score:
    """Read a MIDI file, or its bytes; raises MidiError if it is missing, empty, damaged, or something else."""
    name, data = midi_data(source)
    if not data.startswith(b"MThd"):
        raise MidiError(f"{name} is not a MIDI file", found=f"it starts with {data[:8]!r}", hint="expected b'MThd'")
    try:
        score = _from_symusic(symusic.Score.from_midi(data))
    except RuntimeError as error:
        raise MidiError(f"cannot read {name}", found=str(error)) from None
    if score.ticks_per_beat == 0:
        raise MidiError(f"{name} has 0 ticks to the beat")
    times = [score.notes.onset, *(getattr(score, table).time for table in score.table_names()[1:])]
    if any(len(column) and column[0] < 0 for column in times) or (score.notes.duration < 0).any():
        raise MidiError(f"{name} has times beyond {np.iinfo(np.int32).max} ticks")
    return score


def midi_data(source: str | Path | bytes) -> tuple[str, bytes]:
    """A name for messages and the bytes; raises MidiError for a file that is missing, empty or gigantic."""
    name = "the MIDI data" if isinstance(source, bytes) else str(source)
    data = source if isinstance(source, bytes) else _read_bytes(Path(source))
    _refuse_size(name, len(data))
    return name, data


def write_midi(score: Score, path: str | Path) -> None:
    """Write a MIDI file, whole or not at all; raises MidiError for what MIDI cannot hold, StorageError for the disk."""
    write_file(path, midi_bytes(score))


def midi_bytes(score: Score) -> bytes:
    """The bytes of a MIDI file of type 1, one MIDI track a track; raises MidiError for what MIDI cannot hold."""
    _check_limits(score)
    data = bytes(_to_symusic(score).dumps_midi())
    provenance = score.metadata.get("provenance", "")
    return _with_text_event(data, _text(provenance).encode()) if provenance else data


def _with_text_event(data: bytes, text: bytes) -> bytes:
    """The file with a text event at the start of its first track; symusic writes none."""
    count, size = len(text), b""
    while count or not size:  # seven bits a byte, the highest first
        size = bytes([count & 0x7F | 0x80 * bool(size)]) + size
        count >>= 7
    event = b"\0\xff\x01" + size + text
    if b"MTrk" not in data:  # of a score that holds nothing
        data = data[:10] + b"\0\1" + data[12:] + b"MTrk\0\0\0\4\0\xff\x2f\0"
    start = data.index(b"MTrk") + 8
    length = int.from_bytes(data[start - 4 : start], "big") + len(event)
    return data[: start - 4] + length.to_bytes(4, "big") + event + data[start:]


def _read_bytes(path: Path) -> bytes:
    try:
        _refuse_size(str(path), path.stat().st_size)
        return path.read_bytes()
    except OSError as error:
        raise MidiError(f"cannot read {path}", found=error.strerror) from None


def _refuse_size(name: str, size: int) -> None:
    if size == 0:
        raise MidiError(f"{name} is empty")
    if size > LARGEST_FILE:
        raise MidiError(f"{name} is too large", found=f"{size} bytes", hint=f"at most {LARGEST_FILE} are read")


def _from_symusic(parsed: Any) -> Score:
    tracks: list[Track] = []
    playing, texts = [], [_markers(parsed.markers)]
    previous = None
    for track in parsed.tracks:
        plays, sings = len(track.notes) > 0, len(track.lyrics) > 0
        if not plays and not sings:
            continue
        if plays or not _continues(previous, track):
            tracks.append(_track(track))
        if plays:
            playing.append((len(tracks) - 1, track))
        if sings:
            texts.append(_texts(track.lyrics, len(tracks) - 1))
        previous = track
    return Score(
        parsed.ticks_per_quarter,
        _table(Notes, [(index, track.notes) for index, track in playing], time="onset"),
        tuple(tracks),
        _table(Tempos, [(None, parsed.tempos)], mspq="microseconds_per_beat"),
        _time_signatures(parsed.time_signatures),
        _table(KeySignatures, [(None, parsed.key_signatures)], key="sharps", tonality="is_minor"),
        _table(Controls, [(index, track.controls) for index, track in playing]),
        _table(PitchBends, [(index, track.pitch_bends) for index, track in playing]),
        Texts.join(texts),
    )


def _track(track: Any) -> Track:
    plays = len(track.notes) > 0
    return Track(track.program if plays else 0, track.is_drum and plays, track.name)


def _continues(previous: Any, track: Any) -> bool:
    """Whether `track` is the lyrics that symusic splits off the MIDI track before it."""
    return previous is not None and not len(previous.lyrics) and bool(track.name == previous.name)


def _table(kind: type[T], parts: list[tuple[int | None, Any]], **renamed: str) -> T:
    """One table of symusic's events of several tracks; `renamed` maps symusic's names of columns to ours."""
    columns = [_columns(events, track) for track, events in parts if len(events)]
    if not columns:
        return kind.empty()
    names = {name: name for name in kind.DTYPES} | {ours: theirs for theirs, ours in renamed.items()}
    if len(columns) == 1:
        return kind(**{ours: columns[0][theirs] for ours, theirs in names.items()})
    return kind(**{ours: np.concatenate([part[theirs] for part in columns]) for ours, theirs in names.items()})


def _columns(events: Any, track: int | None) -> dict[str, Array]:
    columns: dict[str, Array] = events.numpy()
    if track is not None:
        columns["track"] = np.full(len(columns["time"]), track, np.uint16)
    return columns


def _time_signatures(events: Any) -> TimeSignatures:
    table = _table(TimeSignatures, [(None, events)])
    meaning = table.denominator > 0  # the file's power of two may be beyond what a byte holds
    return table if meaning.all() else table.take(meaning)


def _markers(events: Any) -> Texts:
    if not len(events):
        return Texts.empty()
    texts = _texts(events, WHOLE_SCORE, "marker")
    rows = [_kind_and_words(text) for text in texts.text]
    return replace(texts, kind=_objects(kind for kind, _ in rows), text=_objects(words for _, words in rows))


def _kind_and_words(marker: str) -> tuple[str, str]:
    kind, _, words = marker.partition(": ")
    return (kind, words) if kind in LABEL_KINDS else ("marker", marker)


def _texts(events: Any, track: int, kind: str = "lyric") -> Texts:
    rows = [(event.time, event.text) for event in events]
    times = np.array([time for time, _ in rows], np.int32)
    return Texts(times, np.full(len(rows), track), _objects([kind] * len(rows)), _objects(text for _, text in rows))


def _objects(values: Iterable[str]) -> Array:
    return np.array([*values, None], object)[:-1]


def _check_limits(score: Score) -> None:
    if not 1 <= score.ticks_per_beat <= 0x7FFF:
        raise MidiError("MIDI holds 1 to 32767 ticks to the beat", found=score.ticks_per_beat)
    for table, name, low, high in LIMITS:
        column = getattr(getattr(score, table), name)
        if len(column) and (column.min() < low or column.max() > high):
            outside = column[(column < low) | (column > high)][0]
            raise MidiError(f"MIDI holds {table} with {name} {low}..{high}", found=outside)
    denominators = score.time_signatures.denominator
    if (denominators & (denominators - 1) | (denominators == 0)).any():
        raise MidiError("MIDI holds metres over a power of two", found=denominators.tolist())


def _to_symusic(score: Score) -> Any:
    built: Any = symusic.Score(score.ticks_per_beat)
    tempos, metres, keys = score.tempos, score.time_signatures, score.key_signatures
    built.tempos = _list(core.TempoTickList, tempos.time, tempos.microseconds_per_beat)
    built.time_signatures = _list(core.TimeSignatureTickList, metres.time, metres.numerator, metres.denominator)
    built.key_signatures = _list(core.KeySignatureTickList, keys.time, keys.sharps, keys.is_minor.astype(np.uint8))
    built.markers = core.TextMetaTickList(_marker_events(score.texts))
    count = max(len(score.tracks), int((score.texts.kind == "lyric").any()))
    lyrics = score.texts.take(score.texts.kind == "lyric")
    lyrics = replace(lyrics, track=np.maximum(lyrics.track, 0))
    parts = [_by_track(table, count) for table in (score.notes, score.controls, score.pitch_bends, lyrics)]
    built.tracks = core.TrackTickList(
        [_symusic_track(track, *tables) for track, *tables in zip(score.tracks or [Track()], *parts, strict=False)]
    )
    return built


def _symusic_track(track: Track, notes: Notes, controls: Controls, bends: PitchBends, lyrics: Texts) -> Any:
    built = core.TrackTick(_text(track.name), track.program, track.is_drum)
    pitch, velocity = notes.pitch.astype(np.int8), notes.velocity.astype(np.int8)
    built.notes = _list(core.NoteTickList, notes.onset, notes.duration, pitch, velocity)
    built.controls = _list(core.ControlChangeTickList, controls.time, controls.number, controls.value)
    built.pitch_bends = _list(core.PitchBendTickList, bends.time, bends.value.astype(np.int32))
    built.lyrics = core.TextMetaTickList(_events(lyrics.time, lyrics.text))
    return built


def _list(kind: Any, *columns: Array) -> Any:
    """A list of symusic's; it takes writable arrays only, and those of a memory-mapped corpus are not."""
    return kind.from_numpy(*(np.require(column, requirements=("C", "W")) for column in columns))


def _by_track(table: T, count: int) -> list[T]:
    """`table` cut into one table for each of `count` tracks, order kept."""
    track = table.columns()["track"]
    order = np.argsort(track, kind="stable")
    cuts = np.searchsorted(track[order], np.arange(count + 1))
    return [table.take(order[start:end]) for start, end in pairwise(cuts)]


def _marker_events(texts: Texts) -> list[Any]:
    rows = texts.take(texts.kind != "lyric")
    prefixes = [f"{kind}: " if kind in LABEL_KINDS else "" for kind in rows.kind]
    return _events(rows.time, [prefix + text for prefix, text in zip(prefixes, rows.text, strict=True)])


def _events(times: Array, texts: Iterable[str]) -> list[Any]:
    return [core.TextMetaTick(int(time), _text(text)) for time, text in zip(times, texts, strict=True)]


def _text(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")
