"""Do bars that a model fills in fit where they stand? Their bits per note, and those of what follows, beside real ones.

    python benchmarks/infill.py MODEL --corpus CORPUS [--style pop] [--pieces 45] [--first 17] [--bars 4]
                                [--temperature 1] [--json]

Of each held-out piece some bars are written anew in sight of what is before and behind them. Then the network reads the
real piece and the one with the new bars from left to right: `entering` is the first of the bars, `inside` the others,
`leaving` the bar behind them, which is real in both and unlikely where the new bars do not lead to it. `elsewhere` are
all bars before. Ratios are of the sums over all pieces, with an interval of 95 % by bootstrap over pieces.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import aurl
from aurl.data.tokenizers.note_vocabulary import WHAT
from aurl.models.music_model import MusicModel
from aurl.models.pretrained import load_model
from aurl.music.score import Score
from aurl.pipelines.model import Model
from aurl.pipelines.reference import Reference

PLACES = ("elsewhere", "entering", "inside", "leaving")


def bits_by_place(network: MusicModel, model: Model, score: Score, first: int, bars: int) -> NDArray[np.float64]:
    """Bits and notes `[place, 2]` of a piece, in the places of PLACES; bars from 0."""
    tokenizer = model.tokenizer
    tokens = tokenizer.encode(score)[: network.config.context + 1].astype(np.int64)
    mask = tokenizer.field_mask(tokens[1:])
    with torch.inference_mode():
        inputs, targets, counts = (torch.from_numpy(part[None]) for part in (tokens[:-1], tokens[1:], mask))
        bits = network.nll(inputs, targets, counts)[0].sum(dim=-1).numpy() / np.log(2)
    names = tokenizer.vocabulary.fields[WHAT].tokens
    what = tokens[1:, WHAT]
    bar = np.cumsum(what == names.index("bar")) - 1
    is_note = np.array([name.startswith(("pitch", "drum")) for name in names])[what]
    spans = ((0, first), (first, first + 1), (first + 1, first + bars), (first + bars, first + bars + 1))
    inside = [(bar >= start) & (bar < stop) for start, stop in spans]
    return np.array([[bits[rows].sum(), is_note[rows].sum()] for rows in inside])


def ratios(written: NDArray[np.float64], real: NDArray[np.float64]) -> dict[str, dict[str, Any]]:
    """By place: bits per note of both `[piece, place, 2]`, and their ratio with its interval."""
    rng = np.random.default_rng(0)
    draws = rng.integers(len(real), size=(1000, len(real)))
    told: dict[str, dict[str, Any]] = {}
    for number, place in enumerate(PLACES):
        ours, theirs = written[:, number], real[:, number]
        drawn = [_per_note(ours[draw]) / _per_note(theirs[draw]) for draw in draws]
        told[place] = {
            "real": _per_note(theirs),
            "written": _per_note(ours),
            "ratio": _per_note(ours) / _per_note(theirs),
            "interval": np.quantile(drawn, [0.025, 0.975]).tolist(),
        }
    return told


def _per_note(bits_and_notes: NDArray[np.float64]) -> float:
    bits, notes = bits_and_notes.sum(axis=0)
    return float(bits / max(notes, 1))


def main() -> None:
    """Measure, then print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--style")
    parser.add_argument("--pieces", type=int, default=45)
    parser.add_argument("--first", type=int, default=17, help="number of the first bar, from 1")
    parser.add_argument("--bars", type=int, default=4)
    parser.add_argument("--temperature", type=float, help="that of the model when not given")
    parser.add_argument("--json", action="store_true", help="print JSON only")
    options = parser.parse_args()
    began, first = time.process_time(), options.first - 1
    network, _ = load_model(options.model)
    model = aurl.load(options.model)
    held_out = Reference(options.corpus, "valid", options.style, quiet=True).told_by(model.tokenizer).held_out
    drawn = {} if options.temperature is None else {"temperature": options.temperature}
    pairs = []
    for seed, given in enumerate(held_out[: options.pieces]):
        if int(given.metre_map.ticks_to_bar_beat(given.end_ticks)[0]) <= first + options.bars + 1:
            continue
        filled = model.infill(given, f"{options.first}-{first + options.bars}", seed=seed, **drawn).score
        pairs.append([bits_by_place(network.eval(), model, score, first, options.bars) for score in (filled, given)])
    if not pairs:
        parser.error(f"no held-out piece has {first + options.bars + 2} bars")
    written, real = np.array(pairs).transpose(1, 0, 2, 3)
    result: dict[str, Any] = {
        "pieces": len(pairs),
        "places": ratios(written, real),
        "CPU s": time.process_time() - began,
    }
    if options.json:
        print(json.dumps(result, indent=2))
        return
    print(f"{len(pairs)} pieces, bars {options.first} to {first + options.bars} written anew; bits per note")
    for place, row in result["places"].items():
        figures = f"real {row['real']:6.2f}  written {row['written']:6.2f}  ratio {row['ratio']:.3f}"
        print(f"{place:10} {figures} [{row['interval'][0]:.3f}, {row['interval'][1]:.3f}]")


if __name__ == "__main__":
    main()
