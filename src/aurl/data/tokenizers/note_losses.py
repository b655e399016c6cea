"""What the `note` tokenizer cannot say of a score, counted by comparing the score with its grid.

Counts are of things in the score (notes, bars, labels, tracks); errors are the largest over the notes or tempos that
were kept: in quarter notes (metrical clock) or seconds, in MIDI velocity, in beats per minute.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from aurl.data.tokenizers.base import LossReport
from aurl.data.tokenizers.event_losses import control_losses
from aurl.data.tokenizers.event_vocabulary import velocities
from aurl.data.tokenizers.note_grid import NUDGE_BITS, NoteGrid, bar_lines, track_slots
from aurl.data.tokenizers.note_vocabulary import (
    DRUM_KIT,
    NOTE_BPM,
    NOTE_MICROSECONDS,
    SLOTS,
    STEPS_PER_QUARTER,
    STEPS_PER_SECOND,
    NoteLayout,
    nearest_tempos,
)
from aurl.music.score import Score
from aurl.music.theory import PROGRAM_NAMES


def count_losses(score: Score, snapped: NoteGrid, resolved: NoteGrid, layout: NoteLayout) -> LossReport:
    """Compare a score with its grid as it was read and as it was resolved."""
    return (
        _notes(score, snapped, resolved, layout)
        + _rounding(score, snapped, layout)
        + _tempos(score, resolved)
        + _labels(score, snapped, resolved)
        + control_losses(score, len(resolved.pedals.step))
        + _tracks(score)
        + LossReport({
            "bars_changed": bar_lines(score, layout).changed if layout.is_metrical else 0,
            "time_signatures": 0 if layout.is_metrical else len(score.time_signatures),
            "key_signatures": len(score.key_signatures),
            "pitch_bends": len(score.pitch_bends),
        })
    )  # fmt: skip


def _count(true: NDArray[Any]) -> int:
    return int(np.count_nonzero(true))


def _notes(score: Score, snapped: NoteGrid, resolved: NoteGrid, layout: NoteLayout) -> LossReport:
    """Kept notes, merged ones, and lengths between classes."""
    kept, told = snapped.notes, resolved.notes
    order = np.lexsort((kept.start, kept.voice))
    new = np.ones(len(order), np.bool_)
    new[1:] = (np.diff(kept.start[order]) != 0) | (np.diff(kept.voice[order].astype(np.int64)) != 0)
    longest = np.maximum.reduceat(kept.length[order], np.flatnonzero(new)) if len(order) else kept.length
    length = told.length[np.lexsort((told.start, told.voice))]
    is_class = np.isin(longest, layout.durations)
    return LossReport({
        "notes_beyond_the_clock": len(score.notes) - len(kept.start),
        "notes_merged": len(kept.start) - len(told.start),
        "notes_shortened": _count((length < longest) & is_class),
        "durations_rounded": _count((length != longest) & ~is_class),
    })  # fmt: skip


def _rounding(score: Score, snapped: NoteGrid, layout: NoteLayout) -> LossReport:
    """Kept notes against themselves on the grid."""
    kept = score.notes.take(slice(len(snapped.notes.start)))  # those left out begin last
    heard = velocities(snapped.notes.touch >> NUDGE_BITS).astype(np.int64)
    velocity = kept.velocity.astype(np.int64)
    errors = {"velocity_error": float(np.abs(heard - velocity).max(initial=0))}
    if layout.is_metrical:
        beats = kept.onset * (STEPS_PER_QUARTER / score.ticks_per_beat)
        nudge = ((snapped.notes.touch & (1 << NUDGE_BITS) - 1) - 2) / 4
        moved = snapped.notes.start + nudge - beats
        errors["onset_error_quarters"] = float(np.abs(moved).max(initial=0)) / STEPS_PER_QUARTER
    else:
        seconds = score.tempo_map.ticks_to_seconds(kept.onset)
        errors["onset_error_seconds"] = float(np.abs(snapped.notes.start / STEPS_PER_SECOND - seconds).max(initial=0))
    return LossReport({"velocities_rounded": _count(heard != velocity)}, errors)


def _tempos(score: Score, resolved: NoteGrid) -> LossReport:
    tempo = score.tempos.microseconds_per_beat
    bins = nearest_tempos(tempo)
    off = np.abs(tempo - NOTE_MICROSECONDS[bins]) > 1
    error = np.abs(60e6 / np.maximum(tempo, 1) - NOTE_BPM[bins])[off]
    assumed = not len(score.tempos) or resolved.tempos.step[0] < score.tempos.time[0]
    counts = {
        "tempos_rounded": _count(off),
        "tempos_repeated": len(tempo) - (len(resolved.tempos.step) - assumed),
    }
    return LossReport(counts, {"tempo_error_bpm": float(error.max(initial=0))})


def _labels(score: Score, snapped: NoteGrid, resolved: NoteGrid) -> LossReport:
    """Labels that mean nothing here, those that change nothing, and those told by another name."""
    counts = {"texts": _count(~np.isin(score.texts.kind, ["key", "section", "chord"]))}
    for kind in ("key", "section", "chord"):
        labels = score.texts.of(kind)
        read, told = getattr(snapped, f"{kind}s").step, getattr(resolved, f"{kind}s").step
        counts[f"{kind}s_not_understood"] = len(labels) - len(read)
        counts[f"{kind}s_repeated"] = len(read) - len(told)
    chords = score.texts.of("chord").text
    sections = score.texts.of("section").text
    counts["chord_basses"] = sum("/" in text for text in chords)
    counts["sections_renamed"] = sum(len(text) != 1 or not text.isupper() for text in sections)
    return LossReport(counts)


def _tracks(score: Score) -> LossReport:
    programs, slots = track_slots(score)
    sounding = np.unique(score.notes.track).tolist()
    pairs = [(score.tracks[track], programs[slots[track]]) for track in sounding]
    names = ["Drums" if program == DRUM_KIT else PROGRAM_NAMES[program] for _, program in pairs]
    drums_with_kits = sum(track.is_drum and track.program != 0 for track, _ in pairs)
    return LossReport({
        "tracks_merged": max(0, len(sounding) - SLOTS),
        "tracks_dropped": len(score.tracks) - len(sounding),
        "programs_changed": sum(not t.is_drum and t.program != program for t, program in pairs) + drums_with_kits,
        "track_names_changed": sum(t.name not in ("", name) for (t, _), name in zip(pairs, names, strict=True)),
    })  # fmt: skip
