"""Which of its pieces the demo keeps."""

import numpy as np

from aurl.music.score import Notes, Score, Track
from aurl.pipelines.demo import most_typical


def melody(pitches: list[int], beats: float) -> Score:
    """One note after the other, each of `beats`."""
    ticks, count = int(480 * beats), len(pitches)
    same = np.ones(count, np.int64)
    return Score(notes=Notes(ticks * np.arange(count), ticks * same, pitches, 64 * same, 0 * same), tracks=(Track(),))


C_MAJOR = [60, 62, 64, 65, 67, 69, 71, 72]
LEARNED = [melody(C_MAJOR, beats) for beats in (0.9, 1.0, 1.1)]


def test_the_piece_most_like_the_music_learned_is_kept() -> None:
    too_fast, out_of_key = melody(C_MAJOR, 0.25), melody([60, 61, 63, 66, 68, 70, 71, 72], 1.0)
    assert most_typical([too_fast, out_of_key, melody(C_MAJOR, 1.05)], LEARNED) == 2


def test_a_piece_without_notes_is_never_kept() -> None:
    assert most_typical([Score(), melody(C_MAJOR, 0.25)], LEARNED) == 1
