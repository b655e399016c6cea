"""Bars in which nothing sounds taken out: before the music, in long gaps, after it."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from aurl.data.preprocessing.base import transform
from aurl.music.score import Score, Table, Texts
from aurl.music.transforms import retime
from aurl.utils.config import Config

Ints = NDArray[np.int64]
STATES = ("tempos", "time_signatures", "key_signatures")
"""Tables of which a row holds until the next one."""
LABELS = ("chord", "key", "section")


class TrimSilenceConfig(Config):
    """Takes out whole silent bars, so that what is left keeps its place in the bar."""

    name: Literal["trim_silence"] = "trim_silence"
    gap_bars: int = Field(1, ge=0)
    """Silent bars that stay of a gap between notes."""


@transform(TrimSilenceConfig)
def trim_silence(score: Score, config: TrimSilenceConfig) -> Score:
    """`score` from the bar of its first note to the end of its last, longer gaps cut to `gap_bars` silent bars.

    What happens in a bar taken out happens where it was; of tempos, metres, keys and labels only the last stays.
    What comes after the last note is left out, but for controls, which move to its end.
    """
    if not len(score.notes):
        return score
    starts, stops = _silent_bars(score, config.gap_bars)
    end = score.end_ticks
    removed = np.cumsum(stops - starts)

    def moved(ticks: Ints) -> Ints:
        cuts = np.searchsorted(stops, np.minimum(ticks, end), side="right")
        before = np.concatenate([[0], removed])[cuts]
        inside = np.append(starts, end)[cuts]
        return np.asarray(np.minimum(np.minimum(ticks, end), inside) - before)

    kept = {name: _until(getattr(score, name), end) for name in (*STATES, "texts")}
    result = retime(score.replace(**kept), moved)
    return result.replace(**{name: _in_force(getattr(result, name)) for name in (*STATES, "texts")})


def _silent_bars(score: Score, gap_bars: int) -> tuple[Ints, Ints]:
    """First and last tick of each run of bars to take out."""
    notes, metre = score.notes, score.metre_map
    quiet_from = np.maximum.accumulate(np.append(0, notes.end[:-1].astype(np.int64)))
    bars, _ = metre.ticks_to_bar_beat(quiet_from)
    first = bars + (metre.bar_to_ticks(bars) < quiet_from)
    first[1:] += gap_bars
    last, _ = metre.ticks_to_bar_beat(notes.onset)
    long = first < last
    return metre.bar_to_ticks(first[long]), metre.bar_to_ticks(last[long])


def _until(table: Table, end: int) -> Table:
    return table.take(table.time <= end)  # type: ignore[attr-defined]  # all but notes have a time


def _in_force(table: Table) -> Table:
    """Rows without those that a later one of the same kind and tick replaces; words are all kept."""
    last: dict[tuple[object, ...], int] = {}
    for row, time in enumerate(table.time.tolist()):  # type: ignore[attr-defined]
        kind = table.kind[row] if isinstance(table, Texts) else "state"
        key = (time, kind) if kind in (*LABELS, "state") else (time, kind, row)
        last[key] = row
    return table.take(np.array(sorted(last.values()), np.int64))
