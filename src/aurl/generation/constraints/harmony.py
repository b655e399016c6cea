"""Music says its chords: notes lean to the chord asked for where what was heard of it suggests another.

A bass that began with the third is followed by the root; where the chord is plain, passing notes are as free as the
model likes them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import cache
from typing import Literal

import numpy as np
from jaxtyping import Float
from pydantic import Field

from aurl.data.tokenizers.note_vocabulary import STEPS_PER_QUARTER, WHEN, WHO, NoteLayout
from aurl.generation.constraints.base import CONSTRAINTS, Bias
from aurl.generation.constraints.bayes import Recogniser, likelier, posterior
from aurl.generation.constraints.pitches import Key
from aurl.generation.hearing import HeardPiece
from aurl.generation.progressions import Progression
from aurl.music.chords import INTERVALS, Chord
from aurl.music.score import Score
from aurl.utils.config import Config

TONES = (0.34, 0.26, 0.18, 0.12)
"""Weights of root, third, fifth and seventh among the tones of a chord."""
OTHERS = 0.1
"""Share of the notes under a chord that are not of it."""
EVIDENCE = 4.0
"""Quarters of sound that the notes under a chord weigh at most."""


class HarmonyConfig(Config):
    """The chords are those that are heard."""

    name: Literal["harmony"] = "harmony"
    progression: str
    """Symbols ("Am F C G"), Roman numerals in `key`, or a lead sheet's file; begins again until the piece ends."""
    key: Key = None
    """Of Roman numerals."""
    strength: float = Field(1.0, gt=0, le=100)
    """What the logarithm of the probability of the chord is multiplied by."""


@CONSTRAINTS.register(HarmonyConfig)
class Harmony(Recogniser[HarmonyConfig]):
    """What makes the chord likelier, beside all major and minor triads, is likelier."""

    def __init__(self, config: HarmonyConfig, layout: NoteLayout) -> None:
        super().__init__(config, layout)
        self.progression = Progression.read(config.progression, config.key)

    def lean(self, piece: HeardPiece, field: int, chosen: Sequence[int]) -> Bias | None:  # noqa: ARG002
        """By how much each pitch makes the chord likelier, after the notes that have begun under it in this bar."""
        when, who = chosen[WHEN], chosen[WHO]
        if not when or not who or piece.bar < 0 or piece.in_future or piece.is_drum(who):
            return None
        begins, chord = self.progression.at(piece.bar, when - 1, piece.bar_length)
        if chord.root is None:
            return None
        sounded = self._sounded(piece, (row for row in piece.bars[-1] if row[WHEN] > begins))
        said = log_shares(chord)
        found = likelier(said, 0, posterior(said, sounded, EVIDENCE))
        return self._biased("pitch", found[self._classes]) * self.config.strength

    def score(self, score: Score) -> float:
        """The probability of the chords by the notes that begin under each, on average of those that have notes."""
        notes, metre = score.notes.take(score.is_pitched), score.metre_map
        bars, beats = metre.ticks_to_bar_beat(notes.onset)
        starts = metre.bar_to_ticks(np.arange(int(bars.max(initial=-1)) + 2))
        lengths = (np.diff(starts) * STEPS_PER_QUARTER // score.ticks_per_beat).tolist()
        steps = np.rint(beats * STEPS_PER_QUARTER).astype(np.int64).tolist()
        heard: dict[tuple[int, int, Chord], Float[np.ndarray, " 12"]] = defaultdict(lambda: np.zeros(12))
        rows = zip(bars.tolist(), steps, notes.pitch.tolist(), notes.duration.tolist(), strict=True)
        for bar, step, pitch, duration in rows:
            heard[bar, *self.progression.at(bar, step, lengths[bar])][pitch % 12] += duration / score.ticks_per_beat
        told = [(log_shares(chord), sounded) for (_, _, chord), sounded in heard.items() if chord.root is not None]
        found = [np.exp(posterior(said, sounded, EVIDENCE)[0]) for said, sounded in told]
        return float(np.mean(found)) if found else 1.0


@cache
def log_shares(chord: Chord) -> Float[np.ndarray, "12 c"]:
    """Logarithm of the share of each pitch class under the chord, and under each major and minor triad but itself."""
    plain = Chord(chord.root, chord.quality)
    triads = (Chord(root, quality) for root in range(12) for quality in ("maj", "min"))
    shares = [_shares(one) for one in (plain, *(triad for triad in triads if triad != plain))]
    return np.asarray(np.log(np.stack(shares, axis=1)))


def _shares(chord: Chord) -> Float[np.ndarray, " 12"]:
    tones = [((chord.root or 0) + interval) % 12 for interval in INTERVALS[chord.quality]]
    weights = np.array(TONES[: len(tones)])
    shares = np.full(12, OTHERS / (12 - len(tones)))
    shares[tones] = (1 - OTHERS) * weights / weights.sum()
    return shares
