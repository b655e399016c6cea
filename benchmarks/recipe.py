"""What a model should be made of: bits per note of small models after the same processor time, one choice changed.

    python benchmarks/recipe.py CORPUS --folder RESULTS [--cpu-seconds 180] [--seeds 3] [--pieces 16]
                                [--only NAME ...] [--jobs 2] [--json]

The recipe is configs/dev.yaml (`as it is`); each other line changes what its name says. First the processor time of an
update is taken for every recipe, in turns, on one thread, batches made and all; then each learns for as many updates as
fit into --cpu-seconds, under the same schedule, with seeds 0, 1 ..., and every token of the first --pieces pieces of
the split `valid` is scored. What other processes do therefore changes no result. Seeds decide weights, order and
dropout; differences are paired by seed, their interval is that of Student's t, 95 %. --folder keeps what was found, so
a run that was cut off goes on. `event` says other things in another resolution: its bits are not quite comparable.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from aurl.data.store import Corpus
from aurl.data.tokenizers import TOKENIZERS
from aurl.evaluation.likelihood import bits_per_note
from aurl.models import attention
from aurl.models.layers import FeedForward, linear, normalise
from aurl.models.music_model import MusicModel
from aurl.pipelines.experiment import ExperimentConfig
from aurl.pipelines.train import described_network, training_data
from aurl.training.loader import updates
from aurl.training.optimizers import OPTIMIZERS
from aurl.training.steps import TensorBatch, TransformerStep
from aurl.training.updating import update_weights
from aurl.utils.config import load_config
from aurl.utils.schedules import Schedule
from aurl.utils.seed import seed_everything

BASE = Path(__file__).parent.parent / "configs" / "dev.yaml"
SCHEDULE = Schedule(kind="linear", warmup_steps=20, end=0.02)
ROUNDS = 12
CAP = 15.0
T_95 = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776}
"""Student's t for so many seeds."""
NO_TASKS = {"infill": 0.0, "tracks": 0.0, "free": 0.0}


def with_network(model: MusicModel, build: Callable[[int, int], nn.Module]) -> None:
    """Another feed-forward in each block."""
    for block in model.transformer.blocks:
        block.feed_forward = build(model.config.width, model.config.feed_forward * model.config.width)


class Gelu(FeedForward):
    """Two matrices around a GELU."""

    def forward(self, x: Tensor) -> Tensor:
        lowered: Tensor = self.down(F.gelu(self.up(x)))
        return lowered


class SwiGLU(nn.Module):
    """Shazeer 2020, with as many weights as two matrices of `hidden` units."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.inner = hidden * 2 // 3
        self.up, self.down = linear(width, 2 * self.inner, std=width**-0.5), linear(self.inner, width, std=0.0)

    def forward(self, x: Tensor) -> Tensor:
        gate, value = self.up(x).split(self.inner, dim=-1)
        lowered: Tensor = self.down(F.silu(gate) * value)
        return lowered


def without_unit_queries(model: MusicModel) -> None:
    """Queries and keys as they are projected."""
    plain = model.transformer.forward

    def forward(*told: Any) -> Tensor:
        attention.normalise = lambda x: x
        try:
            return plain(*told)
        finally:
            attention.normalise = normalise

    model.transformer.forward = forward  # type: ignore[method-assign]


def without_zeros(model: MusicModel) -> None:
    """Projections back to the stream are drawn, smaller for more layers (Radford et al. 2019)."""
    for name, layer in model.transformer.named_modules():
        if name.endswith(("project_out", "down")):
            nn.init.normal_(layer.weight, std=(layer.in_features * 2 * model.config.layers) ** -0.5)


def with_capped_logits(model: MusicModel) -> None:
    """Logits of at most CAP (Gemma team 2024)."""
    plain = model.field_logits
    model.field_logits = lambda *told: CAP * torch.tanh(plain(*told) / CAP)  # type: ignore[method-assign]


@dataclass(frozen=True)
class Recipe:
    """What is changed of the recipe."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    change: Callable[[MusicModel], None] = lambda model: None  # noqa: ARG005


def model(**settings: Any) -> Recipe:
    return Recipe({"model": settings})


def data(**settings: Any) -> Recipe:
    return Recipe({"data": settings})


def adamw(rate: float) -> Recipe:
    return Recipe({"training": {"optimizer": {"name": "adamw", "learning_rate": rate}}})


RECIPES = {
    "as it is": Recipe(),
    "AdamW, rate 0.003": adamw(0.003),
    "AdamW, rate 0.006": adamw(0.006),
    "width 96, 3 layers": model(width=96, heads=3, layers=3),
    "width 192, 6 layers": model(width=192, heads=3, layers=6),
    "context 256": model(context=256),
    "context 1024": model(context=1024),
    "context 2048": model(context=2048),
    "no dropout": model(dropout=0.0),
    "dropout 0.2": model(dropout=0.2),
    "no tasks": data(tasks=NO_TASKS),
    "no slips": data(slips=0.0),
    "transposed by up to 5": data(augment=[{"name": "transpose", "semitones": 5}]),
    "sharpness 1": model(sharpness=1.0),
    "sharpness 3": model(sharpness=3.0),
    "rows numbered, no musical time": model(musical_time=False),
    "no value embeddings": model(value_embeddings=False),
    "queries and keys of any size": Recipe(change=without_unit_queries),
    "GELU": Recipe(change=lambda network: with_network(network, Gelu)),
    "SwiGLU": Recipe(change=lambda network: with_network(network, SwiGLU)),
    "projections drawn, not zero": Recipe(change=without_zeros),
    "logits capped at 15": Recipe(change=with_capped_logits),
    "tied embeddings": model(tie_embeddings=True),
    "event tokens, context 1024": Recipe({
        "tokenizer": {"name": "event"}, "model": {"context": 1024}, "data": {"tasks": NO_TASKS, "slips": 0.0},
    }),
}  # fmt: skip


class Learner:
    """A recipe under way."""

    def __init__(self, name: str, corpus: Corpus, seed: int) -> None:
        recipe = RECIPES[name]
        config = load_config(ExperimentConfig, BASE).merged({**recipe.settings, "seed": seed})
        self.tokenizer = TOKENIZERS.build(config.tokenizer)
        self.config = described_network(config, self.tokenizer)
        seed_everything(seed)
        self.data = training_data(self.config, corpus, self.tokenizer)
        self.model = MusicModel(self.config.model)
        recipe.change(self.model)
        self.optimizer = OPTIMIZERS.build(self.config.training.optimizer, self.model)
        self.rates = [group["lr"] for group in self.optimizer.param_groups]

    def batches(self, first: int, last: int) -> Iterator[list[TensorBatch]]:
        return updates(self.data, first=first, last=last, accumulate=1, workers=0, device=torch.device("cpu"))

    def learn(self, batches: list[TensorBatch], factor: float) -> None:
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * factor
        update_weights(self.model.train(), self.optimizer, TransformerStep(), batches, clip_norm=1.0)


def run(name: str, path: Path, seed: int, steps: int, pieces: int) -> dict[str, Any]:
    """Learn for so many updates, then score held-out pieces."""
    torch.set_num_threads(1)
    corpus = Corpus.open(path)
    learner = Learner(name, corpus, seed)
    began = time.process_time()
    for step, batches in enumerate(learner.batches(0, steps)):
        learner.learn(batches, SCHEDULE.value(step, steps))
    seconds = time.process_time() - began
    held_out = [learner.tokenizer.encode(corpus.score(int(index))) for index in islice(corpus.indices("valid"), pieces)]
    report = bits_per_note(learner.model, held_out, learner.tokenizer, context=learner.config.model.context)
    return {
        "recipe": name, "seed": seed, "steps": steps, "cpu_seconds": seconds, "bits_per_note": report.bits_per_note,
        "parameters": learner.model.parameter_count,
    }  # fmt: skip


def calibrated(names: list[str], path: Path, folder: Path) -> dict[str, float]:
    """Processor seconds of an update of each recipe, batch and all: medians of rounds that go through all of them."""
    kept = folder / "seconds.json"
    known: dict[str, float] = json.loads(kept.read_text()) if kept.exists() else {}
    if not set(names) <= known.keys():
        torch.set_num_threads(1)
        corpus = Corpus.open(path)
        learners = {name: Learner(name, corpus, 0) for name in names}
        batches = {name: learner.batches(0, ROUNDS) for name, learner in learners.items()}
        seconds: dict[str, list[float]] = {name: [] for name in names}
        for _ in range(ROUNDS):
            for name, learner in learners.items():
                began = time.process_time()
                learner.learn(next(batches[name]), 0.01)
                seconds[name].append(time.process_time() - began)
        known = {name: statistics.median(each) for name, each in seconds.items()}
        kept.write_text(json.dumps(known, indent=2))
    return known


def main() -> None:
    """Time, train, then print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--folder", type=Path, required=True, help="where results are kept")
    parser.add_argument("--cpu-seconds", type=float, default=180.0, help="of training, for each")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--pieces", type=int, default=16, help="held-out pieces that are scored")
    parser.add_argument("--only", nargs="+", choices=RECIPES, default=list(RECIPES), metavar="NAME")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--json", action="store_true", help="print JSON only")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    seconds = calibrated(options.only, options.corpus, options.folder)
    kept = options.folder / "results.jsonl"
    found = [json.loads(line) for line in kept.read_text().splitlines()] if kept.exists() else []
    done = {(each["recipe"], each["seed"]) for each in found}
    with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as workers:
        asked = [
            workers.submit(run, name, options.corpus, seed, int(options.cpu_seconds / seconds[name]), options.pieces)
            for seed in range(options.seeds) for name in options.only if (name, seed) not in done
        ]  # fmt: skip
        for future in as_completed(asked):
            found.append(future.result())
            with kept.open("a") as lines:
                lines.write(json.dumps(found[-1]) + "\n")
    rows = {name: summary(name, found) for name in options.only}
    print(json.dumps(rows, indent=2)) if options.json else show(rows, options.cpu_seconds)


def summary(name: str, found: list[dict[str, Any]]) -> dict[str, Any]:
    """Mean over seeds, and the difference from the recipe as it is with its interval."""
    bits = {each["seed"]: each["bits_per_note"] for each in found if each["recipe"] == name}
    plain = {each["seed"]: each["bits_per_note"] for each in found if each["recipe"] == "as it is"}
    one = next(each for each in found if each["recipe"] == name)
    more = [bits[seed] - plain[seed] for seed in sorted(bits.keys() & plain.keys())]
    spread = T_95[len(more)] * statistics.stdev(more) / math.sqrt(len(more)) if len(more) in T_95 else math.nan
    told = {key: one[key] for key in ("parameters", "steps")}
    mean = statistics.mean(bits.values())
    return {**told, "seeds": len(bits), "bits_per_note": mean, "more": statistics.mean(more or [0]), "interval": spread}


def show(rows: Mapping[str, Mapping[str, Any]], seconds: float) -> None:
    """The results as a table."""
    table = Table(title=f"bits per note after {seconds:g} CPU seconds each")
    for head in ("", "parameters", "updates", "seeds", "bits/note", "more than as it is"):
        table.add_column(head, justify="left" if not head else "right")
    for name, row in rows.items():
        more = f"{row['more']:+.2f} ± {row['interval']:.2f}"
        table.add_row(
            name, f"{row['parameters'] / 1e6:.2f} M", str(row["steps"]), str(row["seeds"]),
            f"{row['bits_per_note']:.2f}", "" if name == "as it is" else more,
        )  # fmt: skip
    Console().print(table)


if __name__ == "__main__":
    main()
