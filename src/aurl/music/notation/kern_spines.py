"""The spines of a Humdrum file: which there are after a line that splits, joins, swaps, adds or ends them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

from aurl.music.notation.kern_tokens import Sound

KERN, DYNAMICS = "**kern", "**dynam"
VERSES = ("**text", "**silbe")
CHORDS = ("**mxhm", "**harte")
MOST_SPINES = 256
NO_STAFF = -1
_MANIPULATORS = frozenset({"*^", "*v", "*x", "*+", "*-"})


@dataclass(eq=False)
class Spine:
    """A column, or one of those that it has split into."""

    kind: str
    end: int = 0
    """When what sounds in it ends, in the reader's units."""
    staff: int = NO_STAFF
    """Of kern the number of its first column, from the left; of others that of the kern spine left of it."""
    staves: tuple[int, ...] = ()
    """Those that its tokens are about."""
    verse: int = 0
    part: str = ""
    graces: list[tuple[int, Fraction, Sound]] = field(default_factory=list)
    """(bar, offset, sound) of grace notes that wait for the note they lead to."""


def heading(kinds: Sequence[str]) -> list[Spine]:
    """The spines of a line such as "**kern **dynam"."""
    _refuse_many(len(kinds))
    spines = [Spine(kind) for kind in kinds]
    arrange(spines)
    return spines


def arrange(spines: Sequence[Spine]) -> None:
    """Give each new kern spine a staff, and all others the staves that they are about."""
    staff, verse = NO_STAFF, 0
    for index, spine in enumerate(spines):
        if spine.kind == KERN:
            if spine.staff == NO_STAFF:
                spine.staff = 1 + max(other.staff for other in spines)
            staff, verse = spine.staff, 0
            continue
        verse += spine.kind in VERSES
        spine.staff, spine.verse = staff, verse
        spine.staves = _under(spines[:index]) if spine.kind == DYNAMICS else ()


def _under(left: Sequence[Spine]) -> tuple[int, ...]:
    """Staves that dynamics right of `left` are about: the nearest, and its part's without dynamics of their own."""
    staves: list[int] = []
    part = None
    for spine in reversed(left):
        if spine.kind == DYNAMICS and staves:
            break
        if spine.kind == KERN:
            if staves and (not part or spine.part != part):
                break
            part = spine.part
            staves += [spine.staff] * (spine.staff not in staves)
    return tuple(staves)


def following(spines: Sequence[Spine], cells: Sequence[str]) -> list[Spine] | None:
    """The spines after a line of interpretations; None if it changes none; raises ValueError."""
    if not any(cell in _MANIPULATORS or cell.startswith("**") for cell in cells):
        return None
    after: list[Spine] = []
    joining: Spine | None = None
    swapped: int | None = None
    for spine, cell in zip(spines, cells, strict=True):
        target, joining = joining, None
        if cell == "*v":
            joining = _joined(target, spine)
            after += [spine] * (joining is spine)
        elif cell == "*x":
            after.insert(len(after) if swapped is None else swapped, spine)
            swapped = len(after) - 1 if swapped is None else None
        elif cell != "*-":
            after.append(spine)
            after += [replace(spine, graces=[])] * (cell == "*^") + [Spine("", spine.end)] * (cell == "*+")
            if cell.startswith("**"):
                spine.kind, spine.staff = cell, NO_STAFF
    _refuse_many(len(after))
    arrange(after)
    return after


def _joined(target: Spine | None, spine: Spine) -> Spine:
    """The spine that goes on after a *v: `target`, where the column before says *v too."""
    if target is None or target.kind != spine.kind:
        return spine
    target.end = max(target.end, spine.end)
    target.graces += spine.graces
    spine.graces = []
    return target


def _refuse_many(count: int) -> None:
    if count > MOST_SPINES:
        raise ValueError(f"{count} spines, more than {MOST_SPINES}")
