"""What a token can say: one list of names a field.

A token is a row of `f` fields and each field has its own vocabulary. Names are for people (`note_on:60`); a model sees
only their places in the list. Knows nothing of what the tokens mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Field:
    """One field of a token and the names of its values, in order."""

    name: str
    tokens: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.tokens)


@dataclass(frozen=True)
class Vocabulary:
    """The fields of a token; in a field that has no `start`, `end` or `pad`, those rows hold the first value."""

    fields: tuple[Field, ...]

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of values of each field."""
        return tuple(len(field) for field in self.fields)

    @cached_property
    def start(self) -> NDArray[np.uint16]:
        """Row `[f]` that opens a piece."""
        return self._row("start")

    @cached_property
    def end(self) -> NDArray[np.uint16]:
        """Row `[f]` that closes a piece."""
        return self._row("end")

    @cached_property
    def pad(self) -> NDArray[np.uint16]:
        """Row `[f]` that fills a batch after the end."""
        return self._row("pad")

    def _row(self, name: str) -> NDArray[np.uint16]:
        values = [field.tokens.index(name) if name in field.tokens else 0 for field in self.fields]
        return np.array(values, np.uint16)
