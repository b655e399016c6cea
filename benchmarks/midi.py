"""MIDI files read, written and read again: how many come back event by event, and how fast reading is.

    python benchmarks/midi.py [PATH...] [--peer-files 100] [--json]

Takes folders, files and archives; the built-in chorales when not given any. Reading is timed from bytes in memory,
process time, beside symusic's bare parse of the same bytes and, on the first files, mido (pip install
"aurl[benchmark]"). What both readings of ours miss alike is not seen here: `aurl.music.midi` lists it.
"""

from __future__ import annotations

import argparse
import io
import json
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import symusic

from aurl.data.embedded import chorales_archive
from aurl.data.sources import Found, list_inputs, read_entries
from aurl.music.midi import midi_bytes, read_midi
from aurl.utils.errors import MidiError


def main() -> None:
    """Measure, then print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="*", type=Path, default=[chorales_archive()])
    parser.add_argument("--peer-files", type=int, default=100, help="files for mido")
    parser.add_argument("--json", action="store_true", help="print JSON only")
    options = parser.parse_args()
    result = measure(options.paths, options.peer_files)
    if options.json:
        print(json.dumps(result, indent=2))
        return
    for name, value in result.items():
        print(f"{name:40} {value:,.4g}" if isinstance(value, float) else f"{name:40} {value}")


def measure(paths: Sequence[Path], peer_files: int) -> dict[str, Any]:
    """All figures."""
    found = Found()
    files = [e.content for e in read_entries(list_inputs(paths, found).files, found) if isinstance(e.content, bytes)]
    readable = [data for data in files if is_readable(data)]
    exact = sum(read_midi(midi_bytes(score)) == score for score in map(read_midi, readable))
    ours = seconds(read_midi, readable)
    result = {
        "files": len(files),
        "read": len(readable),
        "equal when written and read again": exact,
        "ours, files/s": len(readable) / ours,
        "ours, times symusic's bare parse": ours / seconds(symusic.Score.from_midi, readable),
        "symusic": version("symusic"),
    }
    if find_spec("mido"):
        from mido import MidiFile

        sample = readable[:peer_files]
        theirs = seconds(lambda data: MidiFile(file=io.BytesIO(data), clip=True), sample)
        result |= {"mido, times ours": theirs / seconds(read_midi, sample), "mido": version("mido")}
    return result


def is_readable(data: bytes) -> bool:
    """Whether ours reads it."""
    try:
        read_midi(data)
    except MidiError:
        return False
    return True


def seconds(read: Callable[[bytes], Any], files: Sequence[bytes]) -> float:
    """Process time of reading all files once."""
    began = time.process_time()
    for data in files:
        read(data)
    return time.process_time() - began


if __name__ == "__main__":
    main()
