"""Bits per note of one network on the same music told by `event` and by `note`, after the same processor time.

    python benchmarks/representation.py [FOLDER] [--cpu-seconds N] [--only NAME] [--tracks] [--json]

The default network (5 million parameters, AdamW) learns from the same files for so many seconds of process time,
evaluation not counted, on one thread; then every row of the held-out pieces is scored. Pieces are moved by -5 to 6
semitones, windows are 1,024 event tokens or 512 rows, batches 4,096. Held out are the pieces that a manifest.csv in
the folder marks `valid`, else every tenth.

What is compared: `event` and `note performed` share the grid of 1/64 s; `event` tells note ends exactly, `note` in
classes of 6 % beyond a second. `note metrical` tells bars, metre and positions on a grid of 1/24 quarter: another
view of the same notes, which is coarser where a performance is freer than its bars. By default all tracks become one,
because `event` merges the tracks of a family: so the notes are the same. With --tracks `note` keeps them apart and
pays for it. Bits are divided by the notes that `event` keeps of one track, so all rows share one denominator.
`no preamble`: windows that begin inside a piece are not told the prefix. `what first`: another order of the fields.
"""

from __future__ import annotations

import argparse
import csv
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from tokenization import unpacked_chorales

from aurl.data.tokenizers import EventTokenizer, NoteTokenizer, NoteTokenizerConfig, Tokenizer
from aurl.data.tokenizers.vocabulary import Vocabulary
from aurl.evaluation.likelihood import bits_per_note
from aurl.models.config import MusicModelConfig
from aurl.models.music_model import MusicModel
from aurl.music.midi import read_midi
from aurl.music.score import Controls, Notes, Score
from aurl.music.transforms import transpose
from aurl.training.optimizers import AdamWConfig, build_adamw
from aurl.training.steps import TensorBatch, TransformerStep
from aurl.training.updating import update_weights

BATCH_ROWS = 4096
LEARNING_RATE = 3e-3
WARMUP_STEPS = 20
HELD_OUT = 24


class WithoutPreamble(NoteTokenizer):
    """Windows as they are cut."""

    def preamble(self, tokens: Any, at: int) -> Any:  # noqa: ARG002 -- the base class's signature
        return tokens[:0]


class WhatFirst(NoteTokenizer):
    """The fields in the order what, when, who, how long, how loud."""

    ORDER, BACK = (2, 0, 1, 3, 4), (1, 2, 0, 3, 4)

    def __init__(self, config: NoteTokenizerConfig) -> None:
        super().__init__(config)
        self.vocabulary = Vocabulary(tuple(self.vocabulary.fields[field] for field in self.ORDER))

    def encode(self, score: Score) -> Any:
        plain = NoteTokenizer(NoteTokenizerConfig.parse(self.config.model_dump()))
        return plain.encode(score)[:, self.ORDER]

    def note_count(self, tokens: Any) -> int:
        return super().note_count(tokens[..., self.BACK])

    def preamble(self, tokens: Any, at: int) -> Any:
        return super().preamble(tokens[:, self.BACK], at)[:, self.ORDER]

    def field_mask(self, tokens: Any) -> Any:
        mask = super().field_mask(tokens[..., self.BACK])[..., self.ORDER]
        what = tokens[..., 0]
        mask[..., 1] = what >= self.layout.first["tempo"]  # bars, metres and controls have no time
        mask[..., 2] = what >= self.layout.first["sustain"]
        return mask


def note(clock: str, kind: type[NoteTokenizer] = NoteTokenizer) -> Callable[[], Tokenizer]:
    return lambda: kind(NoteTokenizerConfig.parse({"clock": clock}))


CONTESTANTS: dict[str, tuple[Callable[[], Tokenizer], int]] = {
    "event": (EventTokenizer, 1024),
    "note performed": (note("performed"), 512),
    "note metrical": (note("metrical"), 512),
    "note metrical, what first": (note("metrical", WhatFirst), 512),
    "note metrical, no preamble": (note("metrical", WithoutPreamble), 512),
}


@dataclass(frozen=True)
class Result:
    """One tokenizer after its time."""

    name: str
    cpu_seconds: float
    steps: int
    rows_learned: int
    rows_per_note: float
    parameters: int
    bits_per_note: float
    bits_per_note_by_field: dict[str, float]


def main() -> None:
    """Train each, then print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", help="of MIDI files; the built-in chorales when not given")
    parser.add_argument("--cpu-seconds", type=float, default=60.0, help="of training, for each")
    parser.add_argument("--only", choices=CONTESTANTS, action="append", help="may be repeated")
    parser.add_argument("--tracks", action="store_true", help="keep tracks apart where the tokenizer can")
    parser.add_argument("--json", action="store_true", help="print JSON only")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as temporary:
        train, valid = read_split(options.folder or unpacked_chorales(Path(temporary)), options.tracks)
    names = options.only or ["event", "note performed", "note metrical"]
    results = [run(name, train, valid, options.cpu_seconds) for name in names]
    if options.json:
        print(json.dumps([asdict(result) for result in results], indent=2))
    else:
        show(results, len(train), len(valid))


def read_split(folder: Path, keep_tracks: bool) -> tuple[list[Score], list[Score]]:
    """The pieces to learn from and those held out; files whose names say that they are labelled versions are left."""
    paths = sorted(path for path in folder.rglob("*.mid") if len(path.suffixes) == 1)
    manifest = folder / "manifest.csv"
    if manifest.exists():
        with manifest.open() as lines:
            held_out = {row["path"] for row in csv.DictReader(lines) if row.get("split") == "valid"}
        is_valid = [str(path.relative_to(folder)) in held_out for path in paths]
    else:
        is_valid = [number % 10 == 9 for number in range(len(paths))]
    scores = [read_midi(path) for path in paths]
    scores = scores if keep_tracks else [one_track(score) for score in scores]
    train = [score for score, held in zip(scores, is_valid, strict=True) if not held and len(score.notes)]
    valid = [score for score, held in zip(scores, is_valid, strict=True) if held and len(score.notes)]
    return train, valid[:HELD_OUT]


def one_track(score: Score) -> Score:
    """All pitched notes on one piano track."""
    notes = score.notes.take(score.is_pitched)
    columns = {**notes.columns(), "track": np.zeros(len(notes), np.uint16)}
    controls = Controls(**{**score.controls.columns(), "track": np.zeros(len(score.controls), np.uint16)})
    empty = {"texts": score.texts.take(slice(0)), "pitch_bends": score.pitch_bends.take(slice(0))}
    return score.replace(notes=Notes(**columns), controls=controls, tracks=(score.tracks[0],), **empty)


def run(name: str, train: Sequence[Score], valid: Sequence[Score], cpu_seconds: float) -> Result:
    """Learn for `cpu_seconds`, then score the held-out pieces."""
    build, context = CONTESTANTS[name]
    tokenizer = build()
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    model = MusicModel(MusicModelConfig(vocabulary_sizes=tokenizer.vocabulary.sizes, context=context))
    optimizer = build_adamw(AdamWConfig(learning_rate=LEARNING_RATE), model)
    step, rows, began = 0, 0, time.process_time()
    while (share := (time.process_time() - began) / cpu_seconds) < 1:
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * min(1, (step + 1) / WARMUP_STEPS) * min(1, (1 - share) / 0.6 + 0.01)
        batch = draw(tokenizer, train, context, rng)
        update_weights(model.train(), optimizer, TransformerStep(), [batch], clip_norm=1.0)
        step, rows = step + 1, rows + batch.tokens
    pieces = [tokenizer.encode(score) for score in valid]
    report = bits_per_note(model, pieces, tokenizer, context=context, batch_tokens=BATCH_ROWS)
    denominator = sum(EventTokenizer().note_count(EventTokenizer().encode(score)) for score in valid)
    scale = report.tokens / denominator
    fields = [field.name for field in tokenizer.vocabulary.fields]
    by_field = {f: bits * scale for f, bits in zip(fields, report.bits_per_token_by_field, strict=True)}
    return Result(
        name=name,
        cpu_seconds=cpu_seconds,
        steps=step,
        rows_learned=rows,
        rows_per_note=scale,
        parameters=model.parameter_count,
        bits_per_note=sum(by_field.values()),
        bits_per_note_by_field=by_field,
    )


def draw(tokenizer: Tokenizer, train: Sequence[Score], context: int, rng: np.random.Generator) -> TensorBatch:
    """Windows of random pieces at random places, moved by random intervals."""
    batch = np.tile(tokenizer.vocabulary.pad.astype(np.int64), (BATCH_ROWS // context, context + 1, 1))
    counts = np.zeros(batch[:, 1:].shape, np.bool_)
    notes = 0
    for row, count in zip(batch, counts, strict=True):
        score = train[rng.integers(len(train))]
        tokens = tokenizer.encode(transpose(score, int(rng.integers(-5, 7))))
        start = max(0, int(rng.integers(-context // 4, max(1, len(tokens) - context))))
        window = tokenizer.window(tokens, start, start + context + 1)
        known = len(tokenizer.preamble(tokens, start)) if start else 0
        row[: len(window)] = window
        count[known : len(window) - 1] = True
        notes += tokenizer.note_count(window[1:])
    inputs, targets = torch.from_numpy(batch[:, :-1]), torch.from_numpy(batch[:, 1:])
    mask = torch.from_numpy(counts & tokenizer.field_mask(batch[:, 1:]))
    return TensorBatch(inputs, targets, mask, int(counts.any(-1).sum()), notes, 0)


def show(results: Sequence[Result], train: int, valid: int) -> None:
    """The results as a table."""
    table = Table(title=f"{train} pieces learned from, {valid} held out, {results[0].cpu_seconds:g} CPU-seconds each")
    for head in ("", "parameters", "rows/note", "steps", "rows learned", "bits/note", "by field"):
        table.add_column(head, justify="left" if head in ("", "by field") else "right")
    for r in results:
        fields = " ".join(f"{name} {bits:.2f}" for name, bits in r.bits_per_note_by_field.items())
        table.add_row(
            r.name, f"{r.parameters / 1e6:.1f}M", f"{r.rows_per_note:.2f}", str(r.steps), f"{r.rows_learned:,}",
            f"{r.bits_per_note:.2f}", fields,
        )  # fmt: skip
    Console().print(table)


if __name__ == "__main__":
    main()
