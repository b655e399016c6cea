"""A folder of entries that can be made again, named by a hash of all they were made of, and bounded in bytes.

An entry is a file, whole or not there; it never changes, so any number of processes may read and write without a lock.
A changed corpus, tokenizer or version asks for another name, and what nobody asks for any more is the first to go: the
modification time of an entry says when it was last opened. A disk that refuses costs a warning and the cache, never the
work. This module does not know what an entry holds.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import mmap
import os
import time
from collections.abc import Collection
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from aurl.utils.errors import ConfigError, StorageError
from aurl.utils.files import make_folder, write_file

BYTES_VARIABLE = "AURL_CACHE_BYTES"
DEFAULT_BYTES = 4 << 30
SUFFIX = ".cache"
ABANDONED_SECONDS = 3600
"""A temporary file older than this was left by a process that died."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class CacheStats:
    """What a cache holds."""

    folder: str
    entries: int
    bytes: int
    max_bytes: int
    removed_entries: int = 0
    removed_bytes: int = 0

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain values."""
        return asdict(self)


def entry_key(*parts: object) -> str:
    """The name of what was made of `parts`."""
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()


def default_folder() -> Path:
    """Where the caches of this user are."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "aurl" / "tokens"


def default_bytes() -> int:
    """The limit in AURL_CACHE_BYTES (0: no cache), or 4 GiB; raises ConfigError if it is not a number of bytes."""
    text = os.environ.get(BYTES_VARIABLE, str(DEFAULT_BYTES))
    if not text.isdecimal():
        raise ConfigError(f"{BYTES_VARIABLE} must be a number of bytes", found=repr(text))
    return int(text)


class Cache:
    """The entries in a folder; at most `max_bytes` of them, those opened last."""

    def __init__(self, folder: Path | None = None, max_bytes: int | None = None) -> None:
        self.folder = folder or default_folder()
        self.max_bytes = default_bytes() if max_bytes is None else max_bytes
        self._refused = self.max_bytes == 0

    def open(self, key: str) -> mmap.mmap | None:
        """The content of an entry, memory-mapped, and marked as used now; None if there is none."""
        path = self._path(key)
        try:
            with path.open("rb") as file:
                content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError):  # not there, not ours to read, or empty
            return None
        with contextlib.suppress(OSError):
            os.utime(path)
        return content

    def write(self, key: str, content: bytes, *, in_use: Collection[str] = ()) -> bool:
        """Write an entry, in the place of those used longest ago but never of those `in_use`; False if it cannot be."""
        if self._refused or not self._make_room(len(content), in_use):
            return False
        try:
            make_folder(self.folder)
            write_file(self._path(key), content)
        except StorageError as error:
            self._refused = True
            logger.warning("nothing more is cached: %s", error)
            return False
        return True

    def remove(self, key: str) -> None:
        """Remove an entry that is there no more, or that is damaged."""
        _unlink(self._path(key))

    def stats(self) -> CacheStats:
        """What is there."""
        sizes = [size for _, size, _ in self._entries()]
        return CacheStats(str(self.folder), len(sizes), sum(sizes), self.max_bytes)

    def prune(self, max_bytes: int | None = None) -> CacheStats:
        """Remove the entries used longest ago until at most `max_bytes` remain, and what dead processes left."""
        before = self.stats()
        self._make_room(0, (), self.max_bytes if max_bytes is None else max_bytes)
        for path in self.folder.glob(".tmp-*"):
            with contextlib.suppress(OSError):
                if path.stat().st_mtime < time.time() - ABANDONED_SECONDS:
                    path.unlink()
        return self._since(before)

    def clear(self) -> CacheStats:
        """Remove every entry."""
        return self.prune(0)

    def _since(self, before: CacheStats) -> CacheStats:
        now = self.stats()
        removed = (before.entries - now.entries, before.bytes - now.bytes)
        return CacheStats(now.folder, now.entries, now.bytes, now.max_bytes, *removed)

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}{SUFFIX}"

    def _entries(self) -> list[tuple[int, int, Path]]:
        """When each entry was last used (nanoseconds), its bytes and its path, the oldest first."""
        entries = []
        for path in self.folder.glob(f"*{SUFFIX}"):
            with contextlib.suppress(OSError):  # another process has removed it
                status = path.stat()
                entries.append((status.st_mtime_ns, status.st_size, path))
        return sorted(entries)

    def _make_room(self, wanted: int, in_use: Collection[str], max_bytes: int | None = None) -> bool:
        """Remove entries until `wanted` bytes fit; False, and nothing removed, if that cannot be."""
        limit = self.max_bytes if max_bytes is None else max_bytes
        entries = self._entries()
        free = limit - sum(size for _, size, _ in entries)
        old = [entry for entry in entries if entry[2].name.removesuffix(SUFFIX) not in in_use]
        if free + sum(size for _, size, _ in old) < wanted:
            return False
        for _, size, path in old:
            if free >= wanted:
                break
            if _unlink(path):
                free += size
        return True


def _unlink(path: Path) -> bool:
    try:
        path.unlink(missing_ok=True)
    except OSError:  # open in another process, on a system that minds, or not ours
        return False
    return True
