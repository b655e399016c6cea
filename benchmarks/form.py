"""Do pieces come back to what they said? Self-similarity of what a model writes, with `reprise` and without it.

    python benchmarks/form.py MODEL --corpus CORPUS [--pieces 12] [--bars 64] [--sections auto] [--strengths 0 2.5]
                              [--lag 8] [--json]

Each figure is the mean over pieces (for `real` those of the split `valid`, cut to as many bars); strength 0 is without
it. `lag 4`, `lag 8`, `lag 16` and `repetition` are those of `evaluation/metrics`; `in range` is the share of pieces
whose repetition lies in the middle nine tenths of real music, `loop` the share of the bars in the longest exact loop,
`degenerate` the share of pieces that are little else. `recall` is how alike sections that return are, 1 for as in
POP909.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import aurl
from aurl.data.store import Corpus
from aurl.data.tokenizers import NoteTokenizer
from aurl.evaluation.metrics import METRICS, is_degenerate
from aurl.generation.constraints import CONSTRAINTS
from aurl.music.score import Score
from aurl.pipelines.model import Model

METRICS_SHOWN = {
    "lag 4": "self_similarity_4",
    "lag 8": "self_similarity_8",
    "lag 16": "self_similarity_16",
    "repetition": "repetition",
    "loop": "longest_loop",
    "key fit": "key_fit",
}
BATCH = 4


def cut(score: Score, bars: int) -> Score:
    """The notes and labels of the first bars."""
    end = int(score.metre_map.bar_to_ticks(bars))
    return score.replace(
        notes=score.notes.take(score.notes.onset < end), texts=score.texts.take(score.texts.time < end)
    )


def figures(scores: Sequence[Score], bars: int) -> dict[str, list[float]]:
    """Each figure of each piece."""
    reprise = CONSTRAINTS.build(CONSTRAINTS.parse("reprise"), NoteTokenizer().layout)
    return {
        **{figure: [METRICS[name](score) for score in scores] for figure, name in METRICS_SHOWN.items()},
        "recall": [reprise.score(score) for score in scores],
        "degenerate": [is_degenerate(score) for score in scores],
        "notes/bar": [len(score.notes) / bars for score in scores],
    }


def written(model: Model, options: argparse.Namespace, strength: float) -> list[Score]:
    """Pieces of the model, those of each strength from the same seeds."""
    constraints = [{"name": "reprise", "strength": strength, "lag": options.lag}] if strength else []
    asked: dict[str, Any] = {"bars": options.bars, "constraints": constraints}
    if options.sections:
        asked["sections"] = options.sections
    scores: list[Score] = []
    while len(scores) < options.pieces:
        count = min(BATCH, options.pieces - len(scores))
        scores += [piece.score for piece in model.write({**asked, "seed": len(scores), "variations": count})]
    return scores


def main() -> None:
    """Measure, then print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--pieces", type=int, default=12)
    parser.add_argument("--bars", type=int, default=64)
    parser.add_argument("--sections", help='like "AABA" or "auto"; the model writes its own when not given')
    parser.add_argument("--lag", type=int, default=8, help="bars back where there are no sections")
    parser.add_argument("--strengths", type=float, nargs="+", default=[0, 2.5])
    parser.add_argument("--json", action="store_true", help="print JSON only")
    options = parser.parse_args()
    model, corpus = aurl.load(options.model), Corpus.open(options.corpus)
    real = figures([cut(corpus.score(int(index)), options.bars) for index in corpus.indices("valid")], options.bars)
    low, high = np.nanquantile(real["repetition"], [0.05, 0.95])
    table: dict[str, dict[str, float]] = {}
    for name in ("real", *options.strengths):
        began = time.process_time()
        found = real if name == "real" else figures(written(model, options, name), options.bars)
        inside = [low <= value <= high for value in found["repetition"]]
        means = {figure: float(np.nanmean(values)) for figure, values in found.items()}
        table[str(name)] = {**means, "in range": float(np.mean(inside)), "CPU s": time.process_time() - began}
    if options.json:
        print(json.dumps(table, indent=2))
        return
    print(f"{'strength':>12}", *(f"{name:>11}" for name in table["real"]))
    for name, row in table.items():
        print(f"{name:>12}", *(f"{value:11.3f}" for value in row.values()))


if __name__ == "__main__":
    main()
