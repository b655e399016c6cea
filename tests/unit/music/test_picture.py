import subprocess
import sys

import numpy as np
import pytest
from matplotlib.image import imread

from aurl.music.picture import _bars_between_lines, write_piano_roll
from aurl.music.score import Notes, Score, Texts, TimeSignatures, Track
from aurl.utils.errors import StorageError

BLUE, RED, GREY = (0x44, 0x77, 0xAA), (0xCC, 0x66, 0x77), (0x88, 0x88, 0x88)


def score_of(*rows, tracks=None, **tables):
    return Score(480, Notes(*np.array(rows).reshape(-1, 5).T), tracks or (Track(),), **tables)


def drawn(scores, tmp_path, **options):
    write_piano_roll(scores, tmp_path / "a.png", **options)
    return np.round(imread(tmp_path / "a.png")[..., :3] * 255).astype(int)


def where(image, colour):
    """Rows and columns of the pixels of one colour."""
    return np.nonzero((np.abs(image - colour) <= 2).all(axis=2))


def test_time_goes_right_and_pitch_up(tmp_path):
    image = drawn(score_of((0, 480, 60, 127, 0), (1920, 480, 72, 127, 0)), tmp_path)
    rows, columns = where(image, BLUE)
    early = columns < image.shape[1] / 2
    assert early.any()
    assert (~early).any()
    assert rows[early].min() > rows[~early].max()


def test_louder_notes_are_stronger(tmp_path):
    image = drawn(score_of((0, 480, 60, 1, 0), (480, 480, 60, 127, 0)), tmp_path)
    assert len(where(image, BLUE)[0]) > 0
    assert where(image, BLUE)[1].min() > image.shape[1] / 2


def test_tracks_differ_in_colour_and_drums_are_grey(tmp_path):
    tracks = (Track(), Track(40), Track(0, True))
    image = drawn(score_of(*((0, 480, 60 + t, 127, t) for t in range(3)), tracks=tracks), tmp_path)
    assert all(len(where(image, colour)[0]) > 1000 for colour in (BLUE, RED, GREY))


def test_scores_are_stacked_on_one_scale(tmp_path):
    short, long = score_of((0, 480, 60, 127, 0)), score_of((0, 4800, 60, 127, 0))
    image = drawn([short, long], tmp_path, title=["real", "generated"])
    rows, columns = where(image, BLUE)
    above = rows < image.shape[0] / 2
    width = [np.ptp(columns[part]) for part in (above, ~above)]
    assert width[1] == pytest.approx(10 * width[0], rel=0.1)


def test_a_note_without_length_is_visible(tmp_path):
    image = drawn(score_of((0, 9600, 48, 127, 0), (4800, 0, 72, 127, 0)), tmp_path)
    rows, _ = where(image, BLUE)
    assert (rows < image.shape[0] / 2).any()


def test_names_that_would_be_markup_are_taken_literally(tmp_path):
    names = ("$x_{", "_hidden", "", "\x07bell", "a" * 200)
    tracks = tuple(Track(name=name) for name in names * 3)
    image = drawn(score_of(*((0, 1, 60, 90, t) for t in range(15)), tracks=tracks), tmp_path, title="$\\frac")
    assert image.shape[1] == 1800


def test_a_score_without_notes_is_an_empty_picture(tmp_path):
    assert drawn(Score(), tmp_path).shape[1] == 1800


def test_each_title_has_its_score(tmp_path):
    with pytest.raises(ValueError, match="zip"):
        write_piano_roll([Score(), Score()], tmp_path / "a.png", title="one")


def test_bar_lines_stay_apart():
    assert [_bars_between_lines(bars) for bars in (0, 1, 49, 50, 99, 100, 1000)] == [1, 1, 1, 2, 2, 4, 32]


def test_a_picture_is_the_same_each_time(tmp_path):
    score = score_of((0, 480, 60, 100, 0), time_signatures=TimeSignatures([0], [3], [4]))
    write_piano_roll(score, tmp_path / "a.png")
    write_piano_roll(score, tmp_path / "b.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_a_folder_that_is_not_there_is_a_storage_error(tmp_path):
    with pytest.raises(StorageError):
        write_piano_roll(Score(), tmp_path / "missing" / "a.png")


def test_music_is_imported_without_its_heavy_parts():
    code = "import sys, aurl.music.audio, aurl.music.picture; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"matplotlib", "midirenderer", "torch"} & set(modules)


def test_chords_and_keys_are_written_into_the_picture(tmp_path):
    plain = score_of((0, 4800, 60, 100, 0))
    crowded = Texts([0, 1, 2400], [-1] * 3, ["chord", "chord", "key"], ["C", "$G$", "C major"])
    sparse = crowded.take([0, 2])
    pictures = [drawn(plain.replace(texts=texts), tmp_path) for texts in (plain.texts, crowded, sparse)]
    assert not np.array_equal(pictures[0], pictures[1])
    assert np.array_equal(pictures[1], pictures[2]), "a chord too close to the last is left out"
