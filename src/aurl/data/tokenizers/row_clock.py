"""The musical time of rows as they come: what a model is told besides the rows themselves.

Time is counted in steps from the first bar on. It needs nothing but the rows so far, so that a row has the same time in
training and while a piece is written: the future that a task tells begins where the hole does, and after `now` time
goes on from there.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import PositiveInt

from aurl.utils.config import Config


class RowClockConfig(Config):
    """Which values of which fields tell time; a tokenizer with bars gives it."""

    when: int
    """Field of the position in the bar: 1 + steps, 0 for rows without."""
    what: int
    """Field of the values below."""
    bar: int
    """A bar begins."""
    first_metre: int
    """The first of the metres."""
    metre_steps: tuple[PositiveInt, ...]
    """Steps in a bar of each metre."""
    common_metre: int
    """Number of the metre in force before any is told."""
    future: int
    """What comes later is told."""
    now: tuple[int, int]
    """First of the values that go back to where the future was opened, and the one after the last."""


State = tuple[int, int, int, int, int]
"""Start of the current bar, its steps (0: none has begun), steps of the metre in force (0: the common one); both of the
first where the future was opened (-1: it was not)."""


START: State = (0, 0, 0, -1, 0)
"""Before any row."""


class RowClock:
    """Tells the steps of rows that come one after another."""

    def __init__(self, config: RowClockConfig) -> None:
        self.config = config
        self._metres = range(config.first_metre, config.first_metre + len(config.metre_steps))

    def advance(self, row: Sequence[int], state: State) -> tuple[int, State]:
        """The time of a row in steps, and the state after it."""
        config = self.config
        start, bar, metre, opened, opened_bar = state
        what, when = row[config.what], row[config.when]
        if when:
            return start + when - 1, state
        if what == config.bar:
            start, bar = start + bar, metre or config.metre_steps[config.common_metre]
        elif what in self._metres:
            metre = config.metre_steps[what - config.first_metre]
            bar = metre if bar else 0
        elif what == config.future:
            opened, opened_bar = start, bar
        elif opened >= 0 and config.now[0] <= what < config.now[1]:
            start, bar, opened = opened, opened_bar, -1
        return start, (start, bar, metre, opened, opened_bar)
