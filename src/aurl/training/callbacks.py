"""What is told while training: one record per line of metrics.jsonl, log lines, and whatever a pipeline adds.

A record has `step`, `epoch` and numbers by name: `loss` in nats per token, `gradient_norm` before clipping,
`learning_rate`, `tokens_per_second`, `memory_mb`, what the step logs (`bits_per_note`), and for a validation the same
names after `validation_`. A number that is not finite is null.
"""

from __future__ import annotations

import json
import logging
import math
import os
from collections.abc import Mapping
from pathlib import Path

from aurl.utils.files import storage_errors, write_file

METRICS = "metrics.jsonl"

Record = Mapping[str, float]

logger = logging.getLogger(__name__)


class Callback:
    """Does nothing at each event; override what is of interest."""

    def started(self, step: int) -> None:
        """Training starts, or goes on, with `step` updates done; nobody is told of a resume that is refused."""

    def recorded(self, record: Record) -> None:
        """Numbers were measured: see the module."""


class MetricsFile(Callback):
    """Appends each record to RUN/metrics.jsonl; each step stands there once, whatever happened."""

    def __init__(self, run: Path) -> None:
        self.path = run / METRICS

    def started(self, step: int) -> None:
        """Cut off what was written after the checkpoint at `step`; lines that are no records go, wherever they are."""
        with storage_errors(self.path), self.path.open("ab+") as stream:
            stream.seek(0)
            lines = list(stream)
            kept = [line for line in lines if _is_kept(line, step)]
            if kept == lines[: len(kept)]:
                stream.truncate(sum(map(len, kept)))
            else:
                write_file(self.path, b"".join(kept))

    def recorded(self, record: Record) -> None:
        """Write one line and force it to the disk, so that no checkpoint is newer than its metrics."""
        values = {name: value if math.isfinite(value) else None for name, value in record.items()}
        with storage_errors(self.path), self.path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(values) + "\n")
            stream.flush()
            os.fsync(stream.fileno())


class LogLines(Callback):
    """Each record as one line of the log."""

    def recorded(self, record: Record) -> None:
        """Log the numbers, step and epoch first."""
        numbers = " ".join(f"{name}={value:.5g}" for name, value in record.items() if name not in ("step", "epoch"))
        logger.info("step %d epoch %d %s", record["step"], record["epoch"], numbers)


def _is_kept(line: bytes, step: int) -> bool:
    try:
        return line.endswith(b"\n") and json.loads(line)["step"] <= step
    except ValueError:
        return False
