"""One chunk of a preparation: a few dozen files parsed into one temporary Arrow file, all or nothing.

A chunk is the unit of work, of memory and of resumption: its file appears by a rename, so one that exists is finished.
Which split a piece goes to is not known yet; `aurl.data.corpus` adds that. Runs in worker processes.
"""

from __future__ import annotations

import json
import signal
import threading
from collections import Counter
from collections.abc import Container, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from aurl.data.dedup import sketch
from aurl.data.labels import labelled_kinds, source_key
from aurl.data.pieces import Piece, Reading, read_entry
from aurl.data.plan import PieceConfig
from aurl.data.rows import SCORE_FIELDS, STRING_MAP, content_hash, note_hash, score_columns, string_map
from aurl.data.sources import Entry
from aurl.data.store import Failure, Repair
from aurl.utils.files import write_file

CHUNK_FILES = 64
CHUNK_BYTES = 4 << 20
"""A chunk ends with the file that reaches either."""
SUMMARY_FIELDS: list[pa.Field] = [
    pa.field("source", pa.string()),
    pa.field("format", pa.string()),
    pa.field("repaired", pa.bool_()),
    pa.field("content_hash", pa.string()),
    pa.field("note_hash", pa.string()),
    pa.field("note_count", pa.int64()),
    pa.field("duration_seconds", pa.float64()),
    pa.field("sketch", pa.list_(pa.uint64())),
]
CHUNK_SCHEMA = pa.schema([*SUMMARY_FIELDS, pa.field("metadata", STRING_MAP), *SCORE_FIELDS])
_OUTCOME = b"outcome"


@dataclass
class Chunk:
    """Files to be parsed together; `contents` stays empty for a chunk that is finished already."""

    number: int
    contents: list[Entry] = field(default_factory=list)
    files: int = 0
    bytes: int = 0
    position: int = 0
    """How far the inputs are read, in bytes, after this chunk."""

    def add(self, entry: Entry, *, keep: bool) -> None:
        """Count one more file, and keep its bytes if they are to be parsed."""
        self.files += 1
        self.bytes += entry.size
        self.position = entry.position
        if keep:
            self.contents.append(entry)

    @property
    def is_full(self) -> bool:
        """Whether the next file belongs to the next chunk."""
        return self.files >= CHUNK_FILES or self.bytes >= CHUNK_BYTES


@dataclass(frozen=True, eq=False)
class Summary:
    """What splitting and reporting need of a piece."""

    source: str
    format: str
    repaired: bool
    content_hash: str
    note_hash: str
    note_count: int
    duration_seconds: float
    sketch: NDArray[np.uint64]


@dataclass
class Outcome:
    """What came of some files, without their notes; labels are counted by kind and origin ("given", "detected")."""

    summaries: list[Summary] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    repairs: list[Repair] = field(default_factory=list)
    labels: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, other: Outcome) -> None:
        """Append what came of later files."""
        self.summaries += other.summaries
        self.failures += other.failures
        self.repairs += other.repairs
        self.labels += other.labels


def cut_chunks(entries: Iterable[Entry], finished: Container[int]) -> Iterator[Chunk]:
    """Cut the files into chunks, always at the same places; those `finished` come without contents."""
    chunk = Chunk(0)
    for entry in entries:
        chunk.add(entry, keep=chunk.number not in finished)
        if chunk.is_full:
            yield chunk
            chunk = Chunk(chunk.number + 1)
    if chunk.files:
        yield chunk


def chunk_path(folder: Path, number: int) -> Path:
    """Where a finished chunk lies."""
    return folder / f"chunk-{number:06d}.arrow"


def parse_chunk(entries: list[Entry], config: PieceConfig, journal: Path) -> bytes:
    """Parse the files of a chunk; what came of them as the bytes of an Arrow file, for `keep_chunk`.

    `journal` names the file that is being read, for as long as there is one: if this process dies, it says of what.
    """
    reading = Reading()
    with _removed_at_the_end(journal):
        for entry in entries:
            with suppress(OSError):  # a machine of a cluster, which has not the folder
                journal.write_text(entry.name, encoding="utf-8", errors="replace")
            read_entry(entry, config, reading)
    table = _table(reading.pieces).replace_schema_metadata({_OUTCOME: _outcome(reading)})
    options = pa.ipc.IpcWriteOptions(compression="lz4", use_threads=False)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema, options=options) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]


@contextmanager
def _removed_at_the_end(journal: Path) -> Iterator[None]:
    """Remove the journal when the block ends, and when the process is asked to end: that is no fault of the file."""

    def end(number: int, _: object) -> None:
        journal.unlink(missing_ok=True)
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)

    is_ours = threading.current_thread() is threading.main_thread()
    is_ours = is_ours and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    if is_ours:
        signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        journal.unlink(missing_ok=True)
        if is_ours:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


def keep_chunk(folder: Path, number: int, content: bytes) -> None:
    """Write a parsed chunk: it is finished; raises StorageError."""
    write_file(chunk_path(folder, number), content)


def journal_path(folder: Path, number: int) -> Path:
    """Where the name of the file lies that is being read for a chunk."""
    return folder / f"reading-{number:06d}"


def read_chunk(path: Path) -> pa.Table:
    """All rows of a finished chunk."""
    with pa.OSFile(str(path)) as source, pa.ipc.open_file(source) as reader:
        return reader.read_all()


def summarise_chunk(path: Path) -> Outcome:
    """What came of the files of a finished chunk, without their notes."""
    options = pa.ipc.IpcReadOptions(included_fields=list(range(len(SUMMARY_FIELDS))), use_threads=False)
    with pa.OSFile(str(path)) as source, pa.ipc.open_file(source, options=options) as reader:
        told = json.loads(reader.schema.metadata[_OUTCOME])
        table = reader.read_all()
    sketches = [row.values.to_numpy() for row in table.column("sketch")]
    rows = table.drop_columns("sketch").to_pylist()
    return Outcome(
        [Summary(**row, sketch=sketch) for row, sketch in zip(rows, sketches, strict=True)],
        [Failure(**failure) for failure in told["failures"]],
        [Repair(**repair) for repair in told["repairs"]],
        Counter({(kind, origin): count for kind, origin, count in told["labels"]}),
    )


def _outcome(reading: Reading) -> str:
    """Failures, repairs and counts of labels as JSON."""
    labels = Counter(
        (kind, score.metadata[source_key(kind)].partition(":")[0])
        for score in (piece.score for piece in reading.pieces)
        for kind in sorted(labelled_kinds(score))
    )
    return json.dumps(
        {
            "failures": [failure.model_dump() for failure in reading.failures],
            "repairs": [repair.model_dump() for repair in reading.repairs],
            "labels": [[kind, origin, count] for (kind, origin), count in labels.items()],
        }
    )


def _table(pieces: list[Piece]) -> pa.Table:
    scores = [piece.score for piece in pieces]
    columns = {
        "source": pa.array([piece.source for piece in pieces], pa.string()),
        "format": pa.array([piece.format for piece in pieces], pa.string()),
        "repaired": pa.array([piece.repaired for piece in pieces], pa.bool_()),
        "content_hash": pa.array([content_hash(score) for score in scores], pa.string()),
        "note_hash": pa.array([note_hash(score) for score in scores], pa.string()),
        "note_count": pa.array([len(score.notes) for score in scores], pa.int64()),
        "duration_seconds": pa.array([score.duration_seconds for score in scores], pa.float64()),
        "sketch": pa.array([sketch(score) for score in scores], pa.list_(pa.uint64())),
        "metadata": pa.array([string_map(score.metadata) for score in scores], STRING_MAP),
        **score_columns(scores),
    }
    return pa.table(columns, CHUNK_SCHEMA)
