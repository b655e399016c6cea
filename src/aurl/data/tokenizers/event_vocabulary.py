"""The 774 values of an `event` token, and the scales behind them.

4 special, 88 note-ons and 88 note-offs (A0..C8), 512 time shifts of 1/64 s, 32 velocities, 2 sustain-pedal states,
32 tempos, 16 instruments, in this order. Constants name the first value of each range.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from aurl.data.tokenizers.vocabulary import Field, Vocabulary
from aurl.music.score import Track

START, END, PAD, UNKNOWN = range(4)
NOTE_ON = 4
NOTE_OFF = 92
SHIFT = 180
"""Time passes by 1 step of 1/64 s; the values after it pass more, up to LONGEST_SHIFT."""
VELOCITY = 692
SUSTAIN_ON, SUSTAIN_OFF = 724, 725
TEMPO = 726
INSTRUMENT = 758
SIZE = 774

STEPS_PER_SECOND = 64
LONGEST_SHIFT = VELOCITY - SHIFT
LOWEST_PITCH = 21
PITCH_COUNT = NOTE_OFF - NOTE_ON
VELOCITY_COUNT = SUSTAIN_ON - VELOCITY
VELOCITY_SHIFT = 2
"""A velocity's bin is `velocity >> 2`; a bin `b` sounds as `4 * b + 2`, its middle."""
TEMPO_COUNT = INSTRUMENT - TEMPO
INSTRUMENT_COUNT = SIZE - INSTRUMENT
DEFAULT_VELOCITY_BIN = 16
"""Loudness of notes before the first velocity token, as in a window cut out of a piece."""

METRONOME_BPM = (
    60, 63, 66, 69, 72, 76, 80, 84, 88, 90, 92, 96, 100, 104, 108, 110,
    112, 116, 120, 126, 130, 132, 138, 140, 144, 152, 160, 168, 176, 184, 192, 200,
)  # fmt: skip
"""The tempos: marks of a metronome, with the round numbers of a sequencer between them."""
BPM = np.array(METRONOME_BPM, np.int64)
MICROSECONDS_PER_BEAT = np.rint(60e6 / BPM).astype(np.int64)
DEFAULT_TEMPO_BIN = METRONOME_BPM.index(120)
_BPM_EDGES = np.sqrt(BPM[1:] * BPM[:-1])
"""Between two tempos, their geometric mean: the nearer one in the logarithm wins."""

FAMILIES = (
    "Piano", "Chromatic Percussion", "Organ", "Guitar", "Bass", "Strings", "Ensemble", "Brass", "Reed", "Pipe",
    "Synth Lead", "Synth Pad", "Synth Effects", "Ethnic", "Percussive", "Drums",
)  # fmt: skip
"""General MIDI's families of 8 programs, but that sound effects join the synth effects and drums take their place."""
DRUMS = len(FAMILIES) - 1
_SYNTH_EFFECTS = FAMILIES.index("Synth Effects")


def instrument_of(track: Track) -> int:
    """The instrument 0..15 that plays a track."""
    if track.is_drum:
        return DRUMS
    family = track.program // 8
    return _SYNTH_EFFECTS if family == DRUMS else family


def track_of(instrument: int) -> Track:
    """The track that an instrument plays: the first program of its family, or drums."""
    drums = instrument == DRUMS
    return Track(0 if drums else 8 * instrument, drums, FAMILIES[instrument])


def tempo_bins(microseconds_per_beat: NDArray[np.int32]) -> NDArray[np.int64]:
    """The nearest of the 32 tempos, in the logarithm; the ends of the scale take what lies beyond them."""
    bpm = 60e6 / np.maximum(microseconds_per_beat, 1)
    return np.asarray(np.searchsorted(_BPM_EDGES, bpm))


def velocities(bins: NDArray[Any]) -> NDArray[np.uint8]:
    """The MIDI velocity of each bin."""
    return np.asarray((bins << VELOCITY_SHIFT) + (1 << VELOCITY_SHIFT - 1), np.uint8)


def event_vocabulary() -> Vocabulary:
    """The names of all values; pitches as MIDI numbers, shifts in steps, velocities and tempos as they sound."""
    pitches = range(LOWEST_PITCH, LOWEST_PITCH + PITCH_COUNT)
    loudness = velocities(np.arange(VELOCITY_COUNT)).tolist()
    names = ["start", "end", "pad", "unknown"]
    names += [f"note_on:{pitch}" for pitch in pitches] + [f"note_off:{pitch}" for pitch in pitches]
    names += [f"shift:{steps}" for steps in range(1, LONGEST_SHIFT + 1)]
    names += [f"velocity:{velocity}" for velocity in loudness] + ["sustain:on", "sustain:off"]
    names += [f"tempo:{bpm}" for bpm in METRONOME_BPM] + [f"instrument:{name}" for name in FAMILIES]
    return Vocabulary((Field("event", tuple(names)),))
