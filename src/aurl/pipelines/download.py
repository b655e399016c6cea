"""Fetching a public collection with a progress bar."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aurl.data.catalogue import download, find_collection
from aurl.data.store import file_sha256
from aurl.utils.progress import progress_bar


def download_collection(name: str, folder: Path, *, quiet: bool = False) -> dict[str, Any]:
    """Put the archive of a collection into `folder`; returns where it is, its checksum, and what comes next."""
    collection = find_collection(name)
    with progress_bar(f"downloading {name}", total=None, unit="kB", quiet=quiet) as bar:
        path = download(collection, folder, lambda done, total: bar.update(done // 1000, total and total // 1000))
    return {
        "path": str(path),
        "megabytes": path.stat().st_size / 1e6,
        "sha256": file_sha256(path),
        "checked_by": "checksum" if collection.sha256 else f"git commit {collection.commit}",
        "licence": collection.licence,
        "next": f"aurl prepare {path} --out runs/{name}",
    }
