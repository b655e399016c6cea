"""What `aurl demo --train` costs and what comes out: time of each stage, and its music beside held-out chorales.

    python benchmarks/demo.py [--out FOLDER] [--json]

Runs the demo (prepare, train, write eight candidates and choose one by the training split), then looks at all
candidates, unpicked. For each metric: the demo's piece, how many of the candidates lie within the 5 % to 95 % range of
the validation chorales, how many of the test chorales do (the measure of that measure), and the range of the test
chorales, by which no setting of the demo was chosen. A FOLDER with a finished demo is used as it is.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import aurl
from aurl.data.store import Corpus
from aurl.data.tokenizers import TOKENIZERS, Tokenizer
from aurl.evaluation.likelihood import bits_per_note
from aurl.evaluation.metrics import MetricRow, compare, describe
from aurl.models.pretrained import load_model
from aurl.music.midi import read_midi
from aurl.music.score import Score
from aurl.pipelines.chorales import CANDIDATES, SECONDS, canonical_scores, demo_config, train_on_chorales


def main() -> None:
    """Measure, then print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="folder of the demo; a temporary one when not given")
    parser.add_argument("--json", action="store_true", help="print JSON only")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        result = measure(options.out or Path(temporary))
    if options.json:
        print(json.dumps(result, indent=2))
        return
    for name, value in result.items():
        if name != "metrics":
            print(f"{name:28} {value:,.4g}")
    print(f"\n{'metric':20} {'demo':>7} {'5 %':>7} {'95 %':>7}  pieces inside   test chorales inside   test 5 %, 95 %")
    for name, row in result["metrics"].items():
        span = f"{row['demo']:7.3g} {row['low']:7.3g} {row['high']:7.3g}"
        print(
            f"{name:20} {span}  {row['inside']:6.0%} of {row['pieces']:<4} {row['test_inside']:8.0%}"
            f"   {row['test_low']:18.3g} {row['test_high']:7.3g}"
        )


def measure(out: Path) -> dict[str, Any]:
    """All figures."""
    began = time.perf_counter()
    demo = train_on_chorales(out, quiet=True)
    seconds = time.perf_counter() - began
    corpus, tokenizer = Corpus.open(out / "corpus"), TOKENIZERS.build(demo_config(out, None).tokenizer)
    model = aurl.load(out / "model")
    written = model.write({"seconds": SECONDS, "variations": CANDIDATES})
    scores = [read_midi(out / "piece.mid"), *(one.score for one in written)]
    piece, *candidates = [tokenizer.canonical(score)[0] for score in scores]
    return {
        "demo seconds": seconds,
        "validation bits per note": demo["validation_bits_per_note"],
        "validation, all pieces": bits(out, corpus, "valid", tokenizer),
        "test, bits per note": bits(out, corpus, "test", tokenizer),
        "seconds of music": piece.duration_seconds,
        "metrics": beside(
            piece, candidates, *(canonical_scores(corpus, split, tokenizer) for split in ("valid", "test"))
        ),
    }


def bits(out: Path, corpus: Corpus, split: str, tokenizer: Tokenizer) -> float:
    """Bits per note of the demo's model on all pieces of a split."""
    model = load_model(out / "model")[0]
    pieces = [tokenizer.encode(corpus.score(int(index))) for index in corpus.indices(split)]
    return bits_per_note(model, pieces, tokenizer, context=model.config.context).bits_per_note


def beside(
    piece: Score, candidates: list[Score], held_out: list[Score], test: list[Score]
) -> dict[str, dict[str, float]]:
    """For each metric: range, the piece's value, and the share of candidates and of test chorales inside."""
    shares = {row.metric: share(row) for row in compare(test, held_out)}
    untouched = {row.metric: row for row in compare([piece], test)}
    own = describe(piece)
    return {
        row.metric: {
            "demo": own[row.metric],
            "low": row.reference_5_percent,
            "high": row.reference_95_percent,
            "inside": share(row),
            "pieces": len(row.values),
            "test_inside": shares[row.metric],
            "test_low": untouched[row.metric].reference_5_percent,
            "test_high": untouched[row.metric].reference_95_percent,
        }
        for row in compare(candidates, held_out)
    }


def share(row: MetricRow) -> float:
    """How many of a row's values lie within its range."""
    inside = [row.reference_5_percent <= value <= row.reference_95_percent for value in row.values]
    return sum(inside) / len(inside)


if __name__ == "__main__":
    main()
