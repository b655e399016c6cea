"""Which tracks a constraint is about: by number, by instrument, or by family of instruments."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator

from aurl.data.tokenizers.event_vocabulary import FAMILIES, instrument_of
from aurl.data.tokenizers.note_vocabulary import DRUM_KIT, SLOTS
from aurl.generation.constraints.base import checked
from aurl.music.score import Score, Track
from aurl.music.theory import parse_program
from aurl.utils.errors import ConfigError

_FAMILIES = [instrument_of(Track(program)) for program in range(DRUM_KIT)] + [len(FAMILIES) - 1]
_GROUPS = {
    name.lower(): tuple(program for program, of in enumerate(_FAMILIES) if of == family)
    for family, name in enumerate(FAMILIES)
}


def programs_of(name: str) -> tuple[int, ...]:
    """The programs of a family of General MIDI, or of an instrument, DRUM_KIT for drums; raises ConfigError."""
    return _GROUPS.get(name.strip().lower()) or (parse_program(name),)


def listed(value: Any) -> tuple[Any, ...]:
    """A list as a tuple, anything else as the only member of one."""
    return tuple(value) if isinstance(value, list | tuple) else (value,)


def _read_tracks(value: Any) -> tuple[int | str, ...]:
    names = listed(value)
    for name in names:
        if isinstance(name, str):
            programs_of(name)
        elif isinstance(name, bool) or not isinstance(name, int) or not 1 <= name <= SLOTS:
            raise ConfigError("not a track", found=repr(name), hint=f"1 to {SLOTS}, or the name of an instrument")
    return names


Tracks = Annotated[tuple[int | str, ...], BeforeValidator(checked(_read_tracks))]
"""Numbers of tracks from 1 in their order, names of instruments or families ("Violin", "Bass", "Drums"); none: all."""


class TrackChoice:
    """The tracks that a config names."""

    def __init__(self, names: tuple[int | str, ...]) -> None:
        self.numbers = frozenset(name for name in names if isinstance(name, int))
        self.programs = frozenset(p for name in names if isinstance(name, str) for p in programs_of(name))
        self.is_all = not names
        self._known: dict[tuple[int, ...], NDArray[np.bool_]] = {}

    def mask(self, programs: tuple[int, ...]) -> NDArray[np.bool_]:
        """For each `who` of a piece with these programs, whether it is meant. Not to be changed."""
        if programs not in self._known:
            named = [self.is_all or program in self.programs for program in programs]
            meant = np.array([False, *named, *[self.is_all] * (SLOTS - len(programs))])
            meant[list(self.numbers)] = True
            self._known[programs] = meant
        return self._known[programs]

    def has(self, who: int, programs: tuple[int, ...]) -> bool:
        """Whether track `who` of a piece with these programs is meant."""
        return 0 <= who <= SLOTS and bool(self.mask(programs)[who])

    def of_score(self, score: Score) -> NDArray[np.bool_]:
        """For each note of a score, whether its track is meant; numbers count the tracks that the score has."""
        programs = [DRUM_KIT if track.is_drum else track.program for track in score.tracks]
        named = [
            self.is_all or who in self.numbers or program in self.programs for who, program in enumerate(programs, 1)
        ]
        return np.asarray(np.array(named, np.bool_)[score.notes.track])
