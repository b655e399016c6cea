"""Preparing a corpus: music in, Parquet shards out, in bounded memory, resumable, and the same on every machine.

First the files are parsed in chunks, by several processes, into OUT/.partial; what is there when a run is stopped is
not parsed again. Then, with every name, hash and sketch known, compositions are split and the chunks become shards, in
the order of the inputs. The result depends on the inputs and the settings only, not on processes or interruptions.
"""

from __future__ import annotations

import json
import logging
import shutil
import time
from collections import Counter
from collections.abc import Callable, Container, Iterator, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import BaseModel

import aurl
from aurl.data.chunks import (
    CHUNK_BYTES,
    CHUNK_FILES,
    Chunk,
    Outcome,
    chunk_path,
    cut_chunks,
    journal_path,
    keep_chunk,
    parse_chunk,
    summarise_chunk,
)
from aurl.data.dedup import find_duplicates
from aurl.data.engines import run_jobs
from aurl.data.plan import LOCK_NAME, PARTIAL_NAME, PrepareConfig, existing_corpus, plan_hash
from aurl.data.pool import Job, WorkerDiedError, available_cores
from aurl.data.shards import fingerprint, write_shards
from aurl.data.sources import Found, list_inputs, read_entries
from aurl.data.splits import Assignment, Piece, SplitRule, assign_splits, found_manifests, given_manifest
from aurl.data.store import (
    CACHE_NAME,
    DESCRIPTION_NAME,
    FAILURES_NAME,
    FORMAT_VERSION,
    REPAIRS_NAME,
    SHARDS_NAME,
    SPLITS,
    Description,
    Shard,
)
from aurl.utils.errors import CorpusError, Interrupted
from aurl.utils.files import make_folder, replacing, storage_errors
from aurl.utils.folders import locked

__all__ = ["PrepareConfig", "PrepareReport", "Progress", "build_corpus"]

PLAN_NAME, CRASHES_NAME = "plan.json", "crashes.json"
CRASHES_OF_A_FILE, CRASHES_OF_A_RUN = 2, 20
"""After so many deaths of its process a file is left out; after so many in all a run is given up."""
CRASHED = "it crashed the process that read it"
ARCHIVE_RATIO = 8
"""A guess at how far an archive of music unpacks, to start no more processes than there is work for."""

logger = logging.getLogger(__name__)


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
    """Files of music found, those left out included."""
    formats: dict[str, int]
    """Pieces by format."""
    labels: dict[str, dict[str, int]]
    """By kind, pieces with labels that were given and that were detected."""
    duplicates: int
    """Pieces that are near-duplicates of one before them."""
    repaired: int
    """Pieces of files that had to be mended."""
    repairs: dict[str, int]
    """Files by kind of fault; each is listed in repairs.jsonl."""
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
    """Make the corpus `out` of every file of music in `paths`: folders, files and archives.

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
        self.listed = self.found = Found()
        self.inputs = list_inputs(paths, self.listed)
        if not any(file.kind in ("music", "archive") for file in self.inputs.files):
            raise self._nothing_found()
        self.manifest = given_manifest(config.manifest, self.inputs) if config.manifest else None
        self.plan = plan_hash(self.inputs.files, config, self.manifest)
        self.input_bytes = sum(file.size for file in self.inputs.files)

    def run(self, overwrite: bool) -> PrepareReport:
        existing = existing_corpus(self.out, self.plan, overwrite=overwrite)
        if existing is not None and not self.partial.exists():
            return self._report(existing, resumed=False, unchanged=True)
        make_folder(self.out)
        lock = self.out / LOCK_NAME
        with locked(lock, work="prepares"):
            try:
                return self._run_alone(overwrite)
            finally:
                lock.unlink(missing_ok=True)

    def _run_alone(self, overwrite: bool) -> PrepareReport:
        existing = existing_corpus(self.out, self.plan, overwrite=overwrite)
        if existing is not None:
            shutil.rmtree(self.partial, ignore_errors=True)
            return self._report(existing, resumed=False, unchanged=True)
        resumed = self._start_partial(overwrite)
        outcome, files = self._parse()
        if not files:
            raise self._nothing_found()
        if not outcome.summaries:
            reason, count = Counter(failure.reason for failure in outcome.failures).most_common(1)[0]
            raise CorpusError(f"none of the {files} files can be used", found=f"{reason} ({count} of them)")
        assignments = self._assign(outcome)
        shards = self._write_shards(assignments)
        description = self._describe(outcome, assignments, shards, files)
        self._publish(description, outcome)
        return self._report(description, resumed=resumed, unchanged=False)

    def _start_partial(self, overwrite: bool) -> bool:
        """Open the journal; True if an earlier run with the same plan left finished chunks."""
        plan_path = self.partial / PLAN_NAME
        if self.partial.is_dir() and _read_plan(plan_path) != self.plan:
            if not overwrite and plan_path.exists():
                problem = f"{self.out} holds an unfinished preparation of other inputs, settings or version"
                raise CorpusError(problem, hint="choose another folder, or pass --overwrite")
            shutil.rmtree(self.partial)
        self.partial.mkdir(parents=True, exist_ok=True)
        with replacing(plan_path) as temporary:
            temporary.write_text(json.dumps({"plan": self.plan}))
        return any(self.partial.glob("chunk-*.arrow"))

    def _parse(self) -> tuple[Outcome, int]:
        """What came of every file, in order, and how many there were; a process that a file kills is replaced."""
        for left in reversed(range(CRASHES_OF_A_RUN)):
            try:
                return self._parse_rest(self._count_crashes())
            except WorkerDiedError as error:
                names = self._being_read()
                if not names or not left:
                    raise self._with_names(error, names) from None
                logger.warning("a process died while reading %s", " or ".join(names))
        raise AssertionError

    def _parse_rest(self, crashes: Counter[str]) -> tuple[Outcome, int]:
        """Parse what is not parsed yet."""
        finished = {int(path.stem[6:]) for path in self.partial.glob("chunk-*.arrow")}
        self.found = deepcopy(self.listed)
        chunks = cut_chunks(read_entries(self.inputs.files, self.found), finished)
        outcome, files = Outcome(), 0
        jobs = self._jobs(chunks, {name for name, count in crashes.items() if count >= CRASHES_OF_A_FILE})
        done = run_jobs(self.config.engine, jobs, self._workers(), preload=parse_chunk.__module__)
        for chunk in done:
            outcome.add(summarise_chunk(chunk_path(self.partial, chunk.number)))
            files += chunk.files
            if self.on_progress:
                self.on_progress(Progress(files, len(outcome.failures), chunk.position, self.input_bytes))
        return outcome, files

    def _jobs(self, chunks: Iterator[Chunk], crashing: Container[str]) -> Iterator[Job[Chunk]]:
        for chunk in chunks:
            contents = [replace(each, content=CRASHED) if each.name in crashing else each for each in chunk.contents]
            chunk.contents = []  # the job holds them, and lets them go when it is done
            journal = journal_path(self.partial, chunk.number)
            call = partial(parse_chunk, contents, self.config.piece, journal) if contents else None
            yield Job(call, chunk.bytes, chunk, partial(keep_chunk, self.partial, chunk.number))

    def _count_crashes(self) -> Counter[str]:
        """How often each file was being read when its process died, in this run and those before."""
        path = self.partial / CRASHES_NAME
        crashes = Counter(json.loads(path.read_bytes()) if path.exists() else {})
        crashes.update(self._being_read())
        with replacing(path) as temporary:
            temporary.write_text(json.dumps(crashes))
        for journal in self.partial.glob("reading-*"):
            journal.unlink()
        return crashes

    def _being_read(self) -> list[str]:
        """The files whose reading did not end."""
        return [path.read_text(encoding="utf-8") for path in sorted(self.partial.glob("reading-*"))]

    def _with_names(self, error: WorkerDiedError, names: Sequence[str]) -> WorkerDiedError:
        """The error with the files that were being read."""
        if not names:
            hint = 'in a script of your own, call build_corpus below `if __name__ == "__main__":`; else run it again'
            return WorkerDiedError(error.problem, found="before it read anything", hint=hint)
        hint = "run the same command again to continue, with fewer workers if memory is short"
        return WorkerDiedError(error.problem, found=f"while reading {' or '.join(names)}", hint=hint)

    def _workers(self) -> int:
        wanted = self.config.workers or available_cores()
        sizes = [file.size * (ARCHIVE_RATIO if file.kind == "archive" else 1) for file in self.inputs.files]
        return max(1, min(wanted, len(sizes) // CHUNK_FILES + sum(sizes) // CHUNK_BYTES))

    def _assign(self, outcome: Outcome) -> list[Assignment]:
        manifests, refused = found_manifests(self.found.manifests)
        outcome.failures += refused
        summaries = outcome.summaries
        if self.manifest is not None:
            manifests.insert(0, self.manifest)
            if not any(self.manifest.find(summary.source) for summary in summaries):
                problem = f"the manifest {self.config.manifest} lists none of the files"
                raise CorpusError(problem, found=summaries[0].source, hint="its paths are relative to its folder")
        clusters = find_duplicates([summary.sketch for summary in summaries]).tolist()
        pieces = [
            Piece(summary.source, summary.note_hash, cluster)
            for summary, cluster in zip(summaries, clusters, strict=True)
        ]
        config = self.config
        return assign_splits(pieces, manifests, SplitRule(config.seed, config.valid_fraction, config.test_fraction))

    def _nothing_found(self) -> CorpusError:
        ignored = ", ".join(f"{count} {suffix}" for suffix, count in self.found.ignored.most_common(5))
        names = ", ".join(map(str, self.inputs.roots.values()))
        return CorpusError(f"no music in {names}", found=ignored or "nothing")

    def _write_shards(self, assignments: Sequence[Assignment]) -> list[Shard]:
        folder = self.partial / SHARDS_NAME
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        chunks = sorted(self.partial.glob("chunk-*.arrow"))
        return write_shards(chunks, assignments, folder, self.config.shard_megabytes << 20)

    def _describe(
        self, outcome: Outcome, assignments: Sequence[Assignment], shards: list[Shard], files: int
    ) -> Description:
        summaries = outcome.summaries
        return Description(
            format=FORMAT_VERSION,
            aurl=aurl.__version__,
            plan=self.plan,
            fingerprint=fingerprint(self.partial / SHARDS_NAME / shard.name for shard in shards),
            pieces=len(summaries),
            compositions=len({assignment.piece_key for assignment in assignments}),
            notes=sum(summary.note_count for summary in summaries),
            seconds=sum(summary.duration_seconds for summary in summaries),
            splits=dict.fromkeys(SPLITS, 0) | Counter(assignment.split for assignment in assignments),
            formats=dict(Counter(summary.format for summary in summaries).most_common()),
            labels=_nested(outcome.labels),
            duplicates=len(summaries) - len({assignment.cluster for assignment in assignments}),
            repaired=sum(summary.repaired for summary in summaries),
            repairs=_files_by_fault(outcome),
            failures=dict(Counter(failure.reason for failure in outcome.failures).most_common()),
            ignored=dict(self.found.ignored.most_common()),
            input_files=files,
            shards=shards,
        )

    def _publish(self, description: Description, outcome: Outcome) -> None:
        """Put the new corpus in the place of whatever was there; corpus.json goes first and comes last."""
        (self.out / DESCRIPTION_NAME).unlink(missing_ok=True)
        for left in self.out.glob(".tmp-*"):  # by a run that was killed here
            left.unlink()
        for name in (SHARDS_NAME, CACHE_NAME):
            shutil.rmtree(self.out / name, ignore_errors=True)
        (self.partial / SHARDS_NAME).rename(self.out / SHARDS_NAME)
        _write_lines(self.out / FAILURES_NAME, outcome.failures)
        _write_lines(self.out / REPAIRS_NAME, outcome.repairs)
        with replacing(self.out / DESCRIPTION_NAME) as temporary:
            temporary.write_text(description.model_dump_json(indent=1), encoding="utf-8")
        shutil.rmtree(self.partial)

    def _report(self, description: Description, *, resumed: bool, unchanged: bool) -> PrepareReport:
        seconds = time.monotonic() - self.started
        told = description.model_dump(
            include={
                "pieces", "compositions", "notes", "splits", "formats", "labels", "duplicates", "repaired", "repairs",
                "failures", "ignored",
            }
        )  # fmt: skip
        return PrepareReport(
            **told,
            hours=description.seconds / 3600,
            files=description.input_files,
            input_bytes=self.input_bytes,
            corpus_bytes=sum(shard.bytes for shard in description.shards),
            seconds=seconds,
            files_per_second=description.input_files / seconds,
            resumed=resumed,
            unchanged=unchanged,
        )


def _nested(labels: Counter[tuple[str, str]]) -> dict[str, dict[str, int]]:
    """Counts by kind, then by origin, both in order of their names."""
    kinds = sorted({kind for kind, _ in labels})
    return {kind: {origin: labels[kind, origin] for of, origin in sorted(labels) if of == kind} for kind in kinds}


def _files_by_fault(outcome: Outcome) -> dict[str, int]:
    faults = Counter(kind for repair in outcome.repairs for kind in {fault.kind for fault in repair.faults})
    return dict(sorted(faults.items(), key=lambda item: (-item[1], item[0])))


def _write_lines(path: Path, rows: Sequence[BaseModel]) -> None:
    """Write one JSON object a line."""
    with replacing(path) as temporary:
        temporary.write_text("".join(f"{row.model_dump_json()}\n" for row in rows), encoding="utf-8", newline="\n")


def _read_plan(path: Path) -> str | None:
    try:
        return str(json.loads(path.read_bytes())["plan"])
    except (OSError, ValueError, KeyError):
        return None
