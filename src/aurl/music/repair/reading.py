"""`read_midi_repaired`: a sound file is read as it is, a damaged one is mended, told about, or refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from aurl.music.midi import midi_data, read_midi
from aurl.music.repair.container import END_OF_TRACK, Layout, is_whole, read_layout
from aurl.music.repair.events import Events
from aurl.music.repair.habits import Habits, Starts
from aurl.music.repair.mending import mended_file, without_empty_notes
from aurl.music.repair.recovery import Budget, TrackReader
from aurl.music.repair.report import FaultLog, RepairReport
from aurl.music.repair.syntax import LONGEST_WAIT
from aurl.music.score import Score
from aurl.utils.errors import MidiError

MOST_SEARCHED_TRACKS, MOST_SEARCHED_BYTES = 256, 2_000
"""A file of more tracks, or of more bytes that cannot be read, is read once, without searches."""
MANY_MORE = 1.2
"""symusic's reading of a damaged file counts where it has so many times our notes."""
EMPTY_TEXT, LATE = b"\xff\x01\0", b"\xa0\x80\x80\0"
"""An event that does nothing; a wait of 2**26 ticks, longer than any note."""
LATE_ENDS = [
    bytes([0, 0x80 | channel, 0, 0]) + b"".join(bytes([0, pitch, 0]) for pitch in range(1, 128))
    for channel in range(16)
]
NOTE_CHANNELS = [(channel, bytes([0x90 | channel])) for channel in range(16)]


def read_midi_repaired(source: Path | str | bytes) -> tuple[Score, RepairReport]:
    """Read a MIDI file or its bytes, mending what is damaged; MidiError where no note can be recovered."""
    name, data = midi_data(source)
    log = FaultLog()
    score = _sound(data) if is_whole(data) else None
    if score is None:
        try:
            score = _mended(data, log)
        except MidiError as error:
            raise MidiError(f"cannot read {name}: {error.problem}", found=error.found, hint=error.hint) from None
        if not len(score.notes):
            raise MidiError(f"{name} holds no note that can be recovered", found=log.report(0).summary())
    score = without_empty_notes(score, log)
    return score, log.report(len(score.notes))


def _mended(data: bytes, log: FaultLog) -> Score:
    """Our reading of a damaged file, or symusic's where that is plausible and holds clearly more notes."""
    layout = read_layout(data, log)
    tracks = _events(data, layout, log)
    ours = read_midi(mended_file(layout.file_type, layout.division, tracks, log))
    try:
        theirs = read_midi(data)
    except MidiError:
        return ours
    if not len(log) or (_is_plausible(theirs) and len(theirs.notes) > MANY_MORE * len(ours.notes)):
        return theirs
    return ours


def _events(data: bytes, layout: Layout, log: FaultLog) -> list[Events]:
    """Events of each track: all are read once to learn their habits, then again to mend what breaks them."""
    bodies = [bytearray(data[chunk.start : chunk.end]) for chunk in layout.tracks]
    first = [
        TrackReader(bytearray(b), c, i, FaultLog(), Budget(0))
        for i, (b, c) in enumerate(zip(bodies, layout.tracks, strict=True))
    ]
    tracks = [reader.read() for reader in first]
    budget = Budget()
    if len(tracks) > MOST_SEARCHED_TRACKS or sum(reader.stumbles for reader in first) > MOST_SEARCHED_BYTES:
        budget.spend(budget.events, "the file", log)
    starts = Starts(tracks if budget.events else [])
    for number, reader in enumerate(first):
        if budget.events <= 0:
            log.take(reader.log)
            continue
        habits = Habits(tracks[number], starts, layout.division)
        tracks[number] = TrackReader(bodies[number], reader.chunk, number, log, budget, habits).read()
    return tracks


def _sound(data: bytes) -> Score | None:
    """The score of a well-formed file as symusic reads it, None where it is implausible."""
    try:
        score = read_midi(_with_late_ends(data))
    except MidiError:
        return None
    return score if _is_plausible(score) else None


def _is_plausible(score: Score) -> bool:
    """Whether no note is stuck, no wait absurd, and every tempo, metre, key and control exists."""
    onsets, controls = score.notes.onset, score.controls
    return bool(
        score.notes.duration.max(initial=0) < LONGEST_WAIT
        and np.diff(onsets, prepend=0).max(initial=0) <= LONGEST_WAIT
        and score.tempos.microseconds_per_beat.min(initial=1) > 0
        and score.time_signatures.numerator.min(initial=1) > 0
        and np.abs(score.key_signatures.sharps).max(initial=0) <= 7
        and max(controls.number.max(initial=0), controls.value.max(initial=0)) <= 127
    )


def _with_late_ends(data: bytes) -> bytes:
    """The file with ends of all notes long after each track's own end: a note that lasts until then never ended.

    symusic leaves out notes without an end and does not say so.
    """
    parts, at = [data[:14]], 14
    while at < len(data):
        end = at + 8 + int.from_bytes(data[at + 4 : at + 8], "big")
        body = data[at + 8 : end]
        ends = b"".join(LATE_ENDS[channel] for channel, status in NOTE_CHANNELS if status in body)
        if ends:
            body = body[:-3] + EMPTY_TEXT + LATE + EMPTY_TEXT + ends + b"\0" + END_OF_TRACK
        parts += [data[at : at + 4], len(body).to_bytes(4, "big"), body]
        at = end
    return b"".join(parts)
