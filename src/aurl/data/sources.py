"""MIDI files in folders and archives, one at a time and never unpacked to disk.

Folders are walked in the order of names, archives in their own. A file's name is its input's name and its path inside
it (`pop909.tar.gz/pop909/001.mid`), so it does not depend on where the input lies. What cannot be read becomes an
entry with a problem instead of bytes. This module does not know what a MIDI file holds.
"""

from __future__ import annotations

import gzip
import lzma
import os
import struct
import tarfile
import unicodedata
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, Literal, Self

from aurl.music.midi import LARGEST_FILE
from aurl.utils.errors import CorpusError

MIDI_SUFFIXES = (".mid", ".midi", ".kar")
TAR_SUFFIXES = (".tar", ".tar.gz", ".tgz")
ARCHIVE_SUFFIXES = (*TAR_SUFFIXES, ".zip")
MANIFEST_NAME = "manifest.csv"
DAMAGED_ARCHIVE = "the archive is damaged or cut short"
_ARCHIVE_ERRORS = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    ValueError,  # a name in a zip that is not UTF-8
    EOFError,
    NotImplementedError,  # a zip member compressed in a way Python does not know
    RecursionError,  # a tar of more headers than members
    OSError,
)
Kind = Literal["midi", "archive", "manifest", "other"]


@dataclass(frozen=True)
class InputFile:
    """A file on disk that is MIDI, an archive or a manifest."""

    path: Path
    name: str
    kind: Kind
    size: int = 0
    modified: int = 0
    problem: str = ""


@dataclass(frozen=True)
class Entry:
    """A MIDI file to be read: its bytes, or the problem with it; `position` is how far the inputs are read by now."""

    name: str
    content: bytes | str
    position: int

    @property
    def size(self) -> int:
        """Bytes; 0 for one with a problem."""
        return len(self.content) if isinstance(self.content, bytes) else 0


@dataclass
class Found:
    """What lay beside the MIDI files: manifests by the folder they describe, other files by suffix."""

    manifests: dict[str, bytes] = field(default_factory=dict)
    ignored: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Inputs:
    """What a preparation reads: the paths it was given by their names, and every file of use in them, in order."""

    roots: dict[str, Path]
    files: list[InputFile]


def list_inputs(paths: Iterable[Path | str], found: Found) -> Inputs:
    """Find every file of use under `paths`; raises CorpusError for a path that does not exist."""
    inputs = Inputs({}, [])
    names: Counter[str] = Counter()
    for path in dict.fromkeys(Path(os.path.abspath(path)) for path in paths):  # noqa: PTH100 - resolve() follows links
        if not _exists(path):
            raise CorpusError(f"{path} does not exist", hint="give folders, MIDI files or archives")
        names[path.name] += 1
        name = path.name if names[path.name] == 1 else f"{names[path.name]}/{path.name}"
        root = clean_name(name)
        inputs.roots[root] = path
        inputs.files.extend(_walk(path, root, found) if path.is_dir() else _classified(path, root, "", found))
    return inputs


def read_entries(files: Iterable[InputFile], found: Found) -> Iterator[Entry]:
    """Every MIDI file of `files`; fills `found` on the way."""
    position = 0
    for file in files:
        if file.problem:
            yield Entry(file.name, file.problem, position)
        elif file.kind == "archive":
            yield from _archive_entries(file, position, found)
        else:
            content = _file_content(file)
            if file.kind == "midi":
                yield Entry(file.name, content, position + file.size)
            elif isinstance(content, bytes):
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
    if name.endswith(MIDI_SUFFIXES):
        return "midi"
    if name.endswith(ARCHIVE_SUFFIXES):
        return "archive"
    return "manifest" if name == MANIFEST_NAME and inside.count("/") <= 1 else "other"


def _suffix(name: str) -> str:
    path = PurePosixPath(name)
    return "._*" if path.name.startswith("._") else path.suffix.lower() or "no suffix"


def _file_content(file: InputFile) -> bytes | str:
    if file.size > LARGEST_FILE:
        return _too_large(file.size)
    try:
        return file.path.read_bytes()
    except OSError as error:
        return _unreadable(error)


def _unreadable(error: OSError) -> str:
    return f"cannot read the file: {error.strerror}"


def _too_large(size: int) -> str:
    return f"larger than {LARGEST_FILE >> 20} MB" if size > LARGEST_FILE else ""


def _archive_entries(file: InputFile, position: int, found: Found) -> Iterator[Entry]:
    """The MIDI files of an archive; one that is damaged ends with an entry that says so."""
    members = _zip_members if file.name.lower().endswith(".zip") else _tar_members
    try:
        for inside, content, consumed in members(file):
            name, kind = f"{file.name}/{inside}", _kind(inside)
            if kind == "midi":
                yield Entry(name, content, position + consumed)
            elif kind == "manifest" and isinstance(content, bytes):
                found.manifests[str(PurePosixPath(name).parent)] = content
            else:
                found.ignored[_suffix(name)] += 1
    except _ARCHIVE_ERRORS:
        yield Entry(file.name, DAMAGED_ARCHIVE, position + file.size)


Member = tuple[str, bytes | str, int]
"""Path inside the archive, bytes or problem (empty for what is of no use), bytes of the archive read by now."""


class _StrictTarInfo(tarfile.TarInfo):
    """A member that is refused if its header is damaged or cut; tarfile takes such a header for the end."""

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> Self:
        try:
            return super().fromtarfile(archive)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]  # unknown to typeshed
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(str(error)) from None


def _tar_members(file: InputFile) -> Iterator[Member]:
    packed = not file.name.lower().endswith(".tar")
    with (
        file.path.open("rb") as raw,
        gzip.open(raw) if packed else raw as stream,  # tarfile's own decompression takes a cut for the end
        tarfile.open(fileobj=stream, mode="r|", tarinfo=_StrictTarInfo) as archive,
    ):
        while (member := archive.next()) is not None:
            archive.members = []  # type: ignore[attr-defined]  # it would keep all it has met
            if member.isdir():
                continue
            inside = clean_name(member.name)
            content: bytes | str = ""
            if _kind(inside) in ("midi", "manifest"):
                content = _tar_content(archive, member)
            yield inside, content, raw.tell()
        while stream.read(1 << 16):  # to the checksum at the end of a gzip
            pass


def _tar_content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes | str:
    if not member.isfile():
        return "a link inside an archive"
    data: IO[bytes] | None = None if _too_large(member.size) else archive.extractfile(member)
    return data.read() if data is not None else _too_large(member.size)


def _zip_members(file: InputFile) -> Iterator[Member]:
    consumed = 0
    with zipfile.ZipFile(file.path) as archive:
        for info in archive.infolist():
            consumed += info.compress_size
            inside = clean_name(info.orig_filename)
            if inside.endswith("/"):
                continue
            content: bytes | str = ""
            if _kind(inside) in ("midi", "manifest"):
                content = _zip_content(archive, info)
            yield inside, content, consumed


def _zip_content(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes | str:
    if info.file_size > LARGEST_FILE:
        return _too_large(info.file_size)
    if "\0" in info.orig_filename:
        return "its name holds a zero byte"
    if info.flag_bits & 1:
        return "it needs a password"
    try:
        return archive.read(info)  # never more than file_size: zipfile checks
    except _ARCHIVE_ERRORS:
        return "it cannot be unpacked"
