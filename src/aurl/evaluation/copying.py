"""Copying: the longest passages that a piece shares with others, in any key and at any tempo.

A *line* is a sequence of notes, one after another: the `melody` (`aurl.studies.melody.find_melody`) or the `texture`,
all pitched notes, a chord from its lowest note up and a pitch doubled in it once. Notes at most `TOGETHER` beats after
the one before are of one chord. A *step* leads from a note to the next: by an interval, within a chord or on to another
time. Two passages *match* when their steps have the same intervals, lie in chords at the same places, and the ratio of
each time between onsets to the one before it is the same within `RATIO_TOLERANCE`. So transposition and tempo, half and
double time among them, do not matter; loudness, lengths of notes and instruments are not heard. A match is as long as
its notes are many; passages of fewer than `RUN` + 1 notes are not looked for, and count as 0.

Music shares repeated notes, scales and cadences with all other music of its kind, and the longer it is, the more. So a
length tells nothing by itself: it is judged beside what human music, held out and of like length, shares with the same
pieces.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from aurl.evaluation.statistics import Interval, bootstrap
from aurl.music.score import Notes, Score
from aurl.studies.melody import find_melody
from aurl.utils.errors import CorpusError

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Line = tuple[Floats, Ints]
"""Of each note, when it begins, in quarter notes, and its pitch."""
TOGETHER = 1 / 64
"""Quarter notes; at 120 bpm 8 ms. Little, so that grace notes stay apart at double tempo too."""
RATIO_TOLERANCE = 0.3
"""In powers of two, 23 %: a half of the way from even to dotted, three quarters of that from 1:1 to 4:3."""
RUN = 5
"""Steps that are looked up at once."""
STEP_BITS = 9
"""Of a step: its interval, -127..127, and whether it leads on in time; `RUN` of them are one integer."""
PAIRS = 1 << 20
"""Pairs of equal runs that are followed, rare runs first; bounds the time and memory that a piece takes."""
UPPER_SHARE = 0.05
"""Of held-out pieces that lie above their 95 % quantile."""
END_OF_PIECE, END_OF_QUERY = -1, -2
"""In place of a step after the last note; equal to no step, nor to each other."""


@dataclass(frozen=True)
class Match:
    """A passage that two pieces share."""

    notes: int
    beat: float
    """Where it begins, in quarter notes from the start."""
    source: int
    """The other piece, by its number in the index."""
    source_beat: float
    """Where it begins there."""
    semitones: int
    """How much higher it is than there."""


@dataclass(frozen=True)
class _Lines:
    """Lines of some pieces end to end; step i leads from note i to note i + 1."""

    beats: Floats
    pitches: Ints
    starts: Ints
    """The first note of each piece."""
    steps: Ints
    """What must be equal, for the last note of a piece its end."""
    ratios: Floats
    """Of the time that a step takes to that of the last step before it that takes any, in powers of two."""
    before: Ints
    """The last step before each that takes time; -1 for none in its piece."""

    @classmethod
    def of(cls, lines: Sequence[Line], end: int) -> _Lines:
        """Of beats and pitches by piece; `end` is END_OF_PIECE or END_OF_QUERY."""
        beats = np.concatenate([np.zeros(0), *(line[0] for line in lines)])
        pitches = np.concatenate([np.zeros(0, np.int64), *(line[1] for line in lines)])
        counts = np.array([len(line[0]) for line in lines], np.int64)
        last = (np.cumsum(counts) - 1)[counts > 0]
        times, intervals = np.diff(beats, append=0), np.diff(pitches, append=0)
        times[last] = 0
        moving = np.flatnonzero(times > 0)
        before = np.full(len(beats), -1)
        before[moving[1:]] = moving[:-1]
        starts = np.cumsum(counts) - counts
        before[before < np.repeat(starts, counts)] = -1
        ratios = np.zeros(len(beats))
        ratios[moving] = np.diff(np.log2(times[moving]), prepend=0)
        steps = (intervals + 127) * 2 + (times > 0)
        steps[last] = end
        return cls(beats, pitches, starts, steps, ratios, before)

    def runs(self) -> tuple[Ints, Ints]:
        """Each run of RUN steps as one integer, and the note with which it begins."""
        if len(self.steps) <= RUN:
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        windows = np.lib.stride_tricks.sliding_window_view(self.steps, RUN)
        whole = np.flatnonzero(windows.min(axis=1) >= 0)
        return windows[whole] @ (1 << STEP_BITS * np.arange(RUN)), whole


@dataclass(frozen=True)
class _Passages:
    """Matches of a piece with those of an index: first notes on both sides, and numbers of notes."""

    here: Ints
    there: Ints
    notes: Ints


class LineIndex:
    """One line of many pieces, in which passages are found."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self._lines = _Lines.of(lines, END_OF_PIECE)
        runs, places = self._lines.runs()
        order = np.argsort(runs, kind="stable")
        self._runs, self._places = runs[order], places[order].astype(np.int32)

    def longest(self, line: Line) -> Match | None:
        """The longest match of a line; of equal ones the first in the first piece. None where there is none."""
        query = _Lines.of([line], END_OF_QUERY)
        found = self._passages(query)
        if not len(found.notes):
            return None
        at = np.lexsort((found.here, found.there, -found.notes))[0]
        here, there = found.here[at], found.there[at]
        source = self._piece(there)
        return Match(
            notes=int(found.notes[at]),
            beat=float(query.beats[here]),
            source=int(source),
            source_beat=float(self._lines.beats[there]),
            semitones=int(query.pitches[here] - self._lines.pitches[there]),
        )

    def lengths(self, line: Line) -> Ints:
        """The notes of the longest match of a line with each piece, 0 for none."""
        found = self._passages(_Lines.of([line], END_OF_QUERY))
        lengths = np.zeros(len(self._lines.starts), np.int64)
        np.maximum.at(lengths, self._piece(found.there), found.notes)
        return lengths

    def _piece(self, notes: Ints) -> Ints:
        return np.asarray(np.searchsorted(self._lines.starts, notes, side="right") - 1)

    def _passages(self, query: _Lines) -> _Passages:
        """All matches of a piece that are not part of a longer one."""
        here, there = self._equal_runs(query)
        steps = self._lines.steps
        back = _agreement(query.steps, steps, here, there, -1)
        here, there = np.divmod(np.unique((here - back) * len(steps) + there - back), max(1, len(steps)))
        return _in_rhythm(query, self._lines, here, there, _agreement(query.steps, steps, here, there, 1))

    def _equal_runs(self, query: _Lines) -> tuple[Ints, Ints]:
        """Notes with which runs begin that are equal here and there, but for what follows another equal run."""
        runs, here = query.runs()
        first = np.searchsorted(self._runs, runs)
        counts = np.searchsorted(self._runs, runs, side="right") - first
        rare = np.argsort(counts, kind="stable")
        kept = rare[np.cumsum(counts[rare]) <= PAIRS]
        first, counts, here = first[kept], counts[kept], here[kept]
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        here, there = np.repeat(here, counts), self._places[np.repeat(first, counts) + within].astype(np.int64)
        looked_up = np.zeros(len(query.steps), bool)
        looked_up[query.runs()[1][kept]] = True
        leads = (query.steps[here - 1] != self._lines.steps[there - 1]) | ~looked_up[here - 1]
        return here[leads], there[leads]


class CopyIndex:
    """The lines of many pieces, in which a piece is looked for; 1.3 million notes take 40 MB."""

    def __init__(self, pieces: Iterable[Score]) -> None:
        read = [{name: line_of(score) for name, line_of in LINES.items()} for score in pieces]
        self.lines = {name: LineIndex([lines[name] for lines in read]) for name in LINES}

    def longest(self, piece: Score) -> dict[str, Match | None]:
        """The longest match of each line of a piece."""
        return {name: self.lines[name].longest(line_of(piece)) for name, line_of in LINES.items()}

    def lengths(self, pieces: Iterable[Score]) -> dict[str, Ints]:
        """The notes of the longest match of each piece, by line; 0 for none."""
        found = [self.longest(piece) for piece in pieces]
        return {name: np.array([m.notes if (m := match[name]) else 0 for match in found], np.int64) for name in LINES}


def melody(score: Score) -> Line:
    """Beats and pitches of the melody."""
    return _line(score, score.notes.take(find_melody(score)))


def texture(score: Score) -> Line:
    """Beats and pitches of all pitched notes, chords from their lowest note up."""
    return _line(score, score.notes.take(score.is_pitched))


LINES: Mapping[str, Callable[[Score], Line]] = {"melody": melody, "texture": texture}


@dataclass(frozen=True)
class Spread:
    """How a length is spread over some pieces."""

    pieces: int
    median: float
    upper: float
    """Above which 5 % of them lie."""
    most: float

    @classmethod
    def of(cls, lengths: Ints) -> Spread:
        """Of the length of each piece."""
        return cls(len(lengths), float(np.median(lengths)), float(np.quantile(lengths, 0.95)), float(lengths.max()))


@dataclass(frozen=True)
class LineCopying:
    """What generated pieces share with a corpus in one line, beside what held-out human music does."""

    generated: Spread
    held_out: Spread
    median_difference: Interval
    """Generated less held-out, notes."""
    upper_difference: Interval
    """The same of the 95 % quantiles."""
    share_above: Interval
    """Of the generated pieces above the 95 % quantile of held-out music, of which 0.05 lie there."""

    @property
    def passed(self) -> bool:
        """Whether copying more than human music does is not shown at the level of the intervals."""
        return self.median_difference.low <= 0 and self.share_above.low <= UPPER_SHARE


def copying_report(
    generated: Sequence[Score], held_out: Sequence[Score], index: CopyIndex, *, seed: int = 0
) -> dict[str, LineCopying]:
    """For each line, the longest matches with the pieces of `index`; raises CorpusError where there are no pieces."""
    if not generated or not held_out:
        found = f"{len(generated)} generated, {len(held_out)} held out"
        raise CorpusError("copying is judged beside held-out music", found=found, hint="give pieces of both")
    ours, theirs = index.lengths(generated), index.lengths(held_out)
    return {name: compare_lengths(ours[name], theirs[name], seed=seed) for name in LINES}


def compare_lengths(generated: Ints, held_out: Ints, *, seed: int = 0) -> LineCopying:
    """Longest matches of generated pieces beside those of held-out ones, both drawn anew for the intervals."""
    rows = np.stack([np.append(generated, held_out), np.arange(len(generated) + len(held_out)) < len(generated)], 1)

    def interval(statistic: Callable[[Floats, Floats], float]) -> Interval:
        return bootstrap(rows, lambda drawn: _of_two(statistic, drawn), seed=seed)

    return LineCopying(
        generated=Spread.of(generated),
        held_out=Spread.of(held_out),
        median_difference=interval(lambda ours, theirs: float(np.median(ours) - np.median(theirs))),
        upper_difference=interval(lambda ours, theirs: float(np.quantile(ours, 0.95) - np.quantile(theirs, 0.95))),
        share_above=interval(lambda ours, theirs: float((ours > np.quantile(theirs, 0.95)).mean())),
    )


def self_similarity(pieces: Sequence[Score], *, seed: int = 0) -> dict[str, Interval]:
    """By line, the longest match of two pieces of a set, notes, over all pairs: the more, the less diverse the set.

    Sets of any number of pieces can be compared, so long as the pieces are of like length. Raises CorpusError for
    fewer than two.
    """
    if len(pieces) < 2:
        raise CorpusError("diversity is of many pieces", found=f"{len(pieces)}", hint="give more pieces")
    found = {}
    for name, line_of in LINES.items():
        lines = [line_of(piece) for piece in pieces]
        index = LineIndex(lines)
        table = np.stack([index.lengths(line) for line in lines])
        found[name] = bootstrap(np.arange(len(pieces))[:, None], partial(_mean_of_pairs, table), seed=seed)
    return found


def _mean_of_pairs(table: Ints, drawn: Floats) -> float:
    """The mean over all pairs of drawn pieces that are not one piece; nan where there are none."""
    rows = drawn[:, 0].astype(np.int64)
    different = rows[:, None] != rows
    return float(table[np.ix_(rows, rows)][different].mean()) if different.any() else math.nan


def _of_two(statistic: Callable[[Floats, Floats], float], rows: Floats) -> float:
    """Of the lengths of generated and held-out pieces; nan where a draw lacks one of them."""
    is_ours = rows[:, 1] > 0
    ours, theirs = rows[is_ours, 0], rows[~is_ours, 0]
    return statistic(ours, theirs) if len(ours) and len(theirs) else math.nan


def _line(score: Score, notes: Notes) -> Line:
    """Notes in order of chord and pitch, each pitch of a chord once, at the time at which the chord begins."""
    beats = score.tempo_map.ticks_to_beats(notes.onset)
    chords = np.cumsum(np.diff(beats, prepend=beats[:1]) > TOGETHER)
    keys = np.unique(chords * 128 + notes.pitch)
    firsts = beats[np.flatnonzero(np.diff(chords, prepend=-1))]
    return firsts[keys >> 7], keys & 127


def _agreement(query: Ints, steps: Ints, here: Ints, there: Ints, direction: int) -> Ints:
    """How many steps agree from those given on, or, in direction -1, before them; ends of pieces agree with none."""
    counts = np.zeros(len(here), np.int64)
    active = np.arange(len(here))
    shift = min(direction, 0)
    while len(active):
        active = active[query[here[active] + shift] == steps[there[active] + shift]]
        counts[active] += 1
        shift += direction
    return counts


def _in_rhythm(query: _Lines, index: _Lines, here: Ints, there: Ints, steps: Ints) -> _Passages:
    """Passages of equal steps, divided where the rhythm differs.

    The ratio at a step is of two times. So a passage that begins between the two is free of it: after a step out of
    rhythm the next passage begins at the chord from which that step leads on.
    """
    owner = np.repeat(np.arange(len(here)), steps)
    within = np.arange(len(owner)) - np.repeat(np.cumsum(steps) - steps, steps)
    at = here[owner] + within
    before = query.before[at]
    differs = np.abs(query.ratios[at] - index.ratios[there[owner] + within]) > RATIO_TOLERANCE
    broken = np.flatnonzero((query.steps[at] % 2 == 1) & (before >= here[owner]) & differs)
    owners = np.append(np.arange(len(here)), owner[broken])
    order = np.argsort(owners, kind="stable")
    owners = owners[order]
    starts = np.append(here, before[broken] + 1)[order]
    cuts = np.append(here, at[broken])[order]
    ends = np.append(cuts[1:], 0)
    last = np.diff(owners, append=-1) != 0
    ends[last] = (here + steps)[owners[last]]
    notes = ends - starts + 1
    long = notes > RUN
    return _Passages(starts[long], (starts + (there - here)[owners])[long], notes[long])
