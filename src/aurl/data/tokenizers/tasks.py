"""What a model is trained for besides writing from left to right: the settings, the same for every tokenizer."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from aurl.utils.config import Config

Share = Annotated[float, Field(ge=0, le=1)]


class Slips(NamedTuple):
    """A window that is read with mistakes, row by row."""

    read: NDArray[Any]
    """`[t, f]`, what is read."""
    wanted: NDArray[Any]
    """`[t, f]`, what should have been written there."""
    counts: NDArray[np.bool_]
    """`[t]`, False where the row should not have been written, or not after the one before it."""


class TasksConfig(Config):
    """How often training windows tell a task; all 0 is plain continuation. Tokens without bars have no tasks."""

    infill: Share = 0.0
    """Share of windows in which some bars are written after the bars that follow them."""
    tracks: Share = 0.0
    """Share of windows in which, bar by bar, some tracks (or the labels) are written after the others."""
    free: Share = 0.0
    """Chance of each control (style, density ...) to be left out; half as often all are. Guidance needs it."""

    @property
    def is_plain(self) -> bool:
        """Whether windows stay as they are."""
        return not (self.infill or self.tracks or self.free)
