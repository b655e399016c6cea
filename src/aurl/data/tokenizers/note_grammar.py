"""The grammar of the `note` tokenizer: a prefix in a fixed order, then rows whose time, track and `what` ascend.

Within a bar (or a moment of the performed clock) a row stands after the row before it in the order of (when, who,
what); of labels and pedals one of a kind, of notes one a pitch. Which fields a row has follows from its `when`, `who`
and `what`. After `fill:k` the bar begins anew for track k - 1 alone (0: for what belongs to no track); before the first
bar it tells that this will be. The rows of tasks (`future`, `now`, `fill`) are given, never chosen: they are legal only
where `tasks` is asked for.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from aurl.data.tokenizers.grammar import NO_LIMITS, Bools, Grammar, NoteLimits
from aurl.data.tokenizers.note_vocabulary import (
    COMMON_METRE,
    DEFAULT_TEMPO,
    DRUM_KIT,
    HOW_LONG,
    LONGEST_SHIFT,
    METRE_STEPS,
    NOTE_BPM,
    SLOTS,
    STEPS_PER_QUARTER,
    STEPS_PER_SECOND,
    WHAT,
    WHEN,
    WHO,
    NoteLayout,
)

PRESENT, BEFORE_FUTURE, IN_FUTURE, BEFORE_PRESENT = range(4)
"""How far into the future; where it is one of the two `BEFORE`s, a bar must come."""
_PITCHES = 128


class NoteState(NamedTuple):
    """What matters of the rows so far; before the first, nothing is told, the metre is 4/4 and nothing sounds."""

    stage: int = 0
    """How much of the prefix is told."""
    time: int = 0
    """In the bar, of the last row."""
    track: int = 0
    """Of the last row."""
    floor: int = 0
    """The least `what` that may follow at that time in that track."""
    opens: bool = False
    """Whether the last row opened the bar."""
    clock: int = 0
    """Step of the bar, or of the last row on the performed clock."""
    length: int = int(METRE_STEPS[COMMON_METRE])
    """Steps in the bar."""
    tracks: int = 0
    """How many are declared."""
    drums: int = 0
    """Which of them are drums, bit by bit."""
    tempo: int = DEFAULT_TEMPO
    fill: int = 0
    """1 + the `who` that alone is being written."""
    future: int = PRESENT
    ends: Mapping[int, int] = MappingProxyType({})
    """With a limit of voices, the step at which each falls silent, of those that still sound at the clock."""


class NoteGrammar(Grammar):
    """What may follow which row, in each field."""

    initial = NoteState()

    def __init__(self, layout: NoteLayout, limits: NoteLimits = NO_LIMITS, *, tasks: bool = False) -> None:
        self.layout, self.limits, self.tasks = layout, limits, tasks and layout.is_metrical
        self.declaring = len(layout.prefix)
        self.body, self.over = self.declaring + 1, self.declaring + 2
        self.sizes = layout.vocabulary.sizes
        self._kinds = [kind for kind in layout.first for _ in layout.names(kind)]
        own_end = {"tempo", "key", "section", "chord", "sustain"}
        self._floors = [layout.end[kind] if kind in own_end else what + 1 for what, kind in enumerate(self._kinds)]
        self._stages = {kind: index + 1 for index, kind in enumerate(layout.prefix)}
        self._at_stage = self._stage_masks()
        self._of_part = self._part_masks()
        self._tops = [layout.end[kind] for kind in ("chord", "pitch", "drum")]
        self._whats = np.arange(layout.size)
        self._of_note = [np.arange(size) > 0 for size in self.sizes]
        self._of_others = [~mask for mask in self._of_note]

    def _stage_masks(self) -> Bools:
        """What may come without a time at each stage."""
        first, end = self.layout.first, self.layout.end
        legal = np.zeros((self.over + 1, self.layout.size), np.bool_)
        for stage, kind in enumerate(self.layout.prefix):
            legal[stage, first[kind] : end[kind]] = True
        if self.layout.is_metrical:
            legal[[self.declaring, self.body], first["bar"]] = True
        else:
            legal[self.declaring, first["end"]] = True
        legal[self.body, first["end"]] = True
        legal[self.over, first["pad"]] = True
        return legal

    def _part_masks(self) -> Bools:
        """What can be said at a time by what belongs to no track, by pitched tracks and by drums."""
        first, end = self.layout.first, self.layout.end
        legal = np.zeros((3, self.layout.size), np.bool_)
        legal[0, first["tempo"] : end["chord"]] = True
        legal[0, first["key"]] = False
        legal[1:, first["sustain"] : end["sustain"]] = True
        legal[1, first["pitch"] : end["pitch"]] = legal[2, first["drum"] : end["drum"]] = True
        return legal

    def limited(self, limits: NoteLimits) -> Grammar:
        """This grammar within `limits`: where too many notes sound none begins, and none is longer than allowed."""
        return NoteGrammar(self.layout, limits, tasks=self.tasks)

    def mask(self, state: NoteState, field: int, chosen: Sequence[int]) -> Bools:
        """The legal values `[v]` of `field`, given the row's earlier fields."""
        if field == WHEN:
            return self._when_mask(state)
        if field == WHO:
            return self._who_mask(state, chosen[WHEN])
        if field == WHAT:
            return self._what_mask(state, chosen[WHEN], chosen[WHO]) if chosen[WHEN] else self._untimed(state)
        if chosen[WHAT] < self.layout.first["pitch"]:
            return self._of_others[field]
        legal = self._of_note[field]
        if field == HOW_LONG and math.isfinite(self.limits.seconds):
            legal = legal.copy()
            legal[2:] = self.layout.durations[1:] <= self._longest_steps(state)
        return legal

    def _longest_steps(self, state: NoteState) -> float:
        if self.layout.is_metrical:
            return float(self.limits.seconds * NOTE_BPM[state.tempo] / 60 * STEPS_PER_QUARTER)
        return self.limits.seconds * STEPS_PER_SECOND

    def must_end(self, state: NoteState) -> bool:
        """Nowhere on the metrical clock, where a bar can always come; else where no track can be declared."""
        if self.layout.is_metrical:
            return False
        return state.stage == self.body or (state.stage == self.declaring and state.tracks >= SLOTS)

    def _when_mask(self, state: NoteState) -> Bools:
        goes_on = self._has_more(state) or (state.track < state.tracks and not state.fill)
        first = state.time + 1 if goes_on else state.time + 2  # 1 + position is a `when`
        last = state.length if self.layout.is_metrical else self.layout.times
        legal = _span(self.sizes[WHEN], first, last if self._is_timed(state) else 0, or_none=True)
        if math.isfinite(self.limits.polyphony):
            whens = np.arange(len(legal))
            has_room = state.clock + whens > self._full_until(state)
            legal = legal & (has_room | (whens == LONGEST_SHIFT + 1) | (whens == 0))
        return legal

    def _is_timed(self, state: NoteState) -> bool:
        """Whether rows with a time may come: in a bar, or after the prefix."""
        first = self.body if self.layout.is_metrical else self.declaring
        return first <= state.stage < self.over and not _awaits_bar(state)

    def _full_until(self, state: NoteState) -> int:
        """The step from which one more note may sound."""
        limit, ends = int(min(self.limits.polyphony, SLOTS * _PITCHES)), sorted(state.ends.values())
        return ends[-limit] if len(ends) >= limit else 0

    def _has_more(self, state: NoteState) -> bool:
        """Whether the track of the last row can say more at its time."""
        return state.floor < self._tops[_part(state, state.track)]

    def _who_mask(self, state: NoteState, when: int) -> Bools:
        if when == 0:
            return self._of_others[WHO]
        first, last = 0, state.tracks
        if when - 1 == state.time:
            first = state.track if self._has_more(state) else state.track + 1
        if state.fill:
            first, last = max(first, state.fill - 1), min(last, state.fill - 1)
        if math.isfinite(self.limits.polyphony) and state.clock + when - 1 < self._full_until(state):
            last = 0
        return _span(self.sizes[WHO], first, last)

    def _what_mask(self, state: NoteState, when: int, who: int) -> Bools:
        legal: Bools = self._of_part[_part(state, who)]
        if when - 1 == state.time and who == state.track and state.floor:
            legal = legal & (self._whats >= state.floor)
        if not self.layout.is_metrical and when == LONGEST_SHIFT + 1 and who == 0:
            legal = legal.copy()
            legal[self.layout.first["wait"]] = True
        return legal

    def _untimed(self, state: NoteState) -> Bools:
        """What may come without a time: the prefix in order, bars, the end, and after it padding."""
        legal: Bools = self._at_stage[state.stage]
        first, end = self.layout.first, self.layout.end
        declares = state.stage == self.declaring and state.tracks < SLOTS and not _awaits_bar(state)
        if declares or state.opens or state.future or self.tasks:
            legal = legal.copy()
        if declares:
            legal[first["program"] : end["program"]] = True
        if state.opens:
            legal[first["metre"] : end["metre"]] = True
        if state.future != PRESENT:
            legal[first["end"]] = False
        if self.tasks:
            self._allow_tasks(state, legal)
        return legal

    def _allow_tasks(self, state: NoteState, legal: Bools) -> None:
        first, end = self.layout.first, self.layout.end
        if state.stage not in (self.declaring, self.body):
            return
        if state.future == PRESENT:
            legal[first["future"]] = True
        if state.future == IN_FUTURE:
            legal[first["now"] : end["now"]] = True
        if not _awaits_bar(state):
            legal[first["fill"] + state.fill : first["fill"] + state.tracks + 1] = True

    def advance(self, state: NoteState, row: Sequence[int]) -> NoteState:
        """The state after `row`."""
        when, who, what = row[:HOW_LONG]
        kind, after = self._kinds[what], state
        if when:
            time, clock = (when - 1, 0) if self.layout.is_metrical else (0, when - 1)
            after = NoteState(self.body, time, who, self._floors[what], False, state.clock + clock, *state[6:])
        elif state.opens:
            after = state._replace(opens=False)
        if kind in ("bar", "fill"):
            after = self._advance_bar(after, state, what)
        elif what < self.layout.first["section"]:
            after = self._advance_untimed(after, kind, what - self.layout.first[kind])
        return self._held(after, row) if math.isfinite(self.limits.polyphony) else after

    def _advance_untimed(self, state: NoteState, kind: str, value: int) -> NoteState:
        """What rows change that come without a time: the prefix, tracks, the end; and the tempo, which may."""
        changes: dict[str, Any] = {}
        if state.stage < self.declaring or kind == "start":
            changes["stage"] = self._stages.get(kind, state.stage)
        match kind:
            case "end" | "pad":
                changes["stage"] = self.over
            case "program":
                changes |= {"stage": self.declaring, "tracks": min(state.tracks + 1, SLOTS)}
                changes["drums"] = state.drums | (value == DRUM_KIT) << state.tracks
            case "tempo":
                changes["tempo"] = value
            case "metre":
                changes["length"] = int(METRE_STEPS[value])
            case "future" | "now":
                changes["future"] = BEFORE_FUTURE if kind == "future" else BEFORE_PRESENT
        return state._replace(**changes)

    def _advance_bar(self, state: NoteState, before: NoteState, what: int) -> NoteState:
        """A bar line, or the bar from its beginning for one track."""
        fill = what - self.layout.first["fill"] + 1 if self._kinds[what] == "fill" else 0
        state = state._replace(time=0, floor=0, fill=fill, track=max(fill - 1, 0))
        if fill:
            return state
        goes_by = before.stage == self.body and before.future <= BEFORE_FUTURE
        clock = state.clock + before.length if goes_by else state.clock
        future = (state.future + _awaits_bar(state)) % (BEFORE_PRESENT + 1)
        return state._replace(stage=self.body, clock=clock, future=future, opens=True)

    def _held(self, state: NoteState, row: Sequence[int]) -> NoteState:
        """Note when the voice of `row` falls silent; those that have are forgotten."""
        is_note = row[WHAT] >= self.layout.first["pitch"] and row[WHO] > 0 and row[HOW_LONG] > 0
        if not is_note or state.future != PRESENT:
            return state
        voice = (row[WHO] - 1) * _PITCHES + (row[WHAT] - self.layout.first["pitch"]) % _PITCHES
        start = state.clock + (state.time if self.layout.is_metrical else 0)
        ends = {voice: end for voice, end in state.ends.items() if end > state.clock}
        ends[voice] = start + int(self.layout.durations[row[HOW_LONG] - 1])
        return state._replace(ends=ends)


def _awaits_bar(state: NoteState) -> bool:
    """The two `BEFORE`s are odd."""
    return state.future % 2 == 1


def _part(state: NoteState, who: int) -> int:
    """0 for what belongs to no track, 1 for a pitched track, 2 for drums."""
    return (who > 0) + (2 * state.drums >> who & 1)


@lru_cache(maxsize=4096)
def _span(size: int, first: int, last: int, *, or_none: bool = False) -> Bools:
    """The values `first .. last`, and 0 where it is always legal."""
    legal = np.zeros(size, np.bool_)
    legal[first : last + 1] = True
    legal[0] |= or_none
    legal.setflags(write=False)
    return legal
