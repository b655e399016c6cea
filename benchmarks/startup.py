"""How long `aurl` takes to say something, beside what importing torch alone would take.

    python benchmarks/startup.py [--repeats 9] [--json]

Whole processes, wall time, medians of runs that take turns; and whether torch was imported by any of the commands that
have no need of it.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from importlib.metadata import version

COMMANDS = {
    "aurl --help": "import sys; sys.argv = ['aurl', '--help']; from aurl.cli import main; main()",
    "aurl prepare --help": "import sys; sys.argv = ['aurl', 'prepare', '--help']; from aurl.cli import main; main()",
    "import torch": "import torch",
    "python alone": "",
}


def main() -> None:
    """Measure, then print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--json", action="store_true", help="print JSON only")
    options = parser.parse_args()
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(options.repeats):
        for name, code in COMMANDS.items():
            seconds[name].append(run(code))
    result = {
        "seconds": {name: statistics.median(times) for name, times in seconds.items()},
        "imports torch": {name: imports_torch(code) for name, code in COMMANDS.items()},
        "versions": {name: version(name) for name in ("torch", "typer")},
    }
    if options.json:
        print(json.dumps(result, indent=2))
        return
    for name, median in result["seconds"].items():
        print(f"{name:22} {median:6.3f} s   {'imports torch' if result['imports torch'][name] else ''}")


def run(code: str) -> float:
    """Seconds that a process with this code takes."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def imports_torch(code: str) -> bool:
    """Whether the code imports torch."""
    watched = f"import atexit, sys; atexit.register(lambda: print('torch' in sys.modules)); {code}"
    told = subprocess.run([sys.executable, "-c", watched], check=True, capture_output=True, text=True).stdout
    return told.splitlines()[-1] == "True"


if __name__ == "__main__":
    main()
