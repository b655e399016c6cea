"""A score as one row of plain Arrow columns, and back without loss.

Every column of every table of `Score` is a list column: those of the notes carry their own names (`onset`, `pitch`),
the others their table's as well (`tempos_time`). Only numbers, strings, booleans, lists and structs are used, so any
reader of Parquet understands them. Nothing here knows of files or splits.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

import numpy as np
import pyarrow as pa

from aurl.music.score import (
    Array,
    Controls,
    KeySignatures,
    Notes,
    PitchBends,
    Score,
    Table,
    Tempos,
    Texts,
    TimeSignatures,
    Track,
)

T = TypeVar("T")
CANONICAL_BEAT = 960
"""Ticks to a beat at which the notes of two files are compared."""


@dataclass(frozen=True, eq=False)
class Tracks(Table):
    """The tracks of a score as a table."""

    program: Array
    is_drum: Array
    name: Array
    DTYPES: ClassVar[dict[str, Any]] = {"program": np.uint8, "is_drum": np.bool_, "name": object}
    ORDER: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def of(cls, score: Score) -> Tracks:
        """The tracks of `score`."""
        tracks = score.tracks
        return cls(
            np.array([track.program for track in tracks], np.uint8),
            np.array([track.is_drum for track in tracks], np.bool_),
            np.array([track.name for track in tracks], object),
        )


TABLES: dict[str, type[Table]] = {
    "notes": Notes,
    "tempos": Tempos,
    "time_signatures": TimeSignatures,
    "key_signatures": KeySignatures,
    "controls": Controls,
    "pitch_bends": PitchBends,
    "texts": Texts,
    "tracks": Tracks,
}


def column_name(table: str, column: str) -> str:
    """Name of the list column that holds `column` of `table`."""
    return column if table == "notes" else f"{table}_{column}"


def _arrow_type(dtype: Any) -> pa.DataType:
    return pa.string() if dtype is object else pa.from_numpy_dtype(dtype)


STRING_MAP = pa.list_(pa.struct([("key", pa.string()), ("value", pa.string())]))
"""A mapping of strings; not Arrow's map type, which Hugging Face datasets cannot read."""
SCORE_FIELDS: list[pa.Field] = [
    pa.field("ticks_per_beat", pa.int32()),
    *(
        pa.field(column_name(table, column), pa.list_(_arrow_type(dtype)))
        for table, kind in TABLES.items()
        for column, dtype in kind.DTYPES.items()
    ),
]


def score_columns(scores: Sequence[Score]) -> dict[str, pa.Array]:
    """The columns SCORE_FIELDS, a row for each score."""
    columns = {"ticks_per_beat": pa.array([score.ticks_per_beat for score in scores], pa.int32())}
    for name, kind in TABLES.items():
        tables = [Tracks.of(score) if kind is Tracks else getattr(score, name) for score in scores]
        offsets = pa.array(np.cumsum([0, *map(len, tables)]), pa.int32())
        joined = kind.join(tables)
        for column, dtype in kind.DTYPES.items():
            values = pa.array(getattr(joined, column), _arrow_type(dtype))
            columns[column_name(name, column)] = pa.ListArray.from_arrays(offsets, values)
    return columns


def string_map(values: Mapping[str, str]) -> list[dict[str, str]]:
    """`values` as Python holds one value of the type STRING_MAP."""
    return [{"key": key, "value": value} for key, value in values.items()]


def content_hash(score: Score) -> str:
    """Hash (32 hexadecimal digits) of everything in the score but its metadata."""
    digest = hashlib.blake2b(repr((score.ticks_per_beat, score.tracks)).encode(), digest_size=16)
    for name in Score.table_names():
        for column, values in getattr(score, name).columns().items():
            digest.update(f"{name}.{column}:{len(values)}:".encode())
            digest.update(repr(values.tolist()).encode() if values.dtype == object else values.tobytes())
    return digest.hexdigest()


def note_hash(score: Score) -> str:
    """Hash of which pitches sound when, in beats: equal for copies that differ in tracks, loudness or resolution."""
    notes = score.notes
    times = [notes.onset.astype(np.int64), notes.end.astype(np.int64)]
    onset, end = (ticks * CANONICAL_BEAT // score.ticks_per_beat for ticks in times)
    order = np.lexsort([end, notes.pitch, onset])
    digest = hashlib.blake2b(digest_size=16)
    for column in (onset, end, notes.pitch):
        digest.update(column[order].tobytes())
    return digest.hexdigest()


class RowReader:
    """Scores and strings of one record batch; what it returns are views of the batch's buffers, not copies."""

    def __init__(self, batch: pa.RecordBatch) -> None:
        self._ticks_per_beat = batch.column("ticks_per_beat").to_numpy()
        self._tables = [(name, kind, *_table_columns(batch, name, kind)) for name, kind in TABLES.items()]
        self._strings = {f.name: Strings(batch.column(f.name)) for f in batch.schema if f.type == pa.string()}
        pairs = batch.column("metadata")
        self._pair_offsets = pairs.offsets.to_numpy()
        self._keys, self._values = (Strings(column) for column in pairs.values.flatten())

    def score(self, row: int) -> Score:
        """The score in `row`, with its metadata."""
        fields: dict[str, Any] = {"ticks_per_beat": int(self._ticks_per_beat[row]), "metadata": self.metadata(row)}
        for name, kind, offsets, columns in self._tables:
            start, stop = offsets[row : row + 2].tolist()
            if start == stop:
                fields[name] = _EMPTY[name]
            else:
                fields[name] = _trusted(kind, {column: values[start:stop] for column, values in columns})
        tracks = fields["tracks"]
        fields["tracks"] = tuple(map(Track, tracks.program.tolist(), tracks.is_drum.tolist(), tracks.name))
        return _trusted(Score, fields)

    def metadata(self, row: int) -> dict[str, str]:
        """What is known of the piece in `row`; what is not known is left out."""
        known = {name: strings.text(row) for name, strings in self._strings.items()}
        pairs = range(*self._pair_offsets[row : row + 2].tolist())
        others = [(self._keys.text(pair), self._values.text(pair)) for pair in pairs]
        return dict(others) | {name: value for name, value in known.items() if value}


class Strings:
    """The strings of an Arrow array, decoded only when asked for; missing ones are empty."""

    def __init__(self, array: pa.Array) -> None:
        _, offsets, data = array.buffers()
        every = np.frombuffer(offsets, np.int32) if len(array) else np.zeros(1, np.int32)
        self._offsets = every[array.offset : array.offset + len(array) + 1]
        self._data = memoryview(data if data is not None else b"")

    def text(self, row: int) -> str:
        """The string in `row`."""
        start, stop = self._offsets[row : row + 2].tolist()
        return str(self._data[start:stop], "utf-8")

    def __getitem__(self, rows: slice) -> Array:
        """The strings in `rows` as an array of objects."""
        return np.array([self.text(row) for row in range(rows.start, rows.stop)], object)


_EMPTY: dict[str, Table] = {name: kind.empty() for name, kind in TABLES.items()}


def _table_columns(batch: pa.RecordBatch, name: str, kind: type[Table]) -> tuple[Array, list[tuple[str, Any]]]:
    """Where each row's part of a table begins, and its columns over all rows."""
    lists = {column: batch.column(column_name(name, column)) for column in kind.DTYPES}
    columns = [(column, _flat(array.values)) for column, array in lists.items()]
    return next(iter(lists.values())).offsets.to_numpy(), columns


def _flat(values: pa.Array) -> Any:
    """Numbers as a view, truth values as a copy (Arrow packs them in bits), strings to be decoded when sliced."""
    return Strings(values) if values.type == pa.string() else values.to_numpy(zero_copy_only=False)


def _trusted(kind: type[T], fields: Mapping[str, Any]) -> T:
    """An instance of a frozen dataclass without its checks and its sort: stored rows have passed both."""
    made = object.__new__(kind)
    made.__dict__.update(fields)
    return made
