"""A score is a table of notes, with smaller tables of what surrounds them.

Every table is a frozen struct of equally long numpy arrays: nothing is an object per note. Times are in ticks
(int32, `ticks_per_beat` of them to a quarter note), pitches 0..127 (60 is middle C), velocities 1..127, and `track`
indexes `Score.tracks`. Tables are sorted when a Score is built, so two scores that say the same are equal. A Score
knows nothing of files; `aurl.music.midi` does.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields
from functools import cache, cached_property
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from aurl.music.timing import MetreMap, TempoMap

Array = NDArray[Any]
TextKind = Literal["marker", "lyric", "chord", "key", "section"]
WHOLE_SCORE = -1
"""The `track` of a text that belongs to the score, not to a track."""
TABLES_OF_TRACKS = ("notes", "controls", "pitch_bends", "texts")
"""Fields of a Score whose rows belong to tracks."""
SUSTAIN_PEDAL = 64
"""MIDI controller number of the sustain pedal; values from 64 up hold it down."""


@dataclass(frozen=True, eq=False)
class Table:
    """A struct of equally long arrays; subclasses name the columns, their dtypes and their order of sorting."""

    DTYPES: ClassVar[dict[str, Any]]
    ORDER: ClassVar[tuple[str, ...]]

    def __post_init__(self) -> None:
        self._check(tuple(self.DTYPES))

    def _check(self, names: Collection[str]) -> None:
        """Give these columns their dtypes; raises ValueError for what does not fit."""
        columns = self.__dict__
        for name in names:
            columns[name] = _as_column(name, columns[name], self.DTYPES[name])
        length = len(self)
        for name in names:
            if len(columns[name]) != length:
                raise ValueError(f"{type(self).__name__}.{name} has {len(columns[name])} values, expected {length}")

    @classmethod
    @cache
    def empty(cls) -> Self:
        """A table without rows."""
        return cls(**{name: np.zeros(0, dtype) for name, dtype in cls.DTYPES.items()})

    @classmethod
    def join(cls, tables: list[Self]) -> Self:
        """All rows of `tables`, in order."""
        if not tables:
            return cls.empty()
        return cls(**{name: np.concatenate([getattr(t, name) for t in tables]) for name in cls.DTYPES})

    def __len__(self) -> int:
        return len(getattr(self, next(iter(self.DTYPES))))

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(np.array_equal(getattr(self, name), getattr(other, name)) for name in self.DTYPES)

    __hash__ = None  # type: ignore[assignment]

    def take(self, rows: Array | slice) -> Self:
        """The rows that an index array, a boolean mask or a slice selects."""
        return self._unchecked({name: column[rows] for name, column in self.columns().items()})

    def replace(self, **columns: Any) -> Self:
        """A copy with some columns changed, of which only those are checked."""
        made = self._unchecked(self.columns() | columns)
        made._check(columns)
        return made

    def _unchecked(self, columns: Mapping[str, Any]) -> Self:
        """A table like this one of columns known to fit."""
        made = object.__new__(type(self))
        made.__dict__.update(columns)
        return made

    def sorted(self) -> Self:
        """Rows ordered by `ORDER`; rows equal in all of it keep their order."""
        if len(self) < 2:
            return self
        columns = [getattr(self, name) for name in self.ORDER]
        if _in_order(columns):
            return self
        keys = _joined_keys(columns)
        return self.take(np.argsort(keys[0], kind="stable") if len(keys) == 1 else np.lexsort(keys[::-1]))

    def columns(self) -> dict[str, Array]:
        """The columns by name."""
        columns = self.__dict__
        return {name: columns[name] for name in self.DTYPES}


def _in_order(columns: list[Array]) -> bool:
    """Whether rows ascend already; a column is looked at only in rows that tie with the next in all before it."""
    ties: Array | slice = slice(None)
    for column in columns:
        before, after = column[:-1][ties], column[1:][ties]
        if np.count_nonzero(after < before):  # a fifth of the time of any()
            return False
        equal = (after == before).nonzero()[0]
        if not len(equal):
            return True
        ties = equal if isinstance(ties, slice) else ties[equal]
    return True


def _joined_keys(columns: list[Array]) -> list[Array]:
    """The columns as one of the same order, where their ranges fit in 63 bits: five times faster to sort."""
    joined, bits = np.zeros(len(columns[0]), np.int64), 0
    for column in columns:
        low = int(column.min())
        width = (int(column.max()) - low).bit_length()
        bits += width
        joined = (joined << width) | (column.astype(np.int64) - low)
    return [joined] if bits < 64 else columns


def _as_column(name: str, values: Any, dtype: Any) -> Array:
    array = np.asarray(values)
    if array.dtype == dtype and array.ndim == 1:
        return array
    if array.ndim != 1:
        raise ValueError(f"column {name!r} must have one dimension, not {array.ndim}")
    if np.dtype(dtype).kind in "iu" and len(array):
        bounds = np.iinfo(dtype)
        if array.min() < bounds.min or array.max() > bounds.max:
            raise ValueError(f"column {name!r} holds {array.min()}..{array.max()}, beyond {np.dtype(dtype)}")
    return array.astype(dtype)


@dataclass(frozen=True, eq=False)
class Notes(Table):
    """Notes: when they start, how long they last (ticks), how high, how loud, on which track."""

    onset: Array
    duration: Array
    pitch: Array
    velocity: Array
    track: Array
    DTYPES: ClassVar[dict[str, Any]] = {
        "onset": np.int32, "duration": np.int32, "pitch": np.uint8, "velocity": np.uint8, "track": np.uint16,
    }  # fmt: skip
    ORDER: ClassVar[tuple[str, ...]] = ("onset", "track", "pitch", "duration", "velocity")

    def _check(self, names: Collection[str]) -> None:
        super()._check(names)
        for name in ("pitch", "velocity"):
            column = getattr(self, name)
            if name in names and column.max(initial=0) > 127:
                raise ValueError(f"Notes.{name} holds {column.min()}..{column.max()}, beyond 0..127")

    @property
    def end(self) -> Array:
        """Tick at which each note ends."""
        return self.onset + self.duration


@dataclass(frozen=True, eq=False)
class Tempos(Table):
    """Tempo changes, in the whole microseconds per quarter note that MIDI stores."""

    time: Array
    microseconds_per_beat: Array
    DTYPES: ClassVar[dict[str, Any]] = {"time": np.int32, "microseconds_per_beat": np.int32}
    ORDER: ClassVar[tuple[str, ...]] = ("time",)

    @property
    def bpm(self) -> Array:
        """Quarter notes per minute."""
        return 60e6 / self.microseconds_per_beat


@dataclass(frozen=True, eq=False)
class TimeSignatures(Table):
    """Metre changes; `denominator` is the note value itself (4 for a quarter), not its power of two."""

    time: Array
    numerator: Array
    denominator: Array
    DTYPES: ClassVar[dict[str, Any]] = {"time": np.int32, "numerator": np.uint8, "denominator": np.uint8}
    ORDER: ClassVar[tuple[str, ...]] = ("time",)


@dataclass(frozen=True, eq=False)
class KeySignatures(Table):
    """Key changes: sharps (flats negative), -7..7, and whether the key is minor."""

    time: Array
    sharps: Array
    is_minor: Array
    DTYPES: ClassVar[dict[str, Any]] = {"time": np.int32, "sharps": np.int8, "is_minor": np.bool_}
    ORDER: ClassVar[tuple[str, ...]] = ("time",)


@dataclass(frozen=True, eq=False)
class Controls(Table):
    """Control changes, the pedals among them. Order within a tick is kept: later values win."""

    time: Array
    track: Array
    number: Array
    value: Array
    DTYPES: ClassVar[dict[str, Any]] = {"time": np.int32, "track": np.uint16, "number": np.uint8, "value": np.uint8}
    ORDER: ClassVar[tuple[str, ...]] = ("time", "track")


@dataclass(frozen=True, eq=False)
class PitchBends(Table):
    """Pitch bends, -8192..8191."""

    time: Array
    track: Array
    value: Array
    DTYPES: ClassVar[dict[str, Any]] = {"time": np.int32, "track": np.uint16, "value": np.int16}
    ORDER: ClassVar[tuple[str, ...]] = ("time", "track")


@dataclass(frozen=True, eq=False)
class Texts(Table):
    """Words and labels; `track` is WHOLE_SCORE (-1) for those of no track.

    Markers and lyrics are words. Chords ("F#m7b5/A", "N.C."), keys ("F# minor") and sections ("A") are labels: each
    holds until the next of its kind. Whether a label was given or detected is said in the metadata (`labels.chord`).
    """

    time: Array
    track: Array
    kind: Array
    text: Array
    DTYPES: ClassVar[dict[str, Any]] = {"time": np.int32, "track": np.int32, "kind": object, "text": object}
    ORDER: ClassVar[tuple[str, ...]] = ("time", "track")

    def of(self, kind: TextKind) -> Texts:
        """The rows of one kind."""
        return self.take(self.kind == kind)


@dataclass(frozen=True, eq=False)
class Pedals(Table):
    """Times at which the sustain pedal is held, in ticks, by track."""

    onset: Array
    duration: Array
    track: Array
    DTYPES: ClassVar[dict[str, Any]] = {"onset": np.int32, "duration": np.int32, "track": np.uint16}
    ORDER: ClassVar[tuple[str, ...]] = ("onset", "track")


@dataclass(frozen=True)
class Track:
    """One instrument's part: General MIDI program 0..127, drums or not, name."""

    program: int = 0
    is_drum: bool = False
    name: str = ""

    def __post_init__(self) -> None:
        if not 0 <= self.program <= 127:
            raise ValueError(f"program {self.program} is beyond 0..127")


@dataclass(frozen=True, eq=False)
class Score:
    """A piece of music; see the module's docstring for conventions."""

    ticks_per_beat: int = 480
    notes: Notes = field(default_factory=Notes.empty)
    tracks: tuple[Track, ...] = ()
    tempos: Tempos = field(default_factory=Tempos.empty)
    time_signatures: TimeSignatures = field(default_factory=TimeSignatures.empty)
    key_signatures: KeySignatures = field(default_factory=KeySignatures.empty)
    controls: Controls = field(default_factory=Controls.empty)
    pitch_bends: PitchBends = field(default_factory=PitchBends.empty)
    texts: Texts = field(default_factory=Texts.empty)
    metadata: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._settle((*self.table_names(), "tracks"))

    def _settle(self, names: Collection[str]) -> None:
        """Sort the tables among these fields; raises ValueError where rows are of a track that is not there."""
        for name in names:
            table = self.__dict__[name]
            if isinstance(table, Table):
                self.__dict__[name] = table.sorted()
        for name in TABLES_OF_TRACKS:
            table = self.__dict__[name]
            is_new = name in names or "tracks" in names
            if is_new and len(table) and table.track.max() >= len(self.tracks):
                raise ValueError(f"{type(table).__name__} name a track beyond the {len(self.tracks)} there are")

    def __eq__(self, other: object) -> bool:
        """Equal music: every table, the tracks and the resolution; metadata is not compared."""
        if not isinstance(other, Score):
            return NotImplemented
        same = self.ticks_per_beat == other.ticks_per_beat and self.tracks == other.tracks
        return same and all(getattr(self, name) == getattr(other, name) for name in self.table_names())

    __hash__ = None  # type: ignore[assignment]

    @classmethod
    @cache
    def table_names(cls) -> tuple[str, ...]:
        """Names of the fields that are tables."""
        return tuple(f.name for f in fields(cls) if f.name not in ("ticks_per_beat", "tracks", "metadata"))

    def replace(self, **changes: Any) -> Score:
        """A copy with some fields changed, of which only those are sorted and checked."""
        values = {name: self.__dict__[name] for name in self.__dataclass_fields__}
        if not changes.keys() <= values.keys():
            raise TypeError(f"a Score has no {', '.join(changes.keys() - values.keys())}")
        made = object.__new__(type(self))
        made.__dict__.update(values | changes)
        made._settle(changes)
        return made

    @cached_property
    def is_pitched(self) -> Array:
        """For each note, whether it is not a drum's."""
        drums = np.array([track.is_drum for track in self.tracks], np.bool_)
        return ~drums[self.notes.track] if drums.any() else np.ones(len(self.notes), np.bool_)

    @property
    def end_ticks(self) -> int:
        """Tick at which the last note ends; 0 without notes."""
        return int(self.notes.end.max()) if len(self.notes) else 0

    @property
    def duration_seconds(self) -> float:
        """Seconds until the last note ends."""
        return float(self.tempo_map.ticks_to_seconds(np.array([self.end_ticks]))[0])

    @cached_property
    def tempo_map(self) -> TempoMap:
        """Conversion between ticks, beats and seconds."""
        return TempoMap(self.tempos.time, self.tempos.microseconds_per_beat, self.ticks_per_beat)

    @cached_property
    def metre_map(self) -> MetreMap:
        """Conversion between ticks and bar:beat."""
        signatures = self.time_signatures
        return MetreMap(signatures.time, signatures.numerator, signatures.denominator, self.ticks_per_beat)

    @cached_property
    def pedals(self) -> Pedals:
        """Sustain-pedal spans read off the control changes; one still held at the end lasts to the last event."""
        spans = [self._track_pedals(track) for track in np.unique(self._pedal_changes.track)]
        return Pedals.join(spans).sorted()

    @cached_property
    def _pedal_changes(self) -> Controls:
        return self.controls.take(self.controls.number == SUSTAIN_PEDAL)

    def _track_pedals(self, track: int) -> Pedals:
        changes = self._pedal_changes.take(self._pedal_changes.track == track)
        down = changes.value >= SUSTAIN_PEDAL
        turns = np.flatnonzero(down != np.concatenate([[False], down[:-1]]))
        times = changes.time[turns]
        if len(times) % 2:
            times = np.append(times, max(self.end_ticks, int(changes.time[-1])))
        onset, end = times[0::2], times[1::2]
        return Pedals(onset, end - onset, np.full(len(onset), track))
