"""Preparing a corpus with a progress bar; `aurl:chorales` stands for the built-in chorales."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from aurl.data.corpus import PrepareReport, Progress, build_corpus
from aurl.data.embedded import BUILT_IN, chorales_archive
from aurl.data.plan import PrepareConfig
from aurl.utils.errors import ConfigError, UnknownNameError
from aurl.utils.progress import progress_bar


def prepare_corpus(
    paths: Sequence[str], out: Path, config: PrepareConfig, *, overwrite: bool = False, quiet: bool = False
) -> PrepareReport:
    """Read every file of music under `paths` into the corpus folder `out`; see `aurl.data.corpus.build_corpus`."""
    sources = [resolve_source(path) for path in paths]
    with progress_bar("preparing", total=None, unit="kB", quiet=quiet) as bar:

        def show(progress: Progress) -> None:
            done, total = progress.bytes // 1000, progress.total_bytes // 1000
            bar.update(done, total, files=progress.files, left_out=progress.failed)

        return build_corpus(sources, out, config, overwrite=overwrite, on_progress=show)


def resolve_source(path: str) -> str | Path:
    """The path or URL of a source, built-in ones included; raises UnknownNameError for an unknown built-in."""
    if not path.startswith(BUILT_IN):
        return path
    name = path.removeprefix(BUILT_IN)
    if name != "chorales":
        raise UnknownNameError.among("built-in collection", name, ["chorales"])
    return chorales_archive()


def split_overrides(words: Iterable[str]) -> tuple[list[str], list[str]]:
    """Paths and overrides among `words`: what begins with the name of a setting and `=` is an override.

    A path of such a name has to be written `./seed=1`.
    """
    paths: list[str] = []
    overrides: list[str] = []
    for word in words:
        name = word.partition("=")[0].partition(".")[0]
        (overrides if "=" in word and name in PrepareConfig.model_fields else paths).append(word)
    if not paths:
        raise ConfigError("nothing to prepare", hint="give folders, files of music or archives")
    return paths, overrides
