"""What is no music: limits beyond which a piece is left out of a corpus, each refusal with its reason.

The defaults refuse only what is certain: a single note, a moment, silence with a blip in it, floods of notes from a
broken file. Real collections lose nothing by them (`benchmarks/duplicates.py` prints how much). Times are seconds,
shares 0..1. Drums count as notes; pitches are counted where there are any that are not drums'.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from pydantic import Field, model_validator

from aurl.music.score import Score
from aurl.utils.config import Config


class QualityConfig(Config):
    """Limits; a piece beyond any of them is left out."""

    min_notes: int = Field(2, ge=1)
    """Fewest notes."""
    min_seconds: float = Field(0.25, ge=0)
    """Least time from the first note's beginning to the last one's end."""
    max_seconds: float = Field(4 * 3600.0, gt=0)
    """Longest time from the first note's beginning to the last one's end."""
    min_distinct_pitches: int = Field(1, ge=0)
    """Fewest different pitches of a piece that has pitched notes; drums alone may pass."""
    min_pitched_share: float = Field(0.0, ge=0, le=1)
    """Least share of the notes that are not drums'."""
    max_silence_share: float = Field(0.9, ge=0, le=1)
    """Largest share of the time, after the first note, in which no note sounds."""
    max_polyphony: int = Field(200, ge=1)
    """Most notes that sound at once."""
    max_notes_per_second: float = Field(300.0, gt=0)
    """Most notes a second, on average."""
    max_faults_per_note: float = Field(0.5, ge=0)
    """Most faults that repair found, for each note that the piece still has."""

    @model_validator(mode="after")
    def _leaves_a_length(self) -> QualityConfig:
        if self.min_seconds > self.max_seconds:
            raise ValueError("min_seconds is above max_seconds")
        return self


def refusal(score: Score, config: QualityConfig, faults: int = 0) -> str | None:
    """Why the piece is left out, or None; `faults` is how many repair found in its file."""
    return next(_reasons(score, config, faults), None)


def _reasons(score: Score, config: QualityConfig, faults: int) -> Iterator[str]:
    count = len(score.notes)
    if not count:
        yield "no notes"
    if count < config.min_notes:
        yield f"fewer than {config.min_notes} notes"
    yield from _unlikely_pitches(score, config)
    onset, end = score.tempo_map.ticks_to_seconds(np.stack([score.notes.onset, score.notes.end]))
    seconds = float(end.max() - onset[0])
    if seconds < config.min_seconds:
        yield f"shorter than {config.min_seconds:g} s"
    if seconds > config.max_seconds:
        yield f"longer than {config.max_seconds:g} s"
    if count > config.max_notes_per_second * seconds:
        yield f"more than {config.max_notes_per_second:g} notes a second"
    latest = np.maximum.accumulate(end)
    silence = float(np.maximum(0, onset[1:] - latest[:-1]).sum())
    if silence > config.max_silence_share * seconds:
        yield f"more than {config.max_silence_share:.0%} silence"
    if max_polyphony(score) > config.max_polyphony:
        yield f"more than {config.max_polyphony} notes at once"
    if faults > config.max_faults_per_note * count:
        yield f"more than {config.max_faults_per_note:g} faults a note"


def _unlikely_pitches(score: Score, config: QualityConfig) -> Iterator[str]:
    pitched = score.is_pitched
    if pitched.any() and len(np.unique(score.notes.pitch[pitched])) < config.min_distinct_pitches:
        yield f"fewer than {config.min_distinct_pitches} different pitches"
    if pitched.mean() < config.min_pitched_share:
        yield f"fewer than {config.min_pitched_share:.0%} pitched notes"


def max_polyphony(score: Score) -> int:
    """Most notes that sound at once, drums included; a note that ends where another begins makes room for it."""
    notes = score.notes
    times = np.concatenate([notes.onset, notes.end])
    changes = np.repeat([1, -1], len(notes))
    return int(np.cumsum(changes[np.lexsort((changes, times))]).max(initial=0))
