import numpy as np
import pytest

from aurl.data.labelling import read_sections, split_chord_track
from aurl.data.labels import given_labels
from aurl.music.score import Controls, Notes, Score, Track
from aurl.utils.errors import CorpusError


def score_of(*tracks, ticks_per_beat=480):
    """A score of tracks of (onset, duration, pitch)."""
    rows = [(*note, number) for number, notes in enumerate(tracks) for note in notes]
    onset, duration, pitch, track = np.array(rows).T
    names = tuple(Track(name=name) for name in ("piano", "chords", "more")[: len(tracks)])
    return Score(ticks_per_beat, Notes(onset, duration, pitch, np.full(len(rows), 80), track), names)


def blocks(*chords):
    return [(onset, 960, pitch) for onset, pitches in chords for pitch in pitches]


MELODY = [(n * 240, 200, 60 + n * 5 % 13) for n in range(16)]


def test_a_track_of_chords_is_labels_and_no_music():
    chords = blocks((0, (48, 52, 55)), (960, (52, 55, 60)), (2880, (57, 60, 64, 67)), (3840, (50, 53, 57, 59, 60)))
    score = score_of(MELODY, chords)
    score = score.replace(controls=Controls([0, 0], [0, 1], [7, 7], [90, 80]))
    music, given = split_chord_track(score)
    assert music.tracks == (Track(name="piano"),)
    assert music.notes == score_of(MELODY).notes
    assert len(music.controls) == 1
    assert given.spans["chord"] == [
        (0.0, 2.0, "C"), (2.0, 4.0, "C/E"), (4.0, 6.0, "N.C."), (6.0, 8.0, "Am7"), (8.0, 10.0, "Dm7"),
    ]  # fmt: skip


@pytest.mark.parametrize("tracks", [(MELODY,), (MELODY, MELODY), (MELODY, blocks((0, (48, 52, 55))), MELODY)])
def test_other_tracks_are_music(tracks):
    with pytest.raises(CorpusError):
        split_chord_track(score_of(*tracks))


def melody_file(notes, before=0):
    """The notes (240 ticks are two sixteenths) with so many sixteenths of rest before them."""
    return "".join([f"0 {before}\n" * (before > 0), *(f"{pitch} 2\n" for _, _, pitch in notes)]).encode()


@pytest.mark.parametrize("before", [0, 4, 16])
def test_phrases_begin_where_the_melody_says(before):
    given = read_sections(b"A1B1x2", score_of(MELODY), {".dai_melody.txt": melody_file(MELODY, before)})
    start = -before / 4
    assert given.spans["section"] == [
        (max(start, 0.0), start + 4, "A"), (start + 4, start + 8, "B"), (start + 8, start + 16, "x"),
    ]  # fmt: skip


def test_the_melody_is_found_in_music_that_begins_later_and_is_played_freely():
    played = [(onset + 1920 + 40 * (number % 3 - 1), 200, pitch) for number, (onset, _, pitch) in enumerate(MELODY)]
    given = read_sections(b"A1B1", score_of(played), {".dai_melody.txt": melody_file(MELODY)})
    assert [start for start, _, _ in given.spans["section"]] == [4.0, 8.0]


@pytest.mark.parametrize("hurry", [-50, -20, 0, 20, 50])
def test_the_grid_is_where_the_melody_is_played_on_average_not_a_sixteenth_beside_it(hurry):
    """A sixteenth is 120 ticks: all notes early by 20 are nearer to their place than to the one before."""
    played = [(onset + 960 + hurry + number % 7 - 3, 200, pitch) for number, (onset, _, pitch) in enumerate(MELODY)]
    given = read_sections(b"A1B1", score_of(played), {".dai_melody.txt": melody_file(MELODY)})
    assert [start for start, _, _ in given.spans["section"]] == [2.0, 6.0]


def test_phrases_of_endless_bars_do_not_fit():
    """They used to end the preparation with a ValueError."""
    companions = {".struct1.txt": b"A4B" + b"9" * 5000, ".dai_melody.txt": melody_file(MELODY)}
    score, (refusal,) = given_labels(score_of(MELODY), "a.mid", companions)
    assert refusal.reason.startswith("labels of other length")
    assert not len(score.texts)


@pytest.mark.parametrize(
    ("text", "beside"),
    [
        (b"", {}),
        (b"A4 B4", {}),
        (b"A4B4", {}),
        (b"A4B4", {".dai_melody.txt": b"60 x"}),
        (b"A4B4", {".dai_melody.txt": b""}),
        (b"A4B4", {".dai_melody.txt": b"\xff"}),
        (b"A4B4", {".dai_melody.txt": b"9" * 30 + b" 1"}),
        (b"A4B4", {".dai_melody.txt": b"60 1\n60"}),
        (b"A4B4", {".dai_melody.txt": b"60 1\n" * 200_000}),
        (b"A4B4", {".dai_melody.txt": melody_file([(0, 0, 90 - n) for n in range(16)])}),
    ],
)
def test_phrases_that_cannot_be_placed_are_refused(text, beside):
    with pytest.raises(CorpusError):
        read_sections(text, score_of(MELODY), beside)
