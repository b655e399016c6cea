"""Notes salvaged from damaged MIDI files, beside other readers; cost of sound files; worst case of many; large files.

    python benchmarks/repair.py [FOLDER...] [--mutants 2000] [--whole] [--peers] [--large] [--hostile] [--partial FILE]

Four bases of each FOLDER (24 of the built-in chorales when none is given) are damaged by the classes of
`tests/mutations.py`, seeded. A base is a file's first 32 beats as symusic writes them, or with --whole the file as it
lies on disk. Salvaged is a note of the base with the same tick and pitch in what was read; all mutants count, also
those that hold nothing any more (cut off, emptied). --peers reads the same mutants with mido (clip=True), symusic and
pretty_midi; --large reads a file of a million notes, sound and damaged, --hostile
files of 1 MB made to be dear, each in a process of its own. --json prints JSON, --partial writes it as it grows.
"""

from __future__ import annotations

import argparse
import io
import json
import random
import resource
import subprocess
import sys
import time
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import symusic

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from aurl.data.embedded import chorales_archive
from aurl.data.sources import Found, list_inputs, read_entries
from aurl.music.midi import midi_bytes, read_midi
from aurl.music.repair import read_midi_repaired
from aurl.music.score import Notes, Score, Track
from aurl.utils.errors import MidiError
from mutations import mutants

Sounds = Counter[tuple[int, int]]
BEATS, BASES_EACH, LARGE_NOTES, PART = 32, 4, 1_000_000, 5000
NOTE, HEADER = b"\0\x90\x3c\x40\x10\x80\x3c\x40", b"MThd\0\0\0\6\0\1\0\1\0\x60"
HOSTILE: dict[str, Callable[[], bytes]] = {
    "names of tracks": lambda: HEADER + b"MTrk" * 250_000,
    "tracks of no byte": lambda: HEADER + b"MTrk\0\0\0\0" * 125_000,
    "tracks of one note": lambda: HEADER + (b"MTrk\0\0\0\x08" + NOTE) * 62_500,
    "4,096 tracks": lambda: HEADER + (b"MTrk\0\0\0\xf0" + NOTE * 30) * 4096,
    "text behind each note": lambda: one_track((NOTE + b"\0\xff\1\1a") * 77_000),
    "texts": lambda: one_track(NOTE + b"\0\xff\1\1a" * 200_000),
    "notes without end": lambda: one_track(b"\0\x90\x3c\x40" * 250_000),
    "waits without end": lambda: one_track(b"\x80" * 1_000_000),
    "noise": lambda: one_track(random.Random(2).randbytes(1_000_000)),
    "noise of data bytes": lambda: one_track(
        b"\0\x90" + bytes(byte % 0x70 for byte in random.Random(2).randbytes(1_000_000))
    ),
    "noise without meta": lambda: one_track(bytes(min(byte, 0xEF) for byte in random.Random(2).randbytes(1_000_000))),
}


def main() -> None:
    """Measure, then print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--mutants", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--whole", action="store_true", help="damage whole files, as they lie on disk")
    parser.add_argument("--peers", action="store_true", help="read the mutants with mido, symusic, pretty_midi too")
    parser.add_argument("--partial", type=Path, help="JSON file of ours, written anew after every 5,000 mutants")
    parser.add_argument("--large", action="store_true", help="read a million notes, sound and damaged")
    parser.add_argument("--hostile", action="store_true", help="read a megabyte of what is dear to read")
    parser.add_argument("--child", choices=("baseline", "sound", "damaged", *HOSTILE), help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true", help="print JSON only")
    options = parser.parse_args()
    if options.child:
        print(json.dumps(cost_of(options.child)))
        return
    result = measure(options)
    print(json.dumps(result, indent=2) if options.json else table(result))


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """All figures."""
    groups = [files_of(folder) for folder in options.folders] or [files_of(chorales_archive())]
    bases = [base for files in groups for base in chosen(files, BASES_EACH * 6 // len(groups), options)]
    result: dict[str, Any] = {
        "bases": len(bases),
        "bytes of a base": [min(map(len, bases)), max(map(len, bases))],
        "mutants": options.mutants,
        "read_midi_repaired, times read_midi, sound files": sound_cost(
            [data for files in groups for data in files[:50]]
        ),
    }
    result["ours"] = salvage(bases, options, read_ours)
    if options.peers:
        options.partial = None
        for name, read in peers().items():
            result[f"{name} {version(name)}"] = salvage(bases, options, read)
    if options.large:
        result["large"] = {kind: run_child(kind) for kind in ("baseline", "sound", "damaged")}
    if options.hostile:
        result["hostile"] = {kind: run_child(kind) for kind in HOSTILE}
    return result


def table(result: dict[str, Any]) -> str:
    """Figures, then the salvage of each class by each reader."""
    readers = [name for name, value in result.items() if isinstance(value, dict) and "classes" in value]
    lines = [f"{name:50} {value}" for name, value in result.items() if not isinstance(value, dict)]
    for part in ("large", "hostile"):
        lines += [f"{f'{part}, {kind}':50} {figures}" for kind, figures in result.get(part, {}).items()]
    for figure in result["ours"]:
        if figure != "classes":
            lines.append(f"{figure:40}" + "".join(f"{result[name][figure]!s:>20}" for name in readers))
    lines.append(f"{'salvaged by class':40}" + "".join(f"{name:>20}" for name in readers))
    for kind in result["ours"]["classes"]:
        lines.append(f"{kind:40}" + "".join(f"{result[name]['classes'][kind]:>20.1%}" for name in readers))
    return "\n".join(lines)


def files_of(folder: Path) -> list[bytes]:
    """The files under a folder or in an archive that are read at all and hold notes; at most 300 of them."""
    found = Found()
    inputs = [file for file in list_inputs([folder], found).files if file.kind != "music" or is_midi(file.name)]
    entries = read_entries(random.Random(1).sample(inputs, min(len(inputs), 300)), found)
    return [
        entry.content for entry in entries if isinstance(entry.content, bytes) and len(sounds(read_ours, entry.content))
    ]


def is_midi(name: str) -> bool:
    """Whether a name is that of a MIDI file."""
    return name.lower().endswith((".mid", ".midi"))


def chosen(files: Sequence[bytes], count: int, options: argparse.Namespace) -> list[bytes]:
    """`count` bases with at least 20 notes."""
    bases: list[bytes] = []
    for data in random.Random(options.seed).sample(files, len(files)):
        base = data if options.whole else excerpt(data)
        if base and base.startswith(b"MThd") and sounds(read_symusic, base).total() >= 20:
            bases.append(base)
        if len(bases) == count:
            break
    return bases


def excerpt(data: bytes) -> bytes | None:
    """The first beats of a file, with at most 20 controls a track."""
    try:
        score = symusic.Score.from_midi(data)
    except RuntimeError:
        return None
    score = score.clip(0, score.ticks_per_quarter * BEATS, clip_end=True)
    for track in score.tracks:
        track.controls = track.controls[:20]
    return bytes(score.dumps_midi())


def sound_cost(files: Sequence[bytes]) -> float:
    """Time of ours on sound files over that of read_midi, the best of three."""
    sound = [data for data in files if is_sound(data)]

    def seconds(read: Callable[[bytes], Any]) -> float:
        began = time.process_time()
        for data in sound:
            read(data)
        return time.process_time() - began

    return min(seconds(read_midi_repaired) for _ in range(3)) / min(seconds(read_midi) for _ in range(3))


def is_sound(data: bytes) -> bool:
    """Whether ours finds nothing to mend."""
    try:
        return read_midi_repaired(data)[1].is_clean
    except MidiError:
        return False


def salvage(bases: Sequence[bytes], options: argparse.Namespace, read: Callable[[bytes], Sounds]) -> dict[str, Any]:
    """Share of the bases' notes found again, over all notes and as a mean of files, and what reading cost.

    Mutants come in parts of all classes, each of its own seed, so that what is known after some parts is fair.
    """
    truth = [sounds(read_symusic, base) for base in bases]
    found: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    shares: list[float] = []
    seconds: list[float] = []
    refused = 0
    for part, start in enumerate(range(0, options.mutants, PART)):
        for kind, base, data in mutants(bases, min(PART, options.mutants - start), options.seed + part):
            began = time.process_time()
            try:
                notes = read(data)
            except Refused:
                notes, refused = Counter(), refused + 1
            seconds.append(time.process_time() - began)
            kept = (notes & truth[base]).total()
            found[kind][0] += kept
            found[kind][1] += truth[base].total()
            shares.append(kept / truth[base].total())
        result = salvaged(found, shares, seconds, refused)
        if options.partial:
            options.partial.write_text(json.dumps(result, indent=2))
            print(f"{len(shares)} mutants read", file=sys.stderr, flush=True)
    return result


def salvaged(
    found: dict[str, list[int]], shares: Sequence[float], seconds: Sequence[float], refused: int
) -> dict[str, Any]:
    """The figures of the mutants so far."""
    kept, total = np.sum(list(found.values()), axis=0).tolist()
    return {
        "mutants read": len(shares),
        "salvaged, share of notes": round(kept / total, 4),
        "salvaged, mean of files": round(float(np.mean(shares)), 4),
        "refused or failed": refused,
        "mean, CPU milliseconds": round(1000 * float(np.mean(seconds)), 1),
        "slowest file, CPU seconds": round(max(seconds), 3),
        "files over 1 CPU second": sum(second > 1 for second in seconds),
        "peak memory, MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "classes": {name: round(counts[0] / counts[1], 4) for name, counts in found.items()},
    }


class Refused(Exception):  # noqa: N818 -- the reader's right
    """A reader gave no notes."""


def sounds(read: Callable[[bytes], Sounds], data: bytes) -> Sounds:
    """Ticks and pitches that a reader finds, none where it fails."""
    try:
        return read(data)
    except Refused:
        return Counter()


def read_ours(data: bytes) -> Sounds:
    """Onsets as `read_midi_repaired` reads them; any error but MidiError ends the benchmark."""
    try:
        notes = read_midi_repaired(data)[0].notes
    except MidiError:
        raise Refused from None
    return Counter(zip(notes.onset.tolist(), notes.pitch.tolist(), strict=True))


def read_symusic(data: bytes) -> Sounds:
    """Onsets as symusic reads them."""
    try:
        return Counter(
            (note.time, note.pitch) for track in symusic.Score.from_midi(data).tracks for note in track.notes
        )
    except (RuntimeError, ValueError):
        raise Refused from None


def read_mido(data: bytes) -> Sounds:
    """Onsets as mido reads them, data bytes clipped."""
    from mido import MidiFile

    found: Sounds = Counter()
    try:
        file = MidiFile(file=io.BytesIO(data), clip=True)
    except Exception:  # noqa: BLE001 -- a peer may fail in any way
        raise Refused from None
    for track in file.tracks:
        tick = 0
        for message in track:
            tick += message.time
            if message.type == "note_on" and message.velocity:
                found[tick, message.note] += 1
    return found


def read_pretty_midi(data: bytes) -> Sounds:
    """Onsets as pretty_midi reads them, its seconds turned back to ticks by itself."""
    from pretty_midi import PrettyMIDI

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            file = PrettyMIDI(io.BytesIO(data))
            return Counter((file.time_to_tick(n.start), n.pitch) for track in file.instruments for n in track.notes)
    except Exception:  # noqa: BLE001 -- a peer may fail in any way
        raise Refused from None


def peers() -> dict[str, Callable[[bytes], Sounds]]:
    """The other readers that are installed."""
    known = {"mido": read_mido, "symusic": read_symusic, "pretty_midi": read_pretty_midi}
    return {name: read for name, read in known.items() if find_spec(name)}


def run_child(kind: str) -> dict[str, float]:
    """`cost_of` in a process of its own."""
    done = subprocess.run([sys.executable, __file__, "--child", kind], check=True, capture_output=True, text=True)
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def cost_of(kind: str) -> dict[str, float]:
    """Seconds and peak memory of reading a hostile file, or a million notes; `baseline` reads nothing."""
    data = HOSTILE[kind]() if kind in HOSTILE else million_notes()
    if kind == "damaged":
        data = overwritten(data, 100)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    began, worked = time.perf_counter(), time.process_time()
    notes = 0 if kind == "baseline" else read_ours_or_none(data)
    return {
        "seconds": round(time.perf_counter() - began, 3),
        "CPU seconds": round(time.process_time() - worked, 3),
        "bytes": len(data),
        "notes": notes,
        "MB above the peak before": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - before),
        "peak MB": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def read_ours_or_none(data: bytes) -> int:
    """Notes recovered, 0 where the file is refused."""
    try:
        return read_midi_repaired(data)[1].notes_recovered
    except MidiError:
        return 0


def overwritten(data: bytes, count: int) -> bytes:
    """The file with `count` random bytes behind its header changed."""
    rng, damaged = random.Random(5), bytearray(data)
    for _ in range(count):
        damaged[rng.randrange(14, len(data))] = rng.randrange(256)
    return bytes(damaged)


def one_track(content: bytes) -> bytes:
    """A file that announces one track of one byte."""
    return HEADER + b"MTrk\0\0\0\1" + content


def million_notes() -> bytes:
    """A file of LARGE_NOTES, on ten tracks; written in a child, so that its making does not count as memory."""
    script = f"import sys; sys.argv = ['repair']; sys.path.insert(0, {str(Path(__file__).parent)!r}); import repair"
    written = subprocess.run(
        [sys.executable, "-c", f"{script}; repair.write_million()"], check=True, capture_output=True
    )
    return written.stdout


def write_million() -> None:
    """Write the large file to standard output."""
    rng = np.random.default_rng(3)
    index = np.arange(LARGE_NOTES)
    columns = (index // 10 * 60, rng.integers(1, 5, LARGE_NOTES) * 60 - 10, rng.integers(30, 90, LARGE_NOTES))
    notes = Notes(*columns, rng.integers(40, 110, LARGE_NOTES), index % 10)
    sys.stdout.buffer.write(midi_bytes(Score(480, notes, tuple(Track(program) for program in range(10)))))


if __name__ == "__main__":
    main()
