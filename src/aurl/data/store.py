"""A prepared corpus on disk, and the class that reads it.

    corpus.json          what is in it; written last, so a folder without one holds no corpus
    shards/*.parquet     one row a piece (see `aurl.data.rows`), zstd
    failures.jsonl       files that were left out, each with its reason
    repairs.jsonl        files that were mended, and labels that were refused: what was wrong and what was done
    cache/*.arrow        the same rows uncompressed, built at first use and memory-mapped: deleting it costs nothing

DuckDB, pandas and Hugging Face datasets read the shards without Aurl. How a corpus comes about is `aurl.data.corpus`.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from aurl.data.rows import SCORE_FIELDS, STRING_MAP, RowReader
from aurl.music.score import Score
from aurl.utils.errors import CorpusError, StorageError
from aurl.utils.files import replacing

FORMAT_VERSION = 2
SPLITS = ("train", "valid", "test")
DESCRIPTION_NAME, SHARDS_NAME, CACHE_NAME = "corpus.json", "shards", "cache"
FAILURES_NAME, REPAIRS_NAME = "failures.jsonl", "repairs.jsonl"
ROWS_PER_BATCH = 1024
"""Rows of one memory-mapped batch: enough for few batches, little enough to build the cache in little memory."""
PREPARE_AGAIN = "run aurl prepare again"
PIECE_FIELDS: list[pa.Field] = [
    pa.field("source", pa.string()),
    pa.field("title", pa.string()),
    pa.field("composer", pa.string()),
    pa.field("genre", pa.string()),
    pa.field("split", pa.string()),
    pa.field("piece_key", pa.string()),
    pa.field("format", pa.string()),
    pa.field("content_hash", pa.string()),
    pa.field("note_count", pa.int64()),
    pa.field("duration_seconds", pa.float64()),
    pa.field("repaired", pa.bool_()),
    pa.field("cluster", pa.int64()),
    pa.field("metadata", STRING_MAP),
]
"""What is known of a piece; pieces with the same `cluster` are near-duplicates, and lie in one split."""
SCHEMA = pa.schema(PIECE_FIELDS + SCORE_FIELDS)


class Shard(BaseModel):
    """One Parquet file of a corpus."""

    model_config = ConfigDict(frozen=True)
    name: str
    rows: int
    bytes: int
    sha256: str


class Description(BaseModel):
    """What corpus.json says."""

    model_config = ConfigDict(frozen=True)
    format: int
    aurl: str
    plan: str
    """Hash of the inputs, the settings and the version that made the corpus."""
    fingerprint: str
    """Hash of the pieces' music (labels included), splits and metadata, in order."""
    pieces: int
    compositions: int
    notes: int
    seconds: float
    splits: dict[str, int]
    formats: dict[str, int]
    """Pieces by format."""
    labels: dict[str, dict[str, int]]
    """By kind, pieces with labels that were given and that were detected."""
    duplicates: int
    """Pieces that are near-duplicates of one before them."""
    repaired: int
    """Pieces of files that had to be mended."""
    repairs: dict[str, int]
    """Files by kind of fault."""
    failures: dict[str, int]
    ignored: dict[str, int]
    input_files: int
    shards: list[Shard]


class Failure(BaseModel):
    """A file that is not in the corpus, and why."""

    model_config = ConfigDict(frozen=True)
    source: str
    reason: str
    detail: str = ""
    """What was found instead, where the reason alone does not say."""


class FaultRecord(BaseModel):
    """One kind of fault of a file; see `aurl.music.repair.report.Fault`."""

    model_config = ConfigDict(frozen=True)
    kind: str
    where: str
    action: str
    count: int = 1


class Repair(BaseModel):
    """A piece whose file had faults, or labels that could not be used."""

    model_config = ConfigDict(frozen=True)
    source: str
    faults: list[FaultRecord]
    notes_recovered: int


class Corpus:
    """A prepared corpus, read memory-mapped; pickled as its path, so each process opens it anew."""

    def __init__(self, path: Path, description: Description) -> None:
        self.path, self.description = path, description

    @classmethod
    def open(cls, path: Path | str) -> Corpus:
        """Open a finished corpus; raises CorpusError for one missing, unfinished, cut short or of another format."""
        corpus = cls(Path(path), read_description(Path(path)))
        shards = corpus.description.shards
        if not shards or sum(shard.rows for shard in shards) != len(corpus):
            found = f"{len(corpus)} pieces, {len(shards)} shards"
            raise CorpusError(f"{Path(path) / DESCRIPTION_NAME} is damaged", found=found, hint=PREPARE_AGAIN)
        for file, shard in zip(corpus._shard_paths(), shards, strict=True):
            _check_size(file, shard.bytes)
        return corpus

    def __reduce__(self) -> tuple[Any, ...]:
        return (Corpus.open, (self.path,))

    def __len__(self) -> int:
        return self.description.pieces

    def score(self, index: int) -> Score:
        """Piece `index`, its arrays views of the memory map; `score.metadata` is `metadata(index)`."""
        reader, row = self._row(index)
        return reader.score(row)

    def metadata(self, index: int) -> dict[str, str]:
        """What is known of piece `index`: source, split, piece_key, content_hash, title, composer, genre and others."""
        reader, row = self._row(index)
        return reader.metadata(row)

    def indices(self, split: str) -> NDArray[np.int64]:
        """Indices of the pieces of one split, ascending."""
        if split not in self.splits:
            raise CorpusError(f"{self.path} has no split {split!r}", found=", ".join(self.splits))
        return np.flatnonzero(self._columns["split"] == split)

    @property
    def splits(self) -> dict[str, int]:
        """Pieces by split; train, valid and test are always there."""
        return dict.fromkeys(SPLITS, 0) | self.description.splits

    @property
    def fingerprint(self) -> str:
        """Hash of all music, splits and metadata; two corpora with the same one train the same model."""
        return self.description.fingerprint

    @property
    def note_counts(self) -> NDArray[np.int64]:
        """Notes of each piece."""
        return self._columns["note_count"]

    @property
    def clusters(self) -> NDArray[np.int64]:
        """The cluster of each piece; pieces that share one are near-duplicates."""
        return self._columns["cluster"]

    @cached_property
    def failures(self) -> list[Failure]:
        """Files that were left out."""
        return [Failure.model_validate_json(line) for line in _lines(self.path / FAILURES_NAME)]

    @cached_property
    def repairs(self) -> list[Repair]:
        """Pieces whose files had faults, or labels that were refused."""
        return [Repair.model_validate_json(line) for line in _lines(self.path / REPAIRS_NAME)]

    @cached_property
    def cache_dir(self) -> Path:
        """A writable folder for what is derived from this corpus: its own, or the user's if that is read-only."""
        user = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        marker = hashlib.sha256(self.description.model_dump_json().encode()).hexdigest()[:16]
        for folder in (self.path / CACHE_NAME, user / "aurl" / marker):
            if _is_writable(folder):
                return folder
        hint = "set XDG_CACHE_HOME to a folder you may write"
        raise StorageError(f"cannot write {self.path / CACHE_NAME}", hint=hint)

    def verify(self) -> None:
        """Compare the checksum of every shard; raises CorpusError for the first that differs."""
        for path, shard in zip(self._shard_paths(), self.description.shards, strict=True):
            with _reading(path):
                checksum = file_sha256(path)
            if checksum != shard.sha256:
                raise CorpusError(f"the shard {path} has changed since it was written", hint=PREPARE_AGAIN)

    @cached_property
    def _columns(self) -> dict[str, NDArray[Any]]:
        """The short columns, read from the shards."""
        names = ["split", "note_count", "cluster"]
        shards = [_read_columns(path, names) for path in self._shard_paths()]
        return {name: np.concatenate([shard[name] for shard in shards]) for name in names}

    def _shard_paths(self) -> list[Path]:
        return [self.path / SHARDS_NAME / shard.name for shard in self.description.shards]

    @cached_property
    def _batches(self) -> list[pa.RecordBatch]:
        name = f"{self.fingerprint}.arrow"
        path = self.path / CACHE_NAME / name
        try:
            return _map_batches(path)
        except (FileNotFoundError, NotADirectoryError, pa.ArrowInvalid):
            path = self.cache_dir / name
        try:
            return _map_batches(path)
        except (FileNotFoundError, pa.ArrowInvalid):
            self._build_cache(path)
            return _map_batches(path)

    def _build_cache(self, path: Path) -> None:
        """Write all rows uncompressed; several processes may do so at once, the last to finish wins."""
        self.verify()
        with (
            replacing(path) as temporary,
            pa.OSFile(str(temporary), "wb") as sink,
            pa.ipc.new_file(sink, SCHEMA) as writer,
        ):
            for shard in self._shard_paths():
                for batch in _shard_batches(shard):
                    writer.write_batch(batch)

    @cached_property
    def _ends(self) -> list[int]:
        """Index after the last row of each batch."""
        return list(accumulate(batch.num_rows for batch in self._batches))

    @cached_property
    def _readers(self) -> dict[int, RowReader]:
        return {}

    def _row(self, index: int) -> tuple[RowReader, int]:
        if not 0 <= index < len(self):
            raise IndexError(f"piece {index} of a corpus of {len(self)}")
        number = bisect_right(self._ends, index)
        batch = self._batches[number]
        if number not in self._readers:
            self._readers[number] = RowReader(batch)
        return self._readers[number], int(index) - self._ends[number] + batch.num_rows


def read_description(path: Path) -> Description:
    """Read corpus.json; raises CorpusError where there is none or it is of another format."""
    try:
        values = json.loads((path / DESCRIPTION_NAME).read_bytes())
    except FileNotFoundError:
        problem = "is not a finished corpus" if path.is_dir() else "does not exist"
        raise CorpusError(f"{path} {problem}", hint="make it with: aurl prepare FOLDER --out CORPUS") from None
    except (OSError, ValueError) as error:
        raise CorpusError(f"cannot read {path / DESCRIPTION_NAME}", found=error, hint=PREPARE_AGAIN) from None
    version = values.get("format") if isinstance(values, dict) else None
    if version != FORMAT_VERSION:
        problem = f"{path} is not a corpus of format {FORMAT_VERSION}"
        raise CorpusError(problem, found=f"format {version}", hint=f"{PREPARE_AGAIN} with --overwrite")
    try:
        return Description.model_validate(values)
    except ValidationError as error:
        where = error.errors()[0]["loc"]
        raise CorpusError(f"{path / DESCRIPTION_NAME} is damaged", found=where, hint=PREPARE_AGAIN) from None


def _lines(path: Path) -> list[str]:
    """The lines of a list beside the shards; JSON escapes no Unicode line breaks, so only `\\n` ends one."""
    try:
        return path.read_text(encoding="utf-8").split("\n")[:-1]
    except OSError as error:
        raise CorpusError(f"cannot read {path}", found=error.strerror, hint=PREPARE_AGAIN) from None


def file_sha256(path: Path) -> str:
    """Checksum of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_size(path: Path, expected: int) -> None:
    with _reading(path):
        size = path.stat().st_size
    if size != expected:
        raise CorpusError(f"the shard {path} is damaged", found=f"{size} bytes, not {expected}", hint=PREPARE_AGAIN)


def _is_writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _shard_batches(path: Path) -> Iterator[pa.RecordBatch]:
    with _open_shard(path) as file:
        yield from file.iter_batches(ROWS_PER_BATCH)


def _read_columns(path: Path, names: list[str]) -> dict[str, NDArray[Any]]:
    with _open_shard(path) as file:
        table = file.read(names)
        return {name: table.column(name).to_numpy() for name in names}


@contextmanager
def _open_shard(path: Path) -> Iterator[pq.ParquetFile]:
    with _reading(path), pq.ParquetFile(path) as file:
        if not file.schema_arrow.equals(SCHEMA):
            raise pa.ArrowInvalid("other columns than those of a corpus")
        yield file


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turn whatever reading a shard raises into a CorpusError."""
    try:
        yield
    except (pa.ArrowException, ValueError, OSError) as error:  # ValueError: a name of a column that is not UTF-8
        raise CorpusError(f"cannot read the shard {path}", found=error, hint=PREPARE_AGAIN) from None


def _map_batches(path: Path) -> list[pa.RecordBatch]:
    reader = pa.ipc.open_file(pa.memory_map(str(path)))
    return [reader.get_batch(number) for number in range(reader.num_record_batches)]
