"""Labels of POP909: expert chords (POP909-CL), and phrases (Dai, Zhang and Dannenberg 2020).

`001.cl.mid` holds the arrangement, its keys as signatures and, as a second track, each chord as block notes.
`001.struct1.txt`
says "i4A4B8": letters of phrases and their bars of four beats. These bars are counted on the grid of
`001.dai_melody.txt` (lines "pitch sixteenths"), not on the file's, so the melody has to be found in the music first.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from itertools import accumulate, pairwise

import numpy as np
from numpy.typing import NDArray

from aurl.data.labelling.base import Given, Spans, expecting, without_gaps
from aurl.music.chords import INTERVALS, Chord
from aurl.music.score import Array, Score, TextKind
from aurl.music.theory import key_name
from aurl.utils.errors import CorpusError

MIN_BLOCK = 2.5
"""Notes that begin together on a track of chords, on average."""
MELODY_SUFFIX = ".dai_melody.txt"
SIXTEENTHS_PER_BAR = 16
SEARCHED_SIXTEENTHS = 8 * SIXTEENTHS_PER_BAR
"""How far the melody's grid may be from the file's."""
MIN_MATCH = 0.6
"""Share of the melody's notes that must be found where the grid puts them."""
MAX_MELODY = 10_000
"""Most notes of a melody."""
_SECTION = re.compile(r"([A-Za-z])(\d+)")


def split_chord_track(score: Score) -> tuple[Score, Given]:
    """The music without its track of chords, the second of two, and these; raises CorpusError if it is none."""
    names = ", ".join(track.name for track in score.tracks)
    if len(score.tracks) != 2:
        raise CorpusError("not music and a track of chords", found=names or "nothing")
    played = score.notes.take(score.notes.track == 1)
    onsets, first = np.unique(played.onset, return_index=True)
    if len(played) < MIN_BLOCK * len(onsets) or not len(played):
        raise CorpusError("the second track plays no chords", found=names)
    ends = np.maximum.reduceat(played.end, first) / score.ticks_per_beat
    symbols = [_heard(pitches).symbol for pitches in np.split(played.pitch, first[1:])]
    spans = list(zip((onsets / score.ticks_per_beat).tolist(), ends.tolist(), symbols, strict=True))
    return _first_track(score), Given({"chord": without_gaps(spans), **_keys(score)})


def _keys(score: Score) -> dict[TextKind, Spans]:
    """The key signatures, which the experts set, as keys."""
    signatures = score.key_signatures
    starts = (signatures.time / score.ticks_per_beat).tolist()
    names = [
        key_name((7 * int(sharps) + 9 * bool(is_minor)) % 12, bool(is_minor))
        for sharps, is_minor in zip(signatures.sharps, signatures.is_minor, strict=True)
    ]
    spans = list(zip(starts, [*starts[1:], math.inf], names, strict=True)) if names else []
    return {"key": spans} if spans else {}


def _heard(pitches: Array) -> Chord:
    """The chord of notes that sound together: of those with the same tones, the one with its root in the bass."""
    tones = {int(pitch) % 12 for pitch in pitches}
    bass = int(pitches.min()) % 12
    for root in sorted(tones, key=lambda tone: (tone - bass) % 12):
        above = {(tone - root) % 12 for tone in tones}
        for quality, intervals in INTERVALS.items():
            if above == set(intervals):
                return Chord(root, quality, bass)
    return _closest(tones, bass)


def _closest(tones: set[int], bass: int) -> Chord:
    """The chord most of whose tones are among `tones`, with as few others as can be."""
    roots = sorted(tones, key=lambda tone: (tone - bass) % 12)
    choices = [Chord(root, quality, bass) for root in roots for quality in INTERVALS]

    def distance(chord: Chord) -> int:
        assert chord.root is not None
        return len({(chord.root + interval) % 12 for interval in INTERVALS[chord.quality]} ^ tones)

    return min(choices, key=distance)


def _first_track(score: Score) -> Score:
    tables = {name: getattr(score, name) for name in ("notes", "controls", "pitch_bends", "texts")}
    kept = {name: table.take(table.track < 1) for name, table in tables.items()}
    return score.replace(tracks=score.tracks[:1], **kept)


def read_sections(content: bytes, score: Score, beside: Mapping[str, bytes]) -> Given:
    """The phrases of a `.struct1.txt`, placed by the melody beside it; raises CorpusError where they do not fit."""
    text = content.decode("ascii", "replace").strip()
    parts = _SECTION.findall(text)
    if not parts or "".join(map("".join, parts)) != text:
        raise CorpusError("not a list of phrases", found=repr(text[:40]))
    if MELODY_SUFFIX not in beside:
        raise CorpusError(f"phrases without the {MELODY_SUFFIX} on whose grid they are counted")
    shift = _find_melody(_melody(beside[MELODY_SUFFIX]), score)
    bars = [0, *accumulate(float(count) for _, count in parts)]
    beats = [4 * bar + shift / 4 for bar in bars]
    spans = [(max(start, 0.0), end, name) for (start, end), (name, _) in zip(pairwise(beats), parts, strict=True)]
    return Given({"section": spans})


def _melody(content: bytes) -> NDArray[np.int64]:
    """Onset in sixteenths and pitch of each note: int64[n, 2]."""
    lines = [line.split() for line in content.splitlines() if line.strip()]
    if len(lines) > MAX_MELODY:
        raise CorpusError("too long a melody", found=f"{len(lines)} notes")
    with expecting("a melody"):
        rows = np.array(lines, np.int64)
        onsets = np.concatenate([[0], np.cumsum(rows[:, 1])[:-1]])
    return np.stack([onsets, rows[:, 0]], axis=1)[rows[:, 0] > 0]


def _find_melody(melody: NDArray[np.int64], score: Score) -> int:
    """Sixteenths from the start of the file to the melody's grid, so that most of its notes are found."""
    sixteenths = score.notes.onset * (4 / score.ticks_per_beat)
    before = np.floor(sixteenths).astype(np.int64)  # hands play early and late, but on the whole near the grid
    close, nearest = np.stack([before, before + 1]), np.rint(sixteenths).astype(np.int64)
    shifts = np.arange(-SEARCHED_SIXTEENTHS, SEARCHED_SIXTEENTHS + 1)
    expected = melody[:, 0] * 128 + melody[:, 1] + shifts[:, None] * 128
    if not len(melody):
        raise CorpusError("the phrases' melody has no notes")
    found, exact = (np.isin(expected, played * 128 + score.notes.pitch).mean(axis=1) for played in (close, nearest))
    best = int((found + exact).argmax())
    if found[best] < MIN_MATCH:
        raise CorpusError("the phrases' melody is not in the music", found=f"{found[best]:.0%} of its notes")
    return int(shifts[best])
