"""Music stays in its key: notes and chords lean to the key asked for where what was heard suggests another.

What is added is the logarithm of p(key | notes heard and this one) by a naive Bayes model of keys: classifier guidance
(Dhariwal and Nichol 2021, eq. 2) with the simplest classifier there is. Music that is plainly in its key is left alone;
music that drifts to the relative key is led back by the notes that tell the two apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Literal

import numpy as np
from jaxtyping import Float
from pydantic import Field

from aurl.data.tokenizers.note_vocabulary import CHORDS, KEYS, STEPS_PER_QUARTER, WHAT, WHEN, WHO, NoteLayout
from aurl.generation.constraints.base import CONSTRAINTS, Bias, Lean
from aurl.generation.constraints.pitches import Key
from aurl.generation.hearing import HeardPiece
from aurl.music.chords import Chord
from aurl.music.score import Score
from aurl.music.theory import parse_key
from aurl.utils.config import Config

MAJOR = (0.238, 0.006, 0.111, 0.006, 0.137, 0.094, 0.016, 0.214, 0.009, 0.080, 0.008, 0.081)
MINOR = (0.220, 0.006, 0.104, 0.123, 0.019, 0.103, 0.012, 0.214, 0.062, 0.022, 0.061, 0.052)
"""Share of each pitch class, from the tonic, in music of a key (Albrecht and Shanahan 2013, table 2)."""
HEARD = 8
"""Bars, this one among them, by which the key is heard."""
EVIDENCE = 24.0
"""Independent notes that those of a passage count as at most; by themselves a note counts by its length in quarters."""


class TonalityConfig(Config):
    """The key is the one that is heard."""

    name: Literal["tonality"] = "tonality"
    key: Key = None
    """Tonic and mode, like "D minor"; when not given, the key that the piece itself tells, where it tells one."""
    strength: float = Field(1.0, gt=0, le=100)
    """What the logarithm of the probability of the key is multiplied by."""


@CONSTRAINTS.register(TonalityConfig)
class Tonality(Lean[TonalityConfig]):
    """What makes the key likelier is likelier."""

    fields = (WHAT,)

    def __init__(self, config: TonalityConfig, layout: NoteLayout) -> None:
        super().__init__(config, layout)
        self._key = None if config.key is None else number_of(config.key)
        chords = [Chord.parse(symbol).pitch_classes for symbol in CHORDS]
        members = np.array([np.isin(np.arange(12), list(chord)) for chord in chords], np.float64)
        self._notes, self._chords = log_shares().T, members @ log_shares().T
        self._quarters = [0.0, *(layout.durations / STEPS_PER_QUARTER).tolist()]
        self._classes = np.arange(layout.end["pitch"] - layout.first["pitch"]) % 12

    def lean(self, piece: HeardPiece, field: int, chosen: Sequence[int]) -> Bias | None:  # noqa: ARG002
        """By how much each value makes the key likelier."""
        key = self._key if self._key is not None else piece.keys.at(piece.bar_start + chosen[WHEN] - 1)
        who = chosen[WHO]
        if key < 0 or not chosen[WHEN] or piece.in_future or piece.is_drum(who):
            return None
        kind, says = ("pitch", self._notes) if who else ("chord", self._chords)
        likelier = says[:, key] - log_sum(posterior(self._heard(piece)) + says)
        bias = np.zeros(self.sizes[WHAT], np.float32)
        bias[slice(*self.layout.span(kind))] = self.config.strength * (likelier[self._classes] if who else likelier)
        return bias

    def _heard(self, piece: HeardPiece) -> Float[np.ndarray, " 12"]:
        """How long each pitch class has sounded lately, in quarters."""
        first, drums = self.layout.first["pitch"], [who for who in piece.parts if piece.is_drum(who)]
        heard = np.zeros(12)
        for _, who, what, how_long in (row for bar in piece.bars[-HEARD:] for row in bar):
            if who not in drums:
                heard[(what - first) % 12] += self._quarters[how_long]
        return heard

    def score(self, score: Score) -> float:
        """The probability of the key by all notes, weighted by how long they last; of the first key told, if any."""
        notes, labels = score.notes.take(score.is_pitched), score.texts.of("key")
        key = self._key if self._key is not None else number_of(labels.text[0]) if len(labels) else None
        if key is None or not len(notes):
            return 1.0
        weights = np.bincount(notes.pitch % 12, weights=notes.duration, minlength=12)
        return float(np.exp(posterior(weights)[key]))


def number_of(key: str) -> int:
    """The place of a key in KEYS."""
    tonic, is_minor = parse_key(key)
    return tonic + 12 * is_minor


@cache
def log_shares() -> Float[np.ndarray, "24 12"]:
    """Logarithm of the share of each pitch class in music of each of KEYS."""
    shares = np.array([np.roll((MAJOR, MINOR)[number // 12], number % 12) for number in range(len(KEYS))])
    return np.asarray(np.log(shares / shares.sum(axis=1, keepdims=True)))


def posterior(heard: Float[np.ndarray, " 12"]) -> Float[np.ndarray, " 24"]:
    """Logarithm of the probability of each key after these weights of pitch classes, all alike before."""
    logits = log_shares() @ (heard * min(1.0, EVIDENCE / max(heard.sum(), 1e-9)))
    return np.asarray(logits - log_sum(logits))


def log_sum(logits: Float[np.ndarray, "*b k"]) -> Float[np.ndarray, "*b"]:
    """Logarithm of the sum of the exponentials along the last axis."""
    top = logits.max(axis=-1, keepdims=True)
    return np.asarray(np.log(np.exp(logits - top).sum(axis=-1)) + top[..., 0])
