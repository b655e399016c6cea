"""What a model is reminded of when its window slides: how the section that it is writing went before."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from aurl.data.tokenizers.note_vocabulary import WHAT, NoteLayout, is_within


def theme(rows: NDArray[Any], at: int, most: int, layout: NoteLayout) -> NDArray[Any]:
    """Bars `[k, f]` of an earlier section that has the name of the last one in `rows`, `most` rows of them.

    They begin at the bar that corresponds to the one that comes next, a bar earlier if there is one, so that the model
    sees where it is; none from row `at` on, which it sees anyway. Of several sections the first is the theme.
    """
    what = rows[:, WHAT]
    sections = np.flatnonzero(is_within(what, *layout.span("section")))
    bars = np.flatnonzero(what == layout.first["bar"])
    if not len(sections) or not len(bars):
        return rows[:0]
    number = np.searchsorted(bars, sections, side="right") - 1  # the bar of each section
    alike = np.flatnonzero(what[sections] == what[sections[-1]])
    first, last = alike[0], len(sections) - 1
    if first == last:
        return rows[:0]
    played = len(bars) - 1 - number[last]
    begin = number[first] + max(0, played - 1)
    stop = min(number[first + 1], int(np.searchsorted(bars, at, side="right")) - 1)
    ends = np.append(bars, len(rows))
    fitting = int(np.searchsorted(ends, ends[min(begin, len(ends) - 1)] + most, side="right")) - 1
    stop = min(stop, fitting)
    return rows[bars[begin] : ends[stop]] if begin < stop else rows[:0]
