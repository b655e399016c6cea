"""Tracks chosen by what they do in the music: melody, bass, chords, drums; or by program or name."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator

from aurl.data.preprocessing.base import transform
from aurl.music.score import TABLES_OF_TRACKS, WHOLE_SCORE, Controls, Notes, PitchBends, Score, Table, Texts
from aurl.utils.config import Config
from aurl.utils.errors import MidiError

Role = Literal["melody", "bass", "chords", "drums"]
NAMES: dict[Role, re.Pattern[str]] = {
    "melody": re.compile(r"melod|vocal|voice|voix|sing|sopran|lead|cantus|solo", re.IGNORECASE),
    "bass": re.compile(r"\bbass\b|\bbasso?\b|contrabass|double ?bass", re.IGNORECASE),
    "chords": re.compile(r"chord|accomp|\bacc\b|piano|guitar|bridge|pad|string|organ|harm", re.IGNORECASE),
}
BASS_PROGRAMS = (*range(32, 40), 43, 58)
"""General MIDI's basses, contrabass and tuba."""
MONOPHONIC = 0.8
"""Share of the notes that begin alone, from which a track can be a melody or a bass."""


class SelectTracksConfig(Config):
    """Keeps the tracks that one of the rules chooses."""

    name: Literal["select_tracks"] = "select_tracks"
    roles: tuple[Role, ...] = ()
    """What kept tracks do: melody, bass, chords (all other accompaniment), drums."""
    programs: tuple[int, ...] = ()
    """General MIDI programs of kept tracks, 0..127; drums have none."""
    named: str = Field("", examples=["violin|viola"])
    """Regular expression found in the names of kept tracks, in any case."""

    @model_validator(mode="after")
    def _chooses(self) -> Self:
        if not (self.roles or self.programs or self.named):
            raise ValueError("say which tracks to keep: roles, programs or named")
        try:
            re.compile(self.named)
        except re.error as error:
            raise ValueError(f"named is not a regular expression: {error}") from None
        return self


@transform(SelectTracksConfig)
def select_tracks(score: Score, config: SelectTracksConfig) -> Score:
    """`score` with the tracks chosen, their controls and words; raises MidiError if there are none."""
    kept = [
        number
        for number, (track, role) in enumerate(zip(score.tracks, track_roles(score), strict=True))
        if role in config.roles
        or (track.program in config.programs and not track.is_drum)
        or (config.named and re.search(config.named, track.name, re.IGNORECASE))
    ]
    if not kept:
        raise MidiError("no track is among those to keep", found=", ".join(track_roles(score)) or "no tracks")
    numbers = np.full(len(score.tracks) + 1, WHOLE_SCORE)  # its last is that of WHOLE_SCORE
    numbers[kept] = np.arange(len(kept))
    chosen = score.replace(**{name: _of_tracks(getattr(score, name), kept) for name in TABLES_OF_TRACKS})
    tables = {name: getattr(chosen, name) for name in TABLES_OF_TRACKS}
    renumbered = {name: replace(table, track=numbers[table.track]) for name, table in tables.items()}
    return chosen.replace(tracks=tuple(score.tracks[number] for number in kept), **renumbered)


def track_roles(score: Score) -> list[Role]:
    """What each track does.

    Names decide where they say it. Else a monophonic track with a bass's program, or the lowest of several, is the
    bass; the highest other monophonic one is the melody; all the rest is chords. A piece for one instrument is chords.
    """
    roles: list[Role] = ["drums" if track.is_drum else _named_role(track.name) or "chords" for track in score.tracks]
    pitched = [n for n, track in enumerate(score.tracks) if not track.is_drum and (score.notes.track == n).any()]
    if len(pitched) < 2:
        return roles
    parts = {n: score.notes.take(score.notes.track == n) for n in pitched}
    heights = {n: float(np.average(part.pitch)) for n, part in parts.items()}
    free = [n for n in pitched if _named_role(score.tracks[n].name) is None and _is_monophonic(parts[n])]
    if "bass" not in roles:
        basses = [n for n in free if score.tracks[n].program in BASS_PROGRAMS]
        lowest = min(pitched, key=heights.__getitem__)
        for n in basses or [lowest] if basses or lowest in free else []:
            roles[n] = "bass"
    voices = [n for n in free if roles[n] == "chords"]
    if "melody" not in roles and voices:
        roles[max(voices, key=heights.__getitem__)] = "melody"
    return roles


def _named_role(name: str) -> Role | None:
    return next((role for role, pattern in NAMES.items() if pattern.search(name)), None)


def _is_monophonic(notes: Notes) -> bool:
    return len(np.unique(notes.onset)) >= MONOPHONIC * len(notes)


def _of_tracks(table: Notes | Controls | PitchBends | Texts, kept: list[int]) -> Table:
    """Rows of the tracks, and of the whole score."""
    return table.take(np.isin(table.track, [*kept, WHOLE_SCORE]))
