"""Names of notes: each MIDI pitch becomes a letter, an accidental and an octave.

Names are places on the line of fifths (Longuet-Higgins 1976; Temperley 2001, "The Cognition of Basic Musical
Structures", chapter 5): 0 is C, 1 G, 6 F sharp, -1 F. In a key, the twelve pitches lie from five places below the
tonic to six above it, the harmonic chromatic scale. As in ps13s1 (Meredith 2006, "The ps13 pitch spelling algorithm",
Journal of New Music Research 35), a pitch is named as it would be in the keys whose tonics are heard around it, each
weighed by how often it is heard. Two things differ: the signature in force decides between enharmonic readings of the
whole (and votes, where little is heard), and the names so found are votes in a second pass. Last, a chromatic note
that goes up by a semitone to a note of the key, as a lower neighbour or in passing, is named as its leading note.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
LETTERS = "FCGDAEB"
LOWEST_PLACE, HIGHEST_PLACE = -5, 6
"""Of a key's twelve pitches, on the line of fifths from its tonic."""
CONTEXT = 40
"""Notes before and after one that are heard as its context."""
KEY_VOTES = 5
"""Votes of the two tonics that a signature stands for, where each note of the context has one."""
SCALE_VOTES = 30
"""Votes for the name that the signature gives to a pitch of its scale: none is named otherwise for a passing key."""
PASSES = 2
FLATTEST, SHARPEST = -15, 19
"""F double flat and B double sharp: beyond them there are no accidentals."""
_ZERO, _PLACES = 24, 64
"""Index of C in a table of places, and its width."""


class Name(NamedTuple):
    """A written pitch; `octave` 4 begins at middle C."""

    letter: str
    alter: int
    octave: int


def name_of(place: int, pitch: int) -> Name:
    """The name of a MIDI pitch that is at this place of the line of fifths."""
    letter, alter = letter_of(place)
    return Name(letter, alter, (pitch - alter) // 12 - 1)


def letter_of(place: int) -> tuple[str, int]:
    """Letter and sharps (flats negative)."""
    return LETTERS[(place + 1) % 7], (place + 1) // 7


def place_of(text: str) -> int:
    """The place of a plain name such as "F#" or "Bb"."""
    return LETTERS.index(text[0].upper()) - 1 + 7 * (text.count("#") - text[1:].count("b"))


def place_in_key(pitch_class: NDArray[Any] | int, tonic: NDArray[Any] | int) -> Ints:
    """The place of a pitch class among the twelve of a key."""
    low = np.asarray(tonic, np.int64) + LOWEST_PLACE
    return np.asarray(low + (7 * np.asarray(pitch_class, np.int64) - low) % 12)


def spell(onset: Ints, pitch: NDArray[Any], sharps: NDArray[Any]) -> Ints:
    """Places on the line of fifths of notes in order of time; `sharps` is the signature in force at each."""
    classes, sharps = pitch.astype(np.int64) % 12, sharps.astype(np.int64)
    places = scale = place_in_key(classes, sharps + 1)  # between the major and the minor tonic: as good for both
    rows, tonics = np.arange(len(classes)), np.arange(_PLACES) - _ZERO
    for _ in range(PASSES):
        votes = _heard(places)
        for tonic in (sharps, sharps + 3):
            votes[rows, tonic + _ZERO] += KEY_VOTES
        elected = np.zeros(votes.shape)
        elected[rows, scale + _ZERO] = SCALE_VOTES * _is_diatonic(scale, sharps)
        for tonic in tonics[-LOWEST_PLACE:-HIGHEST_PLACE]:
            elected[rows, place_in_key(classes, tonic) + _ZERO] += votes[:, tonic + _ZERO]
        places = elected.argmax(1) - _ZERO
    places = _leading(onset, pitch.astype(np.int64), places, sharps)
    return np.asarray(places - 12 * (places > SHARPEST) + 12 * (places < FLATTEST))


def _heard(places: Ints) -> NDArray[np.float64]:
    """How often each place is heard around each note: notes by places."""
    count = len(places)
    heard = np.zeros((count + 1, _PLACES))
    heard[np.arange(count) + 1, places + _ZERO] = 1
    heard = heard.cumsum(0)
    at = np.arange(count)
    return np.asarray(heard[np.minimum(at + CONTEXT, count)] - heard[np.maximum(at - CONTEXT, 0)])


def _leading(onset: Ints, pitch: Ints, places: Ints, sharps: Ints) -> Ints:
    """The places, with chromatic notes between semitones that lead up named as leading notes."""
    moments = np.unique(onset, return_inverse=True)[1] + 1
    nothing = -99
    sounding = np.full((moments.max(initial=0) + 2, 130), nothing)
    sounding[moments, pitch + 1] = places
    above_before, above_after = (sounding[moments + step, pitch + 2] for step in (-1, 1))
    below_before, below_after = (sounding[moments + step, pitch] for step in (-1, 1))
    neighbour = above_before != nothing
    passing = (below_before != nothing) & (below_after == nothing)
    leads = ~_is_diatonic(places, sharps) & _is_diatonic(above_after, sharps) & (neighbour | passing)
    return np.asarray(np.where(leads, above_after + 5, places))


def _is_diatonic(places: Ints, sharps: Ints) -> NDArray[np.bool_]:
    return np.asarray((places >= sharps - 1) & (places <= sharps + 5))
