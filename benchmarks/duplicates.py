"""How well near-duplicates are found: injected copies, false alarms, speed and memory, beside what others do.

    python benchmarks/duplicates.py [FOLDER...] [--part held-out|tuned|all] [--limit N] [--seed 0] [--json]

The files of a collection are sorted by the SHA-256 of their names. The thresholds of `aurl.data.dedup` were chosen
on the first half ("tuned"); measured is by default the other. Every piece is copied once: moved by -6..6 semitones,
0.7 to 1.4 times as long in ticks, of another resolution, and a tenth of its notes altered (a third deleted, a third
moved by 1 to 7 semitones, and as many inserted anywhere in time and range). `recall` is the share of pieces found in
the cluster of their copy. `alarms` is the share of the pieces found, without copies, in the cluster of a piece of
another composition (all files differ in `piece_key` here). Each such pair (2,000 at most) is aligned note by note with
difflib, in both outer lines at full length: a piece of which half of all intervals and more lie in runs common with any
other of its cluster, in the line that agrees less, is a real duplicate in the collection. Of the others, those that
agree so far with one in the highest line are settings of the `same tune`, and the rest is `false`.
The peers see the same files: `hash` is equality of all notes (the usual exact deduplication), `pitches` equality of the
sequence of intervals of all pitches sorted by time (key- and tempo-free exact hash, as in checks by MD5 of the pitch
sequence), `bag` cosine >= 0.98 of the 25 x 25 bigrams of melodic intervals, all against all. Also printed: the alarms
that align least, and how many files each default of `QualityConfig` refuses. Without FOLDER, the built-in chorales.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tempfile
import time
import tracemalloc
import zipfile
from collections import Counter
from collections.abc import Callable, Sequence
from difflib import SequenceMatcher
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from aurl.data.dedup import find_duplicates, outer_lines, sketch
from aurl.data.embedded import chorales_archive
from aurl.data.quality import QualityConfig, refusal
from aurl.music.midi import read_midi
from aurl.music.score import Notes, Score
from aurl.utils.errors import MidiError

RESOLUTIONS = (96, 120, 220, 384, 480, 960)
SHIFTS = (-7, -5, -4, -3, -2, -1, 1, 2, 3, 4, 5, 7)
ALTERED = 0.1
FIND = 0.5
BAG_COSINE = 0.98
PARTS = {"held-out": (1, 2), "tuned": (0, 1), "all": (0, 2)}
"""First half and end, in halves."""


def main() -> None:
    """Measure, then print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--part", choices=PARTS, default="held-out", help="half of the files, by a hash of their names")
    parser.add_argument("--limit", type=int, default=400, help="files of each folder")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print JSON only")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        with zipfile.ZipFile(chorales_archive()) as archive:
            archive.extractall(temporary)
        folders = {folder.name: folder for folder in options.folders} or {"chorales": Path(temporary)}
        results = {
            name: measure(read_scores(folder, options.part, options.limit), options.seed)
            for name, folder in folders.items()
        }
    if options.json:
        print(json.dumps(results, indent=2))
    else:
        show(results)


def read_scores(folder: Path, part: str, limit: int) -> dict[str, Score]:
    """Up to `limit` files of a half; of POP909's two versions of a song, the one as performed."""
    paths = [path for path in folder.rglob("*.mid") if not path.name.endswith(".cl.mid")]
    paths.sort(key=lambda path: hashlib.sha256(path.relative_to(folder).as_posix().encode()).digest())
    first, end = (len(paths) * halves // 2 for halves in PARTS[part])
    paths = paths[first:end]
    scores = {}
    for path in paths[:limit]:
        try:
            score = read_midi(path)
        except MidiError:
            continue
        if len(score.notes):
            scores[str(path.relative_to(folder))] = score
    return scores


def altered_copy(score: Score, rng: np.random.Generator) -> Score:
    """The copy that the module's docstring describes."""
    notes = {name: column.astype(np.int64) for name, column in score.notes.columns().items()}
    chosen = np.flatnonzero(rng.random(len(score.notes)) < ALTERED)
    kind = rng.integers(0, 3, len(chosen))
    moved, copied = chosen[kind == 1], chosen[kind == 2]
    notes["pitch"][moved] = np.clip(notes["pitch"][moved] + rng.choice(SHIFTS, len(moved)), 0, 127)
    added = {name: column[copied] for name, column in notes.items()}
    for name in ("onset", "pitch"):
        added[name] = rng.integers(notes[name].min(), notes[name].max() + 1, len(copied))
    notes = {
        name: np.concatenate([np.delete(column, chosen[kind == 0]), added[name]]) for name, column in notes.items()
    }
    drums = np.array([track.is_drum for track in score.tracks])[notes["track"]]
    notes["pitch"] = np.where(drums, notes["pitch"], np.clip(notes["pitch"] + rng.integers(-6, 7), 0, 127))
    resolution = int(rng.choice(RESOLUTIONS))
    scale = rng.uniform(0.7, 1.4) * resolution / score.ticks_per_beat
    end = np.rint((notes["onset"] + notes["duration"]) * scale).astype(np.int64)
    notes["onset"] = np.rint(notes["onset"] * scale).astype(np.int64)
    notes["duration"] = np.maximum(1, end - notes["onset"])
    return Score(ticks_per_beat=resolution, notes=Notes(**notes), tracks=score.tracks)


def measure(named: dict[str, Score], seed: int) -> dict[str, Any]:
    """Everything about one collection."""
    rng = np.random.default_rng(seed)
    names, scores = list(named), list(named.values())
    copies = [altered_copy(score, rng) for score in scores]
    methods: dict[str, Callable[[Sequence[Score]], list[int]]] = {
        "aurl": lambda given: find_duplicates([sketch(score) for score in given]).tolist(),
        "hash": lambda given: numbered([score.notes.onset.tobytes() + score.notes.pitch.tobytes() for score in given]),
        "pitches": lambda given: numbered([np.diff(score.notes.pitch.astype(np.int64)).tobytes() for score in given]),
        "bag": bag_clusters,
    }
    figures = {}
    for method, clusters in methods.items():
        start = time.process_time()
        alone = clusters(scores)
        seconds = time.process_time() - start
        both = clusters([*scores, *copies])
        recall = np.mean([a == b for a, b in zip(both[: len(scores)], both[len(scores) :], strict=True)])
        figures[method] = {"recall": float(recall), "pieces_per_second": len(scores) / seconds} | alarms(alone, scores)
    clusters = find_duplicates([sketch(score) for score in scores]).tolist()
    return {
        "pieces": len(scores),
        "clusters": sorted((n for n in Counter(clusters).values() if n > 1), reverse=True),
        "finds": finds(clusters, names, scores),
        "methods": figures,
        "peak_mebibytes": peak_mebibytes(scores),
        "refused": Counter(filter(None, (refusal(score, QualityConfig()) for score in scores))),
    }


def peak_mebibytes(scores: Sequence[Score]) -> float:
    """The largest allocation that Python sees in sketching and comparing."""
    tracemalloc.start()
    find_duplicates([sketch(score) for score in scores])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 2**20


def numbered(keys: Sequence[bytes]) -> list[int]:
    """Equal keys get equal numbers."""
    numbers = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    return [numbers[key] for key in keys]


def bag_clusters(scores: Sequence[Score]) -> list[int]:
    """Single linkage of bigrams of intervals, everything against everything."""
    bags = np.array([bag(score) for score in scores])
    alike = bags @ bags.T >= BAG_COSINE
    labels = list(range(len(scores)))
    for first, second in np.argwhere(np.triu(alike, 1)).tolist():
        if labels[first] != labels[second]:
            labels = [labels[first] if label == labels[second] else label for label in labels]
    return labels


def bag(score: Score) -> NDArray[np.float64]:
    """Bigrams of the intervals, clipped to an octave, between the highest notes of successive onsets; of length 1."""
    notes = score.notes.take(score.is_pitched)
    top = outer_lines(notes)[0] if len(notes) else np.zeros(0, np.int64)
    steps = np.clip(np.diff(top), -12, 12) + 12
    counts = np.bincount(steps[:-1] * 25 + steps[1:], minlength=625).astype(np.float64)
    return np.asarray(counts / max(1.0, float(np.linalg.norm(counts))))


def clustered_pairs(clusters: Sequence[int]) -> list[tuple[int, int]]:
    """All pairs of pieces that share a cluster."""
    members: dict[int, list[int]] = {}
    for piece, cluster in enumerate(clusters):
        members.setdefault(cluster, []).append(piece)
    return [pair for group in members.values() for pair in combinations(group, 2)]


def alarms(clusters: Sequence[int], scores: Sequence[Score]) -> dict[str, float]:
    """Shares of the pieces: with an alarm; in no cluster with a duplicate but with the same tune; with neither."""
    pairs = clustered_pairs(clusters)
    alarmed = {piece for pair in pairs for piece in pair}
    real: set[int] = set()
    same_tune: set[int] = set()
    for first, second in pairs[:2000]:
        if {first, second} <= real:
            continue
        shares = alignment(scores[first], scores[second])
        if min(shares) >= FIND:
            real |= {first, second}
        elif shares[0] >= FIND:
            same_tune |= {first, second}
    counts = {"alarms": alarmed, "same_tune": same_tune - real, "false": alarmed - real - same_tune}
    return {name: len(pieces) / len(scores) for name, pieces in counts.items()}


def finds(clusters: Sequence[int], names: Sequence[str], scores: Sequence[Score]) -> list[list[Any]]:
    """Pairs that share a cluster with the shares aligned, from the least alike up."""
    pairs = [
        [*(round(share, 2) for share in alignment(scores[first], scores[second])), names[first], names[second]]
        for first, second in clustered_pairs(clusters)[:2000]
    ]
    return sorted(pairs, key=lambda pair: min(pair[:2]))


def alignment(first: Score, second: Score) -> tuple[float, float]:
    """Share of the intervals that lie in runs common to both pieces, in the highest and in the lowest line."""
    lines = zip(*(outer_lines(score.notes.take(score.is_pitched)) for score in (first, second)), strict=True)
    high, low = (
        SequenceMatcher(None, *(np.diff(line).tolist() for line in pair), autojunk=False).ratio() for pair in lines
    )
    return high, low


def show(results: dict[str, Any]) -> None:
    """Print a table."""
    table = Table(title="Near-duplicates: injected copies and alarms on distinct pieces")
    for column in ("collection", "pieces", "method", "recall", "alarms", "same tune", "false", "pieces/s"):
        table.add_column(column, justify="left" if column in ("collection", "method") else "right")
    for name, result in results.items():
        for method, told in result["methods"].items():
            shares = [f"{told[share]:.2%}" for share in ("recall", "alarms", "same_tune", "false")]
            table.add_row(name, str(result["pieces"]), method, *shares, f"{told['pieces_per_second']:,.0f}")
    Console().print(table)
    for name, result in results.items():
        print(f"{name}: peak {result['peak_mebibytes']:.0f} MiB; refused by default quality: {dict(result['refused'])}")
        print(f"    {len(result['clusters'])} clusters, the largest of {result['clusters'][:5]}")
        for high, low, first, second in result["finds"][:10]:
            print(f"    {high:.2f} and {low:.2f} aligned  {first}  {second}")


if __name__ == "__main__":
    main()
