"""What the `event` tokenizer cannot say of a score, counted by comparing the score with its grid.

Counts are of things in the score (notes, changes, tracks); errors are the largest over the notes or tempos that were
kept: in seconds, in MIDI velocity, in beats per minute. Metadata is not music and is not counted.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from aurl.data.tokenizers import event_vocabulary as ev
from aurl.data.tokenizers.base import LossReport
from aurl.data.tokenizers.event_grid import LAST_STEP, VOICE_BITS, Grid, GridNotes
from aurl.music.score import SUSTAIN_PEDAL, Score, Track


def count_losses(score: Score, snapped: Grid, merged: GridNotes, resolved: Grid) -> LossReport:
    """Compare a score with its notes on the grid: as snapped, after merging, and after cutting."""
    start, end = (score.tempo_map.ticks_to_seconds(ticks) for ticks in (score.notes.onset, score.notes.end))
    pitched = (score.notes.pitch >= ev.LOWEST_PITCH) & (score.notes.pitch < ev.LOWEST_PITCH + ev.PITCH_COUNT)
    kept = pitched & (np.rint(start * ev.STEPS_PER_SECOND) < LAST_STEP)
    resolving = {
        "notes_out_of_range": _count(~pitched),
        "notes_beyond_the_clock": _count(pitched & ~kept),
        "notes_merged": len(snapped.notes.start) - len(merged.start),
        "notes_shortened": _count(resolved.notes.end < merged.end),
    }
    others = ("time_signatures", "key_signatures", "pitch_bends", "texts")
    return (
        LossReport(resolving)
        + _rounding(start[kept], end[kept], score.notes.velocity[kept].astype(np.int64), snapped.notes)
        + _tempos(score, resolved)
        + control_losses(score, len(resolved.pedals.step))
        + _tracks(score, kept, resolved)
        + LossReport({name: len(getattr(score, name)) for name in others})
    )


def _count(true: NDArray[Any]) -> int:
    return int(np.count_nonzero(true))


def _rounding(start: NDArray[Any], end: NDArray[Any], velocity: NDArray[Any], snapped: GridNotes) -> LossReport:
    """Kept notes (seconds, MIDI velocities) against themselves on the grid."""
    sounding = ev.velocities(snapped.velocity).astype(np.int64)
    counts = {
        "notes_lengthened_to_a_step": _count(np.rint(end * ev.STEPS_PER_SECOND) <= snapped.start),
        "velocities_rounded": _count(sounding != velocity),
    }
    errors = {
        "onset_error_seconds": snapped.start / ev.STEPS_PER_SECOND - start,
        "end_error_seconds": snapped.end / ev.STEPS_PER_SECOND - end,
        "velocity_error": sounding - velocity,
    }
    return LossReport(counts, {name: float(np.abs(error).max(initial=0)) for name, error in errors.items()})


def _tempos(score: Score, resolved: Grid) -> LossReport:
    tempo = score.tempos.microseconds_per_beat
    bins = ev.tempo_bins(tempo)
    error = np.abs(60e6 / np.maximum(tempo, 1) - ev.BPM[bins])
    off = np.abs(tempo - ev.MICROSECONDS_PER_BEAT[bins]) > 1  # some writers cut the fraction where others round it
    beyond = (tempo > ev.MICROSECONDS_PER_BEAT[0]) | (tempo < ev.MICROSECONDS_PER_BEAT[-1])
    seconds = score.tempo_map.ticks_to_seconds(score.tempos.time)
    assumed = not np.any(np.rint(seconds * ev.STEPS_PER_SECOND) <= 0)
    counts = {
        "tempos_clipped": _count(beyond),
        "tempos_rounded": _count(~beyond & off),
        "tempos_repeated": len(tempo) - (len(resolved.tempos.step) - assumed),
    }
    return LossReport(counts, {"tempo_error_bpm": float(error[off].max(initial=0))})


def control_losses(score: Score, kept: int) -> LossReport:
    """Controllers that are lost, of which only the sustain pedal has tokens, and `kept` changes of it."""
    pedal = score.controls.number == SUSTAIN_PEDAL
    values = score.controls.value[pedal]
    return LossReport({
        "pedal_changes_repeated": _count(pedal) - kept,
        "pedal_values_rounded": _count((values != 0) & (values != 127)),
        "controls": _count(~pedal),
    })  # fmt: skip


def _tracks(score: Score, kept: NDArray[np.bool_], resolved: Grid) -> LossReport:
    heard = {*(resolved.notes.voice >> VOICE_BITS).tolist(), *resolved.pedals.instrument.tolist()}
    pedalled = score.controls.track[score.controls.number == SUSTAIN_PEDAL]
    active = {*score.notes.track[kept].tolist(), *pedalled.tolist()}
    tracks = [score.tracks[i] for i in active if ev.instrument_of(score.tracks[i]) in heard]
    told = [ev.track_of(ev.instrument_of(track)) for track in tracks]
    pairs = list(zip(tracks, told, strict=True))
    return LossReport({
        "tracks_merged": len(tracks) - len(heard),
        "tracks_dropped": len(score.tracks) - len(tracks),
        "programs_changed": sum(_sound(track) != _sound(other) for track, other in pairs),
        "track_names_changed": sum(track.name not in ("", other.name) for track, other in pairs),
    })  # fmt: skip


def _sound(track: Track) -> tuple[int, bool]:
    return track.program, track.is_drum
