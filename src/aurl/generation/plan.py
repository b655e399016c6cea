"""What of a piece is given before it is written: its prefix, rows of its bars, the order in which bars are written.

A plan is one for all pieces of a request; a `Cursor` goes through it, a piece each. Wherever the model has chosen a
row, the cursor says which rows are written: the chosen one, or given ones whose turn has come. Rows are `note` rows on
the metrical clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aurl.data.tokenizers.note_tasks import LABELS, row_of
from aurl.data.tokenizers.note_vocabulary import HOW_LONG, WHAT, WHEN, WHO, NoteLayout, is_within

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class BarPlan:
    """What is given of a bar."""

    opening: Rows
    """Written at once, from the `bar` row (or the `future` before it) to the last before the model's first."""
    given: tuple[Rows, ...] = ()
    """Single rows `[1, f]` in order of (when, who, what); each is written when the model goes past its place."""
    parts: tuple[Rows, ...] = ()
    """`fill` rows; each is written when the model has nothing more to say in the part before."""


@dataclass(frozen=True)
class Plan:
    """What is given of a piece. Bars count from 0, the prompt's included."""

    prefix: Mapping[str, Rows] = field(default_factory=dict)
    """Row `[1, f]` of each kind of the prefix that is given."""
    programs: Rows | None = None
    """Rows that declare all tracks, where they are given."""
    bars: Mapping[int, BarPlan] = field(default_factory=dict)
    """Of the bars of which anything is given."""
    stop: int | None = None
    """The piece ends before this bar; every bar up to it begins when the model has left the one before."""
    masks: Mapping[int, NDArray[np.bool_]] = field(default_factory=dict)
    """Values `[v]` of a field that the model may choose, where anything else is given or locked."""


class Cursor:
    """Where one piece is in its plan."""

    def __init__(self, plan: Plan, layout: NoteLayout, prompt: NDArray[Any]) -> None:
        """`prompt` is what the piece begins with: rows of a piece, or the opening of the plan's first bar."""
        self.plan, self.layout = plan, layout
        self._kinds = {kind: layout.span(kind) for kind in layout.prefix}
        self._bar = layout.span("bar")
        self._has_labels = WHO in plan.masks
        self.is_over = False
        self.recalls = False
        """Whether a section that there was before has begun since this was last set to False."""
        self._timed = np.arange(layout.vocabulary.sizes[WHEN]) > 0
        self._sections: frozenset[int] = frozenset()
        self._given: list[Rows] = []
        self._parts: list[Rows] = []
        if plan.stop is not None:
            self._begin(0)
        else:
            self.bar = int(is_within(prompt[:, WHAT], *self._bar).sum()) - 1
        """Number of the current bar, -1 before the first; where all bars are planned, of those that are written."""
        self._is_silent = self.bar < 0

    def __copy__(self) -> Cursor:
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__, _given=self._given.copy(), _parts=self._parts.copy())
        return twin

    def mask(self, field: int) -> NDArray[np.bool_] | None:
        """What the model may choose, None for anything; a piece from nothing has notes in its first bar."""
        is_opening = field == WHEN and self._is_silent and self.bar == 0
        return self._timed if is_opening else self.plan.masks.get(field)

    def settle(self, row: Rows) -> Rows:
        """The rows `[k, f]` that are written where the model chose `row` `[1, f]`."""
        is_timed = row[0, WHEN] > 0
        if is_timed and (row[0, WHO] > LABELS or not self._has_labels):
            if self._given and _place(row) >= _place(self._given[0]):
                return self._noted(self._given.pop(0))
            self._is_silent &= row[0, WHO] == LABELS
            return row
        if self._given:
            rest, self._given = self._given, []
            return np.concatenate([self._noted(given) for given in rest])
        if self._parts:
            return self._parts.pop(0)
        if self.plan.stop is not None or is_timed or is_within(row[:, WHAT], *self._bar).any():
            return self._next_bar(row)  # a label where labels are given says that there is nothing else to say
        return self._settle_prefix(row) if self.bar < 0 else row

    def _noted(self, row: Rows) -> Rows:
        """The given row, after a look whether it begins a section that there was before."""
        if is_within(row[:, WHAT], *self.layout.span("section")).any():
            what = int(row[0, WHAT])
            self.recalls |= what in self._sections
            self._sections |= {what}
        return row

    def _settle_prefix(self, row: Rows) -> Rows:
        """What is given of the prefix in place of what was chosen; after its last row the tracks, if given."""
        kind = next((kind for kind, span in self._kinds.items() if is_within(row[:, WHAT], *span).any()), "")
        row = self.plan.prefix.get(kind, row)
        if kind != self.layout.prefix[-1] or self.plan.programs is None:
            return row
        opened = [self._next_bar(row)] if self.layout.is_metrical else []
        return np.concatenate([row, self.plan.programs, *opened])

    def _begin(self, bar: int) -> None:
        self.bar = bar
        planned = self.plan.bars.get(bar)
        self._given, self._parts = (list(planned.given), list(planned.parts)) if planned else ([], [])

    def _next_bar(self, row: Rows) -> Rows:
        self._begin(self.bar + 1)
        if self.bar == self.plan.stop:
            self.is_over = True
            return row[:0]
        planned = self.plan.bars.get(self.bar)
        return row_of("bar", 0, self.layout) if planned is None else planned.opening


def _place(row: Rows) -> tuple[int, ...]:
    return tuple(row[0, :HOW_LONG].tolist())
