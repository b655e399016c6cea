"""Files that are whole or not there."""

from __future__ import annotations

import secrets
from contextlib import suppress
from pathlib import Path

from aurl.utils.errors import StorageError


def write_file(path: str | Path, content: bytes) -> None:
    """Write under a hidden name beside `path`, then rename; if it cannot, raise StorageError and leave nothing."""
    path = Path(path)
    temporary = path.with_name(f".tmp-{path.name}-{secrets.token_hex(4)}")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    except OSError as error:
        raise StorageError(f"cannot write {path}", found=error.strerror) from error
    finally:
        with suppress(OSError):
            temporary.unlink()


def make_folder(folder: Path) -> None:
    """Make a folder and those above it; raises StorageError if it cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"cannot make the folder {folder}", found=error.strerror) from None
