"""The fields of a `note` row and their values: when, who, what, how long, how loud, and by how much off the grid.

Value 0 of every field but `what` is `none`; value 1 + n of `when` is position (or shift) n, of `who` track slot n,
of `how_long` class n of `durations`, of `how_loud` velocity bin n, of `nudge` -2 + n quarters of a step. `what` is one
list of ranges; a range that begins with `free` is a control, and `free` means that it is not given. `future`, `now` and
`fill` tell a task: see `note_tasks`.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field as Setting

from aurl.data.tokenizers.event_vocabulary import METRONOME_BPM, VELOCITY_COUNT, velocities
from aurl.data.tokenizers.vocabulary import Field, Vocabulary
from aurl.music.chords import QUALITIES, Chord
from aurl.music.theory import PROGRAM_NAMES, key_name
from aurl.utils.config import Config

WHEN, WHO, WHAT, HOW_LONG, HOW_LOUD, NUDGE = range(6)
"""Numbers of the fields."""
SLOTS = 16
"""Tracks that a piece can have."""
STEPS_PER_QUARTER = 24
STEPS_PER_SECOND = 64
LONGEST_BAR = 8 * STEPS_PER_QUARTER
LONGEST_SHIFT = 511
NUDGES = 4
"""A note may stand -2, -1, 0 or 1 quarters of a step from its place on the grid."""

METRICAL_DURATIONS = np.array([*range(1, 25), *range(26, 49, 2), *range(54, 97, 6), *range(108, 385, 12)])
"""In steps: exact to a quarter, then by 12th, 4th and half of one; the longest is four bars of 4/4. 68 classes."""
PERFORMED_DURATIONS = np.array([*range(1, 65), *range(68, 129, 4), *range(136, 257, 8), *range(288, 1025, 32)])
"""In steps of 1/64 s: exact to a second, then coarser by 6 % at most; the longest is 16 s. 120 classes."""

METRES = tuple((n, d) for d in (2, 4, 8, 16) for n in range(1, 2 * d + 1))
"""Every bar of up to eight quarters that a sixteenth measures, written with 2, 4, 8 or 16 below."""
METRE_STEPS = np.array([4 * STEPS_PER_QUARTER * n // d for n, d in METRES])
COMMON_METRE = METRES.index((4, 4))

NOTE_BPM = np.array([24, 27, 30, 33, 36, 40, 44, 48, 52, 56, *METRONOME_BPM, 208, 216, 224, 240, 260, 280])
"""The metronome's marks of `event`, and what lies above and below; steps of 4 to 12 %."""
NOTE_MICROSECONDS = np.rint(60e6 / NOTE_BPM).astype(np.int64)
DEFAULT_TEMPO = int(np.flatnonzero(NOTE_BPM == 120)[0])
_BPM_EDGES = np.sqrt(NOTE_BPM[1:] * NOTE_BPM[:-1])

DRUM_KIT = 128
"""The program of a slot that plays drums."""
SECTIONS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
KEYS = tuple(key_name(tonic, minor) for minor in (False, True) for tonic in range(12))
CHORDS = tuple(
    chord.symbol for chord in (Chord(None), *(Chord(root, quality) for root in range(12) for quality in QUALITIES))
)
DENSITIES = (0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 9.0)
"""Notes a quarter (or a second), the upper ends of classes; above the last lies one more."""
POLYPHONIES = tuple(range(1, 11))
"""Notes that sound at once on average, rounded."""
BAR_COUNTS = (1, 2, 3, 4, 6, 8, 12, 16, 20, 24, 28, 32, 40, 48, 56, 64, 72, 80, 96, 112, 128, 160, 192, 256)
"""Lower ends of classes of bar counts."""
LONGEST_HOLE = 8
"""Bars that are written at once between what came before and what comes after."""
FREE = "free"


class NoteTokenizerConfig(Config):
    """The `note` tokenizer: one row a note."""

    name: Literal["note"] = "note"
    clock: Literal["metrical", "performed"] = "metrical"
    """Positions in the bar, 24 steps a quarter, for scores; or time since the row before, 1/64 s, for performances."""
    nudge: bool = False
    """Metrical only: a field more, the deviation of each note from the grid in quarters of a step."""
    styles: tuple[str, ...] = Setting((), max_length=1000)
    """Genres that the model is told of, by a name from the corpus or words of it: `song` stands for `art song`."""
    composers: tuple[str, ...] = Setting((), max_length=1000)
    """Composers that the model is told of, by the name in the corpus (any case)."""


class NoteLayout:
    """Where each kind of row has its values in `what`, for one config; all that depends on the clock."""

    def __init__(self, config: NoteTokenizerConfig) -> None:
        self.config = config
        self.is_metrical = config.clock == "metrical"
        self.has_nudge = config.nudge and self.is_metrical
        self.durations = METRICAL_DURATIONS if self.is_metrical else PERFORMED_DURATIONS
        self.times = LONGEST_BAR if self.is_metrical else LONGEST_SHIFT + 1
        names = self._names()
        self.first: dict[str, int] = {}
        self.end: dict[str, int] = {}
        total = 0
        for kind, values in names.items():
            self.first[kind], total = total, total + len(values)
            self.end[kind] = total
        self.size = total
        self.controls = tuple(kind for kind, values in names.items() if values[0] == FREE)
        """The rows that open a piece, in order, before metre and tempo."""
        self.prefix = ("start", *self.controls, *(("metre",) if self.is_metrical else ()), "tempo")
        """The kinds of the rows before the tracks are declared."""
        self._values = names

    def _names(self) -> dict[str, tuple[str, ...]]:
        """The values of each range; rows of one moment stand in the order of the ranges from `bar` on."""
        numbers = tuple(str(n) for n in range(128))
        metrical = {"bar": ("bar",), "metre": tuple(f"{n}/{d}" for n, d in METRES)}
        performed = {"wait": ("wait",)}
        bars = {"bars": (FREE, *map(str, BAR_COUNTS))} if self.is_metrical else {}
        fills = tuple(str(who) for who in range(SLOTS + 1))
        holes = tuple(str(bars) for bars in range(1, LONGEST_HOLE + 1))
        tasks = {"future": ("future",), "now": holes, "fill": fills} if self.is_metrical else {}
        return {
            "start": ("start",), "end": ("end",), "pad": ("pad",), **tasks,
            **bars, "style": (FREE, *self.config.styles), "composer": (FREE, *self.config.composers),
            "density": (FREE, *(f"<{density:g}" for density in DENSITIES), f">={DENSITIES[-1]:g}"),
            "polyphony": (FREE, *map(str, POLYPHONIES)),
            "program": (*PROGRAM_NAMES, "Drums"),
            **(metrical if self.is_metrical else performed),
            "tempo": tuple(map(str, NOTE_BPM)), "key": (FREE, *KEYS), "section": tuple(SECTIONS), "chord": CHORDS,
            "sustain": ("off", "on"), "pitch": numbers, "drum": numbers,
        }  # fmt: skip

    def span(self, kind: str) -> tuple[int, int]:
        """First value of one range of `what`, and the one after its last; 0, 0 where the clock has no such range."""
        return self.first.get(kind, 0), self.end.get(kind, 0)

    def names(self, kind: str) -> tuple[str, ...]:
        """The values of one range of `what`, in order."""
        return self._values[kind]

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The names of all values."""
        whats = [
            kind if values == (kind,) else f"{kind}:{value}"
            for kind, values in self._values.items()
            for value in values
        ]
        time = "position" if self.is_metrical else "shift"
        fields = [
            Field("when", ("none", *(f"{time}:{n}" for n in range(self.times)))),
            Field("who", ("none", *(f"track:{n}" for n in range(SLOTS)))),
            Field("what", tuple(whats)),
            Field("how_long", ("none", *(f"duration:{n}" for n in self.durations))),
            Field("how_loud", ("none", *(f"velocity:{v}" for v in velocities(np.arange(VELOCITY_COUNT))))),
            Field("nudge", ("none", *(f"nudge:{n}" for n in range(-2, 2)))),
        ]
        return Vocabulary(tuple(fields if self.has_nudge else fields[:NUDGE]))

    @cached_property
    def nearest_class(self) -> NDArray[np.int64]:
        """For each duration in steps, the class nearest to it, the shorter of two."""
        steps = np.arange(self.durations[-1] + 1)
        return np.asarray(np.searchsorted((self.durations[1:] + self.durations[:-1]) / 2, steps))

    @cached_property
    def class_below(self) -> NDArray[np.int64]:
        """For each duration in steps, the longest class that does not exceed it."""
        steps = np.arange(self.durations[-1] + 1)
        return np.asarray(np.maximum(np.searchsorted(self.durations, steps, side="right") - 1, 0))


def nearest_tempos(microseconds_per_beat: NDArray[np.int32]) -> NDArray[np.int64]:
    """The nearest of the tempos, in the logarithm; the ends of the scale take what lies beyond them."""
    return np.asarray(np.searchsorted(_BPM_EDGES, 60e6 / np.maximum(microseconds_per_beat, 1)))


def is_within(values: NDArray[Any], first: int, end: int) -> NDArray[np.bool_]:
    """Which values lie in `first .. end - 1`."""
    return np.asarray((values >= first) & (values < end))
