"""The grid of the `note` tokenizer: a score's notes, labels and pedals in whole steps, and back.

Steps are 1/24 of a quarter (metrical clock) or 1/64 s (performed). A voice is one pitch of one track slot,
`slot << 7 | pitch`; on the grid it starts one note at a time, and a note lasts no longer than until its voice starts
the next. Neither tempos, keys, chords nor pedals repeat themselves. `touch` is a note's velocity bin and nudge,
`bin << 3 | 2 + nudge`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from aurl.data.genres import short_name
from aurl.data.tokenizers.event_grid import GridPedals, resolve_pedals
from aurl.data.tokenizers.event_vocabulary import VELOCITY_SHIFT, velocities
from aurl.data.tokenizers.note_bars import BarLines, Bars
from aurl.data.tokenizers.note_vocabulary import (
    CHORDS,
    DEFAULT_TEMPO,
    DRUM_KIT,
    KEYS,
    METRES,
    NOTE_MICROSECONDS,
    SECTIONS,
    SLOTS,
    STEPS_PER_SECOND,
    NoteLayout,
    nearest_tempos,
)
from aurl.data.tokenizers.performed_time import TICKS_PER_BEAT, ticks_of, write_tempos
from aurl.data.tokenizers.runs import Ints, ends_run, last_changes, starts_run
from aurl.music.chords import Chord
from aurl.music.score import (
    SUSTAIN_PEDAL,
    WHOLE_SCORE,
    Controls,
    Notes,
    Score,
    Tempos,
    TextKind,
    Texts,
    TimeSignatures,
    Track,
)
from aurl.music.theory import PROGRAM_NAMES, key_name, parse_key
from aurl.utils.errors import ConfigError

LAST_STEP = 1 << 25
PITCH_BITS = 7
NUDGE_BITS = 3
NO_NUDGE = 2
TICKS_PER_STEP = TICKS_PER_BEAT // 24
_NOTHING_YET = -1
_FAR = 1 << 40
_METRES = np.array(METRES).T
_INDEX_OF_CHORD = {symbol: index for index, symbol in enumerate(CHORDS)}
_INDEX_OF_KEY = {name: index for index, name in enumerate(KEYS)}


class NoteColumns(NamedTuple):
    """Notes: start and length in steps, voice, touch; in order of start until they are resolved."""

    start: Ints
    length: Ints
    voice: NDArray[np.uint16]
    touch: NDArray[Any]

    def take(self, rows: NDArray[Any]) -> NoteColumns:
        """The notes that an index array or a boolean mask selects."""
        return NoteColumns(*(column[rows] for column in self))


class Changes(NamedTuple):
    """Values that hold from a step on, in order of time."""

    step: Ints
    value: Ints


class NoteGrid(NamedTuple):
    """A score on the grid, as it was read, or resolved."""

    programs: list[int]
    """Of each track slot; DRUM_KIT plays drums."""
    notes: NoteColumns
    tempos: Changes
    keys: Changes
    sections: Changes
    chords: Changes
    pedals: GridPedals
    bars: Bars | None
    """None on the performed clock."""
    names: dict[str, str]
    """Genre and composer, those that the config knows."""

    @property
    def end(self) -> int:
        """The first step at which nothing sounds or changes any more."""
        changes = (self.tempos, self.keys, self.sections, self.chords, self.pedals)
        last = max((int(change[0][-1]) for change in changes if len(change[0])), default=0)
        return max(int((self.notes.start + self.notes.length).max(initial=0)), last + 1)


def read_grid(score: Score, layout: NoteLayout) -> NoteGrid:
    """Snap a score to the grid, not yet resolved: notes may repeat and overlap, labels too."""
    notes = score.notes
    lines = bar_lines(score, layout) if layout.is_metrical else None
    place = lines.quarter_steps if lines is not None else _performed_quarters(score)
    onset = place(notes.onset)
    start = (onset + 2) >> 2
    end = (place(np.add(notes.onset, notes.duration, dtype=np.int64)) + 2) >> 2
    programs, slots = track_slots(score)
    touch = (notes.velocity >> VELOCITY_SHIFT).astype(np.int64) << NUDGE_BITS
    touch += onset - 4 * start + NO_NUDGE if layout.has_nudge else NO_NUDGE
    voice = slots[notes.track] << np.uint16(PITCH_BITS) | notes.pitch
    columns = NoteColumns(start, np.maximum(end - start, 1), voice, touch)
    horizon = min(int(lines.bars.starts[-1]) if lines is not None else LAST_STEP, LAST_STEP)
    if len(start) and start[-1] >= horizon:
        columns = columns.take(start < horizon)
    tempos = nearest_tempos(score.tempos.microseconds_per_beat)
    labels = {f"{kind}s": _read_labels(score, kind, read, place, horizon) for kind, read in _READERS}
    return NoteGrid(
        programs=programs,
        notes=columns,
        tempos=_before(horizon, (place(score.tempos.time) + 2) >> 2, tempos),
        pedals=_read_pedals(score, slots, place, horizon),
        bars=lines.bars if lines is not None else None,
        names=known_names(score, layout),
        **labels,
    )


def bar_lines(score: Score, layout: NoteLayout) -> BarLines:
    """The bars of a score as far as anything happens in it."""
    times = [table.time[-1] for table in (score.tempos, score.controls, score.texts) if len(table)]
    return BarLines(score, int(max(score.end_ticks, 0, *times)), divisions=4 if layout.has_nudge else 1)


def _performed_quarters(score: Score) -> Callable[[NDArray[Any]], Ints]:
    """Seconds have no nudges: quarters of a step that are whole steps."""

    def place(ticks: NDArray[Any]) -> Ints:
        seconds = score.tempo_map.ticks_to_seconds(ticks)
        return np.asarray(np.minimum(np.rint(seconds * STEPS_PER_SECOND), 2 * LAST_STEP).astype(np.int64) << 2)

    return place


def track_slots(score: Score) -> tuple[list[int], NDArray[np.uint16]]:
    """The program of each slot, and the slot of each track: tracks with notes in the order of the score.

    Of more than 16, those with the most notes have a slot, the fullest drums and the fullest pitched track among them;
    each of the others joins the track of its kind, pitched or drums, whose program is nearest.
    """
    counts = np.bincount(score.notes.track, minlength=len(score.tracks))
    programs = np.array([DRUM_KIT if t.is_drum else t.program for t in score.tracks], np.int64)
    sounding = np.flatnonzero(counts)
    kept = sounding
    if len(sounding) > SLOTS:
        drums = programs == DRUM_KIT
        fullest = [np.argmax(np.where(drums == kind, counts, -1)) for kind in (True, False)]
        rank = counts + len(score.notes) * np.isin(np.arange(len(counts)), fullest) * (counts > 0)
        kept = np.sort(np.argsort(-rank, kind="stable")[:SLOTS])
    slots = np.zeros(len(score.tracks), np.uint16)
    slots[kept] = np.arange(len(kept))
    for track in np.setdiff1d(sounding, kept).tolist() if len(sounding) > SLOTS else ():
        other_kind = (programs[kept] == DRUM_KIT) != (programs[track] == DRUM_KIT)
        slots[track] = np.argmin(np.abs(programs[kept] - programs[track]) + DRUM_KIT * other_kind)
    return programs[kept].tolist(), slots


def _before(horizon: int, step: Ints, value: Ints) -> Changes:
    if len(step) and step[-1] >= horizon:
        return Changes(step[step < horizon], value[step < horizon])
    return Changes(step, value)


@lru_cache(4096)
def chord_index(text: str) -> int | None:
    """Which of the 145 chords a symbol means, its bass left out; None if it means nothing."""
    try:
        chord = Chord.parse(text)
    except ConfigError:
        return None
    return _INDEX_OF_CHORD[Chord(chord.root, chord.quality).symbol]


@lru_cache(4096)
def key_index(text: str) -> int | None:
    """Which of the 24 keys a name means; None if it means nothing."""
    try:
        return _INDEX_OF_KEY[key_name(*parse_key(text))]
    except ConfigError:
        return None


def section_index(text: str) -> int | None:
    """A section's number: the place of its first letter in the alphabet; None if it begins with something else."""
    letter = text[:1].upper()
    return SECTIONS.index(letter) if letter and letter in SECTIONS else None


Reader = Callable[[str], int | None]
_READERS: tuple[tuple[TextKind, Reader], ...] = (
    ("key", key_index), ("section", section_index), ("chord", chord_index),
)  # fmt: skip


def _read_labels(
    score: Score, kind: TextKind, read: Reader, place: Callable[[NDArray[Any]], Ints], horizon: int
) -> Changes:
    texts = score.texts.of(kind)
    rows = [(time, read(text)) for time, text in zip(texts.time.tolist(), texts.text.tolist(), strict=True)]
    known = np.array([(time, value) for time, value in rows if value is not None], np.int64).reshape(-1, 2)
    return _before(horizon, (place(known[:, 0]) + 2) >> 2, known[:, 1])


def _read_pedals(
    score: Score, slots: NDArray[np.uint16], place: Callable[[NDArray[Any]], Ints], horizon: int
) -> GridPedals:
    """Pedal changes of the tracks that have notes."""
    controls = score.controls
    if not len(controls):
        return GridPedals(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.bool_))
    heard = np.bincount(score.notes.track, minlength=len(score.tracks)) > 0
    at = np.flatnonzero((controls.number == SUSTAIN_PEDAL) & heard[controls.track])
    step = (place(controls.time[at]) + 2) >> 2
    at, step = at[step < horizon], step[step < horizon]
    return GridPedals(step, slots[controls.track[at]].astype(np.int64), controls.value[at] >= SUSTAIN_PEDAL)


def known_names(score: Score, layout: NoteLayout) -> dict[str, str]:
    """Style and composer of a score as the config writes them, where it knows them."""
    composers = {name.lower(): name for name in layout.names("composer")[1:]}
    composer = composers.get(score.metadata.get("composer", "").lower())
    style = short_name(score.metadata.get("genre", ""), layout.names("style")[1:])
    return {kind: name for kind, name in (("style", style), ("composer", composer)) if name}


def resolve(grid: NoteGrid, layout: NoteLayout) -> NoteGrid:
    """The grid as tokens can say it."""
    notes = resolve_notes(grid.notes, layout)
    if layout.has_nudge:  # nothing begins before the piece
        early = (notes.start == 0) & (notes.touch & (1 << NUDGE_BITS) - 1 < NO_NUDGE)
        notes = notes._replace(touch=np.where(early, notes.touch | NO_NUDGE, notes.touch) & ~early.astype(np.int64))
    resolved = grid._replace(
        notes=notes,
        tempos=Changes(*last_changes(*grid.tempos, DEFAULT_TEMPO)),
        keys=_resolve_labels(grid.keys),
        sections=Changes(*(column[ends_run(grid.sections.step)] for column in grid.sections)),
        chords=_resolve_labels(grid.chords),
        pedals=resolve_pedals(*_of_voices(grid.pedals, notes)),
    )
    return resolved if grid.bars is None else resolved._replace(bars=grid.bars.fitted(resolved.end))


def _resolve_labels(labels: Changes) -> Changes:
    if not len(labels.step):
        return labels
    step, value = last_changes(*labels, _NOTHING_YET)
    return Changes(step[value != _NOTHING_YET], value[value != _NOTHING_YET])


def _of_voices(pedals: GridPedals, notes: NoteColumns) -> GridPedals:
    """Pedals of the slots that have notes."""
    if not len(pedals.step):
        return pedals
    heard = np.bincount(notes.voice >> PITCH_BITS, minlength=SLOTS)[pedals.instrument] > 0
    return GridPedals(pedals.step[heard], pedals.instrument[heard], pedals.down[heard])


def resolve_notes(notes: NoteColumns, layout: NoteLayout) -> NoteColumns:
    """One note at a time for each voice, of lengths that have a class; where several start, the longest and loudest.

    `notes` must be in order of start. Voices have 11 bits of 16, so numpy's stable sort is a radix sort.
    """
    order = np.argsort(notes.voice, kind="stable")
    voice, start = notes.voice[order], notes.start[order]
    gap = np.full(len(order), _FAR)
    np.copyto(gap[:-1], start[1:] - start[:-1], where=voice[1:] == voice[:-1])
    if not gap.all():
        return resolve_notes(_merged(notes.take(order)), layout)
    room = np.empty_like(gap)
    room[order] = gap
    longest = int(layout.durations[-1])
    steps = np.minimum(np.minimum(notes.length, room), longest)
    length = layout.durations[layout.nearest_class[steps]]
    if (length > room).any():
        length = np.where(length > room, layout.durations[layout.class_below[steps]], length)
    return notes._replace(length=length)


def _merged(notes: NoteColumns) -> NoteColumns:
    """One note for each voice and start, in order of start; `notes` are in order of voice, then start."""
    first = np.flatnonzero(starts_run(notes.start, notes.voice))
    longest, loudest = np.maximum.reduceat(notes.length, first), np.maximum.reduceat(notes.touch, first)
    merged = NoteColumns(notes.start[first], longest, notes.voice[first], loudest)
    return merged.take(np.argsort(merged.start, kind="stable"))


def write_score(grid: NoteGrid, layout: NoteLayout) -> Score:
    """The score of a resolved grid; reading it gives the same grid."""
    tempo_steps, microseconds = grid.tempos.step, NOTE_MICROSECONDS[grid.tempos.value]
    if layout.is_metrical:
        tempos = Tempos(TICKS_PER_STEP * tempo_steps, microseconds)
    else:
        tempos = write_tempos(tempo_steps, microseconds)

    def ticks(steps: Ints) -> Ints:
        return TICKS_PER_STEP * steps if layout.is_metrical else ticks_of(steps, tempo_steps, tempos).astype(np.int64)

    notes = grid.notes
    onset, end = ticks(notes.start), ticks(notes.start + notes.length)
    if layout.has_nudge:
        onset += ((notes.touch & (1 << NUDGE_BITS) - 1) - NO_NUDGE) * (TICKS_PER_STEP // 4)
        end = _before_next(onset, end, notes.voice)
    slot = notes.voice >> PITCH_BITS
    used = np.bincount(slot, minlength=SLOTS) > 0
    track_of = (np.cumsum(used) - 1).astype(np.uint16)
    pitch = (notes.voice & (1 << PITCH_BITS) - 1).astype(np.uint8)
    return Score(
        ticks_per_beat=TICKS_PER_BEAT,
        notes=Notes(onset, end - onset, pitch, velocities(notes.touch >> NUDGE_BITS), track_of[slot]),
        tracks=tuple(_track(grid.programs[slot]) for slot in np.flatnonzero(used).tolist()),
        tempos=tempos,
        time_signatures=TimeSignatures.empty() if grid.bars is None else _write_metres(grid.bars),
        controls=_write_pedals(ticks(grid.pedals.step), track_of[grid.pedals.instrument], grid.pedals.down),
        texts=_write_labels(grid, ticks),
        metadata={{"style": "genre"}.get(kind, kind): name for kind, name in grid.names.items()},
    )


def _before_next(onset: Ints, end: Ints, voice: NDArray[np.uint16]) -> Ints:
    """The ends of notes, none after its voice starts the next one; at most half a step earlier."""
    order = np.argsort(voice, kind="stable")
    following, ends = onset[order[1:]], end[order]
    np.minimum(ends[:-1], following, out=ends[:-1], where=voice[order[1:]] == voice[order[:-1]])
    cut = np.empty_like(end)
    cut[order] = ends
    return cut


def _track(program: int) -> Track:
    return Track(0, True, "Drums") if program == DRUM_KIT else Track(program, False, PROGRAM_NAMES[program])


def _write_metres(bars: Bars) -> TimeSignatures:
    at = np.flatnonzero(starts_run(bars.metres))
    numerators, denominators = _METRES[:, bars.metres[at]]
    return TimeSignatures(TICKS_PER_STEP * bars.starts[at], numerators, denominators)


def _write_pedals(ticks: Ints, track: NDArray[np.uint16], down: NDArray[np.bool_]) -> Controls:
    number = np.full(len(ticks), SUSTAIN_PEDAL, np.uint8)
    return Controls(ticks, track, number, down.astype(np.uint8) * np.uint8(127))


def _write_labels(grid: NoteGrid, ticks: Callable[[Ints], Ints]) -> Texts:
    kinds: tuple[tuple[TextKind, tuple[str, ...] | str, Changes], ...] = (
        ("key", KEYS, grid.keys), ("section", SECTIONS, grid.sections), ("chord", CHORDS, grid.chords),
    )  # fmt: skip
    if not any(len(changes.step) for _, _, changes in kinds):
        return Texts.empty()
    tables = [
        Texts(
            ticks(changes.step),
            np.full(len(changes.step), WHOLE_SCORE),
            np.full(len(changes.step), kind, object),
            np.array([names[value] for value in changes.value], object),
        )
        for kind, names, changes in kinds
    ]
    return Texts.join(tables)
