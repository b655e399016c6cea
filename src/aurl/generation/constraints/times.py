"""Constraints on when notes begin: how many to the bar, in which rhythm, and not the same bars for ever."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field

from aurl.data.tokenizers.note_vocabulary import SLOTS, STEPS_PER_QUARTER, WHAT, WHEN, WHO, NoteLayout
from aurl.generation.constraints.base import CONSTRAINTS, Bias, Lean, Mask, Rule, RuleConfig, checked
from aurl.generation.constraints.tracks import TrackChoice, Tracks
from aurl.generation.hearing import HeardPiece
from aurl.music.score import Score
from aurl.utils.config import Config
from aurl.utils.errors import ConfigError

WINDOW = 4
"""Bars before this one whose notes are counted towards the density."""
FURTHEST = 2.0
"""Bars by which music can be ahead of its density, or behind, before it is pulled no harder."""


class DensityConfig(Config):
    """As many notes to the quarter as asked for, on average."""

    name: Literal["density"] = "density"
    notes: float = Field(gt=0, le=100)
    """Notes a quarter, all tracks together."""
    strength: float = Field(4.0, gt=0, le=100)
    """Taken from (or added to) the logit of skipping a bar, for each bar's worth of notes too few (or too many)."""


@CONSTRAINTS.register(DensityConfig)
class Density(Lean[DensityConfig]):
    """Time goes on sooner where there are more notes than asked for in this bar and the four before, else later."""

    fields = (WHEN,)

    def __init__(self, config: DensityConfig, layout: NoteLayout) -> None:
        super().__init__(config, layout)
        self._steps = np.arange(-1, layout.times, dtype=np.float32)

    def lean(self, piece: HeardPiece, field: int, chosen: Sequence[int]) -> Bias | None:  # noqa: ARG002
        """In proportion to the time that is skipped."""
        if piece.bar < 0 or piece.fill >= 0 or piece.in_future:
            return None
        first = max(0, piece.bar - WINDOW)
        passed = piece.bar - first + piece.time / piece.bar_length
        wanted = self.config.notes * piece.bar_length / STEPS_PER_QUARTER  # in a bar
        ahead = (piece.note_count - piece.notes_before[first]) / wanted - passed
        pull = self.config.strength * min(max(ahead, -FURTHEST), FURTHEST) / piece.bar_length
        bias: Bias = np.minimum(self._steps - np.float32(piece.time), np.float32(piece.bar_length)) * np.float32(pull)
        bias[0] = (piece.bar_length - piece.time) * pull
        return bias

    def score(self, score: Score) -> float:
        """1 for the density asked for, 0 for none and for twice as much or more."""
        if not len(score.notes):
            return 0.0
        bars = int(score.metre_map.ticks_to_bar_beat(score.end_ticks - 1)[0]) + 1
        quarters = int(score.metre_map.bar_to_ticks(bars)) / score.ticks_per_beat
        return max(0.0, 1 - abs(len(score.notes) / quarters / self.config.notes - 1))


def _read_pattern(value: Any) -> Any:
    text = str(value)
    if not re.fullmatch(r"[xX. |]*", text) or not re.search("[xX]", text):
        raise ConfigError("not a rhythm", found=repr(value), hint='write x for notes and . for none, "x..x..x. | x.x."')
    return text


class RhythmConfig(RuleConfig):
    """Notes begin where a pattern has an x."""

    name: Literal["rhythm"] = "rhythm"
    pattern: Annotated[str, BeforeValidator(checked(_read_pattern))]
    """`x..x..x.`: the steps of a bar, of equal length, 16 for sixteenths in 4/4; bars separated by |, then over."""
    tracks: Tracks = ()
    """The tracks that keep to it; all when none are named."""
    every: bool = False
    """Whether one of these tracks strikes each x."""


@CONSTRAINTS.register(RhythmConfig)
class Rhythm(Rule[RhythmConfig]):
    """Notes begin where the pattern has an x."""

    fields = (WHEN, WHO)

    def __init__(self, config: RhythmConfig, layout: NoteLayout) -> None:
        super().__init__(config, layout)
        self.tracks = TrackChoice(config.tracks)
        bars = ["".join(bar.split()).lower() for bar in config.pattern.split("|")]
        self.bars = [[n / len(bar) for n, sign in enumerate(bar) if sign == "x"] for bar in bars if bar]
        self._masks: dict[tuple[int, int], Mask] = {}

    def mask(self, piece: HeardPiece, field: int, chosen: Sequence[int]) -> Mask | None:
        """The times of the pattern; at others, only tracks that do not keep to it."""
        if piece.bar < 0:
            return None
        writing = range(1, len(piece.programs) + 1) if piece.fill < 0 else [piece.fill]
        whos = self.tracks.mask(piece.programs)
        meant = [who for who in writing if whos[who]]
        times = self._times(piece.bar % len(self.bars), piece.bar_length)
        struck = self._next(piece, meant, times) if self.config.every and meant else None
        if field == WHEN:
            mask = times if len(meant) == len(writing) else None
            return mask if struck is None else self._up_to(struck, mask)
        if times[chosen[WHEN]] and struck != chosen[WHEN]:
            return None
        last = max(meant, default=0)
        if times[chosen[WHEN]]:
            return np.arange(SLOTS + 1) <= last
        return ~self.tracks.mask(piece.programs)

    def _next(self, piece: HeardPiece, meant: list[int], times: Mask) -> int | None:
        """The next `when` of the pattern that none of the tracks meant has struck."""
        for when in np.flatnonzero(times).tolist():
            step = piece.bar_start + when - 1
            if when > piece.time and not any(who in piece.parts and piece.parts[who].at(step) for who in meant):
                return int(when)
        return None

    def _up_to(self, when: int, mask: Mask | None) -> Mask:
        """The mask without the bar line and the times after `when`."""
        mask = np.ones(self.sizes[WHEN], np.bool_) if mask is None else mask.copy()
        mask[0] = False
        mask[when + 1 :] = False
        return mask

    def _times(self, bar: int, length: int) -> Mask:
        """By value of `when`."""
        if (bar, length) not in self._masks:
            mask = np.zeros(self.sizes[WHEN], np.bool_)
            mask[[0, *(1 + round(share * length) for share in self.bars[bar])]] = True
            self._masks[bar, length] = mask
        return self._masks[bar, length]

    def score(self, score: Score) -> float:
        """The harmonic mean of the share of notes on the pattern and the share of the pattern that is played."""
        onset = np.unique(score.notes.onset[self.tracks.of_score(score)]).astype(np.int64)
        if not len(onset):
            return 0.0
        metre, tolerance = score.metre_map, score.ticks_per_beat // 24
        last = int(metre.ticks_to_bar_beat(int(onset[-1]))[0])
        starts = metre.bar_to_ticks(np.arange(last + 2))
        wanted = np.array([
            start + share * (end - start)
            for bar, (start, end) in enumerate(pairwise(starts.tolist()))
            for share in self.bars[bar % len(self.bars)]
        ])  # fmt: skip
        if not len(wanted):
            return 0.0
        on_time = _near(onset, wanted, tolerance).mean()
        played = _near(wanted, onset, tolerance).mean()
        return float(2 * on_time * played / max(on_time + played, 1e-9))


def _near(times: NDArray[Any], others: NDArray[Any], tolerance: int) -> NDArray[np.bool_]:
    """Which of `times` have one of `others` (sorted) within the tolerance."""
    at = np.searchsorted(others, times)
    above, below = others[np.minimum(at, len(others) - 1)], others[np.maximum(at - 1, 0)]
    return np.asarray((np.abs(above - times) <= tolerance) | (np.abs(below - times) <= tolerance))


class NoRepeatConfig(Config):
    """No passage is heard over and over."""

    name: Literal["no_repeat"] = "no_repeat"
    times: int = Field(3, ge=1, le=64)
    """How often a passage may be heard in a row."""
    bars: int = Field(4, ge=1, le=16)
    """Length of the longest passage that counts."""
    strength: float = Field(5.0, gt=0, le=100)
    """Taken from the logit of what would go on with one more repeat, in time and in pitch."""


@CONSTRAINTS.register(NoRepeatConfig)
class NoRepeat(Lean[NoRepeatConfig]):
    """What would repeat a passage once too often, note by note, is less likely."""

    fields = (WHEN, WHAT)

    def lean(self, piece: HeardPiece, field: int, chosen: Sequence[int]) -> Bias | None:
        """Against the next value of a bar that has gone so far as in the passage."""
        passage = self._passage(piece)
        if passage is None or piece.fill >= 0:
            return None
        so_far = piece.bars[-1]
        if passage[: len(so_far)] != so_far:
            return None
        following = passage[len(so_far)] if len(passage) > len(so_far) else (0,)
        if field >= len(following) or tuple(chosen) != following[:field]:
            return None
        bias = np.zeros(self.sizes[field], np.float32)
        bias[following[field]] = -self.config.strength
        return bias

    def _passage(self, piece: HeardPiece) -> list[tuple[int, ...]] | None:
        """The bar that would come now, if one passage has been heard often enough."""
        bars, now = piece.bars, piece.bar
        for length in range(1, min(self.config.bars, now // self.config.times) + 1):
            first = now - self.config.times * length
            if all(bars[bar] == bars[bar + length] for bar in range(now - length - 1, first - 1, -1)):
                return bars[now - length]
        return None

    def score(self, score: Score) -> float:
        """The share of bars with which no passage is heard once too often."""
        numbers = _numbered_bars(score)
        repeats = np.zeros(len(numbers), np.bool_)
        for length in range(1, self.config.bars + 1):
            same = np.append(np.zeros(min(length, len(numbers)), np.bool_), numbers[length:] == numbers[:-length])
            at = np.arange(len(numbers))
            run = at - np.maximum.accumulate(np.where(same, -1, at))
            repeats |= run > (self.config.times - 1) * length
        return float(1 - repeats.mean()) if len(numbers) else 1.0


def _numbered_bars(score: Score) -> NDArray[np.int64]:
    """A number for each bar up to the last onset; bars of the same notes have the same."""
    notes = score.notes
    if not len(notes):
        return np.zeros(0, np.int64)
    bar, beat = score.metre_map.ticks_to_bar_beat(notes.onset)
    rows = np.stack([np.rint(beat * score.ticks_per_beat), notes.pitch, notes.track, notes.duration], axis=1)
    ends = np.searchsorted(bar, np.arange(int(bar[-1]) + 2))
    seen: dict[bytes, int] = {}
    contents = (rows[a:b].astype(np.int64).tobytes() for a, b in pairwise(ends.tolist()))
    return np.array([seen.setdefault(content, len(seen)) for content in contents])
