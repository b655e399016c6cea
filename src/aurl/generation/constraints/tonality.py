"""Music stays in its key: notes and chord names lean to the key asked for where what was heard suggests another.

Music that is plainly in its key is left alone; music that drifts to the relative key is led back by the notes that tell
the two apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Literal

import numpy as np
from jaxtyping import Float
from pydantic import Field

from aurl.data.tokenizers.note_vocabulary import CHORDS, KEYS, WHEN, WHO, NoteLayout
from aurl.generation.constraints.base import CONSTRAINTS, Bias
from aurl.generation.constraints.bayes import Recogniser, likelier, posterior
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
"""Quarters of sound that a passage weighs at most."""


class TonalityConfig(Config):
    """The key is the one that is heard."""

    name: Literal["tonality"] = "tonality"
    key: Key = None
    """Tonic and mode, like "D minor"; when not given, the key that the piece itself tells, where it tells one."""
    strength: float = Field(1.0, gt=0, le=100)
    """What the logarithm of the probability of the key is multiplied by."""


@CONSTRAINTS.register(TonalityConfig)
class Tonality(Recogniser[TonalityConfig]):
    """What makes the key likelier is likelier."""

    def __init__(self, config: TonalityConfig, layout: NoteLayout) -> None:
        super().__init__(config, layout)
        self._key = None if config.key is None else number_of(config.key)
        chords = [Chord.parse(symbol).pitch_classes for symbol in CHORDS]
        self._chords = np.array([np.isin(np.arange(12), list(chord)) for chord in chords], np.float64) @ log_shares()

    def lean(self, piece: HeardPiece, field: int, chosen: Sequence[int]) -> Bias | None:  # noqa: ARG002
        """By how much each pitch, or each chord's name, makes the key likelier."""
        when, who = chosen[WHEN], chosen[WHO]
        key = self._key if self._key is not None else piece.keys.at(piece.bar_start + when - 1)
        if key < 0 or not when or piece.in_future or piece.is_drum(who):
            return None
        sounded = self._sounded(piece, (row for bar in piece.bars[-HEARD:] for row in bar))
        found = likelier(log_shares() if who else self._chords, key, posterior(log_shares(), sounded, EVIDENCE))
        return self._biased(*(("pitch", found[self._classes]) if who else ("chord", found))) * self.config.strength

    def score(self, score: Score) -> float:
        """The probability of the key by all notes, weighted by how long they last; of the first key told, if any."""
        notes, labels = score.notes.take(score.is_pitched), score.texts.of("key")
        key = self._key if self._key is not None else number_of(labels.text[0]) if len(labels) else None
        if key is None or not len(notes):
            return 1.0
        weights = np.bincount(notes.pitch % 12, weights=notes.duration, minlength=12) / score.ticks_per_beat
        return float(np.exp(posterior(log_shares(), weights, EVIDENCE)[key]))


def number_of(key: str) -> int:
    """The place of a key in KEYS."""
    tonic, is_minor = parse_key(key)
    return tonic + 12 * is_minor


@cache
def log_shares() -> Float[np.ndarray, "12 24"]:
    """Logarithm of the share of each pitch class in music of each of KEYS."""
    shares = np.array([np.roll((MAJOR, MINOR)[number // 12], number % 12) for number in range(len(KEYS))]).T
    return np.asarray(np.log(shares / shares.sum(axis=0)))
