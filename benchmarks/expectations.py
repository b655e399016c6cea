"""What a model expects along real music, beside what comes there, and beside what comes where it writes by itself.

    python benchmarks/expectations.py MODEL --corpus CORPUS [--style pop] [--pieces 45] [--written 48] [--json]

Along held-out pieces, as the model is told of them, the probability it gives to things about the next note, summed, and
how often they happen: a step (1 or 2 semitones) from the highest note of the onset before, that pitch again, more than
a step above it; the pitch itself and the length in quarters are means. Times and tracks, of the pitch, and those and
the pitch, of the length, are the real ones. `written`: the same counts in pieces of its own, drawn at temperature 1
with nothing cut, so that no setting stands between. Where `expected` is off, the network does not know better; where
it is right and `written` is off, the network goes astray in its own music. Intervals, 95 %, are of expected less real,
by bootstrap over pieces. By bars, from 1.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

import aurl
from aurl.data.tokenizers.note_vocabulary import HOW_LONG, STEPS_PER_QUARTER, WHAT, WHEN, NoteLayout
from aurl.evaluation.statistics import bootstrap
from aurl.generation.constraints.base import note_layout
from aurl.models.music_model import MusicModel
from aurl.models.pretrained import load_model
from aurl.pipelines.model import Model
from aurl.pipelines.reference import Reference

THINGS = ("step", "same pitch", "above", "pitch", "length")
BARS = (1, 5, 9, 17)
"""First bars of the stretches that are told apart."""
BATCH = 8

Rows = NDArray[np.int64]
Floats = NDArray[np.float64]


def notes_of(rows: Rows, layout: NoteLayout) -> Iterator[tuple[int, int, int]]:
    """Row number, stretch of BARS, and highest pitch of the onset before, of each pitched note that has one."""
    first, end = layout.span("pitch")
    bars, top, now, time = 0, -1, -1, (-1, -1)
    for number, row in enumerate(rows.tolist()):
        bars += row[WHAT] == layout.first["bar"]
        if first <= row[WHAT] < end:
            if (bars, row[WHEN]) != time:
                top, now, time = now, -1, (bars, row[WHEN])
            if top >= 0:
                yield number, int(np.searchsorted(BARS, bars, side="right")) - 1, top
            now = max(now, row[WHAT] - first)


def happened(rows: Rows, layout: NoteLayout) -> Floats:
    """Sums of THINGS and the number of notes `[stretch, 6]`."""
    found = np.zeros((len(BARS), len(THINGS) + 1))
    for number, stretch, top in notes_of(rows, layout):
        pitch, length = int(rows[number, WHAT]) - layout.first["pitch"], _quarters(layout)[rows[number, HOW_LONG]]
        found[stretch] += (abs(pitch - top) in (1, 2), pitch == top, pitch > top + 2, pitch, length, 1)
    return found


@torch.inference_mode()
def expected(rows: Rows, layout: NoteLayout, network: MusicModel) -> Floats:
    """The same sums, of the probabilities that the network gives when it has read the rows before."""
    read = torch.from_numpy(rows[None])
    hidden, wanted = network.hidden(read[:, :-1]), read[:, 1:]
    what, how_long = (
        network.field_logits(hidden, field, wanted[..., :field])[0].softmax(dim=-1).double().numpy()
        for field in (WHAT, HOW_LONG)
    )
    first, end = layout.span("pitch")
    pitches, found = np.arange(end - first), np.zeros((len(BARS), len(THINGS) + 1))
    for number, stretch, top in notes_of(rows, layout):
        chances = what[number - 1, first:end] / what[number - 1, first:end].sum()
        away = np.abs(pitches - top)
        of_pitch = [chances[which].sum() for which in ((away == 1) | (away == 2), away == 0, pitches > top + 2)]
        found[stretch] += (*of_pitch, chances @ pitches, how_long[number - 1] @ _quarters(layout), 1)
    return found


def _quarters(layout: NoteLayout) -> Floats:
    return np.append(0, layout.durations) / STEPS_PER_QUARTER


def written(model: Model, pieces: int, style: str | None) -> list[Rows]:
    """Rows of pieces of the model's own, as far as its context goes."""
    asked: dict[str, Any] = {"bars": 64, "temperature": 1.0, "epsilon": 0.0, "variations": BATCH}
    asked |= {} if style is None else {"style": style}
    seeds = range(0, pieces, BATCH)
    return [np.asarray(piece.tokens, np.int64) for seed in seeds for piece in model.write({**asked, "seed": seed})]


def means(sums: Sequence[Floats]) -> Floats:
    """By stretch and thing, over all pieces."""
    total = np.sum(sums, axis=0)
    return np.asarray(total[:, :-1] / np.maximum(total[:, -1:], 1))


def compared(along: Sequence[Floats], real: Sequence[Floats], own: Sequence[Floats]) -> list[dict[str, Any]]:
    """A row for each stretch and thing."""
    table, pairs = [], np.concatenate([np.stack(along), np.stack(real)], axis=2)
    figures = {"expected": means(along), "real": means(real)} | ({"written": means(own)} if own else {})
    for stretch, first in enumerate(BARS):
        for thing, name in enumerate(THINGS):
            columns = pairs[:, stretch, [thing, thing + len(THINGS) + 1, -1]]
            off = bootstrap(columns, lambda rows: (rows[:, 0].sum() - rows[:, 1].sum()) / max(rows[:, 2].sum(), 1))
            told = {key: float(value[stretch, thing]) for key, value in figures.items()}
            table.append({"from_bar": first, "thing": name, **told, "expected_less_real": [off.low, off.high]})
    return table


def main() -> None:
    """Measure, then print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--style")
    parser.add_argument("--pieces", type=int, default=45)
    parser.add_argument("--written", type=int, default=48, help="pieces of the model's own, in eights; 0 for none")
    parser.add_argument("--json", action="store_true", help="print JSON only")
    options = parser.parse_args()
    model, network = aurl.load(options.model), load_model(options.model)[0]
    layout, context = note_layout(model.tokenizer), network.config.context
    reference = Reference(options.corpus, "valid", options.style, quiet=True)
    held_out = reference.held_out[: options.pieces]
    pieces = reference.encoded(held_out, model.tokenizer, network.config.vocabulary_sizes)
    real = [np.asarray(piece[: context + 1], np.int64) for piece in pieces]
    own = written(model, options.written, options.style) if options.written else []
    table = compared(
        [expected(rows, layout, network.eval()) for rows in real],
        [happened(rows, layout) for rows in real],
        [happened(rows, layout) for rows in own],
    )
    result = {"pieces": len(real), "written_pieces": len(own), "things": table}
    print(json.dumps(result, indent=2)) if options.json else show(result)


def show(result: dict[str, Any]) -> None:
    """Print the table for people."""
    shown = Table(title=f"{result['pieces']} held-out pieces, {result['written_pieces']} written")
    for heading in ("from bar", "", "expected", "real", "expected - real", "written"):
        shown.add_column(heading, justify="left" if not heading else "right")
    for row in result["things"]:
        low, high = row["expected_less_real"]
        own = f"{row['written']:.3f}" if "written" in row else ""
        figures = f"{row['expected']:.3f}", f"{row['real']:.3f}", f"{low:+.3f} to {high:+.3f}", own
        shown.add_row(str(row["from_bar"]), row["thing"], *figures)
    Console().print(shown)


if __name__ == "__main__":
    main()
