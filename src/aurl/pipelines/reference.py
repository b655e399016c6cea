"""The real music of a corpus that models and pieces are measured by: pieces held out, and pieces to learn from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aurl.data.genres import short_name
from aurl.data.store import Corpus
from aurl.data.tokenizers import Tokenizer
from aurl.data.tokenizers.base import Tokens
from aurl.evaluation.copying import CopyIndex
from aurl.evaluation.judging import RealMusic
from aurl.music.score import Score
from aurl.pipelines.export import encoded_pieces
from aurl.utils.errors import CorpusError
from aurl.utils.progress import progress_bar

TRAIN = "train"
LEARNED = 200
"""Pieces of the train split, at most, that stand for real music beside held-out music."""
NO_GENRE = "no genre"
Ints = NDArray[np.int64]
Told = Callable[[Score], Score]
"""A score in the words of a tokenizer, or as it is."""


class Reference:
    """The pieces of one split of a corpus, of one genre if it is given, as everything that is measured needs them."""

    def __init__(self, path: Path, split: str, style: str | None, *, quiet: bool = False) -> None:
        """Raises CorpusError where there are no such pieces."""
        self.corpus, self.split, self.style, self.quiet = Corpus.open(path), split, style, quiet
        self.held_out, self.learned = self._indices(split), self._indices(TRAIN)
        if not len(self.held_out):
            genre = f" of the genre {style!r}" if style else ""
            raise CorpusError(
                f"the corpus has no pieces{genre} in its split {split!r}",
                found=", ".join(sorted(set(self.genres(self.corpus.indices(split))))) or "an empty split",
                hint="choose another split or genre, or prepare with a valid_fraction",
            )
        self._read: dict[str, RealMusic] = {}

    def facts(self) -> dict[str, Any]:
        """What it is that everything is compared with."""
        return {
            "corpus": self.corpus.path.resolve().name,
            "corpus_fingerprint": self.corpus.fingerprint,
            "split": self.split,
            "style": self.style,
            "held_out_pieces": len(self.held_out),
        }

    def genres(self, indices: Ints, names: Sequence[str] = ()) -> list[str]:
        """The genre of each piece: the one of `names` that it is, or else what its own begins with."""
        told = [self.corpus.metadata(index).get("genre", "") for index in indices.tolist()]
        return [short_name(genre, names) or genre.partition("/")[0] or NO_GENRE for genre in told]

    def encoded(self, indices: Ints, tokenizer: Tokenizer, sizes: tuple[int, ...]) -> list[Tokens]:
        """Pieces as tokens; raises CorpusError where a model that knows `sizes` of them does not know all."""
        return encoded_pieces(self.corpus, indices, tokenizer, sizes)

    def as_it_is(self) -> RealMusic:
        """Real music to judge pieces from files by."""
        return self._real("", lambda score: score)

    def told_by(self, tokenizer: Tokenizer) -> RealMusic:
        """Real music to judge pieces by that were written as tokens."""
        return self._real(tokenizer.fingerprint, lambda score: tokenizer.canonical(score)[0])

    def _real(self, key: str, told: Told) -> RealMusic:
        if key not in self._read:
            some = self.learned[np.linspace(0, len(self.learned) - 1, min(len(self.learned), LEARNED)).astype(int)]
            self._read[key] = RealMusic(
                held_out=[told(score) for score in self._scores(self.held_out, "reading real music")],
                learned=[told(score) for score in self._scores(some, "reading real music")],
                index=self._index(told),
            )
        return self._read[key]

    def _index(self, told: Told) -> CopyIndex | None:
        """All pieces of the train split, of whatever genre."""
        indices = self.corpus.indices(TRAIN)
        if not len(indices):
            return None
        return CopyIndex(told(score) for score in self._scores(indices, "indexing what was learned"))

    def _scores(self, indices: Ints, doing: str) -> Iterator[Score]:
        with progress_bar(doing, total=len(indices), unit="pieces", quiet=self.quiet) as bar:
            for index in indices.tolist():
                yield self.corpus.score(index)
                bar.advance()

    def _indices(self, split: str) -> Ints:
        indices, style = self.corpus.indices(split), self.style
        return indices if style is None else indices[[genre == style for genre in self.genres(indices, [style])]]
