"""Quantisation: notes moved to a grid of the beat, with the feel kept or taken away.

A grid is written as a note value: 16 is sixteenths, 32 thirty-seconds, 12 triplet eighths, 24 triplet sixteenths;
several make a mix. Places are counted from the bar line. Swing is the place of the off-beat eighth in its beat
(0.5 is straight, 2/3 the triplet feel): a swung grid has its even divisions bent so that this eighth falls there.

strict    every onset and end to the nearest point of the grid; again is unchanged.
groove    the grid is bent by the swing of the piece, and each place in the bar keeps the deviation that is systematic
          there (its median, where chance does not explain it); notes go `strength` of the way. Chance goes, feel stays.
adaptive  the grid is chosen for each beat, by the description length of its onsets (after Cemgil, Desain and Kappen
          2000, "Rhythm quantization for transcription"): squared error, plus the choices a grid has, plus how rare it
          is in the piece; bent by the swing of the piece.

Notes of a track that follow each other but would land together (a grace note, a fast trill) keep their distances.
Controls and bends go with the notes around them, words and labels to the grid; tempos, metres and keys stay.
It follows the beat that a file has: a performance recorded without one needs its beats found first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from aurl.data.preprocessing.base import transform
from aurl.data.preprocessing.ornaments import keep_ornaments
from aurl.music.score import Score
from aurl.utils.config import Config

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
STRAIGHT = 0.5
SWINGS = np.arange(0.54, 0.76, 0.005)
"""Places of the off-beat eighth that are looked for; up to a dotted rhythm."""
SWING_GAIN = 0.75
"""Swing is assumed where it leaves less than this share of the straight grid's error."""
HEARD_NOTES = 2000
"""Off-beat notes from which swing is found."""
FEWEST_NOTES = 8
"""Notes at one place of the bar from which a deviation counts as systematic."""


class QuantiseConfig(Config):
    """Moves notes to the grid."""

    name: Literal["quantise"] = "quantise"
    grid: Annotated[tuple[Literal[4, 8, 12, 16, 24, 32, 48, 64], ...], Field(min_length=1)] = (16, 12)
    """Note values: 16 sixteenths, 32 thirty-seconds, 12 triplet eighths, 24 triplet sixteenths; one or several."""
    mode: Literal["strict", "groove", "adaptive"] = "strict"
    """strict: the nearest point; groove: swing and systematic deviations stay; adaptive: a grid for each beat."""
    strength: float = Field(1.0, ge=0, le=1)
    """How far notes go to their place: 1 all the way; in strict mode too."""

    @field_validator("grid", mode="before")
    @classmethod
    def _of_one(cls, value: Any) -> Any:
        return (value,) if isinstance(value, int) else value


class Beats(NamedTuple):
    """Events by the beat they fall in."""

    start: Ints
    """Tick at which the beat begins."""
    place: Ints
    """Ticks since then."""
    in_bar: Ints
    """Number of the beat in its bar."""
    room: Ints
    """Ticks from the beginning of the beat to the next bar line, which is always a point of the grid."""


@transform(QuantiseConfig)
def quantise(score: Score, config: QuantiseConfig) -> Score:
    """`score` with its notes on the grid."""
    if not len(score.notes):
        return score
    snap = Snapper(score, config)
    onset, end = score.notes.onset.astype(np.int64), score.notes.end.astype(np.int64)
    target = snap(onset)
    onset_moved, ornamental = keep_ornaments(score.notes, target, snap.reach(target))
    ends = np.maximum(snap(end), snap.next_point(onset_moved))
    ends = np.where(ornamental > 0, np.minimum(onset_moved + ornamental, np.maximum(ends, onset_moved + 1)), ends)
    onset_moved = onset + np.rint(config.strength * (onset_moved - onset)).astype(np.int64)
    ends = end + np.rint(config.strength * (ends - end)).astype(np.int64)
    notes = replace(score.notes, onset=onset_moved, duration=np.maximum(ends - onset_moved, 1))
    follow = _Following(onset, onset_moved)
    return score.replace(
        notes=notes,
        controls=replace(score.controls, time=follow(score.controls.time)),
        pitch_bends=replace(score.pitch_bends, time=follow(score.pitch_bends.time)),
        texts=replace(score.texts, time=snap(score.texts.time.astype(np.int64))),
    )


class Snapper:
    """Where the grid of a piece has its points; built from its onsets."""

    def __init__(self, score: Score, config: QuantiseConfig) -> None:
        self._score, self._beat = score, score.ticks_per_beat
        beats = self._locate(score.notes.onset.astype(np.int64))
        swing = STRAIGHT if config.mode == "strict" else find_swing(beats.place / self._beat, config.grid)
        grids = [np.rint(places * self._beat).astype(np.int64) for places in grid_places(config.grid, swing)]
        self._points = np.unique(np.concatenate(grids))
        self._grids = grids if config.mode == "adaptive" else [self._points]
        self._choice, self._usual = choose_grids(beats, self._grids, self._beat)
        self._deviations = self._systematic(beats) if config.mode == "groove" else {}

    def __call__(self, ticks: Ints) -> Ints:
        """The point of the grid for each tick."""
        beats = self._locate(ticks)
        choices = np.array([self._choice.get(start, self._usual) for start in beats.start.tolist()], np.int64)
        points = np.zeros(len(ticks), np.int64)
        for number, grid in enumerate(self._grids):
            points[choices == number] = _nearest(grid, beats.place[choices == number])
        snapped = beats.start + np.minimum(points, beats.room)
        if self._deviations:
            keys = self._keys(snapped).tolist()
            snapped += np.array([self._deviations.get(key, 0) for key in keys], np.int64)
        return np.asarray(np.maximum(snapped, 0))

    def reach(self, points: Ints) -> Ints:
        """How far from points of the grid, in ticks, everything is nearer to them than to any other point."""
        before = self._locate(np.maximum(points - 1, 0))
        previous = before.start + self._points[np.searchsorted(self._points, before.place, side="right") - 1]
        gap = self.next_point(points) - points
        return (np.where(points > 0, np.minimum(gap, points - previous), gap) - 1) // 2

    def next_point(self, ticks: Ints) -> Ints:
        """The first point after each tick, of all grids: the earliest a note may end."""
        beats = self._locate(ticks)
        following = self._points[np.searchsorted(self._points, beats.place, side="right")]
        return beats.start + np.minimum(following, beats.room)

    def _locate(self, ticks: Ints) -> Beats:
        metre = self._score.metre_map
        bars, _ = metre.ticks_to_bar_beat(ticks)
        bar_start = metre.bar_to_ticks(bars)
        in_bar, place = np.divmod(ticks - bar_start, self._beat)
        return Beats(ticks - place, place, in_bar, metre.bar_to_ticks(bars + 1) - (ticks - place))

    def _keys(self, points: Ints) -> Ints:
        """A number for the place of points in their bar."""
        beats = self._locate(points)
        return beats.in_bar * self._beat + beats.place

    def _systematic(self, beats: Beats) -> dict[int, int]:
        """Median deviation of the onsets at each place of the bar where there are enough of them."""
        points = np.minimum(_nearest(self._points, beats.place), beats.room)
        keys, which = np.unique(self._keys(beats.start + points), return_inverse=True)
        error = beats.place - points
        groups = [error[which == number] for number in range(len(keys))]
        return {int(key): shift for key, group in zip(keys, groups, strict=True) if (shift := _systematic_shift(group))}


def _systematic_shift(errors: Ints) -> int:
    """The median of the errors at one place, or 0 where chance explains it: within three of its standard errors."""
    if len(errors) < FEWEST_NOTES:
        return 0
    median, standard_error = float(np.median(errors)), 1.2533 * float(errors.std()) / len(errors) ** 0.5
    return round(median) if abs(median) > 3 * standard_error else 0


def grid_places(values: Sequence[int], swing: float) -> list[Floats]:
    """Each grid's places in one beat, 0 to 1; even divisions are bent by the swing, triplets are not."""
    straight = [np.linspace(0, 1, value // 4 + 1) for value in values]
    bent = [np.interp(places, [0, 0.5, 1], [0, swing, 1]) for places in straight]
    return [straight[n] if value % 3 == 0 else bent[n] for n, value in enumerate(values)]


def find_swing(places: Floats, values: Sequence[int]) -> float:
    """The place of the off-beat eighth at which the grids fit onsets (shares of a beat) best; 0.5 unless clearly other.

    Grids with triplets explain the triplet feel by themselves.
    """
    off_beat = places[(places > 0.2) & (places < 0.9)]
    off_beat = off_beat[:: max(1, len(off_beat) // HEARD_NOTES)]
    if len(off_beat) < FEWEST_NOTES:
        return STRAIGHT
    errors = [_error(off_beat, np.concatenate(grid_places(values, swing))) for swing in SWINGS]
    best = int(np.argmin(errors))
    near = np.abs(off_beat - SWINGS[best]) < 0.06  # the eighth itself, of which swing is the median place
    is_clear = errors[best] < SWING_GAIN * _error(off_beat, np.concatenate(grid_places(values, STRAIGHT)))
    return float(np.median(off_beat[near])) if is_clear and near.sum() >= len(off_beat) / 4 else STRAIGHT


def _error(places: Floats, grid: Floats) -> float:
    """Mean distance to the nearest point."""
    return float(np.abs(places[:, None] - grid).min(axis=1).mean())


def choose_grids(beats: Beats, grids: list[Ints], ticks_per_beat: int) -> tuple[dict[int, int], int]:
    """The number of the grid that describes each beat best, by the tick at which it begins; and the usual one."""
    starts, which = np.unique(beats.start, return_inverse=True)
    errors = np.array([(beats.place - _nearest(grid, beats.place)) / ticks_per_beat for grid in grids])
    spread = max(0.01, 1.4826 * float(np.median(np.abs(errors).min(axis=0))))
    costs = errors**2 / (2 * spread**2) + np.log([len(grid) - 1 for grid in grids])[:, None]
    totals = np.array([np.bincount(which, weights=cost, minlength=len(starts)) for cost in costs])
    share = (np.bincount(totals.argmin(axis=0), minlength=len(grids)) + 1) / (len(starts) + len(grids))
    choice = (totals - np.log(share)[:, None]).argmin(axis=0)
    return dict(zip(starts.tolist(), choice.tolist(), strict=True)), int(share.argmax())


class _Following:
    """Moves what lies between notes as the notes around it were moved, keeping the order."""

    def __init__(self, before: Ints, after: Ints) -> None:
        self._before, first = np.unique(before, return_index=True)
        self._after = np.maximum.accumulate(after[first])

    def __call__(self, ticks: NDArray[Any]) -> Ints:
        shift = np.interp(ticks, self._before, self._after - self._before)
        return np.asarray(np.maximum(0, np.rint(ticks + shift)), np.int64)


def _nearest(points: Ints, places: Ints) -> Ints:
    """The nearest of ascending `points` to each place; the earlier of two as near."""
    right = np.clip(np.searchsorted(points, places), 1, len(points) - 1)
    left = points[right - 1]
    return np.asarray(np.where(places - left <= points[right] - places, left, points[right]))
