"""What transforms put right and what they keep: quantisation, bars, phrase levels, fewer voices.

    python benchmarks/transforms.py [PATH...] [--pieces 40] [--json]

Takes folders, files and archives of notated music; the built-in chorales when not given any. Each piece is put on the
grid of sixteenths and triplet eighths, then played imprecisely: every onset and end by itself, normally distributed
with 0.03 of a beat (15 ms at 120 bpm), straight and with the off-beat eighth at 0.6 of its beat. A note is back when
track, pitch and onset are those before the imprecision, nearly back within 0.02 of a beat. The peer snaps to 12 points
a beat, as MidiTok does, by symusic's `resample`. Loudness: rank correlation (Spearman 1904) of velocities
within each four beats before and after, and the standard deviation of these stretches' medians. Polyphony: of notes
highest or lowest when they begin, the share that begins still, with three voices. Bars: the share of labelled phrases
that begin a bar, in the pieces that have them and one metre: as they are, by `align_bars`, and by `align_bars` without
them, from labelled chords alone. Times are process time.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import symusic
from rich.console import Console
from rich.table import Table

from aurl.data.embedded import chorales_archive
from aurl.data.labels import given_labels
from aurl.data.preprocessing import (
    AlignBarsConfig,
    NormaliseVelocityConfig,
    QuantiseConfig,
    ReducePolyphonyConfig,
    align_bars,
    normalise_velocity,
    quantise,
    reduce_polyphony,
)
from aurl.data.sources import Found, list_inputs, read_entries
from aurl.music.midi import midi_bytes, read_midi
from aurl.music.score import Score
from aurl.music.transforms import retime
from aurl.utils.errors import MidiError

JITTER_BEATS = 0.03
SWING = 0.6
NEAR_BEATS = 0.02
GRID = (16, 12)
ALIGN = AlignBarsConfig()
MODES = {
    "aurl strict": QuantiseConfig(grid=GRID),
    "aurl groove": QuantiseConfig(grid=GRID, mode="groove"),
    "aurl adaptive": QuantiseConfig(grid=GRID, mode="adaptive"),
}


def main() -> None:
    """Measure, then print tables or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="*", type=Path, default=[chorales_archive()])
    parser.add_argument("--pieces", type=int, default=40, help="pieces taken, evenly spaced over those there are")
    parser.add_argument("--json", action="store_true", help="print JSON only")
    options = parser.parse_args()
    scores = read_scores(options.paths, options.pieces)
    result = {
        "pieces": len(scores),
        "notes": sum(len(score.notes) for score in scores),
        "straight": quantisation(scores, 0.5),
        "swung": quantisation(scores, SWING),
        "bars": bars(scores),
        "loudness": loudness(scores),
        "polyphony": polyphony(scores),
        "symusic": version("symusic"),
    }
    print(json.dumps(result, indent=2)) if options.json else show(result)


def read_scores(paths: list[Path], pieces: int) -> list[Score]:
    """Evenly spaced readable pieces with notes, and the labels that people gave them."""
    found = Found()
    entries = [one for one in read_entries(list_inputs(paths, found).files, found) if isinstance(one.content, bytes)]
    scores = []
    for entry in entries[:: max(1, len(entries) // pieces)][:pieces]:
        try:
            scores.append(given_labels(read_midi(entry.content), entry.name, entry.companions)[0])
        except MidiError:
            continue
    return [score for score in scores if len(score.notes)]


def quantisation(scores: list[Score], place: float) -> dict[str, Any]:
    """Figures of each way to quantise, and of doing nothing."""
    rng = np.random.default_rng(0)
    exact = [swung(quantise(score, MODES["aurl strict"]), place) for score in scores]
    played = [imprecise(score, rng) for score in exact]
    rows = {"played": figures(exact, played, played, 0.0)}
    for name, config in MODES.items():
        began = time.process_time()
        results = [quantise(score, config) for score in played]
        rows[name] = figures(exact, played, results, time.process_time() - began)
    data = [midi_bytes(score) for score in played]
    began = time.process_time()
    coarse = [symusic.Score.from_midi(content).resample(12, min_dur=1) for content in data]
    seconds = time.process_time() - began
    results = [read_midi(score.resample(480, min_dur=1).dumps_midi()) for score in coarse]
    exact_480 = [read_midi(symusic.Score.from_midi(midi_bytes(s)).resample(480, min_dur=1).dumps_midi()) for s in exact]
    rows["symusic resample(12)"] = figures(exact_480, played, results, seconds)
    return rows


def figures(exact: list[Score], played: list[Score], results: list[Score], seconds: float) -> dict[str, float]:
    """Shares of notes put back, places of the off-beat eighth, speed."""
    pairs = list(zip(exact, results, strict=True))
    total = sum(len(score.notes) for score in exact)
    places = [(off_beat(before), off_beat(after)) for before, after in pairs]
    kept = [abs(before - after) for before, after in places if before and after]
    notes = sum(len(score.notes) for score in played)
    return {
        "back_exactly": sum(same_notes(before, after, 0) for before, after in pairs) / total,
        "back_nearly": sum(same_notes(before, after, NEAR_BEATS) for before, after in pairs) / total,
        "off_beat_eighth_error_beats": float(np.mean(kept)) if kept else 0.0,
        "notes_per_second": notes / seconds if seconds else 0.0,
    }


def same_notes(before: Score, after: Score, tolerance_beats: float) -> int:
    """Notes of one score that have a partner of track, pitch and (nearly) onset in the other, one to one."""
    if not tolerance_beats:
        return (Counter(note_keys(before)) & Counter(note_keys(after))).total()
    count = 0
    near = tolerance_beats * before.ticks_per_beat
    groups: dict[tuple[int, int], list[int]] = {}
    for track, pitch, onset in note_keys(after):
        groups.setdefault((track, pitch), []).append(onset)
    for track, pitch, onset in note_keys(before):
        others = groups.get((track, pitch), [])
        best = min(others, key=lambda other: abs(other - onset), default=None)
        if best is not None and abs(best - onset) <= near:
            others.remove(best)
            count += 1
    return count


def note_keys(score: Score) -> list[tuple[int, int, int]]:
    notes = score.notes
    return list(zip(notes.track.tolist(), notes.pitch.tolist(), notes.onset.tolist(), strict=True))


def off_beat(score: Score) -> float | None:
    """Median place of onsets in the middle of their beat; None where there are few."""
    places = score.metre_map.ticks_to_bar_beat(score.notes.onset)[1] % 1
    near = places[(places > 0.42) & (places < 0.64)]
    return float(np.median(near)) if len(near) >= 8 else None


def swung(score: Score, place: float) -> Score:
    """`score` with the off-beat eighth at `place`."""
    beat = score.ticks_per_beat

    def bent(ticks: np.ndarray) -> np.ndarray:
        number, rest = np.divmod(ticks, beat)
        return (number * beat + np.rint(np.interp(rest, [0, beat / 2, beat], [0, place * beat, beat]))).astype(np.int64)

    return retime(score, bent)


def imprecise(score: Score, rng: np.random.Generator) -> Score:
    """`score` with each onset and end a little off."""
    notes = score.notes
    off = rng.standard_normal((2, len(notes))) * JITTER_BEATS * score.ticks_per_beat
    onset = np.maximum(0, notes.onset + np.rint(off[0])).astype(np.int64)
    end = np.maximum(onset + 1, notes.end + np.rint(off[1])).astype(np.int64)
    return score.replace(notes=type(notes)(**notes.columns() | {"onset": onset, "duration": end - onset}))


def bars(scores: list[Score]) -> dict[str, float]:
    """Shares of phrases that begin a bar."""
    shares: list[list[float]] = [[], [], []]
    for score in scores:
        phrases = score.texts.kind == "section"
        if not phrases.any() or len(score.time_signatures) > 1:
            continue
        bar, onset = int(score.metre_map.bar_to_ticks(1)), int(score.notes.onset[0])
        hidden = score.replace(texts=score.texts.take(~phrases))
        times = score.texts.time[phrases & (score.texts.time > 0)]
        for share, aligned in zip(shares, (score, align_bars(score, ALIGN), align_bars(hidden, ALIGN)), strict=True):
            away = (times + int(aligned.notes.onset[0]) - onset) % bar
            share.append(float((np.minimum(away, bar - away) <= score.ticks_per_beat / 8).mean()))
    as_is, by_phrases, by_chords = (float(np.mean(share)) if share else 0.0 for share in shares)
    return {"pieces": len(shares[0]), "as_they_are": as_is, "aligned": by_phrases, "aligned_by_chords": by_chords}


def loudness(scores: list[Score]) -> dict[str, float]:
    """Accents and levels before and after."""
    ranks, before, after = [], [], []
    for score in scores:
        new = normalise_velocity(score, NormaliseVelocityConfig()).notes.velocity.astype(float)
        old = score.notes.velocity.astype(float)
        stretch = score.notes.onset // (4 * score.ticks_per_beat) + 100_000 * score.notes.track.astype(int)
        for number in np.unique(stretch):
            rows = np.flatnonzero(stretch == number)
            before.append(np.median(old[rows]))
            after.append(np.median(new[rows]))
            if len(rows) > 2 and np.ptp(old[rows]) and np.ptp(new[rows]):
                ranks.append(np.corrcoef(rank(old[rows]), rank(new[rows]))[0, 1])
    return {
        "accent_rank_correlation": float(np.mean(ranks)) if ranks else 1.0,
        "level_deviation_before": float(np.std(before)),
        "level_deviation_after": float(np.std(after)),
    }


def rank(values: np.ndarray) -> np.ndarray:
    """Ranks, equal values sharing theirs."""
    _, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[which]


def polyphony(scores: list[Score]) -> dict[str, float]:
    """Outer voices kept with three voices."""
    outer_kept, outer_all, kept, total = 0, 0, 0, 0
    for score in scores:
        left = Counter(note_keys(reduce_polyphony(score, ReducePolyphonyConfig(voices=3))))
        outer = set(outer_voices(score))
        kinds = {(pitch, onset) for _, pitch, onset in left}
        outer_all += len(outer)
        outer_kept += len(outer & kinds)
        kept, total = kept + left.total(), total + len(score.notes)
    return {"melody_and_bass_kept": outer_kept / max(1, outer_all), "notes_kept": kept / total}


def outer_voices(score: Score) -> list[tuple[int, int]]:
    """(pitch, onset) of notes highest or lowest of all that sound when they begin."""
    notes = score.notes.take(score.is_pitched & (score.notes.duration > 0))
    found, sounding = [], np.zeros(0, np.int64)
    for onset in np.unique(notes.onset):
        begun = np.flatnonzero(notes.onset == onset)
        sounding = np.concatenate([sounding[notes.end[sounding] > onset], begun])
        low, high = notes.pitch[sounding].min(), notes.pitch[sounding].max()
        found += [(int(p), int(onset)) for p in notes.pitch[begun] if p in (low, high)]
    return found


def show(result: dict[str, Any]) -> None:
    """Print tables for people."""
    console = Console()
    for condition in ("straight", "swung"):
        table = Table(title=f"{condition}: {result['pieces']} pieces, {result['notes']:,} notes")
        for heading in ("", "back exactly", "within 0.02 beat", "off-beat eighth off by, beats", "notes/s"):
            table.add_column(heading, justify="right" if heading else "left")
        for name, row in result[condition].items():
            shares = (f"{row['back_exactly']:.1%}", f"{row['back_nearly']:.1%}")
            rest = (f"{row['off_beat_eighth_error_beats']:.3f}", f"{row['notes_per_second']:,.0f}")
            table.add_row(name, *shares, *rest)
        console.print(table)
    for name in ("bars", "loudness", "polyphony"):
        console.print(name, {key: round(value, 4) for key, value in result[name].items()})
    console.print(f"symusic {result['symusic']}")


if __name__ == "__main__":
    main()
