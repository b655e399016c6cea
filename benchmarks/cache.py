"""What the token cache gains: loading every piece of a split with it and without, and samples a second in training.

    python benchmarks/cache.py [CORPUS_OR_PATH...] [--miditok-pieces 200] [--json]

Takes a prepared corpus, or files of music, folders and archives, from which it prepares one in a temporary folder; the
built-in chorales when not given any. For each tokenizer, in wall time and a process of its own: tokenizing every piece
of the training split in a shuffled order (an epoch without the cache), the first run with it (tokenize, compress,
write), and an epoch from the cache in another process. No augmentation: augmented pieces are never cached. The files
are in the system's page cache in both cases. MidiTok's REMI, through Aurl's adapter, is the slow tokenizer; it is given
the first pieces only, and left out where it is not installed.

Samples a second are of 1,024 training tokens through the training loader, with 0 and 2 worker processes, tokenized by
`event` and by `note`. The data set itself keeps 64 MiB of tokens in memory, which is all of a small corpus: here it
keeps nothing, as if the corpus were much larger than that.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from aurl.data import dataset
from aurl.data.cache import BYTES_VARIABLE, Cache
from aurl.data.corpus import build_corpus
from aurl.data.dataset import TokenDataset
from aurl.data.embedded import chorales_archive
from aurl.data.plan import PrepareConfig
from aurl.data.store import Corpus
from aurl.data.token_cache import TokenCache
from aurl.data.tokenizers import TOKENIZERS

CONTEXT = 1024
BATCH_TOKENS = 8192
SECONDS = 3.0
"""How long a loader is measured."""
SLOW = "miditok"
PACKAGES = ("numpy", "pyarrow", "symusic", "torch", "miditok")

Figures = dict[str, Any]


def main() -> None:
    """Measure, then print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="*", type=Path, metavar="CORPUS_OR_PATH", default=[chorales_archive()])
    parser.add_argument("--miditok-pieces", type=int, default=200, help="pieces that the slow tokenizer is given")
    parser.add_argument("--json", action="store_true", help="print JSON only")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = options.paths[0]
        if not (path / "corpus.json").is_file():
            path = Path(folder) / "corpus"
            build_corpus(options.paths, path, PrepareConfig(labels=()))
        os.environ["XDG_CACHE_HOME"] = folder
        result = measure(path, options.miditok_pieces)
    if options.json:
        print(json.dumps(result, indent=2))
    else:
        show(result)


def measure(path: Path, slow_pieces: int) -> Figures:
    """Everything that the benchmark reports."""
    Corpus.open(path).score(0)  # builds the memory map, which is no part of tokenizing
    names = ["event", "note", *([SLOW] if find_spec(SLOW) else [])]
    epochs = {}
    for name in names:
        most = slow_pieces if name == SLOW else None
        first = alone(time_without, path, name, most)
        epochs[name] = first | alone(time_with, path, name, most)
        figures = epochs[name]
        figures["less_load_time"] = 1 - figures["cached_ms_per_piece"] / figures["tokenized_ms_per_piece"]
    rates = [
        {"tokenizer": name, "workers": workers, "cache": cache} | alone(time_samples, path, name, workers, cache)
        for name in ("event", "note")
        for workers in (0, 2)
        for cache in (False, True)
    ]
    packages = {name: version(name) for name in PACKAGES if find_spec(name)}
    return {"epochs": epochs, "samples": rates, "versions": packages | {"python": sys.version.split()[0]}}


def alone(function: Callable[..., Figures], *args: Any) -> Figures:
    """The figures that `function` finds in a new process, and that process's peak memory."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        figures = pool.submit(function, *args).result()
        kibibytes = pool.submit(resource.getrusage, resource.RUSAGE_SELF).result().ru_maxrss
    return {**figures, f"{function.__name__}_peak_mebibytes": kibibytes / 1024}


def opened(path: Path, name: str, most: int | None) -> tuple[Callable[[int], Any], TokenCache, Any]:
    """How a piece is tokenized, the cache, and the numbers of all pieces, shuffled."""
    corpus, tokenizer = Corpus.open(path), TOKENIZERS.build(TOKENIZERS.parse(name))
    indices = corpus.indices("train")[:most]
    tokenizer.encode(corpus.score(int(indices[0])))  # imports, tables
    order = np.random.default_rng(0).permutation(len(indices)).tolist()
    return lambda piece: tokenizer.encode(corpus.score(int(indices[piece]))), TokenCache(corpus, tokenizer, name), order


def time_without(path: Path, name: str, most: int | None) -> Figures:
    """An epoch that tokenizes, then the first run of the cache."""
    encode, cache, order = opened(path, name, most)
    Cache().clear()
    milliseconds, tokens = per_piece(encode, order)
    start = time.perf_counter()
    cache.lengths(len(order), encode, keep_tokens=True)
    return {
        "pieces": len(order),
        "tokens": sum(len(each) for each in tokens),
        "token_bytes": sum(each.nbytes for each in tokens),
        "tokenized_ms_per_piece": milliseconds,
        "first_run_ms_per_piece": (time.perf_counter() - start) * 1000 / len(order),
        "disk_bytes": Cache().stats().bytes,
    }


def time_with(path: Path, name: str, most: int | None) -> Figures:
    """The lengths of all pieces and an epoch, both from the cache, in a process that has seen neither."""
    encode, cache, order = opened(path, name, most)
    start = time.perf_counter()
    cache.lengths(len(order), encode, keep_tokens=True)
    startup = time.perf_counter() - start
    milliseconds, tokens = per_piece(cache.get, order)
    assert all(np.array_equal(each, encode(piece)) for each, piece in zip(tokens[:20], order, strict=False))
    return {"cached_ms_per_piece": milliseconds, "cached_lengths_ms": startup * 1000}


def per_piece(load: Callable[[int], Any], order: Iterable[int]) -> tuple[float, list[Any]]:
    """Milliseconds a piece to load all, and the tokens."""
    start = time.perf_counter()
    tokens = [load(piece) for piece in order]
    return (time.perf_counter() - start) * 1000 / len(tokens), tokens


def time_samples(path: Path, name: str, workers: int, cache: bool) -> Figures:
    """Samples of 1,024 tokens a second, from the second epoch of a run on."""
    from aurl.training.loader import updates

    dataset.KEPT_BYTES = 0
    multiprocessing.set_start_method("fork", force=True)  # as in training; this process was spawned
    os.environ.pop(BYTES_VARIABLE, None)
    if not cache:
        os.environ[BYTES_VARIABLE] = "0"
    torch = __import__("torch")
    torch.set_num_threads(1)
    tokenizer = TOKENIZERS.build(TOKENIZERS.parse(name))
    data = TokenDataset(Corpus.open(path), tokenizer, split="train", context=CONTEXT, batch_tokens=BATCH_TOKENS, seed=0)
    first = data.batches_in_epoch(0)
    stream = updates(data, first=first, last=10**9, accumulate=1, workers=workers, device=torch.device("cpu"))
    for _ in range(2 * max(1, workers)):
        next(stream)  # the workers have started
    start = time.perf_counter()
    tokens = sum(int(batch.mask.any(-1).sum()) for batches in limited(stream) for batch in batches)
    return {"samples_per_second": tokens / CONTEXT / (time.perf_counter() - start)}


def limited(stream: Iterator[Any]) -> Iterator[Any]:
    """What comes in the first SECONDS."""
    end = time.perf_counter() + SECONDS
    for batches in stream:
        yield batches
        if time.perf_counter() > end:
            return


def show(result: Figures) -> None:
    """Print the figures for people."""
    console = Console()
    table = Table(title="loading a piece, ms")
    headings = ("tokenizer", "pieces", "tokenized", "first run", "cached", "less", "lengths, all", "disk MB", "of")
    for heading in (*headings, "peak MiB without, with"):
        table.add_column(heading, justify="left" if heading == "tokenizer" else "right")
    for name, row in result["epochs"].items():
        times = [f"{row[f'{key}_ms_per_piece']:.3f}" for key in ("tokenized", "first_run", "cached")]
        sizes = [f"{row['disk_bytes'] / 1e6:.1f}", f"{row['token_bytes'] / 1e6:.1f}"]
        peaks = ", ".join(f"{row[f'time_{key}_peak_mebibytes']:.0f}" for key in ("without", "with"))
        less, lengths = f"{row['less_load_time']:.1%}", f"{row['cached_lengths_ms']:.1f}"
        table.add_row(name, str(row["pieces"]), *times, less, lengths, *sizes, peaks)
    console.print(table)
    table = Table(title="samples of 1,024 tokens a second")
    for heading in ("tokenizer", "workers", "without", "with the cache", "peak MiB"):
        table.add_column(heading, justify="right")
    rows = result["samples"]
    for without, with_cache in zip(rows[::2], rows[1::2], strict=True):
        rates = [f"{row['samples_per_second']:,.0f}" for row in (without, with_cache)]
        peaks = ", ".join(f"{row['time_samples_peak_mebibytes']:.0f}" for row in (without, with_cache))
        told = [with_cache["tokenizer"], str(with_cache["workers"])]
        table.add_row(*told, *rates, peaks)
    console.print(table)
    console.print(", ".join(f"{name} {number}" for name, number in result["versions"].items()))


if __name__ == "__main__":
    main()
