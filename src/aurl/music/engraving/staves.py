"""Parts, staves and voices: which note stands where.

Keyboard instruments and harps have two staves where they need them; two tracks of one keyboard that are its two hands
become one part. The line between the hands is the cheapest path through the piece (Viterbi 1967): it costs to play
wider than an octave and two, to go far beyond middle C, and to move. Within a staff, notes that begin and end together
are a chord; chords that overlap get voices, the first the highest, as few as hold them all.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from aurl.music.engraving.page import Page
from aurl.music.score import Track

Ints = NDArray[np.int64]
KEYBOARDS = frozenset([*range(9), 10, *range(16, 22), 46])
"""Programs that are written on two staves: pianos, clavinet, celesta, organs, accordion, harp."""
SPLITS = np.arange(40, 81)
"""Pitches at which the right hand may begin."""
EASY_SPAN, MIDDLE_C = 14, 60
LEFT_TOP, RIGHT_BOTTOM = 67, 55
"""Beyond these a hand's notes need many ledger lines."""
MOST_HELD_TWICE = 0.02
"""Share of the notes that two hands may strike while the other holds them."""
CLEFS = {
    "treble": ("G", 2, 0, 71), "bass": ("F", 4, 0, 50), "alto": ("C", 3, 0, 60), "percussion": ("percussion", 2, 0, 71),
    "treble below": ("G", 2, -1, 59), "bass below": ("F", 4, -1, 38), "treble above": ("G", 2, 1, 83),
}  # fmt: skip
"""Sign, line, octaves by which it sounds off, and the pitch on the middle line."""
CLEFS_OF_PROGRAMS = (
    (range(24, 32), ("treble below",)), (range(32, 40), ("bass below",)), (range(41, 42), ("alto", "treble")),
    (range(43, 44), ("bass below",)), (range(72, 73), ("treble above",)), (range(9, 10), ("treble above",)),
)  # fmt: skip
"""Clefs in which instruments are written that do not use treble or bass as they fit."""


class Chord(NamedTuple):
    """Notes that begin and end together: steps, and rows of the score's note table, from the lowest pitch up."""

    start: int
    end: int
    notes: tuple[int, ...]


@dataclass
class Staff:
    """A staff: its clef, and its voices, each a list of chords that do not overlap."""

    clef: str
    voices: list[list[Chord]]


@dataclass
class Part:
    """An instrument on the page; `tracks` are those of the score, one but for a keyboard's hands."""

    tracks: list[int]
    track: Track
    staves: list[Staff]


def make_parts(page: Page) -> list[Part]:
    """The parts of a score, for tracks that have notes."""
    notes, tracks = page.score.notes, page.score.tracks
    rows = {int(track): np.flatnonzero(notes.track == track) for track in np.unique(notes.track)}
    parts, playing = [], list(rows)
    while playing:
        first, *rest = playing
        if rest and _are_hands(page, tracks[first], rows[first], tracks[rest[0]], rows[rest[0]]):
            hands, playing = [rows[first], rows[rest[0]]], rest[1:]
            parts.append(Part([first, rest[0]], tracks[first], [_staff(page, hand, tracks[first]) for hand in hands]))
            continue
        hands, playing = _hands(page, tracks[first], rows[first]), rest
        parts.append(Part([first], tracks[first], [_staff(page, hand, tracks[first]) for hand in hands]))
    return parts


def _are_hands(page: Page, upper: Track, right: Ints, lower: Track, left: Ints) -> bool:
    """Whether two tracks of one keyboard are its right and its left hand, which hardly ever hold the same key."""
    if upper.is_drum or lower.is_drum or upper.program != lower.program or upper.program not in KEYBOARDS:
        return False
    pitch = page.score.notes.pitch
    rows = np.concatenate([right, left])
    rows = rows[np.lexsort((page.onset[rows], pitch[rows]))]
    held = (pitch[rows[1:]] == pitch[rows[:-1]]) & (page.onset[rows[1:]] < page.end[rows[:-1]])
    are_apart = np.percentile(pitch[right], 10) >= RIGHT_BOTTOM - 5 and np.percentile(pitch[left], 90) <= LEFT_TOP + 5
    return bool(are_apart and held.mean() <= MOST_HELD_TWICE)


def _hands(page: Page, track: Track, rows: Ints) -> list[Ints]:
    """The rows of each staff of a track."""
    pitch = page.score.notes.pitch[rows]
    low, high = np.percentile(pitch, (10, 90))
    if track.is_drum or track.program not in KEYBOARDS or low >= RIGHT_BOTTOM or high <= MIDDLE_C:
        return [rows]
    is_right = split_hands(page.onset[rows], pitch.astype(np.int64))
    return [rows[is_right], rows[~is_right]] if is_right.any() and not is_right.all() else [rows]


def split_hands(onset: Ints, pitch: Ints) -> NDArray[np.bool_]:
    """For each note, in order of onset, whether the right hand plays it."""
    starts, which = np.unique(onset, return_inverse=True)
    is_right = pitch[:, None] >= SPLITS
    cost = np.zeros((len(starts), len(SPLITS)))
    beyond = np.where(is_right, np.maximum(RIGHT_BOTTOM - pitch[:, None], 0), np.maximum(pitch[:, None] - LEFT_TOP, 0))
    np.add.at(cost, which, 0.3 * beyond)
    for hand in (is_right, ~is_right):
        highest, lowest = np.full(cost.shape, -999), np.full(cost.shape, 999)
        np.maximum.at(highest, which, np.where(hand, pitch[:, None], -999))
        np.minimum.at(lowest, which, np.where(hand, pitch[:, None], 999))
        cost += np.maximum(highest - lowest - EASY_SPAN, 0)
    cost += 0.02 * np.abs(SPLITS - MIDDLE_C)
    return np.asarray(pitch >= SPLITS[_cheapest_path(cost)][which])


def _cheapest_path(cost: NDArray[np.float64]) -> Ints:
    """The column for each row that costs least in all, where a step to another column costs its distance."""
    moving = 0.4 * np.abs(SPLITS[:, None] - SPLITS)
    total, origins = cost[0], np.zeros(cost.shape, np.int64)
    for row in range(1, len(cost)):
        ways = total[:, None] + moving
        origins[row] = ways.argmin(0)
        total = ways.min(0) + cost[row]
    path = np.empty(len(cost), np.int64)
    path[-1] = total.argmin()
    for row in range(len(cost) - 1, 0, -1):
        path[row - 1] = origins[row, path[row]]
    return path


def _staff(page: Page, rows: Ints, track: Track) -> Staff:
    """One staff with these notes."""
    return Staff(_clef(page.score.notes.pitch[rows], track), separate(_chords(page, rows), page.score.notes.pitch))


def _clef(pitch: NDArray[np.uint8], track: Track) -> str:
    """The clef whose middle line is nearest to the notes, of those that the instrument is written in."""
    if track.is_drum:
        return "percussion"
    names = next((names for programs, names in CLEFS_OF_PROGRAMS if track.program in programs), ("treble", "bass"))
    return min(names, key=lambda name: float(np.abs(pitch.astype(np.int64) - CLEFS[name][3]).mean()))


def _chords(page: Page, rows: Ints) -> list[Chord]:
    """Chords in order of start, the highest first; a pitch that is there twice begins a chord of its own."""
    pitch = page.score.notes.pitch
    found: dict[tuple[int, int, int], list[int]] = {}
    seen: dict[tuple[int, int, int], int] = {}
    for row in rows.tolist():
        start, end = int(page.onset[row]), int(page.end[row])
        again = seen[start, end, int(pitch[row])] = seen.get((start, end, int(pitch[row])), -1) + 1
        found.setdefault((start, end, again), []).append(row)
    chords = [Chord(s, e, tuple(sorted(notes, key=lambda r: int(pitch[r])))) for (s, e, _), notes in found.items()]
    return sorted(chords, key=lambda chord: (chord.start, -int(pitch[chord.notes[-1]]), chord.end))


def separate(chords: Iterable[Chord], pitch: NDArray[np.uint8]) -> list[list[Chord]]:
    """Chords in order of start as voices from the highest down, each without overlaps, as few as possible."""
    voices: list[list[Chord]] = []
    for group in _overlapping(chords):
        heights = {chord: float(np.mean([pitch[note] for note in chord.notes])) for chord in group}
        found: list[list[Chord]] = []
        for chord in group:
            free = [voice for voice in found if voice[-1].end <= chord.start]
            if free:
                min(free, key=lambda voice: abs(heights[voice[-1]] - heights[chord])).append(chord)
            else:
                found.append([chord])
        found.sort(key=lambda voice: -float(np.mean([heights[chord] for chord in voice])))
        voices += [[] for _ in range(len(found) - len(voices))]
        for voice, part in zip(voices, found, strict=False):
            voice.extend(part)
    return voices


def _overlapping(chords: Iterable[Chord]) -> Iterable[list[Chord]]:
    """Runs of chords between which nothing sounds on."""
    group: list[Chord] = []
    end = 0
    for chord in chords:
        if group and chord.start >= end:
            yield group
            group = []
        group.append(chord)
        end = max(end, chord.end)
    if group:
        yield group
