"""How fast and in how much memory `aurl prepare` makes a corpus, and how fast others read the same files.

    python benchmarks/prepare.py [PATH...] [--files N] [--workers 0] [--labels chords,keys] [--json]

Without PATH, the built-in chorales. With --files, N files are made of those found, each shifted in time and pitch so
that no two are the same music. Memory is that of the whole process tree, sampled every 20 ms where there is /proc:
`rss` counts pages that processes share once for each, `pss` once. Elsewhere it is the largest single process.
Aurl mends, labels and deduplicates unless --labels none. MidiTok, where installed, preprocesses and tokenizes (REMI)
a sample of the MIDI files to JSON with its own `tokenize_dataset`, in a process of its own. `mido` and `pretty_midi`
parse a sample of the files in one process, and so does Aurl.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np

from aurl.data.embedded import chorales_archive
from aurl.data.sources import Found, list_inputs, read_entries
from aurl.music.midi import midi_bytes, read_midi
from aurl.utils.errors import MidiError

SAMPLE_FILES = 60
PEER_SECONDS = 20.0
MIDITOK_FILES = 300
RUN = """
import json, sys
from aurl.data.corpus import PrepareConfig, build_corpus
out, workers, labels, *paths = sys.argv[1:]
if __name__ == "__main__":
    names = [name for name in labels.split(",") if name != "none"]
    config = PrepareConfig.parse({"workers": int(workers), "labels": names})
    print(json.dumps(build_corpus(paths, out, config).to_dict()))
"""
RUN_MIDITOK = """
import json, sys, time
from pathlib import Path
from miditok import REMI, TokenizerConfig
folder, out = sys.argv[1:]
files = sorted(Path(folder).glob("*.mid"))
began = time.perf_counter()
REMI(TokenizerConfig()).tokenize_dataset(files, out, verbose=False)
seconds = time.perf_counter() - began
print(json.dumps({"seconds": seconds, "written": len(list(Path(out).rglob("*.json"))), "files": len(files)}))
"""


def main() -> None:
    """Measure, then print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="*", type=Path, default=[chorales_archive()])
    parser.add_argument("--files", type=int, help="make a corpus of this many files")
    parser.add_argument("--workers", type=int, default=0, help="processes; 0 is one a core")
    parser.add_argument("--labels", default="chords,keys", help="studies that label, or none")
    parser.add_argument("--json", action="store_true", help="print JSON only")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        paths = [multiply(options.paths, Path(folder) / "music", options.files)] if options.files else options.paths
        figures = measure(paths, Path(folder) / "corpus", options.workers, options.labels)
        figures |= measure_miditok(paths, Path(folder), int(figures["files"]))
    figures |= compare(options.paths, int(figures["files"]))
    if options.json:
        print(json.dumps(figures, indent=2))
        return
    width = max(map(len, figures))
    for name, value in figures.items():
        print(f"{name:<{width}}  {value:,.1f}" if isinstance(value, float) else f"{name:<{width}}  {value}")


def files_of(paths: list[Path]) -> Iterator[bytes]:
    """The bytes of every MIDI file: what the peers can read."""
    found = Found()
    for entry in read_entries(list_inputs(paths, found).files, found):
        if isinstance(entry.content, bytes) and entry.content.startswith(b"MThd"):
            yield entry.content


def multiply(paths: list[Path], folder: Path, count: int) -> Path:
    """A folder of `count` files, variations of those in `paths`."""
    numbers = iter(range(count))
    for content in cycle(files_of(paths)):
        try:
            score = read_midi(content)
        except MidiError:
            continue
        number = next(numbers, None)
        if number is None:
            return folder
        notes = score.notes.columns()
        notes["onset"] = notes["onset"] + number
        notes["pitch"] = np.clip(notes["pitch"] + number % 7 - 3, 0, 127)
        target = folder / f"{number // 1000:03d}" / f"variation-{number}x.mid"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(midi_bytes(score.replace(notes=type(score.notes)(**notes))))
    return folder


def watched(command: list[str]) -> tuple[dict[str, Any], dict[str, float], float]:
    """What a command prints as JSON, its peaks of memory, and its seconds."""
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    peaks = {"rss": 0.0, "pss": 0.0}
    while process.poll() is None:
        for kind, megabytes in tree_megabytes(process.pid).items():
            peaks[kind] = max(peaks[kind], megabytes)
        time.sleep(0.02)
    seconds = time.perf_counter() - began
    if process.returncode:
        raise SystemExit(process.returncode)
    assert process.stdout is not None
    return json.loads(process.stdout.read().splitlines()[-1]), peaks, seconds


def measure(paths: list[Path], out: Path, workers: int, labels: str) -> dict[str, Any]:
    """Speed and size of one preparation in processes of its own."""
    report, peaks, seconds = watched([sys.executable, "-c", RUN, str(out), str(workers), labels, *map(str, paths)])
    largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    return {
        "files": report["files"],
        "left out": sum(report["failures"].values()),
        "notes": report["notes"],
        "hours of music": report["hours"],
        "splits": report["splits"],
        "labels": report["labels"],
        "repaired": report["repaired"],
        "near-duplicates": report["duplicates"],
        "seconds, start of Python included": seconds,
        "files/s": report["files"] / seconds,
        "notes/s": report["notes"] / seconds,
        "peak MB, rss": peaks["rss"] or largest,
        "peak MB, pss": peaks["pss"] or largest,
        "corpus MB": report["corpus_bytes"] / 1e6,
        "bytes/note": report["corpus_bytes"] / report["notes"],
        "processors": os.cpu_count(),
    }


def measure_miditok(paths: list[Path], folder: Path, count: int) -> dict[str, Any]:
    """Speed and memory of MidiTok's own pipeline on up to MIDITOK_FILES of the files that are MIDI."""
    try:
        name = f"MidiTok {version('miditok')}"
    except PackageNotFoundError:
        return {}
    (folder / "sample").mkdir()
    step = max(1, count // MIDITOK_FILES)
    for number, content in enumerate(islice(files_of(paths), 0, None, step)):
        if content.startswith(b"MThd"):
            (folder / "sample" / f"{number:06d}.mid").write_bytes(content)
    command = [sys.executable, "-c", RUN_MIDITOK, str(folder / "sample"), str(folder / "tokens")]
    report, peaks, _ = watched(command)
    return {
        f"{name}, files/s preprocessed and tokenized": report["files"] / report["seconds"],
        f"{name}, files tokenized of": f"{report['written']} of {report['files']}",
        f"{name}, peak MB, rss": peaks["rss"],
    }


def tree_megabytes(root: int) -> dict[str, float]:
    """Memory of a process and its descendants now; nothing where there is no /proc."""
    parents: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
        except (OSError, IndexError):
            continue
    tree, size = {root}, 0
    while len(tree) > size:
        size = len(tree)
        tree |= {pid for pid, parent in parents.items() if parent in tree}
    total = {"rss": 0.0, "pss": 0.0}
    for pid in tree:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        for line in lines:
            name, _, value = line.partition(":")
            if name.lower() in total:
                total[name.lower()] += int(value.split()[0]) / 1024
    return total


def compare(paths: list[Path], count: int) -> dict[str, Any]:
    """Files per second of each reader, in one process, and how many times as fast Aurl is on the same files."""
    sample = list(islice(files_of(paths), 0, None, max(1, count // SAMPLE_FILES)))[:SAMPLE_FILES]
    figures: dict[str, Any] = {}
    for name, read in peers().items():
        done, seconds = timed(read, sample, PEER_SECONDS)
        ours = timed(read_midi, sample[:done], PEER_SECONDS)[1]
        figures[f"{name} {version(name)}, files/s read"] = done / seconds
        figures[f"Aurl reads the same files, times as fast as {name}"] = seconds / ours
    return figures


def peers() -> dict[str, Callable[[bytes], Any]]:
    """The readers that are installed."""
    found: dict[str, Callable[[bytes], Any]] = {}
    try:
        import mido

        found["mido"] = lambda content: mido.MidiFile(file=io.BytesIO(content), clip=True)
        version("pretty_midi")
        import pretty_midi

        found["pretty_midi"] = lambda content: pretty_midi.PrettyMIDI(io.BytesIO(content))
    except (ImportError, PackageNotFoundError):
        pass
    return found


def timed(read: Callable[[bytes], Any], sample: list[bytes], limit: float) -> tuple[int, float]:
    """Files read within about `limit` seconds, and the seconds that took."""
    began = time.perf_counter()
    for number, content in enumerate(sample, start=1):
        read(content)
        if time.perf_counter() - began > limit:
            return number, time.perf_counter() - began
    return len(sample), time.perf_counter() - began


if __name__ == "__main__":
    main()
