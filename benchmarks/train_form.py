"""Counts from which `generation/form.py` draws forms: how the phrases of pop songs follow each other.

    python benchmarks/train_form.py POP909 [--json]

POP909 holds `001.struct1.txt` ... (phrases by hand: Dai, Zhang and Dannenberg 2020, MIT licence) and a `manifest.csv`
with columns `path` and `split`; only songs of the split `train` are read. The tables are printed as they stand there.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from aurl.generation.form import INTERLUDE, INTRO, MOVES, OUTRO, context_of, moves_from

Song = list[tuple[str, int]]
SUFFIX = ".struct1.txt"


def songs(folder: Path) -> list[Song]:
    """Letter and bars of each phrase of each training song; upper and lower case are the same music."""
    with (folder / "manifest.csv").open(encoding="utf-8") as manifest:
        names = {Path(row["path"]).stem for row in csv.DictReader(manifest) if row["split"] == "train"}
    files = (path for path in sorted(folder.glob(f"*{SUFFIX}")) if path.name.removesuffix(SUFFIX) in names)
    found = (re.findall(r"([A-Z])(\d+)", path.read_text(encoding="ascii").upper()) for path in files)
    return [[(letter, int(bars)) for letter, bars in song] for song in found]


def lengths(kind: str, found: Iterable[Song]) -> dict[int, int]:
    """How often intros, outros, interludes or first statements (`phrase`) last so many bars; rare lengths left out."""
    counts: Counter[int] = Counter()
    for song in found:
        seen: set[str] = set()
        for letter, bars in song:
            own = {INTRO: "intro", OUTRO: "outro", INTERLUDE: "interlude"}.get(letter, "phrase")
            if own == kind and (own != "phrase" or letter not in seen):
                counts[bars] += 1
            seen.add(letter)
    return {bars: counts[bars] for bars in (2, 4, 8, 12, 16) if counts[bars] >= 0.03 * counts.total()}


def moves(found: Iterable[Song]) -> dict[tuple[int, int], tuple[int, ...]]:
    """How often each move is made in each context."""
    counts: defaultdict[tuple[int, int], Counter[str]] = defaultdict(Counter)
    for song in found:
        body = [letter for letter, _ in song if letter not in (INTRO, OUTRO)]
        for number, letter in enumerate(body):
            before = body[:number]
            if set(before) - {INTERLUDE}:
                ways = moves_from(before)
                name = next((move for move in MOVES if letter in ways.get(move, ())), "new")
                counts[context_of(before)][name] += 1
    return {context: tuple(counts[context][move] for move in MOVES) for context in sorted(counts)}


def main() -> None:
    """Count, then print tables or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--json", action="store_true", help="print JSON only")
    options = parser.parse_args()
    found = songs(options.folder)
    result: dict[str, Any] = {
        "songs": len(found),
        "lengths": {kind: lengths(kind, found) for kind in ("intro", "phrase", "interlude", "outro")},
        "moves": {str(context): counts for context, counts in moves(found).items()},
    }
    if options.json:
        print(json.dumps(result, indent=2))
        return
    print(f"{len(found)} songs")
    for table in ("lengths", "moves"):
        for name, row in result[table].items():
            print(f"{name:12}", row)


if __name__ == "__main__":
    main()
