"""Notation read by Aurl and by other libraries: right notes, speed and memory; and piano rolls.

    python benchmarks/formats.py [--musicxml FOLDER] [--abc FOLDER] [--kern FOLDER] [--files 40] [--json]

Each reader runs in a process of its own (pip install "aurl[notation,benchmark]"); its memory is the peak of that
process, its speed process time after a first file that loads the library. Ground truth:

- MusicXML: FOLDER holds x.mxl beside x.mid, the same notes without repeats (OpenEWLD); readers give notes as written.
- ABC: FOLDER holds abc/BOOK.abc with tune N beside BOOKN.mid (Nottingham), melody first; readers unfold repeats. The
  MIDI plays some repeats otherwise than the tune says, and not all tunes are the same version: 100 % is out of reach.
- kern: there is no MIDI; the note heads of the file, ties counted once, are counted by a few lines below. The files
  are spread over all lengths, and the peers take seconds each: --files 8 for all four, --files 1000 for ours.

A file that a reader refuses counts as all its notes missed. Piano rolls are timed on the built-in chorales.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import multiprocessing
import re
import resource
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

Row = tuple[float, int, float]
Case = tuple[str, bytes, list[Row] | int]
"""Name of a piece, its bytes, its notes (or how many there are)."""


def main() -> None:
    """Measure, then print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("musicxml", "abc", "kern"):
        parser.add_argument(f"--{name}", type=Path)
    parser.add_argument("--files", type=int, default=40, help="of each format, spread over the folder")
    parser.add_argument("--json", action="store_true", help="print JSON only")
    options = parser.parse_args()
    result: dict[str, Any] = {"piano rolls, notes/s": in_process(measure_rolls)}
    for kind, (find, readers) in KINDS.items():
        folder = getattr(options, kind)
        if folder:
            cases = spread(find(folder), options.files)
            for name, read in readers.items():
                result[f"{kind}: {name}"] = in_process(measure, cases, read)
    result["versions"] = {name: version(name) for name in ("music21", "partitura", "converter21", "symusic")}
    if options.json:
        print(json.dumps(result, indent=2))
        return
    for name, facts in result.items():
        print(f"{name:28} " + "  ".join(f"{key} {_text(value)}" for key, value in facts.items()))


def _text(value: Any) -> str:
    return (
        f"{value:,.4g}"
        if isinstance(value, float) and value < 1e4
        else f"{value:,.0f}"
        if value != str(value)
        else value
    )


def in_process(work: Callable[..., dict[str, Any]], *arguments: Any) -> dict[str, Any]:
    """Run `work` in a fresh process, so that its peak of memory is its own."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def spread(cases: list[Case], count: int) -> list[Case]:
    """At most `count` cases, evenly over all."""
    return cases[:: max(1, -(-len(cases) // count))]


def measure(cases: list[Case], read: Callable[[bytes], Any]) -> dict[str, Any]:
    """Notes found at the right onset and pitch, and with the right length too, of all there are."""
    found = Counter[str]()
    times: list[float] = []
    for _, data, truth in cases:
        notes: Any = 0 if isinstance(truth, int) else []
        began = time.process_time()
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()), contextlib.suppress(Exception):
            warnings.simplefilter("ignore")
            notes = read(data)
            found["read"] += 1
        times.append(time.process_time() - began)
        count(found, notes, truth)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    shares = {name: found[name] / found[whole] for name, whole in SHARES.items() if found[whole]}
    speed = (len(times) - 1) / sum(times[1:]) if len(times) > 1 else 0.0
    return {"files": len(cases), "read": found["read"], **shares, "files/s": speed, "peak MB": peak}


SHARES = {"right": "notes", "with length": "lengths", "surplus": "notes"}


def count(found: Counter[str], notes: Any, truth: list[Row] | int) -> None:
    """Add one piece to the counts; pieces are aligned at their first note."""
    if isinstance(truth, int):
        size = len(notes) if notes else 0
        found.update({"right": min(size, truth), "notes": truth, "surplus": max(0, size - truth)})
        return
    right, with_length = matches(notes, truth)
    found.update({"right": right, "notes": len(truth), "with length": with_length, "lengths": len(truth)})
    found["surplus"] += max(0, len(notes) - len(truth))


def matches(notes: list[Row], truth: list[Row]) -> tuple[int, int]:
    """Notes in both: by onset (1/50 of a quarter) and pitch, and by length too."""
    results = []
    for columns in (2, 3):
        sets = [
            Counter(
                tuple(round(50 * v) if i != 1 else v for i, v in enumerate(shifted(r, rows)[:columns])) for r in rows
            )
            for rows in (notes, truth)
        ]
        results.append(sum((sets[0] & sets[1]).values()))
    return results[0], results[1]


def shifted(row: Row, rows: list[Row]) -> Row:
    """A note as if the first of its piece began at 0."""
    return (row[0] - rows[0][0], row[1], row[2])


def rows_of(score: Any, track: int | None = None) -> list[Row]:
    """Notes of a Score."""
    notes, unit = score.notes, score.ticks_per_beat
    notes = notes if track is None else notes.take(notes.track == track)
    columns = ((notes.onset / unit).tolist(), notes.pitch.tolist(), (notes.duration / unit).tolist())
    return sorted(zip(*columns, strict=True))


def musicxml_cases(folder: Path) -> list[Case]:
    """x.mxl beside x.mid."""
    from aurl.music.midi import read_midi

    paths = [path for path in sorted(folder.glob("*.mxl")) if path.with_suffix(".mid").exists()]
    return [(p.name, p.read_bytes(), rows_of(read_midi(p.with_suffix(".mid")))) for p in paths]


def abc_cases(folder: Path) -> list[Case]:
    """Tunes of abc/*.abc beside their MIDI."""
    from aurl.music.midi import read_midi
    from aurl.music.notation.abc import split_tunes

    cases: list[Case] = []
    for book in sorted((folder / "abc").glob("*.abc")):
        for number, tune in split_tunes(book.read_text("latin-1")):
            midi = folder / f"{book.stem}{number}.mid"
            if midi.exists():
                cases.append((midi.stem, tune.encode(), rows_of(read_midi(midi), 0)))
    return cases


def kern_cases(folder: Path) -> list[Case]:
    """Files and how many notes they have, the shortest first."""
    paths = sorted(folder.glob("*.krn"), key=lambda path: path.stat().st_size)
    return [(path.name, path.read_bytes(), note_heads(path.read_text())) for path in paths]


def note_heads(text: str) -> int:
    """Notes in the kern spines, those tied to the one before not counted."""
    spines: list[str] = []
    total = 0
    for line in text.splitlines():
        cells = line.split("\t")
        if line.startswith("**"):
            spines = cells
        elif line.startswith("*") and not line.startswith("**"):
            spines = next_spines(spines, cells)
        elif line and line[0] not in "!=":
            heads = [t for kind, cell in zip(spines, cells, strict=False) if kind == "**kern" for t in cell.split(" ")]
            total += sum(bool(re.search("[a-gA-G]", t)) and "r" not in t and not set(t) & set("_]") for t in heads)
    return total


def next_spines(spines: list[str], cells: list[str]) -> list[str]:
    """Kinds of the spines after a line of interpretations: split, joined, ended."""
    following: list[str] = []
    joining = False
    for kind, cell in zip(spines, cells, strict=False):
        if cell == "*v" and joining:
            continue
        joining = cell == "*v"
        following += [kind] * (2 if cell == "*^" else 0 if cell == "*-" else 1)
    return following


def aurl_musicxml(data: bytes) -> list[Row]:
    """Ours, repeats left out as in the truth."""
    from aurl.music.notation.musicxml import read_musicxml
    from aurl.music.notation.playing import play
    from aurl.music.notation.written import Marks
    from aurl.music.repair.report import FaultLog

    written = read_musicxml(data, "benchmark.mxl")
    return rows_of(play(replace(written, marks=[Marks()] * len(written.lengths)), FaultLog()))


def aurl_kern(data: bytes) -> list[Row]:
    """Ours, repeats left out as in the truth."""
    from aurl.music.notation.kern import read_kern
    from aurl.music.notation.playing import play
    from aurl.music.notation.written import Marks
    from aurl.music.repair.report import FaultLog

    written = read_kern(data.decode(), "benchmark.krn")
    return rows_of(play(replace(written, marks=[Marks()] * len(written.lengths)), FaultLog()))


def aurl_any(data: bytes) -> list[Row]:
    """Ours, as played."""
    from aurl.music.io import read_music

    return rows_of(read_music(data)[0])


def music21_musicxml(data: bytes) -> list[Row]:
    """music21, as written."""
    import music21

    return music21_rows(music21.converter.parseFile(on_disk(data, ".mxl"), forceSource=True))


def music21_abc(data: bytes) -> list[Row]:
    """music21, repeats expanded."""
    import music21

    return music21_rows(music21.converter.parseData(data.decode(), format="abc").expandRepeats())


def music21_kern(data: bytes) -> list[Row]:
    """music21's own reader of kern."""
    import music21

    return music21_rows(music21.converter.parseData(data.decode(), format="humdrum"))


def converter21_kern(data: bytes) -> list[Row]:
    """converter21's reader, into a music21 score."""
    from music21.metadata import Metadata

    if not hasattr(Metadata, "_convertValue"):
        Metadata._convertValue = staticmethod(Metadata.convertValue)  # converter21 4.0 uses the name before music21 10
    from converter21.humdrum.humdrumfile import HumdrumFile

    file = HumdrumFile()
    file.readString(data.decode())
    return music21_rows(file.createMusic21Stream())


def music21_rows(score: Any) -> list[Row]:
    """Sounding notes of a music21 score, ties joined."""
    notes = (n for n in score.flatten().stripTies().notes if "ChordSymbol" not in n.classes)
    return sorted((float(n.offset), pitch.midi, float(n.quarterLength)) for n in notes for pitch in n.pitches)


def partitura_musicxml(data: bytes) -> list[Row]:
    """partitura, as written."""
    import partitura

    return partitura_rows(partitura.load_musicxml(on_disk(data, ".mxl")))


def partitura_kern(data: bytes) -> list[Row]:
    """partitura's reader of kern."""
    import partitura

    return partitura_rows(partitura.load_kern(on_disk(data, ".krn")))


def partitura_rows(score: Any) -> list[Row]:
    """Notes of all parts, ties joined."""
    arrays = [part.note_array() for part in score.parts if part.notes]
    rows = (zip(a["onset_quarter"], a["pitch"], a["duration_quarter"], strict=True) for a in arrays)
    return sorted((float(onset), int(pitch), float(length)) for array in rows for onset, pitch, length in array)


def on_disk(data: bytes, suffix: str) -> str:
    """A file of the data, for libraries that read nothing else."""
    import tempfile

    with tempfile.NamedTemporaryFile(suffix=suffix, delete=False) as file:
        file.write(data)
    return file.name


def symusic_abc(data: bytes) -> list[Row]:
    """symusic, which calls abc2midi."""
    import symusic

    score = symusic.Score.from_abc(data.decode())
    unit = score.ticks_per_quarter
    return sorted((n.time / unit, n.pitch, n.duration / unit) for n in score.tracks[0].notes)


def measure_rolls() -> dict[str, Any]:
    """Notes a second into rolls of 16th notes: ours, symusic's and pretty_midi's (its own step: 1/8 s)."""
    import pretty_midi
    import symusic

    from aurl.data.embedded import chorales_archive
    from aurl.data.pianoroll import aligned_roll, beat_grid, piano_roll
    from aurl.data.sources import Found, list_inputs, read_entries
    from aurl.data.tokenizers import EventTokenizer
    from aurl.music.midi import read_midi

    found = Found()
    files = [e.content for e in read_entries(list_inputs([chorales_archive()], found).files, found)]
    data = [content for content in files if isinstance(content, bytes)]
    scores = [read_midi(content) for content in data]
    tokenizer = EventTokenizer()
    tokens = [tokenizer.encode(score) for score in scores]
    peers = [symusic.Score.from_midi(content).resample(4) for content in data]
    modes = ["onset", "frame"]
    old = [pretty_midi.PrettyMIDI(io.BytesIO(content)) for content in data[:100]]
    some = sum(len(score.notes) for score in scores[:100])
    notes = sum(len(score.notes) for score in scores)
    return {
        "ours": notes / seconds(lambda s: piano_roll(s, beat_grid(s, 4)), scores),
        "ours, one row a token": notes / seconds(lambda t: aligned_roll(tokenizer, t), tokens),
        "symusic": notes / seconds(lambda s: s.pianoroll(modes=modes, encode_velocity=True), peers),
        "pretty_midi": some / seconds(lambda s: s.get_piano_roll(fs=8), old),
    }


def seconds(work: Callable[[Any], Any], items: Iterable[Any]) -> float:
    """Process time of all items."""
    began = time.process_time()
    for item in items:
        work(item)
    return time.process_time() - began


KINDS: dict[str, tuple[Callable[[Path], list[Case]], dict[str, Callable[[bytes], Any]]]] = {
    "musicxml": (
        musicxml_cases, {"aurl": aurl_musicxml, "music21": music21_musicxml, "partitura": partitura_musicxml},
    ),
    "abc": (abc_cases, {"aurl": aurl_any, "music21": music21_abc, "symusic": symusic_abc}),
    "kern": (
        kern_cases,
        {"aurl": aurl_kern, "converter21": converter21_kern, "music21": music21_kern, "partitura": partitura_kern},
    ),
}  # fmt: skip


if __name__ == "__main__":
    main()
