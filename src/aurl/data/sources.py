"""Files of music in folders, archives and object stores, one at a time, each with the labels that lie beside it.

Folders are walked in the order of names, archives in their own. A file's name is its input's name and its path inside
it (`pop909.tar.gz/pop909/001.mid`), so it does not depend on where the input lies. What cannot be read becomes an
entry with a problem instead of bytes. The labels of `001.mid` are `001.chords.json` and others of LABEL_SUFFIXES in the
same folder; `001.cl.mid` is music of its own. This module does not know what a file of music holds.
"""

from __future__ import annotations

import logging
import os
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Literal

from aurl.data.archives import ARCHIVE_ERRORS, Limits, Member, ReadLabel, open_tar, open_zip, too_large
from aurl.data.labels import LABEL_SUFFIXES
from aurl.data.remote import RemoteFile, is_remote, list_remote
from aurl.music.io import SUFFIXES
from aurl.music.midi import LARGEST_FILE
from aurl.utils.errors import CorpusError

TAR_SUFFIXES = (".tar", ".tar.gz", ".tgz")
ARCHIVE_SUFFIXES = (*TAR_SUFFIXES, ".zip")
MANIFEST_NAME = "manifest.csv"
DAMAGED_ARCHIVE = "the archive is damaged or cut short"
LARGEST_LABEL = 4 << 20
"""Bytes; what is larger is no label."""
LABELS_LEFT_OUT = "the labels %s are left out: %s"
Kind = Literal["music", "label", "archive", "manifest", "other"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class InputFile:
    """A file that is music, a label, an archive or a manifest."""

    path: Path | RemoteFile
    name: str
    kind: Kind
    size: int = 0
    modified: int = 0
    problem: str = ""


@dataclass(frozen=True)
class Entry:
    """A file of music: its bytes, or the problem with it; `position` is how far the inputs are read by now."""

    name: str
    content: bytes | str
    position: int
    companions: Mapping[str, bytes] = field(default_factory=dict)
    """The files of labels beside it, by suffix."""

    @property
    def size(self) -> int:
        """Bytes, with the labels; 0 for one with a problem."""
        content = len(self.content) if isinstance(self.content, bytes) else 0
        return content + sum(map(len, self.companions.values()))


@dataclass
class Found:
    """What lay beside the music: manifests by the folder they describe, other files by suffix."""

    manifests: dict[str, bytes] = field(default_factory=dict)
    ignored: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Inputs:
    """What a preparation reads: the paths and URLs it was given, by name, and every file of use in them, in order."""

    roots: dict[str, Path | str]
    files: list[InputFile]


def list_inputs(paths: Iterable[Path | str], found: Found) -> Inputs:
    """Find every file of use under `paths`, paths on disk or URLs; raises CorpusError for one that does not exist."""
    inputs = Inputs({}, [])
    names: Counter[str] = Counter()
    given = (str(path) if is_remote(path) else Path(os.path.abspath(path)) for path in paths)  # noqa: PTH100 - resolve() follows links
    for path in dict.fromkeys(given):
        last = path.name if isinstance(path, Path) else path.rstrip("/").rpartition("/")[2]
        names[last] += 1
        root = clean_name(last if names[last] == 1 else f"{names[last]}/{last}")
        if isinstance(path, str):
            inputs.roots[root] = path
            inputs.files.extend(_listed(path, root, found))
            continue
        if not _exists(path):
            raise CorpusError(f"{path} does not exist", hint="give folders, files of music or archives")
        inputs.roots[root] = path
        inputs.files.extend(_walk(path, root, found) if path.is_dir() else _file(path, root, found))
    return inputs


def read_entries(files: Iterable[InputFile], found: Found) -> Iterator[Entry]:
    """Every file of music of `files`; fills `found` on the way."""
    files = list(files)
    labels = {key: file for file in files if file.kind == "label" and (key := _label_key(file.name))}
    position = 0
    for file in files:
        if file.problem and file.kind != "label":
            yield Entry(file.name, file.problem, position)
        elif file.kind == "archive":
            yield from _archive_entries(file, position, found)
        elif file.kind == "music":
            companions = _companions(file.name, lambda key: _read_label(labels.get(key)))
            yield Entry(file.name, _file_content(file), position + file.size, companions)
        elif file.kind == "manifest" and isinstance(content := _file_content(file), bytes):
            found.manifests[str(PurePosixPath(file.name).parent)] = content
        position += file.size


def clean_name(name: str) -> str:
    """A name as text that every system writes the same way: composed, with `/`, without a leading `./`."""
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "replace").replace("\\", "/").replace("\0", "\ufffd")
    return unicodedata.normalize("NFC", text).removeprefix("./").lstrip("/")


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError as error:
        raise CorpusError(f"cannot read {path}", found=error.strerror) from None


def _listed(url: str, root: str, found: Found) -> Iterator[InputFile]:
    """The files of use at or below a URL."""
    for entry in list_remote(url):
        inside = clean_name(entry.inside)
        kind = _kind(inside or root)
        name = f"{root}/{inside}" if inside else root
        if kind == "other":
            found.ignored[_suffix(name)] += 1
        else:
            yield InputFile(entry.file, name, kind, entry.size, entry.modified)


def _file(path: Path, root: str, found: Found) -> Iterator[InputFile]:
    """The file that was given by itself, and its labels."""
    yield from _classified(path, root, "", found)
    if _kind(root) == "music":
        for suffix in LABEL_SUFFIXES:
            label = path.with_name(path.stem + suffix)
            if _exists(label):
                yield from _classified(label, f"{PurePosixPath(root).with_suffix('')}{suffix}", "", found)


def _walk(folder: Path, root: str, found: Found, inside: str = "") -> Iterator[InputFile]:
    """The files of use below `folder`, which lies at `inside` (empty, or ending in a slash) in the input `root`."""
    try:
        with os.scandir(folder) as scan:
            items = sorted(scan, key=lambda item: item.name)
    except OSError as error:
        yield InputFile(folder, f"{root}/{inside}", "other", problem=f"cannot list the folder: {error.strerror}")
        return
    for item in items:
        path = inside + clean_name(item.name)
        if item.is_dir(follow_symlinks=False):
            yield from _walk(Path(item.path), root, found, f"{path}/")
        elif _links_to_folder(item):
            problem = "a link to a folder is not followed"
            yield InputFile(Path(item.path), f"{root}/{path}", "other", problem=problem)
        else:
            yield from _classified(Path(item.path), root, path, found)


def _links_to_folder(item: os.DirEntry[str]) -> bool:
    try:
        return item.is_dir()
    except OSError:  # a link to itself, or one that may not be followed
        return False


def _classified(path: Path, root: str, inside: str, found: Found) -> Iterator[InputFile]:
    """The file, if it is of use; others are counted."""
    name = f"{root}/{inside}" if inside else root
    kind = _kind(inside or root)
    if kind == "other":
        found.ignored[_suffix(name)] += 1
        return
    try:
        status = path.stat() if path.is_file() else None
    except OSError as error:  # in a folder that may be listed but not entered
        yield InputFile(path, name, kind, problem=_unreadable(error))
        return
    if status is None:
        yield InputFile(path, name, kind, problem="not a regular file, or a link that leads nowhere")
    else:
        yield InputFile(path, name, kind, status.st_size, status.st_mtime_ns)


def _kind(inside: str) -> Kind:
    """What a file is, by its path inside its input."""
    name = inside.rpartition("/")[2].lower()
    if name.startswith("._"):
        return "other"  # what macOS keeps beside a file, under the same suffix
    if name.endswith(tuple(SUFFIXES)):
        return "music"
    if name.endswith(LABEL_SUFFIXES):
        return "label"
    if name.endswith(ARCHIVE_SUFFIXES):
        return "archive"
    return "manifest" if name == MANIFEST_NAME and inside.count("/") <= 1 else "other"


def _suffix(name: str) -> str:
    path = PurePosixPath(name)
    return "._*" if path.name.startswith("._") else path.suffix.lower() or "no suffix"


def _label_key(name: str) -> str | None:
    """The name of a label with its suffix in lower case; None for what is no label."""
    suffix = next((suffix for suffix in LABEL_SUFFIXES if name.lower().endswith(suffix)), None)
    return None if suffix is None else name[: -len(suffix)] + suffix


def _companions(name: str, read_label: ReadLabel) -> dict[str, bytes]:
    """The labels of the music `name`, by suffix."""
    stem = name[: name.rindex(".")]
    found = ((suffix, read_label(stem + suffix)) for suffix in LABEL_SUFFIXES)
    return {suffix: content for suffix, content in found if content is not None}


def _read_label(file: InputFile | None) -> bytes | None:
    if file is None:
        return None
    content = file.problem or _file_content(file, LARGEST_LABEL)
    if isinstance(content, str):
        logger.warning(LABELS_LEFT_OUT, file.name, content)
        return None
    return content


def _file_content(file: InputFile, limit: int | None = None) -> bytes | str:
    limit = LARGEST_FILE if limit is None else limit
    if file.size > limit:
        return too_large(file.size, limit)
    try:
        return file.path.read_bytes()
    except OSError as error:
        return _unreadable(error)


def _unreadable(error: OSError) -> str:
    return f"cannot read the file: {error.strerror}"


def _archive_entries(file: InputFile, position: int, found: Found) -> Iterator[Entry]:
    """The music in an archive; one that is damaged ends with an entry that says so."""
    limits = Limits(LARGEST_FILE, LARGEST_LABEL)

    def key(name: str) -> str | None:
        return _label_key(clean_name(name))

    name = file.name.lower()
    opened = (
        open_zip(file.path, key, limits)
        if name.endswith(".zip")
        else open_tar(file.path, key, limits, packed=not name.endswith(".tar"))
    )
    try:
        with opened as (members, read_label):
            for member in members:
                yield from _member_entries(file, member, read_label, position, found)
    except ARCHIVE_ERRORS:
        yield Entry(file.name, DAMAGED_ARCHIVE, position + file.size)


def _member_entries(
    file: InputFile, member: Member, read_label: ReadLabel, position: int, found: Found
) -> Iterator[Entry]:
    inside = clean_name(member.name)
    if inside.endswith("/"):
        return
    name, kind = f"{file.name}/{inside}", _kind(inside)
    if kind == "music":
        yield Entry(name, member.read(), position + member.consumed, _companions(inside, read_label))
    elif kind == "manifest" and isinstance(content := member.read(), bytes):
        found.manifests[str(PurePosixPath(name).parent)] = content
    elif kind == "other":
        found.ignored[_suffix(name)] += 1
    elif kind == "label" and (problem := too_large(member.size, LARGEST_LABEL)):
        logger.warning(LABELS_LEFT_OUT, name, problem)
