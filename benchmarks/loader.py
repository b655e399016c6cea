"""Cost of a training sample when pieces are tokenized on the fly, beside tokenizing them with MidiTok's REMI.

    python benchmarks/loader.py [CORPUS_OR_PATH...] [--json]

Takes a prepared corpus, or MIDI files, folders and archives, from which it prepares one in a temporary folder; the
built-in chorales when not given any. A sample is 1,024 training tokens. The first run finds an empty token cache and
tokenizes the split before it begins; the second finds it filled; a later epoch also finds the tokens that the data
set keeps in memory (up to 64 MiB). Then both tokenizers encode a whole piece for one window of it, keeping nothing.
No file is parsed while the clock runs: ours reads the score from the memory-mapped corpus, MidiTok gets a copy of a
symusic score and preprocesses it. Times are process time; each measurement has a process of its own, whose peak
memory (mapped files included) is reported.
Needs `pip install "aurl[benchmark]"` for the peer.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from aurl.data.cache import Cache
from aurl.data.corpus import PrepareConfig, build_corpus
from aurl.data.dataset import TokenDataset
from aurl.data.embedded import chorales_archive
from aurl.data.store import Corpus
from aurl.data.tokenizers import EventTokenizer
from aurl.music.midi import midi_bytes

CONTEXT = 1024
BATCH_TOKENS = 8192
PEER_PIECES = 20
EPOCHS = ("first run", "second run", "later epoch")

Figures = dict[str, Any]


def main() -> None:
    """Measure, then print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="*", type=Path, metavar="CORPUS_OR_PATH", default=[chorales_archive()])
    parser.add_argument("--json", action="store_true", help="print JSON only")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = options.paths[0]
        if not (path / "corpus.json").is_file():
            path = Path(folder)
            build_corpus(options.paths, path, PrepareConfig())
        os.environ["XDG_CACHE_HOME"] = folder
        result = measure(path)
    if options.json:
        print(json.dumps(result, indent=2))
    else:
        show(result)


def measure(path: Path) -> Figures:
    """Everything that the benchmark reports."""
    packages = [name for name in ("numpy", "pyarrow", "symusic", "miditok") if find_spec(name)]
    return {
        "epochs": alone(time_epochs, path),
        "one_window_of_a_piece": {
            "aurl event": alone(time_event, path),
            **({"miditok REMI": alone(time_miditok, path)} if find_spec("miditok") else {}),
        },
        "context": CONTEXT,
        "batch_tokens": BATCH_TOKENS,
        "versions": {name: version(name) for name in packages} | {"python": sys.version.split()[0]},
    }


def alone(function: Callable[..., Figures], *args: Any) -> Figures:
    """The figures that `function` finds in a new process, and that process's peak memory."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        figures = pool.submit(function, *args).result()
        kibibytes = pool.submit(resource.getrusage, resource.RUSAGE_SELF).result().ru_maxrss
    return figures | {"peak_mebibytes": kibibytes / 1024}


def time_epochs(path: Path) -> Figures:
    """Milliseconds for a sample, by way of TokenDataset: two epochs in new data sets, then one more in the second."""
    corpus = Corpus.open(path)
    corpus.score(0)  # builds the memory map, which is no part of tokenizing
    Cache().clear()
    milliseconds, data = {}, None
    for name in EPOCHS:
        start = time.process_time()
        if data is None or name != "later epoch":
            data = TokenDataset(
                corpus, EventTokenizer(), split="train", context=CONTEXT, batch_tokens=BATCH_TOKENS, seed=0
            )
        epoch = int(name == "later epoch")
        first = epoch * data.batches_in_epoch(0)
        masks = [data.batch(first + number).mask for number in range(data.batches_in_epoch(epoch))]
        seconds = time.process_time() - start
        tokens, cells = sum(int(mask.sum()) for mask in masks), sum(mask.size for mask in masks)
        milliseconds[name] = seconds * 1000 * CONTEXT / tokens
    return {
        "pieces": len(data.indices),
        "tokens_of_all_pieces": int(data.lengths.sum()),
        "samples_per_epoch": tokens / CONTEXT,
        "milliseconds_per_sample": milliseconds,
        "padding": 1 - tokens / cells,
    }


def time_event(path: Path) -> Figures:
    """Our event tokenizer on the first pieces of the training split."""
    corpus, tokenizer = Corpus.open(path), EventTokenizer()
    tokenizer.encode(corpus.score(0))
    return time_windows([lambda i=int(i): tokenizer.encode(corpus.score(i)) for i in peer_pieces(corpus)])


def time_miditok(path: Path) -> Figures:
    """MidiTok's REMI on the same pieces."""
    here = Path(__file__).resolve().parent
    sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() != here]  # it imports its own `tokenizers`
    import miditok
    import symusic

    corpus = Corpus.open(path)
    tokenizer = miditok.REMI(miditok.TokenizerConfig(use_programs=True, use_tempos=True, use_sustain_pedals=True))
    scores = [symusic.Score.from_midi(midi_bytes(corpus.score(int(index)))) for index in peer_pieces(corpus)]
    tokenizer.encode(scores[0].copy())
    return time_windows([lambda score=score: tokenizer.encode(score.copy()).ids for score in scores])


def peer_pieces(corpus: Corpus) -> Any:
    """Indices of the pieces that both tokenizers are given."""
    return corpus.indices("train")[:PEER_PIECES]


def time_windows(encoders: list[Callable[[], Any]]) -> Figures:
    """Milliseconds to encode a piece and take its first window, and for every 1,024 tokens of it, were all used."""
    milliseconds, tokens = [], []
    for encode in encoders:
        start = time.process_time()
        ids = encode()
        _ = ids[: CONTEXT + 1]
        milliseconds.append((time.process_time() - start) * 1000)
        tokens.append(len(ids))
    return {
        "pieces": len(encoders),
        "tokens_per_piece": statistics.mean(tokens),
        "milliseconds_per_window": statistics.mean(milliseconds),
        "milliseconds_per_1024_tokens": sum(milliseconds) * CONTEXT / sum(tokens),
    }


def show(result: Figures) -> None:
    """Print the figures for people."""
    console, epochs = Console(), result["epochs"]
    table = Table(title=f"{epochs['pieces']:,} pieces, {epochs['tokens_of_all_pieces']:,} tokens, on the fly")
    for heading in ("epoch", "ms per sample of 1,024 tokens"):
        table.add_column(heading, justify="right")
    for name, milliseconds in epochs["milliseconds_per_sample"].items():
        table.add_row(name, f"{milliseconds:.3f}")
    console.print(table)
    console.print(f"padding {epochs['padding']:.1%}, peak memory {epochs['peak_mebibytes']:.0f} MiB")
    table = Table(title="a piece encoded for one window")
    for heading in ("tokenizer", "tokens per piece", "ms per window", "ms per 1,024 tokens", "peak MiB"):
        table.add_column(heading, justify="left" if heading == "tokenizer" else "right")
    for name, row in result["one_window_of_a_piece"].items():
        figures = (row["milliseconds_per_window"], row["milliseconds_per_1024_tokens"])
        cells = [f"{row['tokens_per_piece']:,.0f}", *(f"{value:.3f}" for value in figures)]
        table.add_row(name, *cells, f"{row['peak_mebibytes']:.0f}")
    console.print(table)
    console.print(", ".join(f"{name} {number}" for name, number in result["versions"].items()))


if __name__ == "__main__":
    main()
