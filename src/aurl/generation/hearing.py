"""What has been heard of pieces that are being written, row by row: the place in the music and the notes so far.

Steps are those of the metrical grid, 24 to the quarter, from the beginning of the piece. Music is heard in the order in
which its rows come, which within a bar need not be that of time: after `fill:k` the bar begins anew for one track.
Questions about what sounds are therefore answered from the notes of each track, never from a running clock. What stands
between `future` and `now` is later music and is not heard; the metre that it leaves is in force after it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from copy import copy
from typing import Any

import numpy as np
from jaxtyping import Int

from aurl.data.tokenizers.note_vocabulary import (
    COMMON_METRE,
    DEFAULT_TEMPO,
    DRUM_KIT,
    HOW_LONG,
    HOW_LOUD,
    METRE_STEPS,
    SLOTS,
    WHAT,
    WHEN,
    WHO,
    NoteLayout,
)

NONE_YET = -1
_PITCHES = 128


class Labels:
    """Values that hold from a step on; of several at one step the last heard counts."""

    def __init__(self) -> None:
        self.steps: list[int] = []
        self.values: list[int] = []

    def add(self, step: int, value: int) -> None:
        """From `step` on, `value` holds."""
        index = bisect_right(self.steps, step)
        self.steps.insert(index, step)
        self.values.insert(index, value)

    def at(self, step: int) -> int:
        """The value in force at `step`, -1 before the first."""
        index = bisect_right(self.steps, step)
        return self.values[index - 1] if index else NONE_YET

    def __copy__(self) -> Labels:
        twin = Labels()
        twin.steps, twin.values = self.steps.copy(), self.values.copy()
        return twin


class Part:
    """The notes of one track, (pitch, end) by onset in order of time; drums have the pitches of their sounds."""

    def __init__(self) -> None:
        self.onsets: list[int] = []
        self.notes: list[tuple[tuple[int, int], ...]] = []
        self._last_end: list[int] = []
        """Of the notes up to each onset, the last end."""
        self.count = 0
        self.pitch_sum = 0

    def add(self, onset: int, pitch: int, end: int) -> None:
        """A note that sounds from `onset` until `end`."""
        index = bisect_left(self.onsets, onset)
        if index == len(self.onsets) or self.onsets[index] != onset:
            self.onsets.insert(index, onset)
            self.notes.insert(index, ())
            self._last_end.insert(index, self._last_end[index - 1] if index else 0)
        self.notes[index] += ((pitch, end),)
        for later in range(index, len(self.onsets)):
            self._last_end[later] = max(self._last_end[later], end)
        self.count += 1
        self.pitch_sum += pitch

    def at(self, step: int) -> tuple[tuple[int, int], ...]:
        """The notes that begin at `step`, in the order in which they were heard."""
        index = bisect_left(self.onsets, step)
        return self.notes[index] if index < len(self.onsets) and self.onsets[index] == step else ()

    def before(self, step: int) -> tuple[tuple[int, int], ...]:
        """The notes of the last onset before `step`."""
        index = bisect_left(self.onsets, step)
        return self.notes[index - 1] if index else ()

    def sounding(self, step: int) -> list[tuple[int, int]]:
        """The notes that sound at `step`, those that begin there among them."""
        index, found = bisect_right(self.onsets, step) - 1, []
        while index >= 0 and self._last_end[index] > step:
            found += [note for note in self.notes[index] if note[1] > step]
            index -= 1
        return found

    def __copy__(self) -> Part:
        twin = Part()
        twin.onsets, twin.notes, twin._last_end = self.onsets.copy(), self.notes.copy(), self._last_end.copy()
        twin.count, twin.pitch_sum = self.count, self.pitch_sum
        return twin


class HeardPiece:
    """One piece as far as it has been heard."""

    def __init__(self) -> None:
        self.bar = NONE_YET
        """Number of the bar that is being written, from 0; -1 before the first."""
        self.bar_start = 0
        self.bar_length = self._next_length = int(METRE_STEPS[COMMON_METRE])
        self.time = 0
        """Step in the bar of the last row."""
        self.who = 0
        """Of the last row."""
        self.floor = 0
        """The last row's track can say at its time what is at least this; 0 where nothing was said in the bar yet."""
        self.fill = NONE_YET
        """The `who` that alone is being written."""
        self.tempo = DEFAULT_TEMPO
        self.keys, self.chords, self.sections = Labels(), Labels(), Labels()
        self.programs: tuple[int, ...] = ()
        """As declared, DRUM_KIT for drums; track `who` plays number who - 1."""
        self.parts: dict[int, Part] = {}
        """By `who`, those with notes."""
        self.bass = 0
        """The track that had played lowest when the bar began, of those with pitches; 0: none."""
        self.starts: list[int] = []
        """Step at which each bar begins."""
        self.bars: list[list[tuple[int, ...]]] = []
        """The notes of each bar, (when, who, what, how long) in the order in which they were heard."""
        self.filled: set[int] = set()
        """Bars that were not written in order of time."""
        self.notes_before: list[int] = []
        """How many notes stand before each bar."""
        self.note_count = 0
        self.in_future = False

    def is_drum(self, who: int) -> bool:
        """Whether a track plays drums."""
        return 0 < who <= len(self.programs) and self.programs[who - 1] == DRUM_KIT

    @property
    def pitched(self) -> dict[int, Part]:
        """The parts that are not drums."""
        return {who: part for who, part in self.parts.items() if not self.is_drum(who)}

    def _lowest(self) -> int:
        """The track that has played lowest on average; before any has played, the last that is no drum; 0: none."""
        means = {who: part.pitch_sum / part.count for who, part in self.pitched.items()}
        if means:
            return min(means, key=means.__getitem__)
        return max((who for who in range(1, len(self.programs) + 1) if not self.is_drum(who)), default=0)

    def begin_bar(self) -> None:
        """A bar line."""
        if self.bar >= 0:
            self.bar_start += self.bar_length
        self.bar += 1
        self.bar_length = self._next_length
        self.bass = self._lowest()
        self.starts.append(self.bar_start)
        self.bars.append([])
        self.notes_before.append(self.note_count)
        self.fill = NONE_YET
        self._begin_anew(0)

    def begin_fill(self, who: int) -> None:
        """The bar from its beginning, for one track."""
        self.fill = who
        self.filled.add(self.bar)
        self._begin_anew(who)

    def set_metre(self, steps: int) -> None:
        """The length of this bar and of those that follow; in the future, of those that follow."""
        self._next_length = steps
        if not self.in_future:
            self.bar_length = steps

    def add_note(self, row: Sequence[int], pitch: int, steps: int) -> None:
        """A note row that lasts `steps`."""
        onset = self.bar_start + row[WHEN] - 1
        self.parts.setdefault(row[WHO], Part()).add(onset, pitch, onset + steps)
        self.bars[-1].append(tuple(row[: HOW_LONG + 1]))
        self.note_count += 1

    def _begin_anew(self, who: int) -> None:
        self.time, self.who, self.floor = 0, who, 0

    def __copy__(self) -> HeardPiece:
        twin = object.__new__(HeardPiece)
        twin.__dict__.update(self.__dict__)
        twin.keys, twin.chords, twin.sections = copy(self.keys), copy(self.chords), copy(self.sections)
        twin.parts = {who: copy(part) for who, part in self.parts.items()}
        twin.bars = [*self.bars[:-1], *(bar.copy() for bar in self.bars[-1:])]
        twin.filled, twin.notes_before, twin.starts = self.filled.copy(), self.notes_before.copy(), self.starts.copy()
        return twin


class Hearing:
    """b pieces that are being written."""

    def __init__(self, layout: NoteLayout, batch: int) -> None:
        self.layout = layout
        self.pieces = [HeardPiece() for _ in range(batch)]
        self._kinds = [kind for kind in layout.first for _ in layout.names(kind)]
        self._firsts = [layout.first[kind] for kind in self._kinds]
        self._durations: list[int] = [0, *layout.durations.tolist()]

    def hear(self, pieces: Int[np.ndarray, " r"], rows: Int[np.ndarray, "r f"]) -> None:
        """A row of each of `pieces`; a piece may come several times, in order."""
        for piece, row in zip(pieces.tolist(), rows.tolist(), strict=True):
            self._hear(self.pieces[piece], row)

    def select(self, pieces: Int[np.ndarray, " b2"]) -> None:
        """Piece i goes on from what was heard of the old piece `pieces[i]`."""
        old, taken = self.pieces, set[int]()
        self.pieces = []
        for piece in pieces.tolist():
            self.pieces.append(copy(old[piece]) if piece in taken else old[piece])
            taken.add(piece)

    def _hear(self, piece: HeardPiece, row: list[int]) -> None:
        what = row[WHAT]
        if not 0 <= what < len(self._kinds):
            return
        kind, value = self._kinds[what], what - self._firsts[what]
        if kind == "now":
            piece.in_future = False
        elif piece.in_future:
            if kind == "metre":
                piece.set_metre(int(METRE_STEPS[value]))
        elif row[WHEN] > 0:
            self._hear_timed(piece, row, kind, value)
        else:
            _hear_untimed(piece, kind, value)

    def _hear_timed(self, piece: HeardPiece, row: list[int], kind: str, value: int) -> None:
        if piece.bar < 0:
            piece.begin_bar()
        piece.time, piece.who = row[WHEN] - 1, row[WHO]
        piece.floor = row[WHAT] + 1 if kind in ("pitch", "drum") else self.layout.end[kind]
        step = piece.bar_start + piece.time
        if kind in ("pitch", "drum"):
            if 0 < row[WHO] <= SLOTS and 0 < row[HOW_LONG] < len(self._durations) and row[HOW_LOUD] > 0:
                piece.add_note(row, value % _PITCHES, self._durations[row[HOW_LONG]])
        elif kind == "chord":
            piece.chords.add(step, value)
        elif kind == "key":
            piece.keys.add(step, value - 1)
        elif kind == "section":
            piece.sections.add(step, value)
        elif kind == "tempo":
            piece.tempo = value

    def _now(self, labels: str) -> Int[np.ndarray, " b"]:
        return np.array([getattr(piece, labels).at(piece.bar_start + piece.time) for piece in self.pieces], np.int64)

    def _all(self, attribute: str) -> Int[np.ndarray, " b"]:
        return np.array([getattr(piece, attribute) for piece in self.pieces], np.int64)

    @property
    def bar(self) -> Int[np.ndarray, " b"]:
        """Number of each piece's bar, -1 before the first."""
        return self._all("bar")

    @property
    def bar_start(self) -> Int[np.ndarray, " b"]:
        """Step at which that bar begins."""
        return self._all("bar_start")

    @property
    def bar_length(self) -> Int[np.ndarray, " b"]:
        """Steps of that bar."""
        return self._all("bar_length")

    @property
    def time(self) -> Int[np.ndarray, " b"]:
        """Step in the bar of the last row."""
        return self._all("time")

    @property
    def tempo(self) -> Int[np.ndarray, " b"]:
        """The last tempo told, by its number."""
        return self._all("tempo")

    @property
    def key(self) -> Int[np.ndarray, " b"]:
        """Number of the key in force at the last row, -1 for none."""
        return self._now("keys")

    @property
    def chord(self) -> Int[np.ndarray, " b"]:
        """Number of the chord in force at the last row, -1 for none."""
        return self._now("chords")

    @property
    def section(self) -> Int[np.ndarray, " b"]:
        """Number of the section in force at the last row, -1 for none."""
        return self._now("sections")

    def notes(self, piece: int) -> Int[np.ndarray, "n 4"]:
        """The notes of a piece so far: start, end, who, pitch; by track, then by start."""
        rows: list[Any] = [
            (onset, end, who, pitch)
            for who, part in sorted(self.pieces[piece].parts.items())
            for onset, notes in zip(part.onsets, part.notes, strict=True)
            for pitch, end in notes
        ]
        return np.array(rows, np.int64).reshape(-1, 4)


def _hear_untimed(piece: HeardPiece, kind: str, value: int) -> None:
    """A row of the prefix, a bar line, a metre, or the beginning of a task."""
    match kind:
        case "bar":
            piece.begin_bar()
        case "metre":
            piece.set_metre(int(METRE_STEPS[value]))
        case "fill":
            piece.begin_fill(value)
        case "future":
            piece.in_future = True
        case "program":
            piece.programs = (*piece.programs, value)[:SLOTS]
        case "key":
            piece.keys.add(0, value - 1)
        case "tempo":
            piece.tempo = value
