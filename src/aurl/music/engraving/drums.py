"""Where General MIDI's drums stand on a percussion staff, and what they are called.

Places follow the Percussive Arts Society (Weinberg 1998, "Guide to Standardized Drumset Notation"): bass drum in the
lowest space, snare in the third, hi-hat above the staff, cymbals as crosses. Placed as if the clef were treble.
"""

from __future__ import annotations

from typing import NamedTuple

FIRST = 35
NAMES = (
    "Acoustic Bass Drum", "Bass Drum 1", "Side Stick", "Acoustic Snare", "Hand Clap", "Electric Snare",
    "Low Floor Tom", "Closed Hi-Hat", "High Floor Tom", "Pedal Hi-Hat", "Low Tom", "Open Hi-Hat", "Low-Mid Tom",
    "Hi-Mid Tom", "Crash Cymbal 1", "High Tom", "Ride Cymbal 1", "Chinese Cymbal", "Ride Bell", "Tambourine",
    "Splash Cymbal", "Cowbell", "Crash Cymbal 2", "Vibraslap", "Ride Cymbal 2", "Hi Bongo", "Low Bongo",
    "Mute Hi Conga", "Open Hi Conga", "Low Conga", "High Timbale", "Low Timbale", "High Agogo", "Low Agogo", "Cabasa",
    "Maracas", "Short Whistle", "Long Whistle", "Short Guiro", "Long Guiro", "Claves", "Hi Wood Block",
    "Low Wood Block", "Mute Cuica", "Open Cuica", "Mute Triangle", "Open Triangle",
)  # fmt: skip
"""From 35 on."""
_PLACES = {
    35: "E4", 36: "F4", 37: "C5", 38: "C5", 39: "C5", 40: "C5", 41: "G4", 42: "G5", 43: "A4", 44: "D4", 45: "B4",
    46: "G5", 47: "D5", 48: "E5", 49: "A5", 50: "E5", 51: "F5", 52: "B5", 53: "F5", 54: "B4", 55: "B5", 56: "E5",
    57: "A5", 59: "F5",
}  # fmt: skip
_CROSSES = {37, 42, 44, 46, 49, 51, 52, 53, 55, 57, 59}


class Drum(NamedTuple):
    """A drum's name, the letter and octave of its place, and its note head ("" for the usual one)."""

    name: str
    letter: str
    octave: int
    head: str


def drum(pitch: int) -> Drum:
    """The drum of a MIDI pitch on the drum channel; those without a place of their own stand in the third space."""
    name = NAMES[pitch - FIRST] if FIRST <= pitch < FIRST + len(NAMES) else f"Drum {pitch}"
    place = _PLACES.get(pitch, "C5")
    return Drum(name, place[0], int(place[1]), "x" if pitch in _CROSSES else "" if pitch in _PLACES else "triangle")
