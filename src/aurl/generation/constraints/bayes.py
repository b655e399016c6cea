"""What constraints share that lean by Bayes' rule: how likely what was heard makes a key or a chord.

What is added to a choice is the logarithm of p(wanted | heard and this choice), naive Bayes over pitch classes:
classifier guidance (Dhariwal and Nichol 2021, eq. 2) with the simplest classifier there is. Where the wanted one is
plain, nothing is added; where another is likelier, what tells the two apart is.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from jaxtyping import Float

from aurl.data.tokenizers.note_vocabulary import STEPS_PER_QUARTER, WHAT, NoteLayout
from aurl.generation.constraints.base import Bias, C, Lean
from aurl.generation.hearing import HeardPiece


class Recogniser(Lean[C]):
    """Leans to what makes something likelier to be heard."""

    fields = (WHAT,)

    def __init__(self, config: C, layout: NoteLayout) -> None:
        super().__init__(config, layout)
        self._quarters = [0.0, *(layout.durations / STEPS_PER_QUARTER).tolist()]
        self._classes = np.arange(layout.end["pitch"] - layout.first["pitch"]) % 12

    def _sounded(self, piece: HeardPiece, rows: Iterable[tuple[int, ...]]) -> Float[np.ndarray, " 12"]:
        """How long the notes of each pitch class last, in quarters; drums have none."""
        first, drums = self.layout.first["pitch"], [who for who in piece.parts if piece.is_drum(who)]
        heard = np.zeros(12)
        for _, who, what, how_long in rows:
            if who not in drums:
                heard[(what - first) % 12] += self._quarters[how_long]
        return heard

    def _biased(self, kind: str, values: Float[np.ndarray, " n"]) -> Bias:
        """The bias of `what` that is `values` in the range of one kind, and 0 elsewhere."""
        bias = np.zeros(self.sizes[WHAT], np.float32)
        bias[slice(*self.layout.span(kind))] = values
        return bias


def likelier(said: Float[np.ndarray, "v k"], wanted: int, before: Float[np.ndarray, " k"]) -> Float[np.ndarray, " v"]:
    """By how much each choice raises the logarithm of the probability of `wanted`, which was `before[wanted]`.

    `said` is the logarithm of how likely each choice is where each of the k is meant.
    """
    return np.asarray(said[:, wanted] - log_sum(before + said))


def posterior(
    said: Float[np.ndarray, "12 k"], heard: Float[np.ndarray, " 12"], evidence: float
) -> Float[np.ndarray, " k"]:
    """Logarithm of the probability of each of k that were alike before, after these weights of pitch classes.

    Neighbouring notes are not independent: together they weigh `evidence` at most.
    """
    logits = (heard * min(1.0, evidence / max(heard.sum(), 1e-9))) @ said
    return np.asarray(logits - log_sum(logits))


def log_sum(logits: Float[np.ndarray, "*b k"]) -> Float[np.ndarray, "*b"]:
    """Logarithm of the sum of the exponentials along the last axis."""
    top = logits.max(axis=-1, keepdims=True)
    return np.asarray(np.log(np.exp(logits - top).sum(axis=-1)) + top[..., 0])
