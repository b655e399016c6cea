"""Work stays bounded where a file is made, or damaged, to be dear."""

from contextlib import suppress

import numpy as np
import pytest

from aurl.music.repair import Fault, read_midi_repaired
from aurl.music.repair import recovery as recovery_module
from aurl.utils.errors import MidiError

END = b"\0\xff\x2f\0"
NOTES = [(0, 60), (96, 62), (192, 64), (288, 65)]


def body(pitches=(60, 62, 64, 65)):
    return b"".join(bytes([0, 0x90, p, 80, 0x60, 0x80, p, 64]) for p in pitches)


def chunk(content):
    return b"MTrk" + len(content).to_bytes(4, "big") + content


def header(tracks=1):
    return b"MThd\0\0\0\6\0\1" + tracks.to_bytes(2, "big") + b"\0\x60"


def kinds(report):
    return {fault.kind for fault in report.faults}


@pytest.mark.parametrize("announced", [1, 4097])
def test_more_tracks_than_midi_can_tell_apart_are_refused(announced):
    with pytest.raises(MidiError, match="more tracks than MIDI can tell apart; found: over 4096; at most 4096"):
        read_midi_repaired(header(tracks=announced) + chunk(body() + END) * 4097)


def test_as_many_tracks_as_midi_can_tell_apart_are_read():
    score, _ = read_midi_repaired(header() + chunk(body((60,)) + END) * 4096)
    assert len(score.tracks) == len(score.notes) == 4096


def test_a_file_of_too_many_tracks_is_read_without_corrections():
    score, report = read_midi_repaired(header() + chunk(body() + END) * 300)
    assert len(score.notes) == 1200
    assert {"wrong number of tracks", "damage in too many places"} == kinds(report)


def test_a_file_damaged_all_over_is_read_without_corrections():
    score, report = read_midi_repaired(header() + chunk((body() + b"\xf4" * 20) * 800 + END))
    assert len(score.notes) == 3200
    assert Fault("damage in too many places", "the file", "no more corrections tried") in report.faults
    assert "changed byte" not in kinds(report)


def test_events_later_than_midi_can_write_are_left_out():
    score, report = read_midi_repaired(header(tracks=2) + chunk(body() + (b"\xbf\xff\x7f\xc0\0" * 300) + body() + END))
    assert "events later than MIDI can write" in kinds(report)
    assert list(zip(score.notes.onset.tolist(), score.notes.pitch.tolist(), strict=True)) == NOTES


HOSTILE = {
    "pitches that never end": bytes(b for i in range(10_000) for b in (0, 0x90 | i // 128 % 16, i % 128, 9)),
    "noise": np.random.default_rng(1).integers(0, 0xF0, 40_000).astype(np.uint8).tobytes(),
    "one pitch": b"\0\x90\x3c\x40" * 10_000,
    "statuses": b"\xff" * 40_000,
    "texts": b"\0\xff\1\1a" * 8_000 + body(),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_the_work_is_bounded_by_the_length(kind, monkeypatch):
    read, count = recovery_module.read_event, 0

    def counted(*arguments):
        nonlocal count
        count += 1
        return read(*arguments)

    monkeypatch.setattr(recovery_module, "read_event", counted)
    with suppress(MidiError):
        read_midi_repaired(header() + b"MTrk\0\0\0\1" + HOSTILE[kind])
    assert count < 2 * 40_000 + 2 * recovery_module.SEARCH_EVENTS
