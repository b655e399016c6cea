"""Which settings sound most like real music? Figures of what a model writes, for several settings, from the same seeds.

    python benchmarks/sampling.py MODEL --corpus CORPUS [--style pop] [--pieces 16] [--bars 64] [--split train] [--json]
                                  [--settings '{temperature: 0.9}' '{temperature: 1, min_p: 0.05}' ...]

Settings are those of `aurl generate`, in YAML. `frechet` is the distance of the hand features to the pieces of the
split, `inside` the share of figures within their 1-99 % range, the lags and `form` as in `aurl evaluate`; `real` are
pieces of the train split by the same measures. Settings are chosen on `train`: what is reported on `valid` is then new.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

import aurl
from aurl.evaluation.judging import Judgement, RealMusic, judge
from aurl.evaluation.metrics import METRICS
from aurl.music.score import Score
from aurl.pipelines.model import Model
from aurl.pipelines.reference import Reference

FORM = "sections: auto, constraints: [reprise]"
TRIED = [
    "{temperature: 0.95, top_p: 0.95}",
    *(f"{{temperature: {temperature}, epsilon: 0.01}}" for temperature in (1.0, 1.1, 1.2)),
    *(f"{{temperature: {temperature}, epsilon: 0.01, {FORM}}}" for temperature in (1.0, 1.1, 1.2)),
]
SHOWN = ("note_density", "repetition", "longest_loop", "key_fit", "pitch_class_entropy")
BATCH = 8


def written(model: Model, settings: Mapping[str, Any], options: argparse.Namespace) -> list[Score]:
    """Pieces of the seeds 0, 1 ..., none of them chosen."""
    scores: list[Score] = []
    while len(scores) < options.pieces:
        count = min(BATCH, options.pieces - len(scores))
        asked = {"bars": options.bars, "style": options.style, **settings, "seed": len(scores), "variations": count}
        scores += [piece.score for piece in model.write({k: v for k, v in asked.items() if v is not None})]
    return scores


def row(found: Judgement, side: str) -> dict[str, float]:
    """The figures of one side of a judgement, `pieces` or `real`."""
    figures, values = found.figures, found.features if side == "pieces" else found.real_features
    lags = {f"lag {lag}": figures[f"self_similarity_{lag}"][side]["value"] for lag in (4, 8, 16)}
    names = list(METRICS)
    return {
        "frechet": figures["frechet_hand_features"][side]["value"],
        "inside": figures["inside"]["figures"][side],
        **lags,
        "form": figures["form"][side]["value"],
        **{name: float(values[:, names.index(name)].mean()) for name in SHOWN},
        "degenerate": figures["degenerate"][side],
    }


def main() -> None:
    """Measure, then print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--style")
    parser.add_argument("--pieces", type=int, default=16)
    parser.add_argument("--bars", type=int, default=64)
    parser.add_argument("--split", default="train", help="the pieces to compare with")
    parser.add_argument("--settings", nargs="+", default=TRIED)
    parser.add_argument("--json", action="store_true", help="print JSON only")
    options = parser.parse_args()
    model = aurl.load(options.model)
    told = Reference(options.corpus, options.split, options.style, quiet=True).told_by(model.tokenizer)
    real = RealMusic(told.held_out, told.learned, None)  # copying is not asked about here
    table: dict[str, dict[str, float]] = {}
    for text in options.settings:
        began = time.process_time()
        found = judge(written(model, yaml.safe_load(text), options), real, bars=options.bars)
        table.setdefault("real", row(found, "real"))
        table[text] = {**row(found, "pieces"), "CPU s": time.process_time() - began}
    if options.json:
        print(json.dumps(table, indent=2))
        return
    width = max(map(len, table))
    print(" " * width, *(f"{name[:10]:>10}" for name in table[options.settings[0]]))
    for name, figures in table.items():
        print(f"{name:<{width}}", *(f"{value:10.3f}" for value in figures.values()))


if __name__ == "__main__":
    main()
