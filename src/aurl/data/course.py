"""A number that changes from epoch to epoch: the probability of an augmentation, the length of windows.

It is a schedule of which one step is one epoch, so whatever follows from it is a pure function of the epoch. It knows
nothing of updates: how many of them an epoch takes depends on the corpus.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from aurl.utils.schedules import Level, Schedule


class Course(Schedule):
    """A share, 0 to 1, by epoch; a plain number is a constant one."""

    kind: Literal["constant", "linear", "cosine", "exponential", "cyclical", "piecewise"] = "constant"
    """As in `Schedule`."""
    end: Level = 1.0
    """Value from the last of `epochs` on; unused by constant and piecewise."""
    warmup_steps: int = Field(0, ge=0)
    """Epochs over which the value rises linearly from zero."""
    epochs: int = Field(10, ge=1)
    """Epochs until the value stays as it is."""

    @model_validator(mode="before")
    @classmethod
    def _of_number(cls, values: Any) -> Any:
        return values if isinstance(values, Mapping | Schedule) else {"start": values}

    @model_validator(mode="after")
    def _is_share(self) -> Self:
        if max(self.start, self.end, *(level for _, level in self.points), 0) > 1:
            raise ValueError("a share is 1 at most")
        return self

    def at(self, epoch: int) -> float:
        """The value in an epoch, from 0."""
        return self.value(min(epoch, self.epochs - 1), self.epochs)
