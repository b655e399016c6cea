"""Copy detection: does it find what was copied, what does human music share with a corpus, and how long does it take?

    python benchmarks/copying.py --corpus CORPUS [--generated FOLDER] [--pieces 100] [--copies 400] [--json]

Passages of 8 notes of the training pieces of CORPUS, in another key and at half to double tempo, take the place of what
a held-out piece plays at that time; found is a copy when the passage shows as a match of 8 notes or more with the piece
that it was taken from, with which the held-out piece shared less before. Then the longest matches of held-out pieces
(split `valid`, else every second piece of `train`, which is then not looked into), beside those of FOLDER if given, cut
to as many seconds as these last; and how much the pieces of each set share with one another.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from aurl.data.store import Corpus
from aurl.evaluation.copying import LINES, TOGETHER, CopyIndex, Line, Spread, copying_report, self_similarity
from aurl.music.io import read_music
from aurl.music.score import Notes, Score

NOTES = 8
TEMPI = (0.5, 0.75, 0.9, 1.0, 1.1, 1.5, 2.0)
"""By which the times of a copy are multiplied."""


def with_copy(score: Score, line: Line, rng: np.random.Generator) -> Score | None:
    """`score` with a passage of `line` at a random place; None where there is no room for it."""
    if len(line[0]) < NOTES:
        return None
    first = int(rng.integers(0, len(line[0]) - NOTES + 1))
    beats, pitches = (column[first : first + NOTES] for column in line)
    lowest, highest = -int(pitches.min()), 127 - int(pitches.max())
    pitches = pitches + int(rng.integers(max(-12, lowest), min(12, highest) + 1))
    times = np.rint((beats - beats[0]) * rng.choice(TEMPI) * score.ticks_per_beat).astype(np.int64)
    start, stop = (int(time) for time in _place(score, int(times[-1]), rng))
    lengths = np.maximum(1, np.diff(times, append=stop))
    notes = score.notes
    before = notes.take(notes.onset < start - TOGETHER * score.ticks_per_beat)
    before = before.replace(duration=np.minimum(before.duration, start - before.onset))
    track = int(notes.track[np.flatnonzero(score.is_pitched)[0]])
    copy = Notes(times + start, lengths, pitches, np.full(NOTES, 80), np.full(NOTES, track))
    return score.replace(notes=Notes.join([before, copy, notes.take(notes.onset >= stop)]))


def _place(score: Score, length: int, rng: np.random.Generator) -> tuple[int, int]:
    """From when to when the passage lasts, with the time of a quarter note after it."""
    start = int(rng.integers(0, max(1, score.end_ticks - length)))
    return start, start + length + score.ticks_per_beat


def recall(index: CopyIndex, sources: list[Score], hosts: list[Score], copies: int, seed: int) -> dict[str, Any]:
    """Share of the copies that are found, by line."""
    rng = np.random.default_rng(seed)
    result: dict[str, Any] = {}
    for name, line_of in LINES.items():
        found = []
        while len(found) < copies:
            source, host = int(rng.integers(len(sources))), hosts[int(rng.integers(len(hosts)))]
            spoilt = with_copy(host, line_of(sources[source]), rng)
            if spoilt is None or index.lines[name].lengths(line_of(host))[source] >= NOTES:
                continue
            found.append(index.lines[name].lengths(line_of(spoilt))[source] >= NOTES)
        result[name] = float(np.mean(found))
    return result


def opening(score: Score, seconds: float) -> Score:
    """What begins in the first seconds."""
    return score.replace(notes=score.notes.take(score.tempo_map.ticks_to_seconds(score.notes.onset) < seconds))


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Every figure."""
    corpus = Corpus.open(options.corpus)
    train, valid = corpus.indices("train"), corpus.indices("valid")
    if not len(valid):
        train, valid = train[::2], train[1::2]
    valid = np.sort(np.random.default_rng(options.seed).permutation(valid)[: options.pieces])
    held_out = [corpus.score(int(piece)) for piece in valid]
    memory, began = _megabytes(), time.process_time()
    index = CopyIndex(corpus.score(int(piece)) for piece in train)
    result: dict[str, Any] = {
        "training pieces": len(train),
        "training notes": int(corpus.note_counts[train].sum()),
        "index: CPU seconds": time.process_time() - began,
        "index: MB more at most": _megabytes() - memory,
    }
    began = time.process_time()
    lengths = index.lengths(held_out)
    result["query: CPU ms, mean"] = 1000 * (time.process_time() - began) / len(held_out)
    result["query: notes, mean"] = float(np.mean([len(score.notes) for score in held_out]))
    sources = [corpus.score(int(piece)) for piece in train]
    for name, share in recall(index, sources, held_out, options.copies, options.seed).items():
        result[f"{name}: copies of {NOTES} notes found"] = share
    result |= {f"{name}: longest matches, held out": asdict(Spread.of(found)) for name, found in lengths.items()}
    result |= _named("shared by two pieces, held out", held_out)
    if options.generated:
        generated = [read_music(path)[0] for path in sorted(options.generated.glob("*.mid"))]
        shortest = min(score.duration_seconds for score in generated)
        cut = [opening(score, shortest) for score in held_out]
        report = copying_report(generated, cut, index)
        result |= {f"{name}: report": asdict(line) | {"passed": line.passed} for name, line in report.items()}
        result |= _named("shared by two pieces, held out, cut", cut)
        result |= _named("shared by two pieces, generated", generated)
    return result


def _named(what: str, scores: list[Score]) -> dict[str, Any]:
    return {f"{name}: {what}": asdict(interval) for name, interval in self_similarity(scores).items()}


def _megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Measure, then print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--generated", type=Path, help="a folder of MIDI files")
    parser.add_argument("--pieces", type=int, default=100, help="at most, of those held out")
    parser.add_argument("--copies", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print JSON only")
    options = parser.parse_args()
    result = measure(options)
    if options.json:
        print(json.dumps(result, indent=2))
        return
    for name, value in result.items():
        if isinstance(value, dict):
            print(f"{name:44}", ", ".join(f"{key} {_shown(each)}" for key, each in value.items()))
        else:
            print(f"{name:44}", _shown(value))


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
