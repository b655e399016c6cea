"""Names and numbers that musicians agree on: pitches, General MIDI, and the key that pitches suggest.

Pitches are MIDI numbers (60 is middle C, C4), pitch classes 0..11 from C. Knows nothing of scores.
"""

from __future__ import annotations

import re
from itertools import product

import numpy as np
from numpy.typing import ArrayLike

from aurl.utils.errors import ConfigError

PITCH_CLASSES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")

_NATURALS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_KEY = re.compile(r"([A-Ga-g][#b]*)[ :-]?(m|min|maj|(?i:minor|major)|)")

_PITCH = re.compile(r"([A-G][#b]*)(-?\d+)")

SCALES = {
    "major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10),
    "harmonic_minor": (0, 2, 3, 5, 7, 8, 11), "melodic_minor": (0, 2, 3, 5, 7, 9, 11),
    "ionian": (0, 2, 4, 5, 7, 9, 11), "dorian": (0, 2, 3, 5, 7, 9, 10), "phrygian": (0, 1, 3, 5, 7, 8, 10),
    "lydian": (0, 2, 4, 6, 7, 9, 11), "mixolydian": (0, 2, 4, 5, 7, 9, 10), "aeolian": (0, 2, 3, 5, 7, 8, 10),
    "locrian": (0, 1, 3, 5, 6, 8, 10), "major_pentatonic": (0, 2, 4, 7, 9), "minor_pentatonic": (0, 3, 5, 7, 10),
    "blues": (0, 3, 5, 6, 7, 10), "whole_tone": (0, 2, 4, 6, 8, 10), "chromatic": tuple(range(12)),
}  # fmt: skip
"""Semitones of each scale's notes above its tonic."""

MAJOR_PROFILE = np.array([6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88])
MINOR_PROFILE = np.array([6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17])
"""How well each pitch class, from the tonic, fits a key (Krumhansl and Kessler 1982, in Krumhansl 1990, table 2.1)."""

PROGRAM_NAMES = (
    "Acoustic Grand Piano", "Bright Acoustic Piano", "Electric Grand Piano", "Honky-tonk Piano",
    "Electric Piano 1", "Electric Piano 2", "Harpsichord", "Clavinet",
    "Celesta", "Glockenspiel", "Music Box", "Vibraphone", "Marimba", "Xylophone", "Tubular Bells", "Dulcimer",
    "Drawbar Organ", "Percussive Organ", "Rock Organ", "Church Organ",
    "Reed Organ", "Accordion", "Harmonica", "Tango Accordion",
    "Acoustic Guitar (nylon)", "Acoustic Guitar (steel)", "Electric Guitar (jazz)", "Electric Guitar (clean)",
    "Electric Guitar (muted)", "Overdriven Guitar", "Distortion Guitar", "Guitar Harmonics",
    "Acoustic Bass", "Electric Bass (finger)", "Electric Bass (pick)", "Fretless Bass",
    "Slap Bass 1", "Slap Bass 2", "Synth Bass 1", "Synth Bass 2",
    "Violin", "Viola", "Cello", "Contrabass", "Tremolo Strings", "Pizzicato Strings", "Orchestral Harp", "Timpani",
    "String Ensemble 1", "String Ensemble 2", "Synth Strings 1", "Synth Strings 2",
    "Choir Aahs", "Voice Oohs", "Synth Voice", "Orchestra Hit",
    "Trumpet", "Trombone", "Tuba", "Muted Trumpet", "French Horn", "Brass Section", "Synth Brass 1", "Synth Brass 2",
    "Soprano Sax", "Alto Sax", "Tenor Sax", "Baritone Sax", "Oboe", "English Horn", "Bassoon", "Clarinet",
    "Piccolo", "Flute", "Recorder", "Pan Flute", "Blown Bottle", "Shakuhachi", "Whistle", "Ocarina",
    "Lead 1 (square)", "Lead 2 (sawtooth)", "Lead 3 (calliope)", "Lead 4 (chiff)",
    "Lead 5 (charang)", "Lead 6 (voice)", "Lead 7 (fifths)", "Lead 8 (bass + lead)",
    "Pad 1 (new age)", "Pad 2 (warm)", "Pad 3 (polysynth)", "Pad 4 (choir)",
    "Pad 5 (bowed)", "Pad 6 (metallic)", "Pad 7 (halo)", "Pad 8 (sweep)",
    "FX 1 (rain)", "FX 2 (soundtrack)", "FX 3 (crystal)", "FX 4 (atmosphere)",
    "FX 5 (brightness)", "FX 6 (goblins)", "FX 7 (echoes)", "FX 8 (sci-fi)",
    "Sitar", "Banjo", "Shamisen", "Koto", "Kalimba", "Bagpipe", "Fiddle", "Shanai",
    "Tinkle Bell", "Agogo", "Steel Drums", "Woodblock", "Taiko Drum", "Melodic Tom", "Synth Drum", "Reverse Cymbal",
    "Guitar Fret Noise", "Breath Noise", "Seashore", "Bird Tweet", "Telephone Ring", "Helicopter", "Applause",
    "Gunshot",
)  # fmt: skip
"""General MIDI's instruments by program, 0..127."""


def pitch_name(pitch: int) -> str:
    """Name and octave of a MIDI pitch: 60 is C4."""
    return f"{PITCH_CLASSES[pitch % 12]}{pitch // 12 - 1}"


def parse_pitch(text: str) -> int:
    """The MIDI pitch of a name with its octave: "C4" is 60; raises ConfigError for none, or beyond 0..127."""
    match = _PITCH.fullmatch(text.strip())
    accidentals = match[1].count("#") - match[1][1:].count("b") if match else 0
    pitch = 12 * (int(match[2]) + 1) + _NATURALS[match[1][0]] + accidentals if match else -1
    if not 0 <= pitch <= 127:
        raise ConfigError("not a pitch", found=repr(text), hint='write it like "C4", "F#3" or "Bb2", or as 0 to 127')
    return pitch


def pitch_class(name: str) -> int:
    """Pitch class of a note's name in its plain spelling: "F#" is 6, "Cb" is 11."""
    return (_NATURALS[name[0]] + name.count("#") - name[1:].count("b")) % 12


def key_name(tonic: int, is_minor: bool) -> str:
    """Name of a key: "A minor"."""
    return f"{PITCH_CLASSES[tonic]} {'minor' if is_minor else 'major'}"


def parse_key(text: str) -> tuple[int, bool]:
    """Tonic and whether minor of a key's name: "F# minor", "Bb major", "Am", "C" or "c" (minor); raises ConfigError."""
    match = _KEY.fullmatch(text.strip())
    if match is None:
        raise ConfigError("not a key", found=repr(text), hint='write it like "F# minor" or "Bb major"')
    is_minor = match[2].lower() in ("m", "min", "minor") or (not match[2] and match[1][0].islower())
    return pitch_class(match[1].capitalize()), is_minor


def estimate_key(pitch_class_weights: ArrayLike) -> tuple[int, bool, float]:
    """The likeliest key of 12 weights (durations or counts from C): tonic, whether minor, correlation -1..1.

    The key whose profile correlates best with the weights (Krumhansl and Schmuckler, in Krumhansl 1990, chapter 4).
    Weights that are all equal suggest no key: C major with correlation 0.
    """
    weights = np.asarray(pitch_class_weights, np.float64)
    if np.ptp(weights) == 0:
        return 0, False, 0.0
    keys = product((MAJOR_PROFILE, MINOR_PROFILE), range(12))
    profiles = np.array([np.roll(profile, tonic) for profile, tonic in keys])
    correlations = np.corrcoef(weights, profiles)[0, 1:]
    best = int(np.argmax(correlations))
    return best % 12, best >= 12, float(correlations[best])


def parse_program(text: str) -> int:
    """The General MIDI program of a number, a name or a part of one ("violin", "string ens"); raises ConfigError.

    Of several the first whose words begin with those given counts: "piano" is the acoustic grand.
    """
    wanted = text.strip().lower()
    if wanted.isdecimal() and int(wanted) < len(PROGRAM_NAMES):
        return int(wanted)
    names = [name.lower() for name in PROGRAM_NAMES]
    if wanted in names:
        return names.index(wanted)
    parts = wanted.removesuffix("s") if len(wanted) > 3 else wanted
    found = [program for program, name in enumerate(names) if parts and re.search(rf"\b{re.escape(parts)}", name)]
    if not found:
        raise ConfigError("not an instrument", found=repr(text), hint='"piano", "Violin" or a number 0 to 127')
    return found[0]
