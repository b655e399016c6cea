"""Files that are whole or not there, and what a disk that refuses means."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aurl.utils.errors import ConfigError, StorageError

_DISK_ERRORS = {
    errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.EFBIG,
    errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG,
}  # fmt: skip


@contextmanager
def storage_errors(target: Path) -> Iterator[None]:
    """Turn a full or read-only disk, or something in the way, into a StorageError about `target`; others pass."""
    try:
        yield
    except OSError as error:
        if error.errno not in _DISK_ERRORS:
            raise
        raise StorageError(
            f"cannot write {target}",
            found=error.strerror,
            hint="what was saved before is intact; make room, allow writing or move what is in the way, "
            "then run the same command again",
        ) from error


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its place when the block ends well; raises StorageError."""
    temporary = path.with_name(f".tmp-{path.name}-{secrets.token_hex(4)}")  # threads of one process may race
    with storage_errors(path):
        try:
            yield temporary
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def write_file(path: str | Path, content: bytes) -> None:
    """Write a file, whole or not at all; raises StorageError if it cannot be written for any reason."""
    try:
        with replacing(Path(path)) as temporary:
            temporary.write_bytes(content)
    except OSError as error:
        raise StorageError(f"cannot write {path}", found=error.strerror) from error


def require_suffix(path: Path, *suffixes: str) -> None:
    """Raise ConfigError for a file to be written whose name promises something else than what will be in it."""
    if path.suffix.lower() not in suffixes:
        raise ConfigError(f"the name of the output must end in {' or '.join(suffixes)}", found=path)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it; raises StorageError if it cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"cannot make the folder {folder}", found=error.strerror) from None
