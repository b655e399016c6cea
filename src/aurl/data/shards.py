"""From finished chunks to the Parquet shards of a corpus, adding to each row its split and what manifests say.

The same rows give the same bytes. Memory holds one row group at a time.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from aurl.data.chunks import read_chunk
from aurl.data.rows import SCORE_FIELDS, STRING_MAP, string_map
from aurl.data.splits import Assignment
from aurl.data.store import SCHEMA, Shard, file_sha256
from aurl.utils.files import replacing

ROW_GROUP_BYTES = 16 << 20
"""Size of a row group before compression."""
NAMED_COLUMNS = ("title", "composer", "genre")
"""Metadata with a column of its own."""
FINGERPRINT_COLUMNS = ["content_hash", "split", *NAMED_COLUMNS, "metadata"]
TIMES = [field.name for field in SCORE_FIELDS if field.type == pa.list_(pa.int32())]
OPTIONS: dict[str, Any] = {
    "compression": "zstd",
    "use_dictionary": [field.name for field in SCHEMA if field.name not in TIMES],
    "column_encoding": {f"{name}.list.element": "DELTA_BINARY_PACKED" for name in TIMES},
    "write_statistics": ["split", "note_count", "duration_seconds"],
}


def write_shards(
    chunks: Sequence[Path], assignments: Sequence[Assignment], folder: Path, shard_bytes: int
) -> list[Shard]:
    """Write the rows of all chunks as shards of about `shard_bytes` (before compression); raises StorageError."""
    groups = _row_groups(_completed(chunks, iter(assignments)))
    shards: list[Shard] = []
    for first in groups:
        path = folder / f"{len(shards):05d}.parquet"
        rows = _write_shard(path, chain([first], groups), shard_bytes)
        shards.append(Shard(name=path.name, rows=rows, bytes=path.stat().st_size, sha256=file_sha256(path)))
    return shards


def fingerprint(shards: Iterable[Path]) -> str:
    """Hash of every piece's music, split and metadata, in order; not of how its file is called."""
    digest = hashlib.sha256()
    for path in shards:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(columns=FINGERPRINT_COLUMNS):
                for row in batch.to_pylist():
                    digest.update(json.dumps([row[name] for name in FINGERPRINT_COLUMNS]).encode())
    return digest.hexdigest()


def _write_shard(path: Path, groups: Iterable[pa.Table], shard_bytes: int) -> int:
    """Write row groups until the shard is large enough; the number of rows."""
    rows = size = 0
    with replacing(path) as temporary, pq.ParquetWriter(temporary, SCHEMA, **OPTIONS) as writer:
        for group in groups:
            writer.write_table(group, row_group_size=len(group))
            rows, size = rows + len(group), size + group.nbytes
            if size >= shard_bytes:
                break
    return rows


def _row_groups(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Tables joined to about ROW_GROUP_BYTES."""
    waiting: list[pa.Table] = []
    for table in tables:
        waiting.append(table)
        if sum(each.nbytes for each in waiting) >= ROW_GROUP_BYTES:
            yield pa.concat_tables(waiting)
            waiting = []
    if waiting:
        yield pa.concat_tables(waiting)


def _completed(chunks: Iterable[Path], assignments: Iterator[Assignment]) -> Iterator[pa.Table]:
    """The chunks that have rows, with the columns of a corpus."""
    for path in chunks:
        table = read_chunk(path)
        if len(table):
            yield _complete(table, [next(assignments) for _ in range(len(table))])


def _complete(table: pa.Table, assignments: Sequence[Assignment]) -> pa.Table:
    stored = table.column("metadata").to_pylist()
    metadata = [
        {pair["key"]: pair["value"] for pair in pairs} | dict(assignment.metadata)
        for pairs, assignment in zip(stored, assignments, strict=True)
    ]
    added: dict[str, pa.Array] = {
        name: pa.array([values.pop(name, None) for values in metadata], pa.string()) for name in NAMED_COLUMNS
    }
    added["split"] = pa.array([assignment.split for assignment in assignments])
    added["piece_key"] = pa.array([assignment.piece_key for assignment in assignments])
    added["cluster"] = pa.array([assignment.cluster for assignment in assignments], pa.int64())
    added["metadata"] = pa.array([string_map(values) for values in metadata], STRING_MAP)
    columns = [added[name] if name in added else table.column(name) for name in SCHEMA.names]
    return pa.table(columns, schema=SCHEMA)
