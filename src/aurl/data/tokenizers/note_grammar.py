"""The grammar of the `note` tokenizer: a prefix in a fixed order, then rows whose time, track and `what` ascend.

Within a bar (or a moment of the performed clock) a row stands after the row before it in the order of (when, who,
what); of labels and pedals one of a kind, of notes one a pitch. Which fields a row has follows from its `when`, `who`
and `what`. After `fill:k` the bar begins anew for track k - 1 alone (0: for what belongs to no track). The rows of
tasks (`future`, `now`, `fill`) are given, never chosen: they are legal only where `tasks` is asked for. A state is
twelve numbers, and with limits the step at which each voice falls silent.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aurl.data.tokenizers.grammar import NO_LIMITS, Bools, Grammar, Ints, NoteLimits, States
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
    is_within,
)

STAGE, TIME, TRACK, FLOOR, LENGTH, OPENS, TRACKS, DRUMS, TEMPO, CLOCK, FILL, FUTURE = range(12)
"""Columns of a state: how much of the prefix is told; position, track and least `what` that may follow there; steps
in the bar; whether the last row opened it; tracks declared, and which are drums (bits); tempo; step of the bar, or of
the last row on the performed clock; 1 + the `who` that alone is being written; how far into the future."""
PRESENT, BEFORE_FUTURE, IN_FUTURE, BEFORE_PRESENT = range(4)
"""Values of FUTURE; where it is one of the two `BEFORE`s, a bar must come."""
_ENDS = 12
_PITCHES = 128


class NoteGrammar(Grammar):
    """What may follow which row, in each field; states are `[b, 12]`, with limits `[b, 12 + 16 * 128]`."""

    def __init__(self, layout: NoteLayout, limits: NoteLimits = NO_LIMITS, *, tasks: bool = False) -> None:
        self.layout, self.limits, self.tasks = layout, limits, tasks and layout.is_metrical
        self.declaring = len(layout.prefix)
        self.body, self.over = self.declaring + 1, self.declaring + 2
        self.sizes = layout.vocabulary.sizes
        self._stage_after = np.full(layout.size, -1)
        self._floor_after = np.arange(1, layout.size + 1)
        for index, kind in enumerate(layout.prefix):
            self._stage_after[layout.first[kind] : layout.end[kind]] = index + 1
        for kind in ("tempo", "key", "section", "chord", "sustain"):
            self._floor_after[layout.first[kind] : layout.end[kind]] = layout.end[kind]
        self._at_stage = self._stages()
        self._of_who = self._whos_whats()
        ends = layout.end
        self._top_of_who = np.array([ends["chord"], ends["pitch"], ends["drum"]])
        self._of_note = [np.arange(size) > 0 for size in self.sizes]
        self._whens_in_order, self._whos_in_order, self._whats_in_order = map(np.arange, self.sizes[:HOW_LONG])

    def _stages(self) -> Bools:
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

    def _whos_whats(self) -> Bools:
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

    def start(self, batch: int) -> States:
        """Nothing told, 4/4, silence."""
        voices = SLOTS * _PITCHES if math.isfinite(self.limits.polyphony) else 0
        states = np.zeros((batch, _ENDS + voices), np.int64)
        states[:, LENGTH], states[:, TEMPO] = METRE_STEPS[COMMON_METRE], DEFAULT_TEMPO
        return states

    def masks(self, states: States, field: int, chosen: Ints) -> Bools:
        """The legal values `[b, v]` of `field`, given the row's earlier fields."""
        if field == WHEN:
            return self._whens(states)
        if field == WHO:
            return self._whos(states, chosen[:, WHEN])
        if field == WHAT:
            return self._whats(states, chosen[:, WHEN], chosen[:, WHO])
        legal: Bools = self._of_note[field] == (chosen[:, [WHAT]] >= self.layout.first["pitch"])
        if field == HOW_LONG and math.isfinite(self.limits.seconds):
            legal[:, 2:] &= self.layout.durations[1:] <= self._longest_steps(states)[:, None]
        return legal

    def _longest_steps(self, states: States) -> NDArray[np.float64]:
        if self.layout.is_metrical:
            return np.asarray(self.limits.seconds * NOTE_BPM[states[:, TEMPO]] / 60 * STEPS_PER_QUARTER)
        return np.full(len(states), self.limits.seconds * STEPS_PER_SECOND)

    def must_end(self, states: States) -> Bools:
        """Nowhere on the metrical clock, where a bar can always come; else where no track can be declared."""
        if self.layout.is_metrical:
            return np.zeros(len(states), np.bool_)
        stage = states[:, STAGE]
        return np.asarray((stage == self.body) | (stage == self.declaring) & (states[:, TRACKS] >= SLOTS))

    def _is_timed(self, states: States) -> Bools:
        """Where rows with a time may come: in a bar, or after the prefix."""
        first = self.body if self.layout.is_metrical else self.declaring
        in_music = (states[:, STAGE] >= first) & (states[:, STAGE] < self.over)
        return np.asarray(in_music & ~_awaits_bar(states))

    def _whens(self, states: States) -> Bools:
        goes_on = self._has_more(states) | (states[:, TRACK] < states[:, TRACKS]) & (states[:, FILL] == 0)
        before = states[:, TIME] + ~goes_on  # the last `when` that is too early, as 1 + position is a `when`
        last = self._is_timed(states) * (states[:, LENGTH] if self.layout.is_metrical else self.layout.times)
        whens = self._whens_in_order
        legal: Bools = (whens > before[:, None]) & (whens <= last[:, None])
        if math.isfinite(self.limits.polyphony):
            has_room = states[:, [CLOCK]] + whens > self._full_until(states)[:, None]
            legal &= has_room | (whens == LONGEST_SHIFT + 1)
        legal[:, 0] = True
        return legal

    def _full_until(self, states: States) -> Ints:
        """The step from which one more note may sound."""
        limit = int(min(self.limits.polyphony, SLOTS * _PITCHES))
        return np.asarray(np.partition(states[:, _ENDS:], -limit, axis=1)[:, -limit])

    def _has_more(self, states: States) -> Bools:
        """Whether the track of the last row can say more at its time."""
        return np.asarray(states[:, FLOOR] < self._top_of_who[_parts(states, states[:, TRACK])])

    def _is_same(self, states: States, when: Ints) -> Bools:
        return np.asarray(when - 1 == states[:, TIME])

    def _whos(self, states: States, when: Ints) -> Bools:
        timed, fill = when > 0, states[:, FILL]
        least = self._is_same(states, when) * (states[:, TRACK] + ~self._has_more(states))
        most, whos = timed * states[:, TRACKS], self._whos_in_order
        legal: Bools = (whos >= least[:, None]) & (whos <= most[:, None])
        if np.count_nonzero(fill):
            legal &= ((fill == 0) | ~timed)[:, None] | (whos == fill[:, None] - 1)
        if math.isfinite(self.limits.polyphony):
            legal[:, 1:] &= (states[:, CLOCK] + when - 1 >= self._full_until(states))[:, None]
        return legal

    def _whats(self, states: States, when: Ints, who: Ints) -> Bools:
        timed = np.count_nonzero(when)
        if timed == 0:
            return self._untimed(states)
        least = (self._is_same(states, when) & (who == states[:, TRACK])) * states[:, FLOOR]
        legal: Bools = self._of_who[_parts(states, who)] & (self._whats_in_order >= least[:, None])
        if not self.layout.is_metrical:
            legal[:, self.layout.first["wait"]] = (when == LONGEST_SHIFT + 1) & (who == 0)
        if timed < len(when):
            legal[when == 0] = self._untimed(states[when == 0])
        return legal

    def _untimed(self, states: States) -> Bools:
        """What may come without a time: the prefix in order, bars, the end, and after it padding."""
        first, end = self.layout.first, self.layout.end
        stage = states[:, STAGE]
        legal = self._at_stage[stage]
        declares = stage == self.declaring
        if np.count_nonzero(declares):
            can_declare = declares & (states[:, TRACKS] < SLOTS) & ~_awaits_bar(states)
            legal[can_declare, first["program"] : end["program"]] = True
        if self.layout.is_metrical:
            legal[:, first["metre"] : end["metre"]] |= states[:, [OPENS]] > 0
            if self.tasks or np.count_nonzero(states[:, FUTURE]):
                self._untimed_in_tasks(states, legal)
        return np.asarray(legal)

    def _untimed_in_tasks(self, states: States, legal: Bools) -> None:
        """A piece does not end in the future or before a bar that must come; with tasks, their rows are legal too."""
        first, end = self.layout.first, self.layout.end
        stage, future = states[:, STAGE], states[:, FUTURE]
        legal[future > PRESENT, first["end"]] = False
        if self.tasks:
            is_present = ((stage == self.declaring) | (stage == self.body)) & (future == PRESENT)
            legal[is_present, first["future"]] = True
            legal[future == IN_FUTURE, first["now"] : end["now"]] = True
            later = (states[:, [FILL]] <= self._whos_in_order) & (states[:, [TRACKS]] >= self._whos_in_order)
            legal[:, first["fill"] : end["fill"]] = later & ((stage == self.body) & ~_awaits_bar(states))[:, None]

    def advance(self, states: States, rows: NDArray[Any]) -> States:
        """The states after `rows` `[b, f]`."""
        after, rows = states.copy(), rows.astype(np.int64, copy=False)
        when, who, what = rows[:, WHEN], rows[:, WHO], rows[:, WHAT]
        timed = when > 0
        after[:, STAGE] = np.where(timed, self.body, states[:, STAGE])
        after[:, TRACK] = np.where(timed, who, states[:, TRACK])
        after[:, FLOOR] = np.where(timed, self._floor_after[what], states[:, FLOOR])
        if np.count_nonzero(what < self.layout.first["section"]):
            self._advance_untimed(states, after, what, timed)
        if self.layout.is_metrical:
            after[:, OPENS] = what == self.layout.first["bar"]
            after[:, TIME] = np.where(timed, when - 1, after[:, TIME])
        else:
            after[:, CLOCK] += timed * (when - 1)
        if math.isfinite(self.limits.polyphony):
            self._hold(after, rows)
        return after

    def _advance_untimed(self, states: States, after: States, what: Ints, timed: Bools) -> None:
        """What rows change that come without a time: the prefix, tracks, bars, the end; and the tempo, which may."""
        first, end = self.layout.first, self.layout.end
        told = ~timed & (self._stage_after[what] >= 0) & (states[:, STAGE] < self.declaring)
        after[told, STAGE] = self._stage_after[what[told]]
        after[what == first["start"], STAGE] = 1
        after[is_within(what, first["end"], end["pad"]), STAGE] = self.over
        program = is_within(what, first["program"], end["program"])
        after[program, STAGE] = self.declaring
        after[:, DRUMS] |= (program & (what == first["program"] + DRUM_KIT)).astype(np.int64) << states[:, TRACKS]
        after[:, TRACKS] = np.minimum(states[:, TRACKS] + program, SLOTS)
        tempo = is_within(what, first["tempo"], end["tempo"])
        after[tempo, TEMPO] = what[tempo] - first["tempo"]
        if self.layout.is_metrical:
            self._advance_bars(states, after, what)

    def _advance_bars(self, states: States, after: States, what: Ints) -> None:
        first, end = self.layout.first, self.layout.end
        bar, metre = what == first["bar"], is_within(what, first["metre"], end["metre"])
        begun = bar & (states[:, STAGE] == self.body) & (states[:, FUTURE] <= BEFORE_FUTURE)
        after[begun, CLOCK] += states[begun, LENGTH]
        after[bar, STAGE] = self.body
        after[metre, LENGTH] = METRE_STEPS[what[metre] - first["metre"]]
        fill = is_within(what, first["fill"], end["fill"])
        anew = bar | fill
        after[anew, TIME] = after[anew, FLOOR] = 0
        after[anew, FILL] = np.where(fill, what - first["fill"] + 1, 0)[anew]
        after[anew, TRACK] = np.maximum(after[anew, FILL] - 1, 0)
        after[bar & _awaits_bar(states), FUTURE] += 1
        after[:, FUTURE] %= BEFORE_PRESENT + 1
        after[what == first["future"], FUTURE] = BEFORE_FUTURE
        after[is_within(what, first["now"], end["now"]), FUTURE] = BEFORE_PRESENT

    def _hold(self, after: States, rows: Ints) -> None:
        """Note when the voices of `rows` fall silent."""
        at = np.flatnonzero(
            (rows[:, WHAT] >= self.layout.first["pitch"])
            & (rows[:, WHO] > 0)
            & (rows[:, HOW_LONG] > 0)
            & (after[:, FUTURE] == PRESENT)
        )
        voice = (rows[at, WHO] - 1) * _PITCHES + (rows[at, WHAT] - self.layout.first["pitch"]) % _PITCHES
        start = after[at, CLOCK] + (after[at, TIME] if self.layout.is_metrical else 0)
        after[at, _ENDS + voice] = start + self.layout.durations[rows[at, HOW_LONG] - 1]

    def first_illegal(self, tokens: NDArray[Any]) -> int | None:
        """Index of the first illegal row, values beyond the vocabulary among them."""
        rows = np.asarray(tokens).astype(np.int64)
        beyond = np.flatnonzero(((rows < 0) | (rows >= np.array(self.sizes))).any(axis=1))
        known = rows[: beyond[0]] if len(beyond) else rows
        state, states = self.start(1), []
        for row in known:
            states.append(state[0])
            state = self.advance(state, row[None])
        illegal = np.zeros(len(rows), np.bool_)
        illegal[len(known) :] = True
        if len(known):
            before, at = np.array(states), np.arange(len(known))
            for field in range(len(self.sizes)):
                illegal[: len(known)] |= ~self.masks(before, field, known[:, :field])[at, known[:, field]]
        return int(np.argmax(illegal)) if illegal.any() else None


def _awaits_bar(states: States) -> Bools:
    """The two `BEFORE`s are odd."""
    return np.asarray(states[:, FUTURE] % 2 == 1)


def _parts(states: States, who: Ints) -> Ints:
    """Of each `who`, 0 for what belongs to no track, 1 for a pitched track, 2 for drums."""
    return np.asarray((who > 0) + (2 * states[:, DRUMS] >> who & 1))
