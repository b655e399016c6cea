"""`aurl prepare` on this machine's processes and on a Ray started here: time, memory, and whether the corpus is one.

    python benchmarks/cluster.py [PATH...] [--workers 2] [--json]

Without PATH, the built-in chorales. Ray's figures are given with its start and stop (some seconds, once) and without.
One machine cannot show what several gain; it shows what the detour by Ray costs. Labels and duplicates are looked for
as `aurl prepare` does. Needs `pip install "aurl[cluster]"`.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from aurl.data.corpus import build_corpus
from aurl.data.embedded import chorales_archive
from aurl.data.engines import run_jobs
from aurl.data.plan import PrepareConfig
from aurl.data.pool import Job
from aurl.data.store import Corpus

Figures = dict[str, Any]


def main() -> None:
    """Measure, then print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="*", default=[chorales_archive()])
    parser.add_argument("--workers", type=int, default=2, help="processes of each engine")
    parser.add_argument("--json", action="store_true", help="print JSON only")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = {engine: measure(engine, options, Path(folder) / engine) for engine in ("local", "ray")}
    rows["ray"]["start_and_stop_seconds"] = started_and_stopped(options.workers)
    result = {
        "engines": rows,
        "same_corpus": rows["local"]["fingerprint"] == rows["ray"]["fingerprint"],
        "workers": options.workers,
        "versions": {name: version(name) for name in ("ray", "pyarrow", "symusic")},
    }
    if options.json:
        print(json.dumps(result, indent=2))
    else:
        show(result)


def measure(engine: str, options: argparse.Namespace, out: Path) -> Figures:
    """One preparation."""
    report = build_corpus(options.paths, out, PrepareConfig(workers=options.workers, engine=engine))
    return {
        "files": report.files,
        "seconds": report.seconds,
        "files_per_second": report.files_per_second,
        "start_and_stop_seconds": 0.0,
        "driver_peak_mebibytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "fingerprint": Corpus.open(out).fingerprint,
    }


def started_and_stopped(workers: int) -> float:
    """Seconds to start Ray, do nothing, and stop it."""
    start = time.perf_counter()
    list(run_jobs("ray", [Job(tuple, 1, None)], workers, preload=""))
    return time.perf_counter() - start


def show(result: Figures) -> None:
    """Print the figures for people."""
    table = Table(title=f"preparing, {result['workers']} workers; same corpus: {result['same_corpus']}")
    for heading in ("engine", "files", "seconds", "files/s", "start and stop, s", "peak MiB of the driver"):
        table.add_column(heading, justify="left" if heading == "engine" else "right")
    for name, row in result["engines"].items():
        numbers = [f"{row[key]:.1f}" for key in ("seconds", "files_per_second", "start_and_stop_seconds")]
        table.add_row(name, str(row["files"]), *numbers, f"{row['driver_peak_mebibytes']:.0f}")
    console = Console()
    console.print(table)
    console.print(", ".join(f"{name} {number}" for name, number in result["versions"].items()))


if __name__ == "__main__":
    main()
