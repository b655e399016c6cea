"""Parts, hands, clefs and voices."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurl.music.engraving.page import Page
from aurl.music.engraving.staves import Chord, make_parts, separate, split_hands
from aurl.music.score import Notes, Score, Track

PIANO, VIOLIN = Track(0, name="Piano"), Track(40)


def parts(*rows, tracks=(PIANO,)):
    """Rows of onset, length (quarters), pitch, track."""
    onset, length, pitch, track = np.array(rows).T
    notes = Notes(
        (onset * 480).astype(int), (length * 480).astype(int), pitch.astype(int), [64] * len(rows), track.astype(int)
    )
    page = Page.of(Score(480, notes, tracks))
    return page, make_parts(page)


def pitches(page, staff):
    return [[[int(page.score.notes.pitch[n]) for n in chord.notes] for chord in voice] for voice in staff.voices]


def test_a_piano_has_a_staff_for_each_hand():
    page, (part,) = parts(*((n, 1, p, 0) for n in range(8) for p in (48, 55, 64, 72)))
    assert [staff.clef for staff in part.staves] == ["treble", "bass"]
    assert pitches(page, part.staves[0]) == [[[64, 72]] * 8]
    assert pitches(page, part.staves[1]) == [[[48, 55]] * 8]


def test_a_melody_on_a_piano_needs_one_staff():
    assert len(parts(*((n, 1, 67 + n, 0) for n in range(8)))[1][0].staves) == 1
    assert [staff.clef for staff in parts(*((n, 1, 40 + n, 0) for n in range(8)))[1][0].staves] == ["bass"]


def test_other_instruments_have_one_staff_however_wide():
    assert len(parts(*((n, 1, 55 + 5 * n, 0) for n in range(8)), tracks=(VIOLIN,))[1][0].staves) == 1


@pytest.mark.parametrize(
    ("program", "pitch", "clef"),
    [
        (40, 76, "treble"),
        (42, 50, "bass"),
        (41, 60, "alto"),
        (33, 36, "bass below"),
        (24, 55, "treble below"),
        (0, 70, "treble"),
    ],
)
def test_instruments_have_their_clefs(program, pitch, clef):
    assert parts((0, 1, pitch, 0), (1, 1, pitch + 2, 0), tracks=(Track(program),))[1][0].staves[0].clef == clef


def test_drums_have_a_percussion_staff():
    assert parts((0, 1, 36, 0), tracks=(Track(0, True),))[1][0].staves[0].clef == "percussion"


def test_two_hands_on_two_tracks_are_one_part():
    rows = [(n, 1, p, t) for n in range(8) for p, t in ((72 + n, 0), (48 - n, 1))]
    (part,) = parts(*rows, tracks=(PIANO, PIANO))[1]
    assert part.tracks == [0, 1]
    assert [staff.clef for staff in part.staves] == ["treble", "bass"]


def test_tracks_that_are_not_hands_stay_apart():
    high = [(n, 1, 72 + n, t) for n in range(8) for t in (0, 1)]
    assert len(parts(*high, tracks=(PIANO, PIANO))[1]) == 2
    hands = [(n, 1, p, t) for n in range(8) for p, t in ((72, 0), (48, 1))]
    assert len(parts(*hands, tracks=(PIANO, VIOLIN))[1]) == 2
    same_keys = [(n, 2, 60, t) for n in range(0, 8, 2) for t in (0, 1)]
    assert len(parts(*same_keys, tracks=(PIANO, PIANO))[1]) == 2


def test_tracks_without_notes_have_no_part():
    assert [part.tracks for part in parts((0, 1, 70, 1), tracks=(PIANO, VIOLIN))[1]] == [[1]]


def test_hands_do_not_flicker():
    """A line that wanders about middle C stays in one hand while the other plays far from it."""
    onset = np.repeat(np.arange(16), 2)
    pitch = np.array([(40, 58 + n % 5) for n in range(16)]).ravel()
    assert split_hands(onset, pitch).reshape(16, 2).tolist() == [[False, True]] * 16


def test_no_hand_plays_wider_than_it_can():
    onset = np.repeat(np.arange(8), 4)
    pitch = np.tile([36, 48, 64, 76], 8)
    assert split_hands(onset, pitch).reshape(8, 4).tolist() == [[False, False, True, True]] * 8


def chord(start, end, row):
    return Chord(start, end, (row,))


def test_notes_that_follow_each_other_are_one_voice():
    line = [chord(0, 24, 0), chord(24, 48, 1), chord(48, 60, 2)]
    assert separate(line, np.array([60, 72, 40], np.uint8)) == [line]


def test_of_two_voices_the_first_is_the_higher():
    high, low = [chord(0, 24, 0), chord(24, 48, 1)], [chord(0, 48, 2)]
    assert separate([*high[:1], *low, *high[1:]], np.array([72, 71, 60], np.uint8)) == [high, low]
    assert separate([*high[:1], *low, *high[1:]], np.array([50, 51, 60], np.uint8)) == [low, high]


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 12), st.integers(40, 80)), min_size=1, max_size=30))
def test_voices_lose_nothing_and_are_as_few_as_sound_together(rows):
    rows.sort(key=lambda row: (row[0], -row[2]))
    chords = [Chord(start, start + length, (row,)) for row, (start, length, _) in enumerate(rows)]
    voices = separate(chords, np.array([pitch for *_, pitch in rows], np.uint8))
    assert sorted(chord for voice in voices for chord in voice) == sorted(chords)
    for voice in voices:
        assert all(a.end <= b.start for a, b in itertools.pairwise(voice))
    assert len(voices) == max(sum(c.start <= time < c.end for c in chords) for time in range(60))
