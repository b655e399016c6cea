"""A track's bytes to events, where bytes may be missing, added or changed.

Where the bytes cannot be an event, or say something the track never does, small edits near by are tried (a byte
changed, up to three taken out or put in) and the one is kept that makes the bytes behind it cheapest (`Habits`). The
work is bounded by `Budget`; without budget, bytes are skipped until events begin again.
"""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from aurl.music.repair.container import Chunk
from aurl.music.repair.events import Events, Row, Run, grouped, read_run
from aurl.music.repair.habits import BYTE, EARLY_END, Habits
from aurl.music.repair.report import FaultLog
from aurl.music.repair.syntax import END_OF_TRACK, META, Event, read_event

HORIZON = 40
"""Bytes behind an edit that judge it."""
BACK = 4
"""Events before the damage whose bytes may be the damaged ones."""
EDIT_BITS, CHANGE_BITS, FLIP_BITS = 14.0, 8.0, 3.0
"""An edit must save this; a changed byte says its 8 bits, or which of its bits was turned."""
BROKEN_BITS = 30.0
"""Bits of bytes that cannot be an event."""
SEARCH_EVENTS, SEARCH_COST = 60_000, 100
"""Events that the searches of a file may read, and what a search costs besides."""
MOST_SOUNDING = 64
"""Notes held at once; where there are more, only the damaged place itself is searched."""
CALM, MOST_PATIENCE = 64, 4096
"""Events without trouble before many are taken at once; more where that took few."""
STATUS = re.compile(rb"[\x80-\xff]")
SHORTEST_STRETCH, LONGEST_STRETCH = 1024, 65_536
"""Bytes that are looked at at once."""


@dataclass
class Budget:
    """Events that searches may still read, over the whole file."""

    events: int = SEARCH_EVENTS

    def spend(self, events: int, place: str, log: FaultLog) -> None:
        """Take from what is left; the log says where nothing was left."""
        self.events -= events
        if self.events <= 0 < self.events + events:
            log.add("damage in too many places", place, "no more corrections tried")


class _State(NamedTuple):
    at: int
    running: int
    tick: int
    sounding: dict[int, int]
    rows: int


@dataclass
class TrackReader:
    """Reads one track; with `habits` it searches for edits, without it steps over what it cannot read."""

    data: bytearray
    chunk: Chunk
    number: int
    log: FaultLog
    budget: Budget
    habits: Habits | None = None
    rows: list[Row] = field(default_factory=list)
    blocks: list[Events] = field(default_factory=list)
    stumbles: int = 0

    def read(self) -> Events:
        """All events that could be read, in order."""
        self.at, self.running, self.tick, self.shift = 0, 0, 0, self.chunk.start
        self.sounding: dict[int, int] = {}
        self.history: deque[_State] = deque(maxlen=BACK)
        self.searched, self.calm, self.patience, self.stretch = -1, 0, CALM, SHORTEST_STRETCH
        ended = skipping = False
        while self.at < len(self.data) and not ended:
            if self.calm >= self.patience:
                self._stride()
            event = read_event(self.data, self.at, len(self.data), self.running)
            if self._search(event):
                continue
            if event is None:
                skipping = self._step_over(skipping)
                continue
            skipping = False
            ended = self._take(event)
        if not ended:
            self.log.add("no end of track", self._place(), "ended with its last event")
        events = Events.join([*self.blocks, Events.of(self.rows)])
        self.blocks, self.rows = [], []
        return events

    def _stride(self) -> None:
        """Take many plain events at once, up to a few before the first that is not or deserves a search."""
        searches = self.habits is not None and self.budget.events > 0
        run = read_run(bytes(self.data[self.at : self.at + self.stretch]), self.running)
        plain = len(run.at)
        if searches and self.habits:
            plain = self.habits.first_suspicious(run, self.tick, self.sounding)
        taken = plain - BACK if searches else plain
        whole = plain == len(run.at) and self.at + self.stretch < len(self.data)
        self.stretch = min(self.stretch * 2, LONGEST_STRETCH) if whole else SHORTEST_STRETCH
        if taken < CALM:
            self.calm, self.patience = 0, min(self.patience * 2, MOST_PATIENCE)
        elif not whole:
            self.calm, self.patience = 0, CALM
        if taken > 0:
            self._take_run(run.until(taken))

    def _take_run(self, run: Run) -> None:
        ticks = self.tick + np.cumsum(run.delta)
        byte = (run.at + self.at + self.shift).astype(np.int32)
        is_long = run.status >= 0xF0
        spans = (np.stack([run.body, run.end], axis=1)[is_long] + self.at).tolist()
        contents = [bytes(self.data[start:end]) for start, end in spans]
        block = Events(ticks, byte, run.status, run.first, run.second, contents)
        rows = np.flatnonzero(block.is_note())
        order, begins = grouped(block.keys()[rows])
        last = rows[order][np.append(begins[1:], True)] if len(rows) else rows
        for key, starts, tick in zip(block.keys()[last], block.is_start()[last], ticks[last], strict=True):
            if starts:
                self.sounding[int(key)] = int(tick)
            else:
                self.sounding.pop(int(key), None)
        self.blocks += [Events.of(self.rows), block]
        self.rows = []
        self.history.clear()
        self.at, self.tick = self.at + int(run.end[-1]), int(ticks[-1])
        self.running = int(run.status[~is_long][-1]) if not is_long.all() else self.running

    def _search(self, event: Event | None) -> bool:
        """Whether the place deserved a search that found an edit; the reader is then before it."""
        if self.at <= self.searched or not self._deserves_search(event):
            return False
        self.searched, self.calm = self.at, 0
        before, place = self.budget.events, self._place()
        edited = self._edit()
        spent = before - self.budget.events + SEARCH_COST
        self.budget.events = before
        self.budget.spend(spent, place, self.log)
        if edited is not None:
            self.searched = max(self.searched, edited)
        return edited is not None

    def _step_over(self, skipping: bool) -> bool:
        """Leave a byte unread, or take an absurd wait as none; whether bytes are being skipped."""
        self.calm = 0
        self.stumbles += 1
        _, length = self._wait_length(self.data, self.at)
        if length >= 4 and self.at + length < len(self.data):
            self.log.add("absurd wait", self._place(), "taken as none")
            self.at += length - 1
            self.data[self.at] = 0
            return False
        if not skipping:
            self.log.add("unreadable bytes", self._place(), "skipped to the next event")
        told = None if self.running else STATUS.search(self.data, self.at + 1)
        self.at = max(self.at + 1, told.start() - 1) if told else self.at + 1 if self.running else len(self.data)
        return True

    def _take(self, event: Event) -> bool:
        """Keep an event; whether it ends the track."""
        if self.habits and self.budget.events > 0 and len(self.sounding) <= MOST_SOUNDING:
            self.history.append(self._state())
        delta, status, body, end = event
        self.tick += delta
        self.calm += 1
        byte = self.at + self.shift
        self.at = end
        if status < 0xF0:
            first, second = self.data[body], self.data[end - 1] if end - body == 2 else 0
            self.running = status
            self.rows.append(Row(self.tick, byte, status, first, second, b""))
            if status < 0xA0:
                key = (status & 0x0F) << 7 | first
                if status >= 0x90 and second:
                    self.sounding[key] = self.tick
                else:
                    self.sounding.pop(key, None)
            return False
        if status == META and self.data[body] == END_OF_TRACK:
            if len(self.data) - end < 8:
                return True
            self.log.add("end of track inside the track", f"track {self.number}, byte {byte}", "ignored")
            return False
        self.rows.append(Row(self.tick, byte, status, 0, 0, bytes(self.data[body:end])))
        return False

    def _state(self) -> _State:
        return _State(self.at, self.running, self.tick, dict(self.sounding), len(self.rows))

    def _deserves_search(self, event: Event | None) -> bool:
        if self.budget.events <= 0 or not self.habits:
            return False
        if event is None:
            return True
        left = len(self.data) - event.end
        return self.habits.is_suspicious(self.data, event, self.tick + event.delta, self.sounding, left)

    def _edit(self) -> int | None:
        """Try the edits near by; make the best one that pays and go back to before it. Where it was made, or None."""
        states = [*self.history, self._state()]
        start, stop = states[0].at, min(self.at + HORIZON, len(self.data))
        window = bytes(self.data[start:stop])
        last = min(self.at + 6 - start, len(window))
        best = self._cost(window, 0, states[0], stop, 1e9) - EDIT_BITS
        found: tuple[int, int, bytes] | None = None
        leads = self._leads(states)
        chosen = 0
        for at, taken, put, bits in self._edits(window, last):
            while chosen + 1 < len(states) and states[chosen + 1].at - start <= at:
                chosen += 1
            state, lead = states[chosen], leads[chosen]
            if lead + bits >= best:
                continue
            edited = window[state.at - start : at] + put + window[at + taken :]
            cost = self._cost(edited, 0, state, stop, best - bits - lead) + bits + lead
            if cost < best:
                best, found = cost, (at, taken, put)
            if self.budget.events <= 0:
                break
        return None if found is None else self._apply(states, start, *found)

    def _leads(self, states: list[_State]) -> list[float]:
        """Bits of the events from the first state to each."""
        assert self.habits is not None
        bits, leads = 0.0, [0.0]
        sounding = dict(states[0].sounding)
        for state in states[:-1]:
            event = read_event(self.data, state.at, len(self.data), state.running)
            bits += 0.0 if event is None else self.habits.cost(self.data, event, state.tick + event.delta, sounding)
            leads.append(bits)
        return leads

    def _edits(self, window: bytes, last: int) -> Iterator[tuple[int, int, bytes, float]]:
        """Where, bytes taken, bytes put, bits of saying so."""
        wait = self._wait_length(window, self.at - self.history[0].at if self.history else 0)
        yield *wait, b"\0", CHANGE_BITS * 2
        grams = self._common()
        for at in range(last):
            for bit in range(8):
                yield at, 1, bytes([window[at] ^ 1 << bit]), FLIP_BITS
            for taken in (1, 2, 3):
                yield at, taken, b"", CHANGE_BITS * taken
            for put in grams:
                if len(put) == 1:
                    yield at, 1, put, CHANGE_BITS
                yield at, 0, put, 0.0

    @staticmethod
    def _wait_length(window: bytes | bytearray, at: int) -> tuple[int, int]:
        """Where the wait of the damaged event begins, and its bytes: those with the top bit set and one more."""
        end = at
        while end < len(window) - 1 and end < at + 8 and window[end] >= 0x80:
            end += 1
        return at, end - at + 1

    def _common(self) -> list[bytes]:
        """The bytes, pairs and triples that the track says most."""
        if not hasattr(self, "_grams"):
            data = bytes(self.data[:20_000])
            self._grams = [
                gram
                for length, most in ((1, 24), (2, 16), (3, 10))
                for gram, _ in Counter(data[i : i + length] for i in range(len(data) - length)).most_common(most)
            ]
        return self._grams

    def _cost(self, data: bytes, at: int, state: _State, stop: int, limit: float) -> float:
        """Bits of `data` from `state` on; gives up beyond `limit`."""
        assert self.habits is not None
        running, tick, sounding = state.running, state.tick, dict(state.sounding)
        self.budget.events -= len(sounding) // MOST_SOUNDING
        bits, last = 0.0, len(data)
        ends = stop == len(self.data)
        while at < last and bits < limit:
            self.budget.events -= 1
            event = read_event(data, at, last, running)
            if event is None:
                if not ends and last - at < 8:
                    return bits + BYTE * (last - at)
                return bits + BROKEN_BITS + BYTE * (last - at)
            if event.status == META and data[event.body] == END_OF_TRACK:
                return bits + (0.0 if ends and event.end == last else EARLY_END + BYTE * (last - event.end))
            tick += event.delta
            bits += self.habits.cost(data, event, tick, sounding)
            at = event.end
            running = event.status if event.status < 0xF0 else running
        return bits

    def _apply(self, states: list[_State], start: int, at: int, taken: int, put: bytes) -> int:
        state = next(s for s in reversed(states) if s.at - start <= at)
        where = start + at
        place = f"track {self.number}, byte {where + self.shift}"
        kind = "changed byte" if taken and put else "extra bytes" if taken else "missing bytes"
        self.log.add(kind, place, {"c": "guessed", "e": "taken out", "m": "guessed"}[kind[0]])
        self.data[where : where + taken] = put
        self.shift += taken - len(put)
        self.at, self.running, self.tick = state.at, state.running, state.tick
        self.sounding = dict(state.sounding)
        del self.rows[state.rows :]
        while self.history and self.history[-1].at >= state.at:
            self.history.pop()
        return where + len(put)

    def _place(self) -> str:
        return f"track {self.number}, byte {self.at + self.shift}"
