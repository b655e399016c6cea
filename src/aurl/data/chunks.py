"""One chunk of a preparation: a few dozen files parsed into one temporary Arrow file, all or nothing.

A chunk is the unit of work, of memory and of resumption: its file appears by a rename, so one that exists is finished.
Which split a piece goes to is not known yet; `aurl.data.corpus` adds that. Runs in worker processes.
"""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from aurl.data.rows import SCORE_FIELDS, STRING_MAP, content_hash, note_hash, score_columns, string_map
from aurl.data.sources import Entry
from aurl.data.store import Failure
from aurl.music.midi import read_midi
from aurl.music.score import Score
from aurl.utils.errors import MidiError
from aurl.utils.files import replacing

CHUNK_FILES = 64
CHUNK_BYTES = 4 << 20
"""A chunk ends with the file that reaches either."""
SUMMARY_FIELDS: list[pa.Field] = [
    pa.field("source", pa.string()),
    pa.field("content_hash", pa.string()),
    pa.field("note_hash", pa.string()),
    pa.field("note_count", pa.int64()),
    pa.field("duration_seconds", pa.float64()),
]
CHUNK_SCHEMA = pa.schema([*SUMMARY_FIELDS, pa.field("metadata", STRING_MAP), *SCORE_FIELDS])
_FAILURES = b"failures"


@dataclass
class Chunk:
    """Files to be parsed together; `contents` stays empty for a chunk that is finished already."""

    number: int
    contents: list[tuple[str, bytes | str]] = field(default_factory=list)
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
            self.contents.append((entry.name, entry.content))

    @property
    def is_full(self) -> bool:
        """Whether the next file belongs to the next chunk."""
        return self.files >= CHUNK_FILES or self.bytes >= CHUNK_BYTES


@dataclass(frozen=True)
class Summary:
    """What splitting and reporting need of a piece."""

    source: str
    content_hash: str
    note_hash: str
    note_count: int
    duration_seconds: float


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


def parse_chunk(folder: Path, number: int, contents: list[tuple[str, bytes | str]], min_notes: int) -> None:
    """Parse the files of a chunk and write what came of them; raises StorageError."""
    sources, scores, failures = [], [], []
    for source, content in contents:
        result = _parse(source, content, min_notes)
        if isinstance(result, Score):
            sources.append(source)
            scores.append(result)
        else:
            failures.append(result.model_dump())
    table = _table(sources, scores).replace_schema_metadata({_FAILURES: json.dumps(failures)})
    options = pa.ipc.IpcWriteOptions(compression="lz4", use_threads=False)
    with (
        replacing(chunk_path(folder, number)) as temporary,
        pa.OSFile(str(temporary), "wb") as sink,
        pa.ipc.new_file(sink, table.schema, options=options) as writer,
    ):
        writer.write_table(table)


def read_chunk(path: Path) -> pa.Table:
    """All rows of a finished chunk."""
    with pa.OSFile(str(path)) as source, pa.ipc.open_file(source) as reader:
        return reader.read_all()


def summarise_chunk(path: Path) -> tuple[list[Summary], list[Failure]]:
    """What came of the files of a finished chunk, without their notes."""
    options = pa.ipc.IpcReadOptions(included_fields=list(range(len(SUMMARY_FIELDS))), use_threads=False)
    with pa.OSFile(str(path)) as source, pa.ipc.open_file(source, options=options) as reader:
        failures = [Failure(**failure) for failure in json.loads(reader.schema.metadata[_FAILURES])]
        return [Summary(**row) for row in reader.read_all().to_pylist()], failures


def _parse(source: str, content: bytes | str, min_notes: int) -> Score | Failure:
    if isinstance(content, str):
        return Failure(source=source, reason=content)
    try:
        score = read_midi(content)
    except MidiError as error:
        return Failure(source=source, reason=error.problem, detail="" if error.found is None else str(error.found))
    count = len(score.notes)
    if count < min_notes:
        return Failure(
            source=source, reason=f"fewer than {min_notes} notes" if count else "no notes", detail=str(count)
        )
    return score


def _table(sources: list[str], scores: list[Score]) -> pa.Table:
    columns = {
        "source": pa.array(sources, pa.string()),
        "content_hash": pa.array([content_hash(score) for score in scores], pa.string()),
        "note_hash": pa.array([note_hash(score) for score in scores], pa.string()),
        "note_count": pa.array([len(score.notes) for score in scores], pa.int64()),
        "duration_seconds": pa.array([score.duration_seconds for score in scores], pa.float64()),
        "metadata": pa.array([string_map(score.metadata) for score in scores], STRING_MAP),
        **score_columns(scores),
    }
    return pa.table(columns, CHUNK_SCHEMA)
