"""Inputs that lie on an object store or a web server, read through fsspec (`s3://`, `gs://`, `https://`, `memory://`).

Credentials and options come from the environment and from fsspec's own configuration files. A store that fails stops
the work with a CorpusError: what cannot be reached is never taken for a bad file.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from aurl.utils.errors import ConfigError, CorpusError, MissingExtraError

CHANGE_MARKS = ("ETag", "etag", "md5Hash", "mtime", "LastModified", "last_modified", "created")
"""What stores tell of an object that differs once it was written anew."""
READ_BYTES = 1 << 20


@dataclass(frozen=True)
class RemoteFile:
    """A file or a folder of a remote file system; reading it raises CorpusError if the store fails."""

    filesystem: Any
    path: str
    url: str

    def __str__(self) -> str:
        return self.url

    def open(self, mode: str = "rb") -> IO[bytes]:
        """A stream of its bytes, which can seek."""
        with store_errors(self.url):
            return io.BufferedReader(_Stream(self.filesystem.open(self.path, mode), self.url), READ_BYTES)

    def read_bytes(self) -> bytes:
        """All its bytes."""
        with store_errors(self.url):
            content: bytes = self.filesystem.cat_file(self.path)
            return content


@dataclass(frozen=True)
class RemoteEntry:
    """One file of a listing: where it lies in the folder listed (empty: it is what was listed), and what it is now."""

    file: RemoteFile
    inside: str
    size: int
    modified: int
    """A number that changes whenever the store says that the file did."""


def is_remote(path: Path | str) -> bool:
    """Whether a path is a URL."""
    return isinstance(path, str) and "://" in path


def list_remote(url: str) -> Iterator[RemoteEntry]:
    """Every file at or below `url`, in the order in which a folder on disk would be walked; raises CorpusError."""
    try:
        import fsspec
    except ImportError:
        raise MissingExtraError.of("fsspec", "cluster") from None
    try:
        filesystem, root = fsspec.core.url_to_fs(url)
    except (ImportError, ValueError) as error:  # a file system of another package, or of no package
        raise ConfigError(f"cannot read {url}", found=error) from None
    with store_errors(url):
        files = filesystem.find(root, detail=True)
    if not files:
        raise CorpusError(f"{url} does not exist or is empty")
    for path in sorted(files, key=lambda path: path.split("/")):
        information = files[path]
        marks = repr([information[mark] for mark in CHANGE_MARKS if mark in information])
        yield RemoteEntry(
            RemoteFile(filesystem, path, filesystem.unstrip_protocol(path)),
            path.removeprefix(root.rstrip("/")).lstrip("/"),
            int(information["size"] or 0),
            int.from_bytes(hashlib.blake2b(marks.encode(), digest_size=7).digest()),
        )


class _Stream(io.RawIOBase):
    """A stream of a store, whose failures are not those of the file."""

    def __init__(self, stream: Any, url: str) -> None:
        self.stream, self.url = stream, url

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return int(self.stream.seek(offset, whence))

    def readinto(self, buffer: Any) -> int:
        with store_errors(self.url):
            content = self.stream.read(len(buffer))
        buffer[: len(content)] = content
        return len(content)

    def close(self) -> None:
        self.stream.close()
        super().close()


@contextmanager
def store_errors(url: str) -> Iterator[None]:
    """Turn a store that cannot be reached, or that refuses, into a CorpusError."""
    try:
        yield
    except OSError as error:
        hint = "run the same command again to continue"
        raise CorpusError(f"cannot read {url}", found=error.strerror or error, hint=hint) from None
