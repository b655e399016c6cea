"""Bars that begin where the music's do: files often start anywhere in a bar and say 4/4 all the same."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from aurl.data.preprocessing.base import transform
from aurl.data.preprocessing.silence import STATES
from aurl.music.score import Score, Table, Texts
from aurl.music.transforms import retime
from aurl.utils.config import Config

Ints = NDArray[np.int64]
PLACES_A_QUARTER = 24
"""Places in a bar that are told apart."""
NEAR = 12
"""Places that phrases, as they are labelled, may begin before or after a change of harmony."""
FEWEST = 8
"""Labelled chords, below which they do not tell where bars begin."""


class AlignBarsConfig(Config):
    """Moves music of one metre later, by less than a bar, so that bars begin where labelled phrases and chords do."""

    name: Literal["align_bars"] = "align_bars"
    by: Literal["phrases", "chords"] = "chords"
    """phrases: only music whose sections are labelled; chords: also music whose chords are."""


@transform(AlignBarsConfig)
def align_bars(score: Score, config: AlignBarsConfig) -> Score:
    """`score` with the place where its chords change most often, near its phrases' beginnings, as first of the bar.

    Harmonies change on strong beats (Temperley 2001, The cognition of basic musical structures, chapter 2). What holds
    from the start (tempo, metre, key) still does; music without labels, or in several metres, stays as it is.
    """
    delay = _delay(score, config.by)
    if not delay:
        return score
    moved = retime(score, lambda ticks: ticks + delay)
    states = {name: _from_start(getattr(moved, name), delay) for name in STATES}
    return moved.replace(**states)


def _delay(score: Score, by: str) -> int:
    """Ticks by which the music has to come later; 0 where nothing tells."""
    phrases, chords = (_labelled(score.texts, kind) for kind in ("section", "chord"))
    is_told = len(phrases) or (by == "chords" and len(chords) >= FEWEST)
    if not is_told or (score.time_signatures.time > 0).any():
        return 0
    bar, place = int(score.metre_map.bar_to_ticks(1)), score.ticks_per_beat / PLACES_A_QUARTER
    places = max(round(bar / place), 1)
    begins, often = (
        np.bincount(np.rint(times % bar / place).astype(np.int64) % places, minlength=places)
        for times in (phrases, chords)
    )
    if len(phrases):
        away = np.abs((np.arange(places) - begins.argmax() + places // 2) % places - places // 2)
        often = np.where((away <= NEAR) & (often > 0), often, -away)  # without a chord near, where phrases begin
    return round((places - int(often.argmax())) % places * place)


def _labelled(texts: Texts, kind: str) -> Ints:
    """Where labels of a kind begin, but for one at the very start, which says what is there and not where it began."""
    times = texts.time[(texts.kind == kind) & (texts.time > 0)]
    return np.asarray(times, np.int64)


def _from_start(table: Table, delay: int) -> Table:
    """The rows that were at tick 0 there again."""
    time = table.time  # type: ignore[attr-defined]  # all but notes have a time
    return table.replace(time=np.where(time == delay, 0, time))
