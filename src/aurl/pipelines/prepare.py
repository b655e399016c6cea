"""Preparing a corpus with a progress bar; `aurl:chorales` stands for the built-in chorales."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from aurl.data.corpus import PrepareConfig, PrepareReport, Progress, build_corpus
from aurl.data.embedded import chorales_archive
from aurl.utils.errors import UnknownNameError
from aurl.utils.progress import progress_bar

BUILT_IN = "aurl:"
"""Prefix of the collections that come with the package."""


def prepare_corpus(
    paths: Sequence[str], out: Path, config: PrepareConfig, *, overwrite: bool = False, quiet: bool = False
) -> PrepareReport:
    """Read every MIDI file under `paths` into the corpus folder `out`; see `aurl.data.corpus.build_corpus`."""
    sources = [resolve_source(path) for path in paths]
    with progress_bar("preparing", total=None, unit="kB", quiet=quiet) as bar:

        def show(progress: Progress) -> None:
            done, total = progress.bytes // 1000, progress.total_bytes // 1000
            bar.update(done, total, files=progress.files, left_out=progress.failed)

        return build_corpus(sources, out, config, overwrite=overwrite, on_progress=show)


def resolve_source(path: str) -> Path:
    """The path of a source, built-in ones included; raises UnknownNameError for an unknown built-in."""
    if not path.startswith(BUILT_IN):
        return Path(path)
    name = path.removeprefix(BUILT_IN)
    if name != "chorales":
        raise UnknownNameError.among("built-in collection", name, ["chorales"])
    return chorales_archive()
