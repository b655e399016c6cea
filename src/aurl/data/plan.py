"""What a preparation shall make, and whether it may be made in a folder.

The plan is one hash of all that decides what a corpus will hold: the inputs, the settings, and the versions of what
reads, changes and labels the music. A run with the same plan goes on where one stopped; another plan is refused.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path, PurePosixPath
from typing import Annotated, Self

from pydantic import Field, model_validator

import aurl
from aurl.data.engines import Engine
from aurl.data.preprocessing import TRANSFORMS
from aurl.data.quality import QualityConfig
from aurl.data.sources import InputFile
from aurl.data.splits import Manifest
from aurl.data.store import (
    CACHE_NAME,
    DESCRIPTION_NAME,
    FAILURES_NAME,
    FORMAT_VERSION,
    REPAIRS_NAME,
    SHARDS_NAME,
    Corpus,
    Description,
    read_description,
)
from aurl.music.io import SUFFIXES
from aurl.music.notation.library import LIBRARIES
from aurl.studies import STUDIES
from aurl.utils.config import Config
from aurl.utils.errors import CorpusError

PARTIAL_NAME, LOCK_NAME = ".partial", ".lock"
OWN_NAMES = {DESCRIPTION_NAME, SHARDS_NAME, FAILURES_NAME, REPAIRS_NAME, CACHE_NAME, PARTIAL_NAME, LOCK_NAME}
DEFAULT_LABELS = ("chords", "keys")


class PieceConfig(Config):
    """What is done to each piece by itself."""

    transforms: tuple[Annotated[Config, TRANSFORMS.field()], ...] = ()
    """Changes of the music, in order, before anything is looked at."""
    quality: QualityConfig = QualityConfig()
    """Which pieces are good enough."""
    labels: tuple[Annotated[Config, STUDIES.field()], ...] = tuple(map(STUDIES.parse, DEFAULT_LABELS))
    """Studies that label what nobody labelled; none for no labels but given ones."""


class PrepareConfig(PieceConfig):
    """How files become a corpus."""

    workers: int = Field(0, ge=0)
    """Processes that parse; 0 takes one a core."""
    engine: Engine = "local"
    """Where they run: `ray` takes the cluster at RAY_ADDRESS, or starts one of `workers` processes."""
    seed: int = Field(0, ge=0)
    """Decides which compositions are held out."""
    valid_fraction: float = Field(0.05, ge=0, lt=1)
    """Share of the compositions, among those no manifest places, held out for validation."""
    test_fraction: float = Field(0.0, ge=0, lt=1)
    """Share of the compositions, among those no manifest places, held out for testing."""
    manifest: Path | None = None
    """CSV with a line a file, besides the manifest.csv of the inputs themselves."""
    shard_megabytes: int = Field(256, ge=1)
    """Size of the rows of one shard before compression."""

    @model_validator(mode="after")
    def _leaves_something_to_train_on(self) -> Self:
        if self.valid_fraction + self.test_fraction >= 1:
            raise ValueError("valid_fraction and test_fraction leave nothing to train on")
        return self

    @property
    def piece(self) -> PieceConfig:
        """The part that concerns each piece by itself."""
        return PieceConfig(**{name: getattr(self, name) for name in PieceConfig.model_fields})


def plan_hash(inputs: Sequence[InputFile], config: PrepareConfig, manifest: Manifest | None) -> str:
    """Hash of all that decides what the corpus will hold."""
    settings = config.model_dump(mode="json", exclude={"workers", "engine", "manifest"})
    digest = hashlib.sha256(json.dumps([FORMAT_VERSION, aurl.__version__, code_fingerprint(), settings]).encode())
    if any(SUFFIXES.get(PurePosixPath(file.name.lower()).suffix, "midi") != "midi" for file in inputs):
        digest.update(json.dumps([_version(name) for name in LIBRARIES]).encode())
    if manifest is not None:
        digest.update(manifest.fingerprint)
    for file in inputs:
        digest.update(f"{file.name}\0{file.size}\0{file.modified}\0{file.problem}\n".encode())
    return digest.hexdigest()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


@cache
def code_fingerprint() -> str:
    """Hash of what reads, changes and labels music: the code and the weights of its packages."""
    digest = hashlib.sha256()
    for package in ("music", "studies", "data"):
        root = Path(str(files("aurl") / package))
        for path in sorted(path for path in root.rglob("*") if path.is_file() and path.suffix != ".pyc"):
            digest.update(f"{path.relative_to(root).as_posix()}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def existing_corpus(out: Path, plan: str, *, overwrite: bool) -> Description | None:
    """The corpus that `out` holds if it is the wanted one; raises CorpusError if `out` may not be written."""
    if out.exists() and not out.is_dir():
        raise CorpusError(f"{out} is a file", hint="choose another folder")
    names = {item.name for item in out.iterdir()} if out.exists() else set()
    foreign = sorted(name for name in names - OWN_NAMES if not name.startswith(".tmp-"))
    if foreign:
        found = ", ".join(foreign[:5])
        raise CorpusError(f"{out} holds what is not of a corpus", found=found, hint="choose another folder")
    if names - {LOCK_NAME} and not (_is_described(out) if DESCRIPTION_NAME in names else PARTIAL_NAME in names):
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
        problem = f"{out} holds a corpus made of other inputs or with other settings, or by another version"
        raise CorpusError(problem, hint="choose another folder, or pass --overwrite")
    try:
        return Corpus.open(out).description
    except CorpusError:
        return None
