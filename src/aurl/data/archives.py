"""Members of tar and zip archives, one at a time, in the archive's order and never unpacked to disk.

A damaged archive raises one of ARCHIVE_ERRORS where the damage is. A tar can only be read from front to back, and the
labels of a piece may stand behind it: they are read in a pass of their own, before the music, and kept in a temporary
file once they fill SPOOLED_BYTES. This module does not know what the members hold.
"""

from __future__ import annotations

import gzip
import lzma
import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Self

from aurl.data.remote import RemoteFile

ARCHIVE_ERRORS = (
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
SPOOLED_BYTES = 16 << 20
LabelKey = Callable[[str], str | None]
"""The key under which a member is asked for as a label of its neighbours; None for one that is no label."""
ReadLabel = Callable[[str], bytes | None]
"""The label of this key; None if there is none, or none that can be read."""


@dataclass(frozen=True)
class Limits:
    """Largest file that is unpacked, and largest label."""

    file: int
    label: int


@dataclass(frozen=True)
class Member:
    """A file in an archive: `read` gives its bytes or the problem with it; `consumed` bytes of the archive are read."""

    name: str
    size: int
    consumed: int
    read: Callable[[], bytes | str]


@contextmanager
def open_tar(
    path: Path | RemoteFile, label_key: LabelKey, limits: Limits, *, packed: bool
) -> Iterator[tuple[Iterator[Member], ReadLabel]]:
    """The members of a tar, each to be read before the next is taken, and its labels."""
    with tempfile.SpooledTemporaryFile(SPOOLED_BYTES) as spool:
        places = _spool_labels(_tar_members(path, limits.label, packed=packed), label_key, limits, spool)

        def read_label(key: str) -> bytes | None:
            if key not in places:
                return None
            start, size = places[key]
            spool.seek(start)
            return spool.read(size)

        yield _tar_members(path, limits.file, packed=packed), read_label


@contextmanager
def open_zip(
    path: Path | RemoteFile, label_key: LabelKey, limits: Limits
) -> Iterator[tuple[Iterator[Member], ReadLabel]]:
    """The members of a zip, and its labels."""
    with path.open("rb") as raw, zipfile.ZipFile(raw) as archive:
        keyed = ((label_key(info.orig_filename), info) for info in archive.infolist())
        labels = {key: info for key, info in keyed if key is not None and info.file_size <= limits.label}

        def read_label(key: str) -> bytes | None:
            content = _zip_content(archive, labels[key], limits.label) if key in labels else None
            return content if isinstance(content, bytes) else None

        yield _zip_members(archive, limits.file), read_label


def too_large(size: int, limit: int) -> str:
    """The problem with a file of `size` bytes, if it is larger than `limit`."""
    return f"larger than {limit >> 20} MB" if size > limit else ""


def _spool_labels(
    members: Iterator[Member], label_key: LabelKey, limits: Limits, spool: IO[bytes]
) -> dict[str, tuple[int, int]]:
    """Write every label to `spool`; where each begins, and its length. Damage ends it: the second pass will report."""
    places: dict[str, tuple[int, int]] = {}
    with suppress(*ARCHIVE_ERRORS):
        for member in members:
            key = label_key(member.name)
            if key is not None and member.size <= limits.label and isinstance(content := member.read(), bytes):
                places[key] = (spool.tell(), len(content))
                spool.write(content)
    return places


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


def _tar_members(path: Path | RemoteFile, limit: int, *, packed: bool) -> Iterator[Member]:
    with (
        path.open("rb") as raw,
        gzip.open(raw) if packed else raw as stream,  # tarfile's own decompression takes a cut for the end
        tarfile.open(fileobj=stream, mode="r|", tarinfo=_StrictTarInfo) as archive,
    ):
        while (member := archive.next()) is not None:
            archive.members = []  # type: ignore[attr-defined]  # it would keep all it has met
            if not member.isdir():
                yield Member(member.name, member.size, raw.tell(), partial(_tar_content, archive, member, limit))
        while stream.read(1 << 16):  # to the checksum at the end of a gzip
            pass


def _tar_content(archive: tarfile.TarFile, member: tarfile.TarInfo, limit: int) -> bytes | str:
    if not member.isfile():
        return "a link inside an archive"
    data: IO[bytes] | None = None if too_large(member.size, limit) else archive.extractfile(member)
    return data.read() if data is not None else too_large(member.size, limit)


def _zip_members(archive: zipfile.ZipFile, limit: int) -> Iterator[Member]:
    consumed = 0
    for info in archive.infolist():
        consumed += info.compress_size
        yield Member(info.orig_filename, info.file_size, consumed, partial(_zip_content, archive, info, limit))


def _zip_content(archive: zipfile.ZipFile, info: zipfile.ZipInfo, limit: int) -> bytes | str:
    if info.file_size > limit:
        return too_large(info.file_size, limit)
    if "\0" in info.orig_filename:
        return "its name holds a zero byte"
    if info.flag_bits & 1:
        return "it needs a password"
    try:
        return archive.read(info)  # never more than file_size: zipfile checks
    except ARCHIVE_ERRORS:
        return "it cannot be unpacked"
