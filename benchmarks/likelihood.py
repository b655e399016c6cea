"""Bits per note and per second of models on held-out music, beside what counting reaches: lower is better.

    python benchmarks/likelihood.py MODEL [MODEL ...] --corpus CORPUS [--split valid] [--json]

A MODEL is a trained run or checkpoint. All of every piece of the split is scored, each token once, windows overlapping
by half the model's context. The n-gram and the copy model (`aurl.evaluation.baselines`) count the pieces of the split
`train` and score the same tokens. Models are compared where their tokenizers say the same; each tokenizer has
baselines of its own. Intervals are of 95 %, by bootstrap over pieces; differences are paired by piece. `perplexity` is
that of a choice (a field that counts). CPU time is that of scoring; the n-gram's includes the counting for both.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from rich.console import Console
from rich.table import Table

from aurl.data.store import Corpus
from aurl.data.tokenizers import TOKENIZERS, Tokenizer
from aurl.evaluation.baselines import fit
from aurl.evaluation.likelihood import LikelihoodReport, Unit, bits_per_note, difference
from aurl.evaluation.statistics import Interval
from aurl.models.pretrained import load_model

Pieces = list[np.ndarray[Any, Any]]


def encoded(corpus: Corpus, tokenizer: Tokenizer, split: str) -> Pieces:
    """The pieces of a split as tokens."""
    return [tokenizer.encode(corpus.score(int(index))) for index in corpus.indices(split)]


def scored(models: list[Path], corpus: Corpus, split: str) -> tuple[dict[str, LikelihoodReport], dict[str, float]]:
    """The report of each model and baseline, and the processor time that each took."""
    reports: dict[str, LikelihoodReport] = {}
    seconds: dict[str, float] = {}
    fitted: dict[str, tuple[Tokenizer, Pieces]] = {}
    for path in models:
        model, experiment = load_model(path)
        tokenizer = TOKENIZERS.build(TOKENIZERS.parse(experiment["tokenizer"]))
        if tokenizer.fingerprint not in fitted:
            fitted[tokenizer.fingerprint] = tokenizer, encoded(corpus, tokenizer, split)
        began = time.process_time()
        pieces = fitted[tokenizer.fingerprint][1]
        reports[str(path)] = bits_per_note(model, pieces, tokenizer, context=model.config.context)
        seconds[str(path)] = time.process_time() - began
    for number, (tokenizer, pieces) in enumerate(fitted.values(), 1):
        began = time.process_time()
        for name, baseline in fit(encoded(corpus, tokenizer, "train"), tokenizer).items():
            told = name if len(fitted) == 1 else f"{name} {number}"
            reports[told] = baseline.report(pieces)
            seconds[told], began = time.process_time() - began, time.process_time()
    return reports, seconds


def figures(reports: dict[str, LikelihoodReport], seconds: dict[str, float]) -> dict[str, Any]:
    """Everything measured, as JSON has it; intervals are [value, low, high]."""

    def told(interval: Interval) -> list[float]:
        return [interval.value, interval.low, interval.high]

    units: tuple[Unit, ...] = ("note", "second")
    rows = {
        name: {
            **{f"bits_per_{unit}": told(report.interval(unit)) for unit in units},
            "bits_per_note_by_field": {field: told(report.interval("note", field)) for field in report.fields},
            "bits_per_token": report.bits_per_token,
            "perplexity": report.perplexity,
            "resolution": report.resolution,
            "cpu_seconds": seconds[name],
        }
        for name, report in reports.items()
    }
    names = list(reports)
    pairs = [(one, other) for at, one in enumerate(names) for other in names[at + 1 :]]
    differences = [
        {"of": one, "less": other}
        | {f"bits_per_{unit}": told(difference(reports[one], reports[other], unit)) for unit in units}
        for one, other in pairs
        if reports[one].resolution == reports[other].resolution
    ]
    return {"scored": rows, "differences": differences}


def show(found: dict[str, Any]) -> None:
    """Two tables."""

    def cell(interval: list[float]) -> str:
        return "{:.2f} [{:.2f}, {:.2f}]".format(*interval)

    console = Console(width=200)
    console.print(f"{found['corpus']} {found['split']}: {found['pieces']} pieces, {found['notes']} notes")
    table = Table("", "bits/note", "bits/second", "perplexity", "bits/note by field", "CPU s")
    for name, row in found["scored"].items():
        shares = " ".join(f"{field} {share[0]:.2f}" for field, share in row["bits_per_note_by_field"].items())
        total = (cell(row["bits_per_note"]), cell(row["bits_per_second"]), f"{row['perplexity']:.2f}")
        table.add_row(name, *total, shares, f"{row['cpu_seconds']:.0f}")
    console.print(table)
    for resolution in sorted({row["resolution"] for row in found["scored"].values()}):
        console.print(f"resolution: {resolution}")
    table = Table("difference", "bits/note", "bits/second")
    for row in found["differences"]:
        table.add_row(f"{row['of']} - {row['less']}", cell(row["bits_per_note"]), cell(row["bits_per_second"]))
    console.print(table)


def main() -> None:
    """Score, then print tables or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", type=Path, nargs="+", metavar="MODEL")
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--split", default="valid")
    parser.add_argument("--json", action="store_true", help="print JSON only")
    options = parser.parse_args()
    reports, seconds = scored(options.models, Corpus.open(options.corpus), options.split)
    first = next(iter(reports.values()))
    found = {
        "corpus": options.corpus.name,
        "split": options.split,
        "pieces": len(first.piece_notes),
        "notes": first.notes,
        **figures(reports, seconds),
    }
    if options.json:
        print(json.dumps(found, indent=2))
    else:
        show(found)


if __name__ == "__main__":
    main()
