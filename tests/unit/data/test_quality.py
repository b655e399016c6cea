"""What is refused, and why."""

import numpy as np
import pytest

from aurl.data.quality import QualityConfig, max_polyphony, refusal
from aurl.music.score import Notes, Score, Track
from aurl.utils.errors import ConfigError


def make(onset, duration=400, pitch=None, drums=False):
    """Notes at ticks (480 are half a second)."""
    count = len(onset)
    columns = np.broadcast_to(duration, count), pitch or [60 + i % 12 for i in range(count)]
    return Score(480, Notes(onset, *columns, np.full(count, 80), np.zeros(count)), (Track(is_drum=drums),))


TUNE = make(range(0, 9600, 480))


@pytest.mark.parametrize(
    ("score", "limits", "reason"),
    [
        (make([]), {}, "no notes"),
        (make([0]), {}, "fewer than 2 notes"),
        (TUNE, {"min_notes": 21}, "fewer than 21 notes"),
        (make([0, 10], 20), {}, "shorter than 0.25 s"),
        (TUNE, {"min_seconds": 10.0}, "shorter than 10 s"),
        (TUNE, {"max_seconds": 9.0}, "longer than 9 s"),
        (TUNE, {"min_distinct_pitches": 13}, "fewer than 13 different pitches"),
        (make(range(0, 9600, 480), drums=True), {"min_pitched_share": 0.5}, "fewer than 50% pitched notes"),
        (make([0, 480 * 100], 100), {}, "more than 90% silence"),
        (make([0] * 300, 400, [60, 61] * 150), {}, "more than 300 notes a second"),
        (make([0] * 300, 4000, [60, 61] * 150), {}, "more than 200 notes at once"),
        (TUNE, {"max_notes_per_second": 1.0}, "more than 1 notes a second"),
    ],
)
def test_what_is_beyond_a_limit_is_refused_with_the_reason(score, limits, reason):
    assert refusal(score, QualityConfig(**limits)) == reason


def test_music_passes_and_so_do_drums_alone():
    assert refusal(TUNE, QualityConfig()) is None
    assert refusal(make(range(0, 9600, 480), drums=True), QualityConfig(min_distinct_pitches=5)) is None


def test_a_file_with_more_faults_than_music_is_refused():
    assert refusal(TUNE, QualityConfig(), faults=10) is None
    assert refusal(TUNE, QualityConfig(), faults=11) == "more than 0.5 faults a note"


def test_silence_before_the_first_note_is_not_held_against_a_piece():
    assert refusal(make(range(480000, 489600, 480)), QualityConfig(max_seconds=60)) is None


def test_a_note_makes_room_for_the_next():
    assert max_polyphony(make([0, 0, 400, 400])) == 2
    assert max_polyphony(make([0, 200, 399], 400)) == 3
    assert max_polyphony(make([])) == 0


def test_limits_that_leave_no_length_are_refused():
    with pytest.raises(ConfigError, match="min_seconds is above max_seconds"):
        QualityConfig.parse({"min_seconds": 10, "max_seconds": 5})
