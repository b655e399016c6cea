import numpy as np
import pytest

from aurl.music.score import Notes, Score, TimeSignatures, Track
from aurl.studies.grid import CELLS, SILENT, make_grid


def score_of(*rows, **more):
    onset, duration, pitch = np.array(rows).T
    return Score(480, Notes(onset, duration, pitch, [64] * len(rows), [0] * len(rows)), (Track(),), **more)


def test_a_note_sounds_in_the_cells_it_covers():
    grid = make_grid(score_of((0, 240, 60), (480, 120, 64)))
    assert grid.sounding.any(0).tolist() == [True] * 4 + [False] * 4 + [True] * 2 + [False] * 2
    assert grid.starts.tolist() == [0, 0.5, 1]
    assert (grid.origin, grid.onsets.nonzero()) == (0, (pytest.approx([0, 2]), pytest.approx([0, 4])))


def test_pitch_classes_count_from_the_first_note():
    grid = make_grid(score_of((0, 480, 62), (0, 480, 69)))
    assert grid.origin == 2
    assert np.flatnonzero(grid.pitch_class_cells(grid.sounding)[0]).tolist() == [0, 7]


def test_the_lowest_and_highest_of_each_cell():
    grid = make_grid(score_of((0, 240, 60), (0, 120, 76), (300, 60, 67)))
    assert grid.lowest[:CELLS].tolist() == [0, 0, 0, 0]
    assert grid.highest[:CELLS].tolist() == [16, 16, 0, 0]
    assert grid.lowest[CELLS:].tolist() == [SILENT, 7, SILENT, SILENT]


def test_bars_follow_the_metre():
    metre = TimeSignatures([0], [3], [4])
    assert make_grid(score_of((0, 480 * 4, 60), time_signatures=metre)).beat_in_bar.tolist() == [0, 1, 2, 3, 4, 5, 0, 1]


def test_a_very_long_score_gets_longer_frames():
    grid = make_grid(score_of((480 * 100_000, 480, 60), (0, 480, 60)))
    assert grid.frame_beats == 16
    assert len(grid) * grid.frame_beats >= 100_001
