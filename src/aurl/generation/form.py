"""Draws a plausible form for a piece: an intro, phrases that are repeated, contrasted and come back, an outro.

The tables count what the songs of POP909's training split do, by the phrases that Dai, Zhang and Dannenberg (2020)
marked by hand; `benchmarks/train_form.py` prints them. A phrase keeps the length of its first statement.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np

from aurl.data.tokenizers.note_vocabulary import SECTIONS

T = TypeVar("T")
INTRO, OUTRO, INTERLUDE = "IOX"
PHRASES = [letter for letter in SECTIONS if letter not in (INTRO, OUTRO, INTERLUDE)]
MOVES = ("repeat", "go on", "go back", "interlude", "new")
"""The same phrase again; what followed it when it was last heard; another heard before; no theme; a new phrase."""
LENGTHS: Mapping[str, Mapping[int, int]] = {
    "intro": {4: 207, 8: 232, 12: 24},
    "phrase": {4: 546, 8: 899, 16: 111},
    "interlude": {2: 227, 4: 264, 8: 117},
    "outro": {2: 96, 4: 91, 8: 32},
}
"""How often each lasts so many bars of four quarters."""
COUNTS: Mapping[tuple[int, int], Sequence[int]] = {
    (1, 0): (0, 17, 38, 0, 93),
    (1, 1): (532, 0, 0, 78, 221),
    (1, 2): (27, 0, 0, 76, 456),
    (2, 0): (0, 91, 498, 0, 121),
    (2, 1): (1107, 393, 100, 390, 157),
    (2, 2): (586, 0, 366, 545, 66),
    (3, 0): (0, 30, 225, 0, 45),
    (3, 1): (525, 291, 162, 188, 28),
    (3, 2): (125, 0, 206, 233, 16),
}
"""How often each of MOVES is made in a context: see `context_of`."""
SHARE = 6
"""Intro and outro take at most one bar in so many."""
REST = 3
"""Bars that are no phrase: a phrase that would leave fewer goes on to the end."""


def draw_form(bars: int, seed: int, *, ends: bool = True) -> str:
    """A form like "I4 A8 A8 B8 A8 O4" of so many bars; one that does not end has no outro. Same seed, same form."""
    rng = np.random.default_rng([seed, bars])
    intro, outro = _edge("intro", bars, rng), _edge("outro", bars, rng) if ends else 0
    body: list[tuple[str, int]] = []
    told: dict[str, int] = {}
    left = bars - intro - outro
    while left > 0:
        letter = _next([letter for letter, _ in body], rng)
        if letter == INTERLUDE or letter not in told:
            told[letter] = _drawn(LENGTHS["interlude" if letter == INTERLUDE else "phrase"], rng)
        body.append((letter, left if left - told[letter] < REST else told[letter]))
        left -= body[-1][1]
    parts = [(INTRO, intro), *body, (OUTRO, outro)]
    return " ".join(f"{letter}{length}" for letter, length in parts if length)


def context_of(body: Sequence[str]) -> tuple[int, int]:
    """How many phrases there are, 3 standing for more, and how often the last has come in a row, 2 for more."""
    run = next((n for n, letter in enumerate(reversed(body)) if letter != body[-1]), len(body))
    return min(len(set(body) - {INTERLUDE}), 3), 0 if body[-1] == INTERLUDE else min(run, 2)


def moves_from(body: Sequence[str]) -> dict[str, list[str]]:
    """The letters that each move can lead to; the new one is the first that was not used."""
    last = body[-1]
    themes = [letter for letter in dict.fromkeys(body) if letter not in (INTERLUDE, last)]
    again = next((body[n + 1] for n in reversed(range(len(body) - 1)) if body[n] == last), last)
    ways = {
        "repeat": [last] if last != INTERLUDE else [],
        "go on": [again] if again in themes else [],
        "go back": [letter for letter in themes if letter != again],
        "interlude": [INTERLUDE] if last != INTERLUDE else [],
        "new": [letter for letter in PHRASES if letter not in body][:1],
    }
    return {move: letters for move, letters in ways.items() if letters}


def _next(body: Sequence[str], rng: np.random.Generator) -> str:
    if not body:
        return PHRASES[0]
    ways, counts = moves_from(body), dict(zip(MOVES, COUNTS[context_of(body)], strict=True))
    letters = ways[_drawn({move: counts[move] for move in ways}, rng)]
    return letters[int(rng.integers(len(letters)))]


def _edge(kind: str, bars: int, rng: np.random.Generator) -> int:
    """Bars of an intro or outro, 0 where the piece is too short for one."""
    fitting = {length: count for length, count in LENGTHS[kind].items() if SHARE * length <= bars}
    return _drawn(fitting, rng) if fitting else 0


def _drawn(counts: Mapping[T, int], rng: np.random.Generator) -> T:
    weights = np.array([*counts.values()], np.float64)
    return [*counts][int(rng.choice(len(weights), p=weights / weights.sum()))]
