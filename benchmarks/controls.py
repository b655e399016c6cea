"""What is asked for and what comes out: bars, tracks, chords and scale kept to the letter, locked cells to the bit.

    python benchmarks/controls.py MODEL CORPUS [--pieces 100] [--rewritten 40]
                                  [--ask style=pop guidance=2] [--json]

MODEL was trained with `data.tasks` (configs/dev.yaml), CORPUS gives the pieces of its split `valid` (else `train`) that
are rewritten. Each figure is the share of pieces that keep what was asked; scale and chords are counted note by note by
looking at the score, not at the masks. Of what the model is told but not held to, key and chords are heard by studies
that do not steer: the key that holds longest, and the share of quarter notes at which root and third of the chord are
those of the chart; density and voices asked for and those of the piece are compared by rank (Spearman). Pieces that are
rewritten are compared with what was given before and after a passage through a MIDI file.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

import aurl
from aurl.data.store import Corpus
from aurl.evaluation.metrics import METRICS
from aurl.generation.progressions import read_progression
from aurl.music.chords import NO_CHORD, Chord
from aurl.music.midi import midi_bytes, read_midi
from aurl.music.score import Score
from aurl.music.theory import PROGRAM_NAMES, SCALES, key_name, parse_key, parse_program
from aurl.pipelines.model import Model, Piece
from aurl.studies import STUDIES, Annotation, Study
from aurl.utils.config import parse_overrides

BARS = (8, 33)
"""Of pieces from nothing; the second is one too many."""
INSTRUMENTS = (["violin", "cello"], ["flute", "oboe", "bassoon"], ["piano"], ["piano", "bass", "drums"])
CHARTS = ("Am F C G", "Dm G7 | C", "C F G C", "Em C | G D")
KEYS = ("C major", "D minor", "Eb major", "F# minor")
DENSITIES = (2.0, 3.0, 4.0, 6.0, 8.0)
"""Notes a quarter."""
VOICES = (1.0, 2.0, 3.0, 4.0, 5.0)
"""Notes at once."""


def in_scale(score: Score, key: str) -> float:
    """Share of the pitched notes that are in the scale."""
    tonic, is_minor = parse_key(key)
    scale = {(tonic + step) % 12 for step in SCALES["minor" if is_minor else "major"]}
    pitches = score.notes.pitch[score.is_pitched] % 12
    return float(np.isin(pitches, list(scale)).mean()) if len(pitches) else 1.0


def in_chords(score: Score, chart: str, bars: int) -> float:
    """Share of the pitched notes that belong to the chord of the chart under which they begin."""
    starts = score.metre_map.bar_to_ticks(np.arange(bars + 1))
    steps = np.diff(starts) * 24 // score.ticks_per_beat
    changes = read_progression(chart, beats_per_bar=float(steps[0]) / 24, bars=bars)
    ticks = np.array([starts[change.bar] + change.step * score.ticks_per_beat // 24 for change in changes])
    notes = score.notes.take(score.is_pitched)
    under = np.searchsorted(ticks, notes.onset, side="right") - 1
    fits = [int(pitch) % 12 in changes[at].chord.pitch_classes for pitch, at in zip(notes.pitch, under, strict=True)]
    return float(np.mean(fits)) if fits else 1.0


def heard(study: Study, score: Score, beats: np.ndarray[Any, Any]) -> list[str]:
    """The label that a study hears at each of some quarter notes; none before the first."""
    found: Annotation = study.analyse(score)
    at = np.searchsorted(found.beats, beats + 0.25, side="right") - 1
    return [found.labels[place] if place >= 0 else "" for place in at]


def key_heard(study: Study, score: Score) -> str:
    """The key that holds for most quarter notes."""
    keys = heard(study, score, np.arange(np.ceil(score.end_ticks / score.ticks_per_beat)))
    longest = max(set(keys), key=keys.count, default="")
    return key_name(*parse_key(longest)) if longest else ""


def majmin(study: Study, score: Score, chart: str, bars: int) -> float:
    """Share of the quarter notes at which root and third of the chord that is heard are those of the chart."""
    beats_per_bar = float(np.diff(score.metre_map.bar_to_ticks(np.arange(2)))[0] / score.ticks_per_beat)
    changes = read_progression(chart, beats_per_bar=beats_per_bar, bars=bars)
    starts = np.array([change.bar * beats_per_bar + change.step / 24 for change in changes])
    beats = np.arange(bars * beats_per_bar)
    told = [changes[at].chord for at in np.searchsorted(starts, beats, side="right") - 1]
    found = [Chord.parse(label or NO_CHORD) for label in heard(study, score, beats)]
    return float(
        np.mean([root_and_third(one) == root_and_third(other) for one, other in zip(told, found, strict=True)])
    )


def root_and_third(chord: Chord) -> tuple[int | None, bool]:
    """The pitch class of the root, and whether the third above it is minor."""
    return chord.root, chord.root is not None and (chord.root + 3) % 12 in chord.pitch_classes


def spearman(asked: list[float], found: list[float]) -> float:
    """Correlation of ranks, those that are equal sharing theirs."""
    ranks = []
    for values in (asked, found):
        _, of_value, counts = np.unique(values, return_inverse=True, return_counts=True)
        ranks.append((np.cumsum(counts) - (counts - 1) / 2)[of_value])
    return float(np.corrcoef(*ranks)[0, 1])


def programs(piece: Piece, model: Model) -> list[str]:
    """The tracks that were declared."""
    names = model.tokenizer.vocabulary.fields[2].tokens
    told = [names[value] for value in piece.tokens[:, 2]]
    return [name.removeprefix("program:") for name in told if name.startswith("program:")]


def bar_count(piece: Piece) -> int:
    """Bars of the piece, by its last bar line or note."""
    score = piece.score
    return int(score.metre_map.ticks_to_bar_beat(max(score.end_ticks - 1, 0))[0]) + 1


def from_nothing(model: Model, pieces: int, seed: int, more: Mapping[str, Any]) -> dict[str, Any]:
    """Pieces from nothing under each kind of request, which also asks for what `more` says."""
    kept: dict[str, list[float]] = {}
    keys, chords = (STUDIES.build(STUDIES.parse(name)) for name in ("keys", "chords"))
    told_and_found: dict[str, list[tuple[float, float]]] = {"density": [], "voices": []}

    def note(name: str, value: float) -> None:
        kept.setdefault(name, []).append(value)

    for number in range(pieces):
        rng = np.random.default_rng([seed, number])
        bars = int(rng.integers(*BARS))
        key, chart = KEYS[number % len(KEYS)], CHARTS[number % len(CHARTS)]
        asked = INSTRUMENTS[number % len(INSTRUMENTS)]
        common = {"bars": bars, "seed": number, **more}
        piece = model.generate(**common, instruments=asked, metre="3/4")
        note("bars: none beyond", float(bar_count(piece) <= bars))
        note("bars: bar lines exact", float((piece.tokens[:, 2] == bar_row(model)).sum() == bars + 1))
        note("instruments exact", float(programs(piece, model) == [program_name(name) for name in asked]))
        metres = {(n, d) for _, n, d in zip(*piece.score.time_signatures.columns().values(), strict=True)}
        note("metre held", float(metres <= {(3, 4)}))
        told = model.generate(**common, key=key)
        note("key told: notes in the scale", in_scale(told.score, key))
        note("key told: it is heard", float(key_heard(keys, told.score) == key_name(*parse_key(key))))
        held = model.generate(**common, key=key, constraints=[{"name": "scale", "key": key}])
        note("scale held: notes in it", in_scale(held.score, key))
        told = model.generate(**common, chords=chart)
        note("chart told: notes in the chord", in_chords(told.score, chart, bars))
        note("chart told: majmin is heard", majmin(chords, told.score, chart, bars))
        held = model.generate(**common, chords=chart, constraints=[{"name": "chords", "progression": chart}])
        note("chart held: notes in the chord", in_chords(held.score, chart, bars))
        for name, values, measured in (("density", DENSITIES, density), ("voices", VOICES, METRICS["polyphony"])):
            wanted = values[number % len(values)]
            found = measured(model.generate(**common, **{name: wanted}).score)
            told_and_found[name].append((wanted, found))
    ranks = {f"{name} told: Spearman": spearman(*np.transpose(pairs)) for name, pairs in told_and_found.items()}
    return {name: float(np.mean(values)) for name, values in kept.items()} | ranks


def density(score: Score) -> float:
    """Notes a quarter."""
    beats = score.end_ticks / score.ticks_per_beat
    return len(score.notes) / beats if beats else 0.0


def program_name(name: str) -> str:
    """The name of the track that an instrument means."""
    return "Drums" if name == "drums" else PROGRAM_NAMES[parse_program(name)]


def bar_row(model: Model) -> int:
    """The value of `what` that opens a bar."""
    return model.tokenizer.vocabulary.fields[2].tokens.index("bar")


def outside(score: Score, ticks: tuple[int, int], tracks: list[int]) -> Score:
    """The score without the notes of some tracks that begin in a span of ticks."""
    notes = score.notes
    inside = (notes.onset >= ticks[0]) & (notes.onset < ticks[1]) & np.isin(notes.track, tracks)
    return score.replace(notes=notes.take(~inside))


def rewritten(model: Model, scores: Iterable[Score]) -> dict[str, Any]:
    """Real pieces with bars, tracks, accompaniments and chords written anew."""
    kept: dict[str, list[float]] = {}
    for number, given in enumerate(scores):
        bars = int(given.metre_map.ticks_to_bar_beat(max(given.end_ticks - 1, 0))[0]) + 1
        starts = given.metre_map.bar_to_ticks(np.arange(bars + 1)).tolist()
        first, last = min(5, bars), min(8, bars)
        track, whole = int(given.notes.track.max()), (0, starts[-1])
        asked: dict[str, tuple[Callable[..., Piece], Any, tuple[int, int], list[int]]] = {
            "bars 5-8": (
                model.infill,
                f"{first}-{last}",
                (starts[first - 1], starts[last]),
                [*range(len(given.tracks))],
            ),
            "a track": (model.replace, [track + 1], whole, [track]),
            "a bass added": (model.accompany, ["bass"], whole, [len(given.tracks)]),
        }
        for name, (write, what, ticks, tracks) in asked.items():
            piece = write(given, what, seed=number)
            before, after = outside(given, ticks, tracks), outside(piece.score, ticks, tracks)
            tables = ("notes", "tempos", "time_signatures", "texts")
            same = all(getattr(before, table) == getattr(after, table) for table in tables)
            source, read = (read_midi(midi_bytes(score)) for score in (given, piece.score))
            survives = outside(source, ticks, tracks).notes == outside(read, ticks, tracks).notes
            kept.setdefault(f"{name}: the rest is the same to the bit", []).append(float(same))
            kept.setdefault(f"{name}: and after a MIDI file", []).append(float(survives))
            kept.setdefault(f"{name}: notes were written", []).append(float(len(piece.score.notes) > len(before.notes)))
        chords = model.harmonise(given, seed=number).score
        kept.setdefault("chords added: the notes are the same", []).append(float(chords.notes == given.notes))
        kept.setdefault("chords added: a bar has", []).append(len(chords.texts.of("chord")) / bars)
    return {name: float(np.mean(values)) for name, values in kept.items()}


def main() -> None:
    """Measure, then print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--pieces", type=int, default=100)
    parser.add_argument("--ask", nargs="+", default=[], help="of all pieces from nothing, settings of `aurl generate`")
    parser.add_argument("--rewritten", type=int, default=40, help="held-out pieces of which parts are written anew")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print JSON only")
    options = parser.parse_args()
    model, corpus = aurl.load(options.model), Corpus.open(options.corpus)
    split = "valid" if len(corpus.indices("valid")) else "train"
    began = time.perf_counter()
    result: dict[str, Any] = {"pieces": options.pieces, "split": split}
    result |= from_nothing(model, options.pieces, options.seed, parse_overrides(options.ask))
    result |= rewritten(model, [corpus.score(int(index)) for index in corpus.indices(split)[: options.rewritten]])
    result["seconds"] = time.perf_counter() - began
    if options.json:
        print(json.dumps(result, indent=2))
        return
    for name, value in result.items():
        print(f"{name:52}", f"{value:.4f}" if isinstance(value, float) else value)


if __name__ == "__main__":
    main()
