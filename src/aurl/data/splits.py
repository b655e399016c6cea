"""Which pieces are one composition, and which split each composition goes to.

Files belong together when a manifest or their names say so, when they hold the same notes, or when they are
near-duplicates. A composition lies in one split whole, or its copies would leak from training into validation. Where
nothing is said, the split is a hash of (seed, key of the composition): adding files leaves the others where they are.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
import unicodedata
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from aurl.data.sources import MANIFEST_NAME, Inputs, clean_name
from aurl.data.store import Failure
from aurl.utils.errors import CorpusError

SPLIT_NAMES = {"training": "train", "val": "valid", "validation": "valid", "dev": "valid", "testing": "test"}
"""Other names of the usual splits."""
PRIORITY = {"test": 0, "valid": 1, "train": 3}
"""Where a manifest puts one composition in several splits, all of it goes to the first; other names count 2."""
VERSION = re.compile(r"[ _.-]*(\(\d+\)|\(?\bcopy\b(?: ?\(?\d+\)?)?\)?|(?<![^\W_])(?:v|ver|version)[ _.]?\d+)$")
"""`(1)`, `copy`, `- copy 2`, `_v2`, `version 3` at the end of a stem."""
BESIDE = re.compile(r"(?:[ _.-]+\d{1,3}|\.[a-z]{1,3})$")
"""Endings that mark a version only where the file without them lies in the same folder: `001.cl` beside `001`."""
TUNE = re.compile(r"\.abc(#\w+)$", re.IGNORECASE)
"""The end of the name of one tune of a book."""
NAMELESS = re.compile(
    r"""(?:act|audio|bk|book|cd|chapter|disc|file|midi|mov|movement|mvt|name|no|nr|number|op|opus|part|piece|pt|scene|song
    |track|tune|untitled|var|variations?|vol|volume
    |adagio|allegretto|allegro|andante|andantino|grave|larghetto|largo|lento|moderato|prestissimo|presto|vivace
    |assai|brio|con|ma|molto|moto|non|poco|troppo
    |allemande|aria|bourr[eé]e|canon|chorale?|concerto|courante|[eé]tude|finale|fuga|fugue|gavotte|gigue|introduction
    |invention|mazurka|menuett?o?|minuet|nocturne|overture|polonaise|pr[eaäé]lud(?:e|ium)|rondo|sarabande|scherzo
    |sinfonia|sonata|sonatina|suite|symphony|toccata|trio|waltz)?(?:\d+(?:[a-z]|st|nd|rd|th)?)?|[ivx]+""",
    re.VERBOSE,
)
"""Words that many works use: a stem of no others tells pieces apart only within its folder."""


@dataclass(frozen=True)
class Piece:
    """What splitting needs to know of a piece."""

    source: str
    note_hash: str
    cluster: int
    """Equal for near-duplicates."""


@dataclass(frozen=True)
class SplitRule:
    """How compositions that no manifest places are divided."""

    seed: int
    valid_fraction: float
    test_fraction: float

    def draw(self, key: str) -> float:
        """A number in [0, 1) that depends on nothing but the seed and the key."""
        digest = hashlib.blake2b(f"{self.seed}:{key}".encode(), digest_size=8).digest()
        return int.from_bytes(digest) / 2.0**64

    def split(self, draw: float) -> str:
        """The split of a composition that drew this number."""
        if draw < self.test_fraction:
            return "test"
        return "valid" if draw < self.test_fraction + self.valid_fraction else "train"


@dataclass(frozen=True)
class Assignment:
    """What splitting decides for a piece, and what a manifest says of it."""

    piece_key: str
    split: str
    cluster: int = 0
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Listing:
    """One line of a manifest; what it does not say is empty."""

    piece_key: str
    split: str
    metadata: Mapping[str, str]


UNLISTED = Listing("", "", {})


@dataclass(frozen=True)
class Place:
    """Where a manifest's paths apply: to sources that begin with `source`, which stands for `path` in the manifest."""

    source: str
    path: str = ""
    any_top_folder: bool = False
    """The next folder of the source may be missing in the manifest."""


class Manifest:
    """A CSV with the column `path` that lists files in certain places."""

    def __init__(self, text: str, places: Sequence[Place]) -> None:
        self._places = places
        self.fingerprint = hashlib.sha256(f"{places}\n{text}".encode()).digest()
        """Changes whenever it could list other files, or say something else of them."""
        reader = csv.DictReader(io.StringIO(text))
        if "path" not in (reader.fieldnames or []):
            found = ", ".join(map(str, reader.fieldnames or [])) or "nothing"
            raise CorpusError("a manifest needs the column path", found=found)
        self._listings: dict[str, Listing] = {}
        self._twins: dict[tuple[str, str], Listing] = {}
        for row in reader:
            values = {
                key: value.strip() for key, value in row.items() if isinstance(key, str) and (value or "").strip()
            }
            self._add(clean_name(values.pop("path", "")), values)

    @classmethod
    def parse(cls, content: bytes, places: Sequence[Place]) -> Manifest:
        """Read a manifest's bytes; raises CorpusError when it is no CSV with a column `path`."""
        try:
            return cls(content.decode("utf-8-sig"), places)
        except (UnicodeDecodeError, csv.Error) as error:
            raise CorpusError("a manifest must be CSV in UTF-8", found=error) from None

    def find(self, source: str) -> Listing | None:
        """The line of the file `source`, or of the listed file beside it of which it is a version."""
        for path in self._relative_paths(source):
            if path in self._listings:
                return self._listings[path]
            folder, stem = _folder_and_stem(path)
            for base in [normalised_stem(stem), *_possible_bases(stem)]:
                if (folder, base) in self._twins:
                    return self._twins[folder, base]
        return None

    def _add(self, path: str, values: dict[str, str]) -> None:
        split = values.pop("split", "").lower()
        listing = Listing(values.pop("piece_key", ""), SPLIT_NAMES.get(split, split), values)
        self._listings[path] = listing
        folder, stem = _folder_and_stem(path)
        about = {name: value for name, value in values.items() if name in ("title", "composer", "genre")}
        twin = Listing(listing.piece_key, listing.split, about)
        self._twins.setdefault((folder, normalised_stem(stem)), twin)

    def _relative_paths(self, source: str) -> Iterator[str]:
        for place in self._places:
            if source.startswith(place.source):
                inside = source[len(place.source) :]
                yield place.path + inside
                if place.any_top_folder and "/" in inside:
                    yield place.path + inside.partition("/")[2]


def found_manifests(manifests: Mapping[str, bytes]) -> tuple[list[Manifest], list[Failure]]:
    """The manifests by the folder they lie in, innermost first, and those that are none."""
    parsed: list[Manifest] = []
    failures: list[Failure] = []
    for folder, content in sorted(manifests.items(), key=lambda item: (-len(item[0]), item[0])):
        try:
            parsed.append(Manifest.parse(content, [Place(f"{folder}/")]))
        except CorpusError as error:
            source = f"{folder}/{MANIFEST_NAME}"
            failures.append(Failure(source=source, reason=error.problem, detail=str(error.found)))
    return parsed, failures


def given_manifest(path: Path, inputs: Inputs) -> Manifest:
    """The manifest at `path`, which describes `inputs`; raises CorpusError if it cannot be read.

    Its paths are relative to its own folder, or where that does not hold the input, to the input.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CorpusError(f"cannot read the manifest {path}", found=error.strerror) from None
    places = [Place(f"{file.name}/", any_top_folder=True) for file in inputs.files if file.kind == "archive"]
    folder = path.parent.absolute()
    for name, root in inputs.roots.items():
        if isinstance(root, str):  # a URL
            places.append(Place(f"{name}/"))
        elif not root.is_dir():
            places.append(Place(name, _inside(root, folder) or root.name))
        elif (below := _inside(folder, root)) is not None:
            places.append(Place(f"{name}/{below}/" if below else f"{name}/"))
        else:
            above = _inside(root, folder)
            places.append(Place(f"{name}/", f"{above}/" if above else ""))
    return Manifest.parse(content, places)


def _inside(path: Path, folder: Path) -> str | None:
    """`path` relative to `folder`, empty if they are the same; None outside it."""
    if not path.is_relative_to(folder):
        return None
    return path.relative_to(folder).as_posix().removeprefix(".")


def normalised_stem(stem: str) -> str:
    """A file's stem without marks of copies and versions, in lower case, words separated by single spaces."""
    return _words(_without_versions(stem)) or _words(stem) or stem


def assign_splits(pieces: Sequence[Piece], manifests: Sequence[Manifest], rule: SplitRule) -> list[Assignment]:
    """The composition and the split of each piece.

    The first manifest that lists a file counts, and its splits are kept (see PRIORITY). Of two or more compositions
    at least one goes to train and, unless `valid_fraction` is 0 or a manifest leaves none free, one to valid.
    """
    listings = [_find(piece.source, manifests) for piece in pieces]
    keys = [listing.piece_key or own for listing, own in zip(listings, _own_keys(pieces, listings), strict=True)]
    groups = _join(keys, [piece.note_hash for piece in pieces], [piece.cluster for piece in pieces])
    splits = _split_groups(groups, listings, keys, rule)
    result = [Assignment("", "")] * len(pieces)
    for group, split in zip(groups, splits, strict=True):
        for index in group:
            result[index] = Assignment(keys[group[0]], split, pieces[index].cluster, listings[index].metadata)
    return result


def _find(source: str, manifests: Sequence[Manifest]) -> Listing:
    found = (manifest.find(source) for manifest in manifests)
    return next((listing for listing in found if listing is not None), UNLISTED)


def _own_keys(pieces: Sequence[Piece], listings: Sequence[Listing]) -> list[str]:
    """Keys by name: `prelude_2` takes that of a `prelude` in its folder.

    The folder is part of the key if the name has no word of its own, and if a manifest places the piece: what it says
    of one folder decides nothing about files elsewhere.
    """
    places = [_folder_and_stem(piece.source) for piece in pieces]
    known = {(folder, normalised_stem(stem)) for folder, stem in places}
    keys = []
    for piece, (folder, stem), listing in zip(pieces, places, listings, strict=True):
        bases = (base for base in _possible_bases(stem) if (folder, base) in known)
        name = next(bases, normalised_stem(stem))
        is_local = listing.split or TUNE.search(piece.source) or all(map(NAMELESS.fullmatch, name.split()))
        keys.append(f"{folder}/{name}" if is_local else name)
    return keys


def _join(*labels: Sequence[Hashable]) -> list[list[int]]:
    """Groups of indices that share a label of any kind, directly or through others; in order of their first index."""
    parents = list(range(len(labels[0])))

    def root(index: int) -> int:
        while parents[index] != index:
            parents[index] = index = parents[parents[index]]
        return index

    for kind in labels:
        first: dict[Hashable, int] = {}
        for index, label in enumerate(kind):
            one, other = sorted((root(index), root(first.setdefault(label, index))))
            parents[other] = one
    groups: dict[int, list[int]] = {}
    for index in range(len(parents)):
        groups.setdefault(root(index), []).append(index)
    return list(groups.values())


def _split_groups(
    groups: Sequence[list[int]], listings: Sequence[Listing], keys: Sequence[str], rule: SplitRule
) -> list[str]:
    """The split of each group of pieces."""
    splits: list[str] = []
    free: dict[int, float] = {}
    for number, group in enumerate(groups):
        listed = sorted({listings[index].split for index in group} - {""})
        if listed:
            splits.append(min(listed, key=lambda name: PRIORITY.get(name, 2)))
        else:
            free[number] = rule.draw(keys[group[0]])
            splits.append(rule.split(free[number]))
    if free and "train" not in splits:
        splits[max(free, key=free.__getitem__)] = "train"
    spare = [number for number in free if splits[number] == "train"]
    if rule.valid_fraction > 0 and "valid" not in splits and spare and splits.count("train") > 1:
        splits[min(spare, key=free.__getitem__)] = "valid"
    return splits


def _folder_and_stem(path: str) -> tuple[str, str]:
    """Folder and name without its ending; a tune of a book, `jigs.abc#12`, is `jigs#12`."""
    pure = PurePosixPath(path)
    tune = TUNE.search(pure.name)
    return str(pure.parent), pure.name[: tune.start()] + tune[1] if tune else pure.stem


def _without_versions(stem: str) -> str:
    text = unicodedata.normalize("NFKC", stem).casefold().strip()
    while _words(shorter := VERSION.sub("", text)) and shorter != text:
        text = shorter
    return text


def _possible_bases(stem: str) -> list[str]:
    """Normalised stems of which `stem` is a version if a file of that name lies beside it."""
    text = _without_versions(stem)
    base = BESIDE.sub("", text)
    return [normalised_stem(base)] if base and base != text else []


def _words(text: str) -> str:
    return re.sub(r"[\W_]+", " ", text).strip()
