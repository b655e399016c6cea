"""One type for every number that changes during training: learning-rate factor, beta, loss weight, probability.

A schedule is a pure function of the update (counted from 0) and of how many updates there are. Its course is measured
in progress: 0 at the first update after the warm-up, 1 at the last. It does not know what it controls.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from aurl.utils.config import Config

Level = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Schedule(Config):
    """A course from `start` to `end`, after a linear warm-up from zero."""

    kind: Literal["constant", "linear", "cosine", "exponential", "cyclical", "piecewise"] = "cosine"
    """constant stays at start; cyclical repeats a rise and a rest; piecewise joins `points` by lines."""
    start: Level = 1.0
    """Value where the warm-up ends."""
    end: Level = 0.1
    """Value at the last update; unused by constant and piecewise."""
    warmup_steps: int = Field(100, ge=0)
    """Updates over which the value rises linearly from zero."""
    cycles: int = Field(4, ge=1)
    """How often cyclical repeats."""
    points: tuple[tuple[Level, Level], ...] = ()
    """Pairs of progress (0 to 1, rising) and value, for piecewise."""

    @model_validator(mode="after")
    def _is_possible(self) -> Self:
        if self.kind == "exponential" and min(self.start, self.end) <= 0:
            raise ValueError("an exponential schedule needs start and end above zero")
        places = [place for place, _ in self.points]
        if self.kind == "piecewise" and (not places or places != sorted(set(places))):
            raise ValueError("a piecewise schedule needs points in rising order of progress")
        return self

    def value(self, step: int, total_steps: int) -> float:
        """The value at update `step` of `total_steps`."""
        if step < self.warmup_steps:
            return self._course(0.0) * (step + 1) / (self.warmup_steps + 1)
        return self._course(min(1.0, (step - self.warmup_steps) / max(1, total_steps - 1 - self.warmup_steps)))

    def _course(self, progress: float) -> float:
        match self.kind:
            case "constant":
                return self.start
            case "linear":
                return self._between(progress)
            case "cosine":
                return self._between((1 - math.cos(math.pi * progress)) / 2)
            case "exponential":
                return self.start * math.exp(progress * math.log(self.end / self.start))
            case "cyclical":  # Fu et al. 2019: each cycle moves during its first half and rests during its second
                cycle = progress * self.cycles % 1 if progress < 1 else 1.0
                return self._between(min(1.0, 2 * cycle))
            case "piecewise":
                return self._on_lines(progress)

    def _between(self, share: float) -> float:
        return self.start + (self.end - self.start) * share

    def _on_lines(self, progress: float) -> float:
        previous = self.points[0]
        for place, value in self.points:
            if progress <= place:
                left, low = previous
                return value if place == left else low + (value - low) * (progress - left) / (place - left)
            previous = (place, value)
        return previous[1]
