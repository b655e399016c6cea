"""Roles of tracks, and what is kept with them."""

import numpy as np
import pytest

from aurl.data.preprocessing import SelectTracksConfig, select_tracks, track_roles
from aurl.music.score import WHOLE_SCORE, Controls, Notes, Score, Texts, Track
from aurl.utils.errors import ConfigError, MidiError


def band(*tracks, chords=()):
    """Each (track, pitch) plays eight notes, those numbered in `chords` three at a time."""
    parts = []
    for number, (_, pitch) in enumerate(tracks):
        onset = np.repeat(np.arange(8), 3 if number in chords else 1) * 480
        pitches = pitch + np.tile([0, 4, 7] if number in chords else [0], 8)
        one = np.ones(len(onset), np.int64)
        parts.append(Notes(onset, 480 * one, pitches, 64 * one, number * one))
    return Score(notes=Notes.join(parts), tracks=tuple(track for track, _ in tracks))


QUARTET = band((Track(25), 60), (Track(73), 76), (Track(33), 36), (Track(0, is_drum=True), 38), chords=(0,))


def test_without_names_programs_texture_and_height_decide():
    assert track_roles(QUARTET) == ["chords", "melody", "bass", "drums"]


def test_the_lowest_monophonic_track_is_the_bass_where_no_program_is():
    assert track_roles(band((Track(40), 76), (Track(41), 60), (Track(42), 40))) == ["melody", "chords", "bass"]


def test_names_win():
    named = band((Track(0, name="PIANO"), 80), (Track(0, name="MELODY"), 60), (Track(0, name="Bass"), 70))
    assert track_roles(named) == ["chords", "melody", "bass"]


def test_one_instrument_alone_and_empty_tracks_are_chords():
    assert track_roles(band((Track(0), 60))) == ["chords"]
    assert track_roles(Score(tracks=(Track(), Track(33)))) == ["chords", "chords"]


def test_tables_follow_their_tracks():
    score = QUARTET.replace(
        controls=Controls([0, 0], [0, 2], [7, 7], [1, 2]),
        texts=Texts(
            [0, 0, 0],
            [WHOLE_SCORE, 1, 2],
            np.array(["chord", "lyric", "lyric"], object),
            np.array(["C", "x", "y"], object),
        ),
    )
    kept = select_tracks(score, SelectTracksConfig(roles=("bass", "drums")))
    assert kept.tracks == (Track(33), Track(0, is_drum=True))
    assert sorted(set(kept.notes.track.tolist())) == [0, 1]
    assert (kept.controls.track.tolist(), kept.controls.value.tolist()) == ([0], [2])
    assert (kept.texts.track.tolist(), kept.texts.text.tolist()) == ([WHOLE_SCORE, 0], ["C", "y"])


def test_programs_and_names_choose_too():
    assert select_tracks(QUARTET, SelectTracksConfig(programs=(0, 73))).tracks == (Track(73),)
    named = band((Track(0, name="Violin I"), 70), (Track(0, name="Cello"), 40))
    assert select_tracks(named, SelectTracksConfig(named="violin")).tracks == (Track(0, name="Violin I"),)


def test_no_such_track_is_told_with_the_roles_there_are():
    with pytest.raises(MidiError, match="chords, melody"):
        select_tracks(band((Track(25), 60), (Track(73), 76), chords=(0,)), SelectTracksConfig(roles=("drums",)))


@pytest.mark.parametrize("options", [{}, {"named": "("}])
def test_a_choice_of_nothing_is_refused(options):
    with pytest.raises(ConfigError):
        SelectTracksConfig.parse(options)
