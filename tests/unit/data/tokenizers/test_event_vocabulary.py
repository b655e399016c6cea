"""The 774 values and the scales behind them."""

import numpy as np
import pytest

from aurl.data.tokenizers import event_vocabulary as ev
from aurl.music.score import Track

NAMES = ev.event_vocabulary().fields[0].tokens


def test_there_are_exactly_774_values_each_of_its_own_name():
    assert len(NAMES) == len(set(NAMES)) == ev.SIZE == 774


def test_the_special_values_come_first_and_in_order():
    assert NAMES[:4] == ("start", "end", "pad", "unknown")


@pytest.mark.parametrize(
    ("kind", "count"),
    [("note_on", 88), ("note_off", 88), ("shift", 512), ("velocity", 32), ("sustain", 2), ("tempo", 32),
     ("instrument", 16)],
)  # fmt: skip
def test_each_kind_has_its_reference_count(kind, count):
    assert sum(name.startswith(f"{kind}:") for name in NAMES) == count


@pytest.mark.parametrize(
    ("index", "name"),
    [(ev.NOTE_ON, "note_on:21"), (ev.NOTE_OFF - 1, "note_on:108"), (ev.NOTE_OFF, "note_off:21"),
     (ev.SHIFT, "shift:1"), (ev.VELOCITY - 1, "shift:512"), (ev.VELOCITY, "velocity:2"),
     (ev.SUSTAIN_ON, "sustain:on"), (ev.SUSTAIN_OFF, "sustain:off"), (ev.TEMPO, "tempo:60"),
     (ev.TEMPO + ev.DEFAULT_TEMPO_BIN, "tempo:120"), (ev.INSTRUMENT, "instrument:Piano"), (773, "instrument:Drums")],
)  # fmt: skip
def test_ranges_begin_where_the_constants_say(index, name):
    assert NAMES[index] == name


def test_there_are_32_tempos_in_ascending_order():
    assert len(ev.METRONOME_BPM) == 32
    assert list(ev.METRONOME_BPM) == sorted(set(ev.METRONOME_BPM))


def test_every_tempo_of_the_scale_is_its_own_nearest():
    assert ev.tempo_bins(ev.MICROSECONDS_PER_BEAT).tolist() == list(range(32))


def test_the_nearest_tempo_is_so_in_the_logarithm_and_the_ends_take_the_rest():
    between = np.sqrt(60 * 63)
    bpm = np.array([1.0, between - 0.01, between + 0.01, 1000.0])
    assert ev.tempo_bins((60e6 / bpm).astype(np.int32)).tolist() == [0, 0, 1, 31]
    assert ev.tempo_bins(np.array([0], np.int32)).tolist() == [31]


def test_programs_fold_into_families_of_eight():
    assert [ev.instrument_of(Track(program)) for program in (0, 7, 8, 40, 119)] == [0, 0, 1, 5, 14]


def test_sound_effects_join_the_synth_effects_and_drums_take_their_place():
    assert ev.instrument_of(Track(120)) == ev.instrument_of(Track(96)) == 12
    assert ev.instrument_of(Track(40, is_drum=True)) == ev.DRUMS == 15


def test_every_instrument_plays_a_track_that_is_its_own():
    tracks = [ev.track_of(instrument) for instrument in range(16)]
    assert [ev.instrument_of(track) for track in tracks] == list(range(16))
    assert [track.is_drum for track in tracks] == [False] * 15 + [True]
    assert tracks[5] == Track(40, False, "Strings")


def test_velocities_sound_as_the_middle_of_their_bin():
    assert ev.velocities(np.array([0, 16, 31])).tolist() == [2, 66, 126]
