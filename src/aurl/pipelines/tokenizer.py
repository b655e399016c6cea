"""Training a vocabulary: MidiTok's tokens of a corpus, merged into fewer and longer ones by Hugging Face tokenizers."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np

from aurl.data.store import Corpus
from aurl.data.tokenizers.miditok_adapter import MidiTokConfig, MidiTokTokenizer
from aurl.music.midi import write_midi
from aurl.utils.errors import ConfigError, CorpusError
from aurl.utils.files import make_folder, write_file
from aurl.utils.progress import ProgressBar, progress_bar

Algorithm = Literal["BPE", "Unigram", "WordPiece"]
LARGEST_VOCABULARY = 65_535
"""Tokens are 16-bit numbers."""


def train_tokenizer(
    corpus: Corpus,
    kind: str,
    out: Path,
    *,
    vocabulary: int,
    algorithm: Algorithm = "BPE",
    pieces: int | None = None,
    quiet: bool = False,
) -> dict[str, Any]:
    """Learn `vocabulary` tokens from the training split (its first `pieces`), and write tokenizer.json to `out`.

    Byte-pair encoding of music: Fradet et al. 2023. Raises ConfigError for a kind or a size that cannot be trained.
    """
    if out.suffix != ".json":
        raise ConfigError("a tokenizer is saved as JSON", found=out.name, hint=f"name it {out.with_suffix('.json')}")
    tokenizer = MidiTokTokenizer(MidiTokConfig(kind=kind))
    smallest = len(tokenizer.miditok)
    if tokenizer.miditok.is_multi_voc:
        raise ConfigError(f"{kind} has several fields a token, which cannot be merged", hint="choose REMI or TSD")
    if not smallest < vocabulary <= LARGEST_VOCABULARY:
        problem = f"a vocabulary must be larger than the {smallest} tokens of {kind} itself"
        raise ConfigError(problem, found=vocabulary, hint=f"at most {LARGEST_VOCABULARY}")
    from miditok import TokTrainingIterator  # there, or the tokenizer could not have been built

    chosen = corpus.indices("train")[:pieces]
    if not len(chosen):
        raise CorpusError("the corpus has no pieces in its split 'train'")
    make_folder(out.parent)
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"{index}.mid" for index in chosen]
        for file, index in zip(files, chosen, strict=True):
            write_midi(corpus.score(int(index)), file)
        before = _tokens_per_note(tokenizer, corpus, chosen)
        with progress_bar("reading", total=len(files), unit="pieces", quiet=quiet) as bar:
            texts = _Told(TokTrainingIterator(tokenizer.miditok, files), bar)
            tokenizer.miditok.train(vocab_size=vocabulary, model=algorithm, iterator=texts)
        saved = Path(folder) / "tokenizer.json"
        tokenizer.miditok.save(saved)
        write_file(out, saved.read_bytes())
    trained = MidiTokTokenizer(MidiTokConfig(file=out))
    return {
        "tokenizer": str(out),
        "vocabulary": len(trained.miditok),
        "pieces": len(chosen),
        "tokens_per_note": {"before": before, "after": _tokens_per_note(trained, corpus, chosen)},
        "next": f"aurl train CONFIG tokenizer=miditok:{out}",
    }


class _Told:
    """What the trainer reads, counted by a progress bar as it goes by."""

    def __init__(self, texts: Any, bar: ProgressBar) -> None:
        self.texts, self.bar = texts, bar

    def __len__(self) -> int:
        return len(self.texts)

    def __iter__(self) -> Iterator[list[str]]:
        for text in self.texts:
            yield text
            self.bar.advance()


def _tokens_per_note(tokenizer: MidiTokTokenizer, corpus: Corpus, chosen: np.ndarray, most: int = 20) -> float:
    """Of the first `most` pieces."""
    scores = [corpus.score(int(index)) for index in chosen[:most]]
    return sum(len(tokenizer.encode(score)) for score in scores) / max(1, sum(len(score.notes) for score in scores))
