"""Folders that appear whole or not at all, and that know when they have been altered.

A folder is written under a hidden name beside its place (`.tmp-<name>-<pid>`), its files and last of all
`manifest.json` (size and SHA-256 of each file, and its own checksum) are forced to the disk, and one rename makes it
visible. What has no valid manifest does not exist: a kill or a full disk at any moment leaves the previous state.
This module does not know what the files hold.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from aurl.utils.errors import CheckpointError, StorageError
from aurl.utils.files import storage_errors

if sys.platform != "win32":
    import fcntl

MANIFEST = "manifest.json"
FORMAT = 1
"""Version of the manifest; a higher one was written by a newer Aurl."""

_TEMPORARY = ".tmp-"

logger = logging.getLogger(__name__)


@contextmanager
def atomic_folder(target: Path, metadata: Mapping[str, Any] | None = None) -> Iterator[Path]:
    """Yield an empty hidden folder that becomes `target` when the block ends without an exception.

    `metadata` is kept in the manifest. A disk that is full or refuses raises StorageError. A `target` that exists is
    replaced by two renames: an exception leaves it as it was, a kill exactly between the two leaves it hidden.
    """
    temporary = _hidden(target)
    try:
        with storage_errors(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(temporary, ignore_errors=True)
            temporary.mkdir()
            yield temporary
            _seal(temporary, metadata or {})
            with _set_aside(target):
                temporary.rename(target)
            _sync(target.parent)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def verify_folder(folder: Path) -> dict[str, Any]:
    """Compare every file of `folder` with its manifest, which is returned; raises CheckpointError if one differs."""
    manifest = read_manifest(folder)
    for name, entry in manifest["files"].items():
        file = folder / name
        if not file.is_file():
            raise CheckpointError(f"{file} is missing")
        size = file.stat().st_size
        if size != entry["size"]:
            problem = "is cut short" if size < entry["size"] else "was altered"
            raise CheckpointError(f"{file} {problem}", found=f"{size} bytes, not {entry['size']}")
        if _digest(file) != entry["sha256"]:
            raise CheckpointError(f"{file} was altered", found="another SHA-256 than its manifest says")
    return manifest


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest alone, checked against its own checksum; raises CheckpointError if it is missing or altered."""
    file = folder / MANIFEST
    try:
        text = file.read_bytes()
    except OSError as error:
        found = error.strerror if folder.is_dir() else "no such folder"
        raise CheckpointError(f"{folder} is not complete: it has no readable {MANIFEST}", found=found) from None
    try:
        manifest = json.loads(text)
    except ValueError:
        manifest = None
    if not isinstance(manifest, dict) or _render(manifest) != text:
        raise CheckpointError(f"{file} was altered or cut short")
    if manifest["format"] > FORMAT:
        raise CheckpointError(f"{file} has a newer format", found=manifest["format"], hint="upgrade Aurl")
    return manifest


def remove_folder(folder: Path) -> None:
    """Remove `folder` if it exists; it is hidden first, so that a kill never leaves half of it looking whole."""
    with _set_aside(folder):
        pass


def remove_stale(parent: Path) -> None:
    """Remove what writers that are no longer alive left half-written in `parent`."""
    for item in parent.glob(f"{_TEMPORARY}*-*"):
        pid = item.name.rpartition("-")[2]
        if pid.isdigit() and not _is_alive(int(pid)):
            shutil.rmtree(item) if item.is_dir() else item.unlink()


@contextmanager
def locked(file: Path, *, work: str) -> Iterator[None]:
    """Hold `file` as a lock during the block; raises StorageError if another process holds it.

    `work` says in one word what its holders do: "trains". A process that ends in any way lets go of it, and its
    children never hold it. Where the system or the file system knows no locks, nothing is held.
    """
    with storage_errors(file):
        stream = file.open("ab")
    with stream:
        if sys.platform != "win32":
            try:
                fcntl.lockf(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except (BlockingIOError, PermissionError):
                raise StorageError(
                    f"another process {work} in {file.parent}", hint="wait for it, or choose another folder"
                ) from None
            except OSError as error:
                logger.warning("%s cannot be locked: %s", file, error.strerror)
        yield


def _hidden(target: Path) -> Path:
    return target.with_name(f"{_TEMPORARY}{target.name}-{os.getpid()}")


@contextmanager
def _set_aside(target: Path) -> Iterator[None]:
    """Hide `target` during the block, then remove it; put it back if the block fails."""
    aside = _hidden(target.with_name(f"{target.name}-old"))
    with suppress(FileNotFoundError):
        target.rename(aside)
    try:
        yield
    except BaseException:
        with suppress(FileNotFoundError):
            aside.rename(target)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def _seal(folder: Path, metadata: Mapping[str, Any]) -> None:
    files = sorted(item for item in folder.rglob("*") if item.is_file())
    entries = {}
    for file in files:
        _sync(file)
        entries[file.relative_to(folder).as_posix()] = {"size": file.stat().st_size, "sha256": _digest(file)}
    manifest = folder / MANIFEST
    manifest.write_bytes(_render({"format": FORMAT, "files": entries, "metadata": dict(metadata)}))
    _sync(manifest)
    _sync(folder)


def _render(manifest: Mapping[str, Any]) -> bytes:
    """The exact bytes of a manifest, its checksum included."""
    body = {key: value for key, value in manifest.items() if key != "checksum"}
    checksum = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
    return json.dumps({**body, "checksum": checksum}, indent=1, sort_keys=True).encode()


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_alive(pid: int) -> bool:
    if pid == os.getpid():
        return False  # a container gives every run the same pid; this run has written nothing yet
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
