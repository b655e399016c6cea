"""Every loss is counted by its name, and nothing else is."""

import numpy as np
import pytest

from aurl.data.tokenizers import EventTokenizer
from aurl.music.score import Controls, KeySignatures, Notes, PitchBends, Score, Tempos, Texts, TimeSignatures, Track

STEP = 15  # ticks at 120 bpm


def notes(*rows):
    """Notes from (onset, duration, pitch, velocity, track)."""
    return Notes(*np.array(rows).T)


def pedals(*changes):
    time, value = np.array(changes).T
    return Controls(time, np.zeros(len(time), int), np.full(len(time), 64), value)


TRACKS = (Track(0, False, "Piano"),)
CLEAN = Score(tracks=TRACKS, notes=notes((0, 480, 60, 66, 0), (480, 480, 62, 70, 0)))


def report_of(**changes):
    return EventTokenizer().canonical(CLEAN.replace(**changes))[1]


def test_a_score_on_the_grid_loses_nothing():
    report = report_of()
    assert not any(report.counts.values())
    assert not any(report.errors.values())
    assert report.summary() == "nothing is lost"


TWO_TRACKS = (*TRACKS, Track(0, False, "Piano"))
ONE = (0, 480, 60, 66, 0)


@pytest.mark.parametrize(
    ("name", "count", "changes"),
    [
        ("notes_out_of_range", 3, {"notes": notes(ONE, (0, 480, 20, 66, 0), (0, 480, 109, 66, 0), (9, 480, 0, 66, 0))}),
        ("notes_beyond_the_clock", 1, {"notes": notes(ONE, (2**26 * STEP, 480, 60, 66, 0))}),
        ("notes_merged", 2, {"notes": notes(ONE, ONE, (0, 960, 60, 66, 0))}),
        ("notes_shortened", 1, {"notes": notes((0, 960, 60, 66, 0), (480, 480, 60, 66, 0))}),
        ("notes_lengthened_to_a_step", 2, {"notes": notes(ONE, (0, 7, 61, 66, 0), (480, 0, 62, 66, 0))}),
        ("velocities_rounded", 2, {"notes": notes(ONE, (0, 480, 61, 67, 0), (0, 480, 62, 1, 0))}),
        ("tempos_clipped", 2, {"tempos": Tempos(np.array([0, 480]), np.array([1_000_002, 299_998]))}),
        ("tempos_rounded", 1, {"tempos": Tempos(np.array([0, 480]), np.array([500_000, 631_579]))}),
        ("tempos_repeated", 2, {"tempos": Tempos(np.array([0, 1, 480]), np.array([300_000, 500_000, 500_000]))}),
        ("tempos_repeated", 1, {"tempos": Tempos(np.array([480]), np.array([500_000]))}),
        ("time_signatures", 1, {"time_signatures": TimeSignatures(np.array([0]), np.array([3]), np.array([4]))}),
        ("key_signatures", 1, {"key_signatures": KeySignatures(np.array([0]), np.array([2]), np.array([False]))}),
        ("pitch_bends", 1, {"pitch_bends": PitchBends(np.array([0]), np.array([0]), np.array([5]))}),
        ("texts", 1, {"texts": Texts([0], [-1], np.array(["marker"], object), np.array(["verse"], object))}),
        ("controls", 2, {"controls": Controls([0, 0], [0, 0], [7, 11], [100, 100])}),
        ("pedal_changes_repeated", 2, {"controls": pedals((0, 0), (480, 127), (960, 127), (1440, 0))}),
        ("pedal_values_rounded", 2, {"controls": pedals((480, 64), (960, 1), (1440, 127), (1920, 0))}),
        ("tracks_merged", 1, {"tracks": TWO_TRACKS, "notes": notes(ONE, (0, 480, 64, 66, 1))}),
        ("tracks_dropped", 2, {"tracks": (*TRACKS, Track(40), Track(41))}),
        ("programs_changed", 1, {"tracks": (Track(3, False, "Piano"),)}),
        ("programs_changed", 1, {"tracks": (Track(25, True, "Drums"),)}),
        ("track_names_changed", 1, {"tracks": (Track(0, False, "Left hand"),)}),
    ],
)
def test_each_loss_is_counted_by_its_name(name, count, changes):
    counts = report_of(**changes).counts
    assert {key: value for key, value in counts.items() if value} == {name: count}


def test_a_tempo_cut_to_the_microsecond_is_not_a_loss():
    """90 bpm is 666,666.7 microseconds; some writers round it and some cut it."""
    report = report_of(tempos=Tempos(np.array([0]), np.array([666_666])))
    assert not any(report.counts.values())
    assert report.errors["tempo_error_bpm"] == 0


def test_errors_are_the_largest_of_their_kind():
    changed = report_of(
        notes=notes(ONE, (480 + 6, 480, 62, 70, 0), (960 - 3, 480, 64, 69, 0), (480, 480 + 5, 65, 70, 0)),
        tempos=Tempos(np.array([0]), np.array([500_000])),
    )
    assert changed.errors["onset_error_seconds"] == pytest.approx(6 / 960)
    assert changed.errors["end_error_seconds"] == pytest.approx(6 / 960)
    assert changed.errors["velocity_error"] == 1


def test_the_tempo_error_is_in_beats_per_minute():
    report = report_of(tempos=Tempos(np.array([0]), np.array([round(60e6 / 121.5)])))
    assert report.errors["tempo_error_bpm"] == pytest.approx(1.5, abs=1e-3)


def test_a_note_out_of_range_does_not_count_in_the_errors():
    report = report_of(notes=notes(ONE, (7, 480, 5, 67, 0)))
    assert report.errors["onset_error_seconds"] == report.errors["velocity_error"] == 0
