import numpy as np
import pytest

from aurl.music import theory
from aurl.utils.errors import ConfigError


@pytest.mark.parametrize(("pitch", "name"), [(60, "C4"), (21, "A0"), (127, "G9"), (0, "C-1"), (70, "Bb4")])
def test_pitches_are_named_with_their_octave(pitch, name):
    assert theory.pitch_name(pitch) == name


@pytest.mark.parametrize("is_minor", [False, True])
@pytest.mark.parametrize("tonic", range(12))
def test_the_key_of_a_profile_is_its_own(tonic, is_minor):
    profile = theory.MINOR_PROFILE if is_minor else theory.MAJOR_PROFILE
    found, minor, correlation = theory.estimate_key(np.roll(profile, tonic) * 7)
    assert (found, minor) == (tonic, is_minor)
    assert correlation == pytest.approx(1)


def test_a_d_major_scale_ending_on_its_tonic_is_in_d_major():
    weights = np.zeros(12)
    weights[[2, 4, 6, 7, 9, 11, 1]] = 1
    weights[2] += 1
    assert theory.estimate_key(weights)[:2] == (2, False)


def test_equal_weights_suggest_no_key():
    assert theory.estimate_key(np.ones(12)) == (0, False, 0.0)


def test_keys_are_named_by_tonic_and_mode():
    assert theory.key_name(9, True) == "A minor"
    assert theory.key_name(10, False) == "Bb major"


def test_general_midi_has_128_programs():
    assert len(theory.PROGRAM_NAMES) == len(set(theory.PROGRAM_NAMES)) == 128
    landmarks = {0: "Acoustic Grand Piano", 24: "Acoustic Guitar (nylon)", 40: "Violin", 56: "Trumpet", 73: "Flute"}
    assert {program: theory.PROGRAM_NAMES[program] for program in landmarks} == landmarks


@pytest.mark.parametrize("is_minor", [False, True])
@pytest.mark.parametrize("tonic", range(12))
def test_keys_are_read_as_they_are_written(tonic, is_minor):
    assert theory.parse_key(theory.key_name(tonic, is_minor)) == (tonic, is_minor)


@pytest.mark.parametrize(
    ("text", "key"),
    [("Am", (9, True)), ("C", (0, False)), ("c", (0, True)), ("bb", (10, True)), ("Cb major", (11, False)),
     ("F# MINOR", (6, True)), ("g:min", (7, True))],
)  # fmt: skip
def test_other_spellings_of_keys(text, key):
    assert theory.parse_key(text) == key


@pytest.mark.parametrize("text", ["", "H major", "C lydian"])
def test_what_is_no_key_is_refused(text):
    with pytest.raises(ConfigError, match="not a key"):
        theory.parse_key(text)


@pytest.mark.parametrize("pitch", range(128))
def test_pitches_are_read_as_they_are_written(pitch):
    assert theory.parse_pitch(theory.pitch_name(pitch)) == pitch


@pytest.mark.parametrize(("text", "pitch"), [("Bb2", 46), ("B#3", 60), ("Cb4", 59), (" F#-1 ", 6), ("C##4", 62)])
def test_other_spellings_of_pitches(text, pitch):
    assert theory.parse_pitch(text) == pitch


@pytest.mark.parametrize("text", ["", "C", "H4", "G#9", "Cb-1", "c4"])
def test_what_is_no_pitch_is_refused(text):
    with pytest.raises(ConfigError, match="not a pitch"):
        theory.parse_pitch(text)


def test_scales_ascend_from_their_tonic_within_an_octave():
    for steps in theory.SCALES.values():
        assert steps[0] == 0
        assert list(steps) == sorted(set(steps))
        assert steps[-1] < 12
