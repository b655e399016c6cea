"""The order in which written bars are played: repeats, endings, da capo, dal segno, fine and coda.

As players do it: a repeat without a start goes back to the end of the one before, repeats are left out after a jump,
and the last ending is taken then. Of two coda signs the first is the place to leave, the second the coda.
"""

from __future__ import annotations

from collections.abc import Sequence

from aurl.music.notation.written import Marks

MOST_BARS = 20_000
"""Bars that are played of one piece; what asks for more is a mistake or an attack."""


def playing_order(marks: Sequence[Marks]) -> list[int] | None:
    """Numbers of the bars in the order of playing; None if that would be more than MOST_BARS."""
    order: list[int] = []
    last_endings = _last_endings(marks)
    coda_signs = [bar for bar, mark in enumerate(marks) if mark.coda]
    bar, start, turn, has_jumped = 0, 0, 1, False
    while bar < len(marks):
        mark = marks[bar]
        if (mark.repeat_starts and bar != start) or (not mark.endings and bar and marks[bar - 1].endings):
            start, turn = (bar, 1) if bar > start else (start, turn)
        if mark.endings and (last_endings[bar] if has_jumped else turn) not in mark.endings:
            bar += 1
            continue
        order.append(bar)
        if len(order) > MOST_BARS:
            return None
        if has_jumped and mark.fine:
            break
        if has_jumped and len(coda_signs) > 1 and bar == coda_signs[0]:
            bar = coda_signs[1]
        elif not has_jumped and mark.times > 1 and turn < max(mark.times, last_endings[bar]):
            bar, turn = start, turn + 1
        elif mark.jump and not has_jumped:
            bar, has_jumped = _target(marks, mark), True
        else:
            start, turn = (bar + 1, 1) if mark.times > 1 and not mark.endings else (start, turn)
            bar += 1
    return order


def _target(marks: Sequence[Marks], mark: Marks) -> int:
    if mark.jump == "start":
        return 0
    return next((bar for bar, other in enumerate(marks) if other.segno), 0)


def _last_endings(marks: Sequence[Marks]) -> list[int]:
    """For each bar, the highest number in the run of endings that it is in; 0 outside endings."""
    highest = [max(mark.endings, default=0) for mark in marks]
    for bar in range(1, len(marks)):
        if highest[bar] and not marks[bar].repeat_starts:
            highest[bar] = max(highest[bar], highest[bar - 1])
    for bar in range(len(marks) - 1, 0, -1):
        if highest[bar - 1] and highest[bar] and not marks[bar].repeat_starts:
            highest[bar - 1] = highest[bar]
    return highest
