import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurl.music.chords import INTERVALS, QUALITIES, Chord
from aurl.music.theory import PITCH_CLASSES
from aurl.utils.errors import ConfigError

CHORDS = st.builds(
    Chord, st.integers(0, 11) | st.none(), st.sampled_from(QUALITIES), bass=st.integers(0, 11) | st.none()
)


@given(CHORDS)
def test_what_is_written_is_read_as_the_same_chord(chord):
    assert Chord.parse(chord.symbol) == chord
    assert Chord.parse(chord.harte) == chord


@given(CHORDS, st.integers(-30, 30))
def test_transposing_moves_every_pitch_class(chord, semitones):
    moved = chord.transposed(semitones)
    assert moved.pitch_classes == {(tone + semitones) % 12 for tone in chord.pitch_classes}
    assert moved.transposed(-semitones) == chord


@pytest.mark.parametrize(
    ("text", "symbol"),
    [
        ("F#m7b5/A", "F#m7b5/A"), ("Cø", "Cm7b5"), ("C-7b5", "Cm7b5"), ("Bbm11", "Bbm7"), ("C°7", "Cdim7"),
        ("Co", "Cdim"), ("C+", "Caug"), ("C7#5", "Caug"), ("CM7", "Cmaj7"), ("CΔ", "Cmaj7"), ("CMaj9#11", "Cmaj7"),
        ("C7(b9)", "C7"), ("C13", "C7"), ("C7sus4", "Csus4"), ("Csus", "Csus4"), ("Csus2", "Csus2"), ("Cadd9", "C"),
        ("C6/9", "C6"), ("Cm6", "Cm"), ("Cm(maj7)", "Cm"), ("C5", "C"), ("C/E", "C/E"), ("C/C", "C"), ("Cb", "B"),
        ("E#", "F"), ("Db:min7/5", "C#m7/Ab"), ("A:sus4(b7)", "Asus4"), ("G:(1,5)", "G"), ("C:7/b7", "C7/Bb"),
        ("C:maj9", "Cmaj7"), ("C:maj/9", "C/D"), ("N.C.", "N.C."), ("N", "N.C."), (" Cm5 ", "Cm"), ("Cm-5", "Cdim"),
    ],
)  # fmt: skip
def test_spellings_of_chords(text, symbol):
    assert Chord.parse(text).symbol == symbol


@pytest.mark.parametrize("text", ["", "H", "Cfoo", "C:foo", "C/H", "hello", "C:maj/0x", "c"])
def test_what_is_no_chord_is_refused(text):
    with pytest.raises(ConfigError, match="not a chord"):
        Chord.parse(text)


def test_a_bass_beside_the_chord_sounds_too():
    assert Chord(0, "maj", 2).pitch_classes == {0, 2, 4, 7}
    assert Chord(None).pitch_classes == frozenset()


def test_equal_chords_are_equal_however_they_are_made():
    assert Chord(0, "min", 0) == Chord(0, "min")
    assert Chord(None, "min", 3) == Chord(None)


def test_unknown_qualities_are_refused():
    with pytest.raises(ValueError, match="quality"):
        Chord(0, "weird")


def test_no_two_qualities_sound_the_same_from_one_root():
    assert len(set(INTERVALS.values())) == len(QUALITIES) == 12


def test_roots_are_spelled_as_keys_are():
    assert [Chord(root).symbol for root in range(12)] == list(PITCH_CLASSES)
