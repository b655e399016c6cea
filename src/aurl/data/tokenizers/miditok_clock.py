"""When each token of a MidiTok tokenizer happens, read off the names of the tokens.

MidiTok counts in beats of the metre (an eighth in 6/8). `Bar` begins a bar, or names one by number; `Position` is a
place in it; `TimeShift` and `Rest` pass time; `TimeSig` and `Tempo` set the pace; before any, 4/4 at 120 bpm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aurl.data.tokenizers.base import Clock

Action = tuple[str, tuple[float, ...]]
"""A method of the hand and its arguments."""
AT_ONCE = ("metre", "open_bar", "tempo", "position", "shift")
"""The order in which the fields of one row apply."""


@dataclass
class _Hand:
    """Where the clock stands, in quarter notes and seconds."""

    bar: int
    beats: float = 0.0
    seconds: float = 0.0
    bar_start: float = 0.0
    bar_beats: float = 4.0
    unit: float = 1.0
    """A beat of the metre in quarter notes."""
    bpm: float = 120.0

    def metre(self, numerator: float, denominator: float) -> None:
        """Bars and beats are so long from now on."""
        self.unit = 4 / denominator
        self.bar_beats = numerator * self.unit

    def tempo(self, bpm: float) -> None:
        """Time passes so fast from now on."""
        self.bpm = bpm

    def open_bar(self, number: float | None = None) -> None:
        """Begin the next bar, or all of them up to that `number`."""
        for _ in range(1 if number is None else int(number) - self.bar):
            self._pass_to(self.bar_start + self.bar_beats if self.bar >= 0 else 0.0)
            self.bar, self.bar_start = self.bar + 1, self.beats

    def position(self, units: float) -> None:
        """Go to a place in the bar; time does not go back."""
        self._pass_to(self.bar_start + units * self.unit)

    def shift(self, units: float) -> None:
        """Let time pass, bar lines included."""
        self._pass_to(self.beats + units * self.unit)
        while self.bar >= 0 and self.beats >= self.bar_start + self.bar_beats:
            self.bar, self.bar_start = self.bar + 1, self.bar_start + self.bar_beats

    def _pass_to(self, beats: float) -> None:
        passed = max(0.0, beats - self.beats)
        self.beats, self.seconds = self.beats + passed, self.seconds + passed * 60 / self.bpm


class MidiTokClock:
    """The clock of a vocabulary; `names` are those of the values of each field, parts of one joined by +."""

    def __init__(self, names: Sequence[Sequence[str]], positions_per_beat: int) -> None:
        self._positions = positions_per_beat
        self._actions = [[self._parse(name) for name in field] for field in names]
        self._first_bar = -1 if any("Bar_" in name for field in names for name in field) else 0

    def __call__(self, tokens: NDArray[Any]) -> Clock:
        """The time after each row `[t, f]`."""
        hand = _Hand(self._first_bar)
        times = np.zeros((len(tokens), 3))
        for row, values in enumerate(tokens.tolist()):
            for name, arguments in self._row_actions(values):
                getattr(hand, name)(*arguments)
            times[row] = hand.seconds, hand.beats, max(0, hand.bar)
        return Clock(times[:, 0], times[:, 1], times[:, 2].astype(np.int64))

    def _row_actions(self, values: list[int]) -> list[Action]:
        fields = [field[v] for field, v in zip(self._actions, values, strict=True) if 0 <= v < len(field)]
        if len(self._actions) == 1:
            return fields[0] if fields else []
        return sorted((action for field in fields for action in field), key=lambda action: AT_ONCE.index(action[0]))

    def _parse(self, name: str) -> list[Action]:
        actions = (self._parse_part(*part.partition("_")[::2]) for part in name.split("+"))
        return [action for action in actions if action]

    def _parse_part(self, kind: str, value: str) -> Action | None:
        match kind:
            case "Bar":
                return "open_bar", () if value == "None" else (float(value),)
            case "TimeSig":
                return "metre", tuple(map(float, value.split("/")))
            case "Tempo":
                return "tempo", (float(value),)
            case "Position":
                return "position", (int(value) / self._positions,)
            case "TimeShift" | "Rest":
                beats, part, whole = map(int, value.split("."))
                return "shift", (beats + part / whole,)
        return None
