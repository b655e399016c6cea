"""Kill training with SIGKILL at random moments, go on each time, and compare with a run that was never stopped.

    python benchmarks/kill_resume.py [--kills 30] [--json]

A real Trainer and MusicModel, on a CPU, with dropout, accumulation, validation and retention. Each life of the run is a
process forked from one that has torch imported, and reports every update through a pipe, so nothing it did is lost with
it. A kill is counted where it landed: before the first update of that life, in an update, inside the write of a
checkpoint (its hidden folder is still there when the process is dead), or inside the removal of an old one. Compared as
hexadecimal: every loss of every life, replayed ones too; then the weights and the optimiser of the last checkpoint, and
the metrics. Goes on until a quarter of the kills asked for were inside checkpoints, and fails if nothing was replayed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import random
import select
import signal
import struct
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from aurl.data.dataset import Batch
from aurl.models.config import MusicModelConfig
from aurl.models.music_model import MusicModel
from aurl.training import Callback, Trainer, TrainingConfig, TransformerStep
from aurl.training.callbacks import METRICS, Record
from aurl.training.optimizers import OPTIMIZERS, AdamWConfig
from aurl.utils.errors import CheckpointError
from aurl.utils.folders import verify_folder
from aurl.utils.seed import seed_everything

MODEL = MusicModelConfig(vocabulary_sizes=(24, 12), width=48, layers=2, heads=2, context=32, dropout=0.1)
REPORT = struct.Struct("<qd")  # step, loss
SAVE_SECONDS = 0.05
"""About what writing a checkpoint takes."""
PHASES = ("before the first update", "update", "checkpoint", "removal")


class Batches:
    """Random walks; batch `step` is a function of its number."""

    def batch(self, step: int) -> Batch:
        generator = np.random.default_rng([7, step])
        rows = generator.integers(-2, 3, (4, 33, 2)).cumsum(1) % np.array(MODEL.vocabulary_sizes)
        mask = np.arange(32) < generator.integers(16, 33, (4, 1))
        return Batch(
            rows[:, :-1],
            rows[:, 1:],
            np.broadcast_to(mask[..., None], rows[:, 1:].shape).copy(),
            int(mask.sum()),
            step // 20,
        )


class Pipe(Callback):
    """Tells the parent of each loss as soon as it is known."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def recorded(self, record: Record) -> None:
        if "loss" in record:
            os.write(self.descriptor, REPORT.pack(record["step"], record["loss"]))


def validate(model: torch.nn.Module) -> dict[str, float]:
    batch = Batches().batch(10**6)
    nats = model.nll(torch.from_numpy(batch.inputs), torch.from_numpy(batch.targets), torch.from_numpy(batch.mask))
    return {"bits_per_note": float(nats.sum(-1).mean()) / math.log(2)}


def train(folder: Path, steps: int, descriptor: int) -> None:
    seed_everything(0)
    every = {"log_every": 1, "validate_every": 7, "checkpoint_every": 5}
    config = TrainingConfig.parse({"steps": steps, "accumulate": 2, "device": "cpu", **every})
    experiment = {"model": MODEL.model_dump(mode="json"), "training": config.model_dump(mode="json")}
    Trainer(
        config, MusicModel(MODEL), TransformerStep(), Batches(),
        folder=folder, experiment=experiment, validate=validate, callbacks=[Pipe(descriptor)], quiet=True,
    ).train()  # fmt: skip


@dataclass
class Life:
    """A process that trains; what it reported comes through the pipe even if it is killed."""

    folder: Path
    steps: int
    pid: int = 0
    exit_code: int | None = None
    losses: list[tuple[int, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.reader, writer = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                train(self.folder, self.steps, writer)
            except BaseException:  # noqa: BLE001 -- a forked child must not return into its parent's code
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        os.close(writer)

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait for `condition()` or the end of the process."""
        while not condition() and not self.has_ended():
            if select.select([self.reader], [], [], 0.0005)[0]:
                self.read()

    def wait(self) -> None:
        """Wait for the end of the process."""
        while self.read():
            pass

    def has_ended(self) -> bool:
        if self.exit_code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.exit_code = os.waitstatus_to_exitcode(status) if pid else None
        return self.exit_code is not None

    def read(self) -> bytes:
        data = os.read(self.reader, REPORT.size * 64)
        self.losses += REPORT.iter_unpack(data)
        return data

    def end(self) -> None:
        """Kill it if it lives, and read what it still had to say."""
        if not self.has_ended():
            os.kill(self.pid, signal.SIGKILL)
            self.exit_code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        self.wait()
        os.close(self.reader)

    def hidden(self) -> list[str]:
        """What this process is writing, or was writing when it died."""
        return [item.name for item in (self.folder / "checkpoints").glob(f".tmp-*-{self.pid}")]

    def is_saving(self) -> bool:
        return bool(self.hidden())

    def phase(self) -> str:
        """Where the kill landed."""
        if self.is_saving():
            return "removal" if any("-old-" in name for name in self.hidden()) else "checkpoint"
        return "update" if self.losses else "before the first update"


@dataclass
class Result:
    """Kills and what was found after them."""

    phases: Counter[str] = field(default_factory=Counter)
    rounds: int = 0
    updates: int = 0
    replayed: int = 0
    losses_differ: int = 0
    files_differ: int = 0
    damaged_checkpoints: int = 0
    left_behind: int = 0

    @property
    def kills(self) -> int:
        return self.phases.total()

    def has_enough(self, kills: int) -> bool:
        return self.kills >= kills and self.phases["checkpoint"] * 4 >= kills

    def is_proof(self) -> bool:
        wrong = self.losses_differ + self.files_differ + self.damaged_checkpoints + self.left_behind
        return self.replayed > 0 and wrong == 0


def kill_somewhere(life: Life, chance: random.Random) -> None:
    """Let it live for a while: until a random moment, or into a checkpoint that it begins to write."""
    updates = chance.choice([0, 1, 3, 6])
    life.wait_until(lambda: len(life.losses) >= updates)
    if chance.random() < 0.6:
        life.wait_until(life.is_saving)
        time.sleep(chance.uniform(0, SAVE_SECONDS))
    else:
        time.sleep(chance.uniform(0, 0.1))
    life.end()


def run_killed(
    folder: Path, reference: dict[int, float], result: Result, chance: random.Random, o: argparse.Namespace
) -> None:
    """One run, killed until enough kills are counted or it is done."""
    seen: set[int] = set()
    ended = False
    while not ended:
        life = Life(folder, o.steps)
        if not result.has_enough(o.kills):
            kill_somewhere(life, chance)
        else:
            life.wait()
            life.end()
        ended = life.exit_code == 0
        if not ended:
            if life.exit_code != -signal.SIGKILL:
                sys.exit("a life ended by an error")
            result.phases[life.phase()] += 1
        steps = [step for step, _ in life.losses]
        result.updates += len(steps)
        result.replayed += len(seen.intersection(steps))
        seen.update(steps)
        result.losses_differ += sum(reference[step].hex() != loss.hex() for step, loss in life.losses)
        result.damaged_checkpoints += count_damaged(folder)
    result.rounds += 1


def count_damaged(folder: Path) -> int:
    """Checkpoints that look whole and are not."""
    damaged = 0
    for checkpoint in (folder / "checkpoints").glob("step-*"):
        try:
            verify_folder(checkpoint)
        except CheckpointError as error:
            print(error, file=sys.stderr)
            damaged += 1
    return damaged


def final_state(folder: Path, steps: int) -> list[object]:
    """What must be equal in the end: weights, optimiser, names of the checkpoints, metrics without times."""
    checkpoints = folder / "checkpoints"
    last = checkpoints / f"step-{steps:09d}"
    files = [last / "model.safetensors", last / "optimizer.safetensors"]
    hashes = [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
    records = [json.loads(line) for line in (folder / METRICS).read_text().splitlines()]
    timeless = [{k: v for k, v in r.items() if k not in ("tokens_per_second", "memory_mb")} for r in records]
    return [*hashes, sorted(p.name for p in checkpoints.glob("step-*")), timeless]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--steps", type=int, default=150, help="updates of a run; a new one is begun when it is done")
    parser.add_argument("--seed", type=int, default=5, help="of the moments of the kills")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    o = parser.parse_args()
    torch.set_num_threads(1)
    OPTIMIZERS.build(AdamWConfig(), MusicModel(MODEL))  # imports what every life would otherwise import for seconds
    began = time.perf_counter()
    result, chance = Result(), random.Random(o.seed)
    with tempfile.TemporaryDirectory() as temporary:
        whole = Life(Path(temporary) / "whole", o.steps)
        whole.wait()
        whole.end()
        reference = dict(whole.losses)
        if whole.exit_code or len(reference) != o.steps:
            sys.exit("the run that nobody stops failed")
        expected = final_state(whole.folder, o.steps)
        while not result.has_enough(o.kills):
            folder = Path(temporary) / f"killed-{result.rounds}"
            run_killed(folder, reference, result, chance, o)
            found = final_state(folder, o.steps)
            result.files_differ += sum(a != b for a, b in zip(found, expected, strict=True))
            result.left_behind += len([*folder.glob(".*"), *folder.glob("checkpoints/.*")])
    report(result, time.perf_counter() - began, as_json=o.json)
    sys.exit(not result.is_proof())


def report(result: Result, seconds: float, *, as_json: bool) -> None:
    rows = {
        "kills": result.kills,
        **{f"kills, {phase}": result.phases[phase] for phase in PHASES},
        "runs that were killed and finished": result.rounds,
        "updates in all lives": result.updates,
        "updates replayed": result.replayed,
        "losses that differ": result.losses_differ,
        "final weights, optimiser, checkpoints or metrics that differ": result.files_differ,
        "checkpoints that look whole and are not": result.damaged_checkpoints,
        "hidden files left": result.left_behind,
        "seconds": round(seconds, 1),
        "proof": result.is_proof(),
    }
    if as_json:
        print(json.dumps(rows, indent=1))
        return
    for name, value in rows.items():
        print(f"{name:<62}{value!s:>8}")


if __name__ == "__main__":
    main()
