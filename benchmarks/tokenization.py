"""Speed and exactness of `event` and `note` on a folder of MIDI files, beside four of MidiTok's tokenizers.

    python benchmarks/tokenization.py [FOLDER] [--limit N] [--peer-limit N] [--repeats N] [--json]

Scores are in memory before any clock starts. Ours are timed from the Score as read, so snapping to the grid and
merging count; MidiTok's are preprocessed beforehand and only the conversion counts. Decoding starts from ids. All tell
tempos, programs and pedals, but that CPWord and Octuple, the peers of `note` with several fields a token, cannot tell
pedals. Times are process time, the median of the repeats of one pass over all files; memory is the largest allocation
that Python sees during one file. Peers run on the first files of the list, and so do ours a second time: the ratios
compare those. Needs `pip install "aurl[benchmark]"` for the peers.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
import tracemalloc
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from aurl.data.embedded import chorales_archive
from aurl.data.tokenizers import EventTokenizer, NoteTokenizer, NoteTokenizerConfig, Tokenizer
from aurl.music.midi import read_midi
from aurl.music.score import Score
from aurl.utils.errors import MidiError

PEERS = ("REMI", "MIDILike", "CPWord", "Octuple")
SINGLE_EVENTS = ("REMI", "MIDILike")
"""Those of the peers that tell pedals."""
TRACED_FILES = 10
EXACT_FILES = 300


@dataclass(frozen=True)
class Timing:
    """One tokenizer over one list of files."""

    name: str
    files: int
    notes: int
    tokens_per_note: float
    encode_notes_per_second: float
    decode_notes_per_second: float
    encode_tokens_per_second: float
    decode_tokens_per_second: float
    peak_mebibytes: float


def main() -> None:
    """Measure, then print tables or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", help="of MIDI files; the built-in chorales when not given")
    parser.add_argument("--limit", type=int, default=300, help="files for ours")
    parser.add_argument("--peer-limit", type=int, default=40, help="files for MidiTok")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="print JSON only")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or unpacked_chorales(Path(temporary))
        paths, scores = read_scores(folder, options.limit)
        result = measure(paths, scores, options.peer_limit, options.repeats)
    if options.json:
        print(json.dumps(result, indent=2))
    else:
        show(result)


def unpacked_chorales(folder: Path) -> Path:
    """The built-in chorales as files: the peers read no archives."""
    with zipfile.ZipFile(chorales_archive()) as archive:
        archive.extractall(folder)
    return folder


def read_scores(folder: Path, limit: int) -> tuple[list[Path], list[Score]]:
    """The first `limit` files of `folder` that can be read and hold a note."""
    pairs = []
    for path in sorted(p for p in folder.rglob("*") if p.suffix.lower() in (".mid", ".midi")):
        try:
            score = read_midi(path)
        except MidiError:
            continue
        if len(score.notes):
            pairs.append((path, score))
        if len(pairs) == limit:
            break
    if not pairs:
        raise SystemExit(f"no MIDI files in {folder}")
    return [path for path, _ in pairs], [score for _, score in pairs]


def measure(paths: Sequence[Path], scores: Sequence[Score], peer_limit: int, repeats: int) -> dict[str, Any]:
    """Everything that the benchmark reports; contestants take turns, so that a busy machine slows all of them."""
    ours = our_tokenizers()
    contestants = [our_contestant(name, tokenizer, scores, repeats) for name, tokenizer in ours.items()]
    if find_spec("miditok"):
        contestants += [our_contestant(name, ours[name], scores[:peer_limit], repeats) for name in ours]
        contestants += [miditok_contestant(peer, paths[:peer_limit], repeats) for peer in PEERS]
    for turn in range(repeats):
        for contestant in contestants:
            contestant.run(turn)
    timings = [contestant.timing() for contestant in contestants]
    packages = [name for name in ("numpy", "symusic", "miditok") if find_spec(name)]
    return {
        "timings": [asdict(timing) for timing in timings],
        "times_faster_than": {
            f"{mine.name} against {peer.name}": ratios(mine, peer)
            for mine in timings[len(ours) : 2 * len(ours)]
            for peer in timings[2 * len(ours) :]
        },
        "exact": {name: count_exact(tokenizer, scores[:EXACT_FILES]) for name, tokenizer in ours.items()},
        "versions": {name: version(name) for name in packages},
    }


@dataclass
class Contestant:
    """A tokenizer with its inputs, a fresh list for each turn and one more for the memory, so nothing stays cached."""

    name: str
    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any]
    scores: list[list[Any]]
    tokens: list[list[Any]]
    notes: int
    decoded_notes: int
    token_count: int
    encode_seconds: list[float] = field(default_factory=list)
    decode_seconds: list[float] = field(default_factory=list)

    def run(self, turn: int) -> None:
        """Time one pass over all files, each way."""
        self.encode_seconds.append(pass_seconds(self.encode, self.scores[turn]))
        self.decode_seconds.append(pass_seconds(self.decode, self.tokens[turn]))

    def timing(self) -> Timing:
        """The medians of the passes as rates."""
        encode, decode = statistics.median(self.encode_seconds), statistics.median(self.decode_seconds)
        peak = max(peak_bytes(self.encode, self.scores[-1]), peak_bytes(self.decode, self.tokens[-1]))
        return Timing(
            name=self.name,
            files=len(self.scores[0]),
            notes=self.notes,
            tokens_per_note=self.token_count / self.notes,
            encode_notes_per_second=self.notes / encode,
            decode_notes_per_second=self.decoded_notes / decode,
            encode_tokens_per_second=self.token_count / encode,
            decode_tokens_per_second=self.token_count / decode,
            peak_mebibytes=peak / 2**20,
        )


def ratios(ours: Timing, peer: Timing) -> dict[str, float]:
    """How many times the notes a second of `peer`."""
    return {
        "encode": ours.encode_notes_per_second / peer.encode_notes_per_second,
        "decode": ours.decode_notes_per_second / peer.decode_notes_per_second,
    }


def our_tokenizers() -> dict[str, Tokenizer]:
    """What is measured of ours."""
    return {
        "aurl event": EventTokenizer(),
        "aurl note metrical": NoteTokenizer(),
        "aurl note performed": NoteTokenizer(NoteTokenizerConfig(clock="performed")),
    }


def our_contestant(name: str, tokenizer: Tokenizer, scores: Sequence[Score], repeats: int) -> Contestant:
    """One of ours; fresh scores have no tempo map yet."""
    tokens = [tokenizer.encode(score) for score in scores]
    return Contestant(
        name=name,
        encode=tokenizer.encode,
        decode=tokenizer.decode,
        scores=[[score.replace() for score in scores] for _ in range(repeats + 1)],
        tokens=[tokens] * (repeats + 1),
        notes=sum(len(score.notes) for score in scores),
        decoded_notes=sum(tokenizer.note_count(ids) for ids in tokens),
        token_count=sum(len(ids) for ids in tokens),
    )


def miditok_contestant(name: str, paths: Sequence[Path], repeats: int) -> Contestant:
    """One of MidiTok's, on scores already loaded and preprocessed; fresh sequences hold ids only."""
    import miditok
    import symusic

    config = miditok.TokenizerConfig(use_programs=True, use_tempos=True, use_sustain_pedals=name in SINGLE_EVENTS)
    tokenizer = getattr(miditok, name)(config)
    scores = [tokenizer.preprocess_score(symusic.Score(path)) for path in paths]

    def encode(score: Any) -> Any:
        return tokenizer.encode(score, encode_ids=False, no_preprocess_score=True)

    ids = [encode(score).ids for score in scores]
    tokens = [[miditok.TokSequence(ids=list(piece)) for piece in ids] for _ in range(repeats + 2)]
    return Contestant(
        name=f"miditok {name}",
        encode=encode,
        decode=tokenizer.decode,
        scores=[scores] * (repeats + 1),
        tokens=tokens[1:],
        notes=sum(score.note_num() for score in scores),
        decoded_notes=sum(tokenizer.decode(piece).note_num() for piece in tokens[0]),
        token_count=sum(map(len, ids)),
    )


def pass_seconds(function: Callable[[Any], Any], items: Sequence[Any]) -> float:
    """Process time of `function` over all items."""
    start = time.process_time()
    for item in items:
        function(item)
    return time.process_time() - start


def peak_bytes(function: Callable[[Any], Any], items: Sequence[Any]) -> int:
    """The most memory that `function` held at a time, over the first few items."""
    peak = 0
    for item in items[:TRACED_FILES]:
        tracemalloc.start()
        function(item)
        peak = max(peak, tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    return peak


def count_exact(tokenizer: Tokenizer, scores: Sequence[Score]) -> dict[str, int]:
    """How many scores come back from their tokens exactly as canonical, from tokens that are canonical and legal."""
    exact = 0
    for score in scores:
        canonical, _ = tokenizer.canonical(score)
        tokens = tokenizer.encode(canonical)
        same = tokenizer.decode(tokens) == canonical and np.array_equal(tokens, tokenizer.encode(score))
        exact += same and tokenizer.grammar.first_illegal(tokens) is None
    return {"exact": exact, "of": len(scores)}


def show(result: dict[str, Any]) -> None:
    """The result as tables."""
    console = Console()
    table = Table(title="Tokenizers: " + ", ".join(f"{k} {v}" for k, v in result["versions"].items()))
    heads = ("", "files", "notes", "tokens/note", "encode notes/s", "decode notes/s", "encode tokens/s", "peak MiB")
    for head in heads:
        table.add_column(head, justify="right" if head else "left")
    for row in result["timings"]:
        table.add_row(
            row["name"], str(row["files"]), f"{row['notes']:,}", f"{row['tokens_per_note']:.2f}",
            f"{row['encode_notes_per_second']:,.0f}", f"{row['decode_notes_per_second']:,.0f}",
            f"{row['encode_tokens_per_second']:,.0f}", f"{row['peak_mebibytes']:.1f}",
        )  # fmt: skip
    console.print(table)
    for peer, ratio in result["times_faster_than"].items():
        console.print(f"{peer}: {ratio['encode']:.1f} times the notes/s encoding, {ratio['decode']:.1f} decoding")
    for name, files in result["exact"].items():
        console.print(f"{name}: {files['exact']} of {files['of']} files exact after canonicalisation")


if __name__ == "__main__":
    main()
