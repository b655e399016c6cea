"""Music for the studies to hear: chords in blocks, and scores at random."""

from __future__ import annotations

import numpy as np

from aurl.music.chords import Chord
from aurl.music.score import Notes, Score, TimeSignatures, Track


def block_chords(symbols: list[str], *, beats: int = 4, ticks_per_beat: int = 480, octave: int = 4) -> Score:
    """Each chord held for `beats` with its bass an octave below, three times struck."""
    rows = []
    for index, symbol in enumerate(symbols):
        chord = Chord.parse(symbol)
        if chord.root is None:
            continue
        bass = chord.root if chord.bass is None else chord.bass
        pitches = [12 * octave - 12 + bass, *(12 * octave + 12 + tone for tone in sorted(chord.pitch_classes))]
        rows += [(index * beats + strike, pitch) for strike in range(beats) for pitch in pitches]
    onset, pitch = np.array(rows).T
    held, velocity, track = np.tile([[ticks_per_beat], [80], [0]], len(rows))
    notes = Notes(onset * ticks_per_beat, held, pitch, velocity, track)
    return Score(ticks_per_beat, notes, (Track(),))


def lone_melody() -> Score:
    """An octave up and down the scale, four times, a note to the beat."""
    pitch = [72, 74, 76, 77, 79, 81, 83, 84, 83, 81, 79, 77, 76, 74] * 4
    count = len(pitch)
    onset, held, velocity, track = 480 * np.arange(count), np.full(count, 480), np.full(count, 80), np.zeros(count)
    return Score(480, Notes(onset, held, pitch, velocity, track), (Track(),))


def random_score(seed: int, *, count: int = 200, drums: bool = False) -> Score:
    """Notes anywhere in 40 beats, on two tracks, in a metre of three."""
    rng = np.random.default_rng(seed)
    notes = Notes(
        rng.integers(0, 40 * 96, count), rng.integers(0, 300, count), rng.integers(40, 80, count),
        rng.integers(1, 128, count), rng.integers(0, 2, count),
    )  # fmt: skip
    return Score(96, notes, (Track(), Track(is_drum=drums)), time_signatures=TimeSignatures([0], [3], [4]))


def odd_scores() -> dict[str, Score]:
    """Scores that a study must survive."""

    def one(onset: int, duration: int, tracks: tuple[Track, ...] = (Track(),), ticks_per_beat: int = 480) -> Score:
        return Score(ticks_per_beat, Notes([onset], [duration], [60], [80], [0]), tracks)

    rng = np.random.default_rng(0)
    many = 100_000
    crowd = Notes(
        rng.integers(0, 480_000, many), rng.integers(0, 480_000, many), rng.integers(0, 128, many),
        np.full(many, 64), np.zeros(many),
    )  # fmt: skip
    return {
        "empty": Score(),
        "drums only": one(0, 480, (Track(is_drum=True),)),
        "one note": one(0, 480),
        "one note without length": one(0, 0),
        "one note after 1,000 hours": one(2**31 - 1000, 480),
        "one tick to the beat": one(3, 5, ticks_per_beat=1),
        "100,000 notes": Score(480, crowd, (Track(),)),
    }
