"""Names of pitches by key and context."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurl.music.engraving.spelling import Name, letter_of, name_of, place_in_key, place_of, spell

MAJOR, MINOR = np.array([0, 2, 4, 5, 7, 9, 11]), np.array([0, 2, 3, 5, 7, 8, 11])


def names(pitches, sharps=0):
    pitch = np.array(pitches)
    places = spell(np.arange(len(pitch)), pitch, np.full(len(pitch), sharps))
    return [letter + "#" * max(alter, 0) + "b" * max(-alter, 0) for letter, alter in map(letter_of, places.tolist())]


def test_places_have_names_and_octaves():
    assert [place_of(name) for name in ("F", "C", "G", "F#", "Bb", "Cb")] == [-1, 0, 1, 6, -2, -7]
    assert name_of(0, 60) == Name("C", 0, 4)
    assert name_of(7, 61) == Name("C", 1, 4)
    assert name_of(-7, 59) == Name("C", -1, 4)
    assert name_of(12, 60) == Name("B", 1, 3)


@pytest.mark.parametrize("sharps", range(-6, 7))
def test_a_scale_takes_the_names_of_its_signature(sharps):
    tonic = 7 * sharps % 12
    pitches = 60 + tonic + np.tile(MAJOR, 3)
    places = spell(np.arange(len(pitches)), pitches, np.full(len(pitches), sharps))
    assert places.min() == sharps - 1
    assert places.max() == sharps + 5


@pytest.mark.parametrize("sharps", range(-6, 5))
def test_the_leading_note_of_a_minor_key_is_raised(sharps):
    tonic = (7 * sharps + 9) % 12
    pitches = 60 + tonic + np.tile(MINOR, 3)
    places = spell(np.arange(len(pitches)), pitches, np.full(len(pitches), sharps))
    assert set(places[6::7].tolist()) == {sharps + 3 + 5}


def test_a_lower_neighbour_is_a_leading_note_in_any_key():
    assert names([64, 63, 64, 67, 72, 71, 69, 67], 1)[1] == "D#"
    assert names([62, 60, 61, 62, 65, 69, 65, 62], -1)[2] == "C#"


def test_the_context_decides_between_sharps_and_flats():
    tonicised = [58, 62, 65, 63, 67, 70, 68, 72, 75] * 5
    assert "Ab" in names(tonicised)
    assert "G#" in names([57, 60, 64, 68, 71, 64, 57] * 5)


def test_twelve_names_of_a_key_are_five_below_and_six_above_the_tonic():
    assert sorted(place_in_key(np.arange(12), 0).tolist()) == list(range(-5, 7))


def test_no_notes_have_no_names():
    assert len(spell(np.zeros(0, np.int64), np.zeros(0), np.zeros(0))) == 0


@pytest.mark.parametrize("sharps", [-7, 0, 7])
@given(st.lists(st.integers(0, 127), max_size=60))
def test_every_pitch_has_a_name_with_two_accidentals_at_most(sharps, pitches):
    pitch = np.array(pitches, np.uint8)
    places = spell(np.arange(len(pitch)) // 2, pitch, np.full(len(pitch), sharps))
    for place, midi in zip(places.tolist(), pitches, strict=True):
        name = name_of(place, midi)
        assert abs(name.alter) <= 2
        assert (place_of(name.letter) * 7 + name.alter) % 12 == midi % 12
