"""Preparing a corpus: MIDI files in, Parquet shards out, in bounded memory, resumable, and the same on every machine.

First the files are parsed in chunks, by several processes, into OUT/.partial; what is there when a run is stopped is
not parsed again. Then, with every name and every hash known, compositions are split and the chunks become shards, in
the order of the inputs. The result depends on the inputs and the settings only, not on processes or interruptions.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Self

from pydantic import Field, model_validator

import aurl
from aurl.data.chunks import (
    CHUNK_BYTES,
    CHUNK_FILES,
    Chunk,
    Summary,
    chunk_path,
    cut_chunks,
    parse_chunk,
    summarise_chunk,
)
from aurl.data.pool import Job, available_cores, run_in_order
from aurl.data.shards import write_shards
from aurl.data.sources import Found, InputFile, list_inputs, read_entries
from aurl.data.splits import Assignment, Manifest, Piece, SplitRule, assign_splits, found_manifests, given_manifest
from aurl.data.store import (
    CACHE_NAME,
    DESCRIPTION_NAME,
    FAILURES_NAME,
    FORMAT_VERSION,
    SHARDS_NAME,
    SPLITS,
    Corpus,
    Description,
    Failure,
    Shard,
    read_description,
)
from aurl.utils.config import Config
from aurl.utils.errors import CorpusError, Interrupted
from aurl.utils.files import replacing, storage_errors

PARTIAL_NAME, PLAN_NAME = ".partial", "plan.json"
OWN_NAMES = {DESCRIPTION_NAME, SHARDS_NAME, FAILURES_NAME, CACHE_NAME, PARTIAL_NAME}
ARCHIVE_RATIO = 8
"""A guess at how far an archive of MIDI unpacks, to start no more processes than there is work for."""


class PrepareConfig(Config):
    """How files become a corpus."""

    workers: int = Field(0, ge=0)
    """Processes that parse; 0 takes one a core."""
    seed: int = Field(0, ge=0)
    """Decides which compositions are held out."""
    valid_fraction: float = Field(0.05, ge=0, lt=1)
    """Share of the compositions, among those no manifest places, held out for validation."""
    test_fraction: float = Field(0.0, ge=0, lt=1)
    """Share of the compositions, among those no manifest places, held out for testing."""
    manifest: Path | None = None
    """CSV with a line a file, besides the manifest.csv of the inputs themselves."""
    min_notes: int = Field(1, ge=1)
    """Pieces with fewer notes are left out."""
    shard_megabytes: int = Field(256, ge=1)
    """Size of the rows of one shard before compression."""

    @model_validator(mode="after")
    def _leaves_something_to_train_on(self) -> Self:
        if self.valid_fraction + self.test_fraction >= 1:
            raise ValueError("valid_fraction and test_fraction leave nothing to train on")
        return self


@dataclass(frozen=True)
class Progress:
    """How far the parsing is: files done, those of them left out, bytes of the inputs read and their total."""

    files: int
    failed: int
    bytes: int
    total_bytes: int


@dataclass(frozen=True)
class PrepareReport:
    """What a preparation did; counts are of the whole corpus, speed is of this run."""

    pieces: int
    compositions: int
    notes: int
    hours: float
    splits: dict[str, int]
    files: int
    """MIDI files found, those left out included."""
    failures: dict[str, int]
    """Files left out, by reason; each is listed in failures.jsonl."""
    ignored: dict[str, int]
    """Files of other kinds, by suffix."""
    input_bytes: int
    corpus_bytes: int
    """Size of the shards."""
    seconds: float
    files_per_second: float
    resumed: bool
    """Part of the work was found done by an earlier run."""
    unchanged: bool
    """The corpus was already there and was left alone."""

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain values."""
        return asdict(self)


def build_corpus(
    paths: Sequence[Path | str],
    out: Path | str,
    config: PrepareConfig,
    *,
    overwrite: bool = False,
    on_progress: Callable[[Progress], None] | None = None,
) -> PrepareReport:
    """Make the corpus `out` of every MIDI file in `paths`: folders, files and archives.

    A file that cannot be used is listed, and stops nothing. An interrupted run is continued by the next one with the
    same arguments. A corpus that is there already is left alone if it is the same, refused if it is another, and
    replaced with `overwrite`; a folder with anything else in it is never written.
    Raises CorpusError, StorageError, and Interrupted on Ctrl-C.
    """
    try:
        with storage_errors(Path(out)):
            return _Preparation(paths, Path(out), config, on_progress).run(overwrite)
    except KeyboardInterrupt:
        hint = "run the same command again to continue"
        raise Interrupted(f"the preparation of {out} was stopped", hint=hint) from None


class _Preparation:
    """One call of build_corpus."""

    def __init__(
        self,
        paths: Sequence[Path | str],
        out: Path,
        config: PrepareConfig,
        on_progress: Callable[[Progress], None] | None,
    ) -> None:
        self.started = time.monotonic()
        self.out, self.config, self.on_progress = out, config, on_progress
        self.partial = out / PARTIAL_NAME
        self.found = Found()
        self.inputs = list_inputs(paths, self.found)
        if not any(file.kind in ("midi", "archive") for file in self.inputs.files):
            raise self._nothing_found()
        self.manifest = given_manifest(config.manifest, self.inputs) if config.manifest else None
        self.plan = _plan(self.inputs.files, config, self.manifest)
        self.input_bytes = sum(file.size for file in self.inputs.files)

    def run(self, overwrite: bool) -> PrepareReport:
        existing = _existing(self.out, self.plan, overwrite)
        if existing is not None:
            shutil.rmtree(self.partial, ignore_errors=True)
            return self._report(existing, resumed=False, unchanged=True)
        resumed = self._start_partial(overwrite)
        summaries, failures, files = self._parse()
        if not files:
            raise self._nothing_found()
        if not summaries:
            reason, count = Counter(failure.reason for failure in failures).most_common(1)[0]
            raise CorpusError(f"none of the {files} files can be used", found=f"{reason} ({count} of them)")
        assignments = self._assign(summaries, failures)
        shards = self._write_shards(assignments)
        description = self._describe(summaries, assignments, failures, shards, files)
        self._publish(description, failures)
        return self._report(description, resumed=resumed, unchanged=False)

    def _start_partial(self, overwrite: bool) -> bool:
        """Open the journal; True if an earlier run with the same plan left finished chunks."""
        plan_path = self.partial / PLAN_NAME
        if self.partial.is_dir() and _read_plan(plan_path) != self.plan:
            if not overwrite and plan_path.exists():
                problem = f"{self.out} holds an unfinished preparation of other inputs or with other settings"
                raise CorpusError(problem, hint="choose another folder, or pass --overwrite")
            shutil.rmtree(self.partial)
        self.partial.mkdir(parents=True, exist_ok=True)
        with replacing(plan_path) as temporary:
            temporary.write_text(json.dumps({"plan": self.plan}))
        return any(self.partial.glob("chunk-*.arrow"))

    def _parse(self) -> tuple[list[Summary], list[Failure], int]:
        """Parse what is not parsed yet; what came of every file, in order, and how many there were."""
        finished = {int(path.stem[6:]) for path in self.partial.glob("chunk-*.arrow")}
        chunks = cut_chunks(read_entries(self.inputs.files, self.found), finished)
        summaries: list[Summary] = []
        failures: list[Failure] = []
        files = 0
        for chunk in run_in_order(self._jobs(chunks), self._workers(), preload=parse_chunk.__module__):
            good, bad = summarise_chunk(chunk_path(self.partial, chunk.number))
            summaries += good
            failures += bad
            files += chunk.files
            if self.on_progress:
                self.on_progress(Progress(files, len(failures), chunk.position, self.input_bytes))
        return summaries, failures, files

    def _jobs(self, chunks: Iterator[Chunk]) -> Iterator[Job[Chunk]]:
        for chunk in chunks:
            call = partial(parse_chunk, self.partial, chunk.number, chunk.contents, self.config.min_notes)
            chunk.contents = []  # the job holds them, and lets them go when it is done
            yield Job(call if call.args[2] else None, chunk.bytes, chunk)

    def _workers(self) -> int:
        wanted = self.config.workers or available_cores()
        sizes = [file.size * (ARCHIVE_RATIO if file.kind == "archive" else 1) for file in self.inputs.files]
        return max(1, min(wanted, len(sizes) // CHUNK_FILES + sum(sizes) // CHUNK_BYTES))

    def _assign(self, summaries: Sequence[Summary], failures: list[Failure]) -> list[Assignment]:
        manifests, refused = found_manifests(self.found.manifests)
        failures += refused
        if self.manifest is not None:
            manifests.insert(0, self.manifest)
            if not any(self.manifest.find(summary.source) for summary in summaries):
                problem = f"the manifest {self.config.manifest} lists none of the files"
                raise CorpusError(problem, found=summaries[0].source, hint="its paths are relative to its folder")
        pieces = [Piece(summary.source, summary.note_hash) for summary in summaries]
        config = self.config
        return assign_splits(pieces, manifests, SplitRule(config.seed, config.valid_fraction, config.test_fraction))

    def _nothing_found(self) -> CorpusError:
        ignored = ", ".join(f"{count} {suffix}" for suffix, count in self.found.ignored.most_common(5))
        names = ", ".join(map(str, self.inputs.roots.values()))
        return CorpusError(f"no MIDI files in {names}", found=ignored or "nothing")

    def _write_shards(self, assignments: Sequence[Assignment]) -> list[Shard]:
        folder = self.partial / SHARDS_NAME
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        chunks = sorted(self.partial.glob("chunk-*.arrow"))
        return write_shards(chunks, assignments, folder, self.config.shard_megabytes << 20)

    def _describe(
        self,
        summaries: Sequence[Summary],
        assignments: Sequence[Assignment],
        failures: Sequence[Failure],
        shards: list[Shard],
        files: int,
    ) -> Description:
        digest = hashlib.sha256()
        for summary, assignment in zip(summaries, assignments, strict=True):
            digest.update(f"{summary.content_hash} {assignment.split}\n".encode())
        return Description(
            format=FORMAT_VERSION,
            aurl=aurl.__version__,
            plan=self.plan,
            fingerprint=digest.hexdigest(),
            pieces=len(summaries),
            compositions=len({assignment.piece_key for assignment in assignments}),
            notes=sum(summary.note_count for summary in summaries),
            seconds=sum(summary.duration_seconds for summary in summaries),
            splits=dict.fromkeys(SPLITS, 0) | Counter(assignment.split for assignment in assignments),
            failures=dict(Counter(failure.reason for failure in failures).most_common()),
            ignored=dict(self.found.ignored.most_common()),
            input_files=files,
            shards=shards,
        )

    def _publish(self, description: Description, failures: Sequence[Failure]) -> None:
        """Put the new corpus in the place of whatever was there; corpus.json goes first and comes last."""
        (self.out / DESCRIPTION_NAME).unlink(missing_ok=True)
        for name in (SHARDS_NAME, CACHE_NAME):
            shutil.rmtree(self.out / name, ignore_errors=True)
        (self.partial / SHARDS_NAME).rename(self.out / SHARDS_NAME)
        with replacing(self.out / FAILURES_NAME) as temporary:
            temporary.write_text("".join(f"{failure.model_dump_json()}\n" for failure in failures), encoding="utf-8")
        with replacing(self.out / DESCRIPTION_NAME) as temporary:
            temporary.write_text(description.model_dump_json(indent=1), encoding="utf-8")
        shutil.rmtree(self.partial)

    def _report(self, description: Description, *, resumed: bool, unchanged: bool) -> PrepareReport:
        seconds = time.monotonic() - self.started
        return PrepareReport(
            pieces=description.pieces,
            compositions=description.compositions,
            notes=description.notes,
            hours=description.seconds / 3600,
            splits=description.splits,
            files=description.input_files,
            failures=description.failures,
            ignored=description.ignored,
            input_bytes=self.input_bytes,
            corpus_bytes=sum(shard.bytes for shard in description.shards),
            seconds=seconds,
            files_per_second=description.input_files / seconds,
            resumed=resumed,
            unchanged=unchanged,
        )


def _existing(out: Path, plan: str, overwrite: bool) -> Description | None:
    """The corpus that `out` holds if it is the wanted one; raises CorpusError if `out` may not be written."""
    if out.exists() and not out.is_dir():
        raise CorpusError(f"{out} is a file", hint="choose another folder")
    names = {item.name for item in out.iterdir()} if out.exists() else set()
    foreign = sorted(name for name in names - OWN_NAMES if not name.startswith(".tmp-"))
    if foreign:
        found = ", ".join(foreign[:5])
        raise CorpusError(f"{out} holds what is not of a corpus", found=found, hint="choose another folder")
    if names and not (_is_described(out) if DESCRIPTION_NAME in names else PARTIAL_NAME in names):
        raise CorpusError(f"{out} is not empty and holds no corpus", hint="choose another folder")
    return None if overwrite or DESCRIPTION_NAME not in names else _same_corpus(out, plan)


def _is_described(out: Path) -> bool:
    """Whether corpus.json is that of a corpus, of whatever format."""
    try:
        values = json.loads((out / DESCRIPTION_NAME).read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(values, dict) and {"format", "fingerprint"} <= values.keys()


def _same_corpus(out: Path, plan: str) -> Description | None:
    """What `out` holds if it was made by the same plan; None if that is damaged and has to be made again."""
    if read_description(out).plan != plan:
        problem = f"{out} holds a corpus made of other inputs or with other settings"
        raise CorpusError(problem, hint="choose another folder, or pass --overwrite")
    try:
        return Corpus.open(out).description
    except CorpusError:
        return None


def _plan(inputs: Sequence[InputFile], config: PrepareConfig, manifest: Manifest | None) -> str:
    """Hash of all that decides what the corpus will hold."""
    settings = config.model_dump(mode="json", exclude={"workers", "manifest"})
    digest = hashlib.sha256(json.dumps([FORMAT_VERSION, aurl.__version__, settings]).encode())
    if manifest is not None:
        digest.update(manifest.fingerprint)
    for file in inputs:
        digest.update(f"{file.name}\0{file.size}\0{file.modified}\0{file.problem}\n".encode())
    return digest.hexdigest()


def _read_plan(path: Path) -> str | None:
    try:
        return str(json.loads(path.read_bytes())["plan"])
    except (OSError, ValueError, KeyError):
        return None
