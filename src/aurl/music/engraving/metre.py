"""The metre as a tree: which places of a bar are strong, and how a span of time is divided so that they stay visible.

Places and lengths are steps, 24 to the quarter note. A bar divides into its beats, these by halves down to 32nds (3
steps). The depth of a place is the level of the tree at which a division falls there: 0 for the bar line, then more
the weaker it is; places between 32nds belong to tuplets. The rules for what may be written as one note are those of
Gould, "Behind Bars" (2011), pp. 152-170: a note begins or ends at least as strongly as anything it crosses, or is a
plain syncopation around one beat; rests never syncopate; compound beats are never crossed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

STEPS = 24
"""Of a quarter note."""
SHORTEST = 3
"""Steps of a 32nd, the shortest plain value on the grid."""
NOWHERE = 99
"""Depth of places that no level reaches."""
TUPLET_CELLS = (3, 6, 12, 24, 48, 96)
"""Lengths that three equal notes can fill."""


class Value(NamedTuple):
    """A note value: its name in MusicXML, and dots."""

    name: str
    dots: int


_NAMES = ("64th", "32nd", "16th", "eighth", "quarter", "half", "whole", "breve")
PLAIN = {
    (2 << power) * SHORTEST // (2 << dots) * ((2 << dots) - 1): Value(name, dots)
    for dots in (0, 1, 2)
    for power, name in enumerate(_NAMES[1:])
    if power >= dots
}
"""What can be written, by steps."""
IN_TUPLET = {
    (2 << power) // (2 << dots) * ((2 << dots) - 1): Value(name, dots)
    for dots in (0, 1)
    for power, name in enumerate(_NAMES[:-1])
    if power >= dots
}
"""What can be written in a tuplet of three for two, by the steps that it sounds."""


class Node(NamedTuple):
    """A part of a bar and the parts it divides into."""

    start: int
    length: int
    children: tuple[Node, ...]

    @property
    def end(self) -> int:
        """Where the next part begins."""
        return self.start + self.length


class Metre(NamedTuple):
    """A bar's tree, the depth of each of its places, and of its beats."""

    tree: Node
    depth: Sequence[int]
    beats: tuple[tuple[int, int], ...]
    """Start and end of each, where beams break."""
    group_depth: int
    """Depth of the places where groups of units begin."""
    is_strict: bool
    """Whether there are groups of three: then notes do not cross groups."""
    spans: frozenset[tuple[int, int]]
    """Start and end of each node."""


def metre_length(numerator: int, denominator: int) -> int:
    """Steps of a bar."""
    return numerator * 4 * STEPS // denominator


@lru_cache(256)
def metre(numerator: int, denominator: int) -> Metre:
    """The tree of a time signature over a note value of a 32nd or longer."""
    unit = metre_length(1, denominator)
    groups, nodes, units = beat_groups(numerator, denominator), list[Node](), list[Node]()
    for size in groups:
        start = len(units) * unit
        parts = tuple(_halved(start + unit * index, unit) for index in range(size))
        units += parts
        nodes.append(parts[0] if size == 1 else Node(start, size * unit, parts))
    tree = _paired(nodes)
    depth = depths(tree)
    return Metre(
        tree=tree,
        depth=depth,
        beats=tuple((node.start, node.end) for node in (nodes if denominator >= 8 else units)),
        group_depth=max((depth[node.start] for node in nodes[1:]), default=0),
        is_strict=3 in groups,
        spans=frozenset(_spans(tree)),
    )


def beat_groups(numerator: int, denominator: int) -> tuple[int, ...]:
    """How many units go together: 3 in compound metres, 2 of short ones, 2 and 3 in other metres, else 1."""
    if numerator % 3 == 0 and (numerator > 3 or denominator >= 8):
        return (3,) * (numerator // 3)
    if numerator == 5:
        return (3, 2)
    if numerator % 2 and numerator > 5:
        return (2,) * ((numerator - 3) // 2) + (3,)
    return (2,) * (numerator // 2) if denominator >= 8 and numerator > 1 else (1,) * numerator


def _halved(start: int, length: int) -> Node:
    half = length // 2
    if length <= SHORTEST:
        return Node(start, length, ())
    return Node(start, length, (_halved(start, half), _halved(start + half, half)))


def _paired(nodes: list[Node]) -> Node:
    """One tree over beats: by halves as long as their number is even and they are equal, else side by side."""
    while len(nodes) > 2 and len(nodes) % 2 == 0 and len({node.length for node in nodes}) == 1:
        nodes = [
            Node(one.start, one.length + two.length, (one, two))
            for one, two in zip(nodes[::2], nodes[1::2], strict=True)
        ]
    return nodes[0] if len(nodes) == 1 else Node(0, nodes[-1].end, tuple(nodes))


def depths(tree: Node) -> list[int]:
    """The depth of each place from the start of `tree` to its end."""
    depth = [NOWHERE] * (tree.length + 1)
    depth[0] = depth[-1] = 0
    level, nodes = 1, tree.children
    while nodes:
        for node in nodes:
            place = node.start - tree.start
            depth[place] = min(depth[place], level)
        level, nodes = level + 1, tuple(child for node in nodes for child in node.children)
    return depth


def _spans(tree: Node) -> list[tuple[int, int]]:
    return [(tree.start, tree.end)] + [span for child in tree.children for span in _spans(child)]


@lru_cache
def tuplet_metre(length: int) -> Metre:
    """The inside of a tuplet that fills `length` steps with three equal parts."""
    third = length // 3

    def halved(start: int, size: int) -> Node:
        parts = (halved(start, size // 2), halved(start + size // 2, size // 2)) if size > 1 else ()
        return Node(start, size, parts)

    tree = Node(0, length, tuple(halved(third * index, third) for index in range(3)))
    return Metre(tree, depths(tree), (), 0, False, frozenset(_spans(tree)))


def divide(start: int, end: int, where: Metre, values: Mapping[int, Value], *, is_rest: bool) -> list[tuple[int, int]]:
    """A span of the bar as spans that can each be written as one note or rest, in order."""
    if end - start in values and _may_stand(start, end, where, values[end - start], is_rest=is_rest):
        return [(start, end)]
    cut = _strongest(start, end, where.depth)
    parts = (start, cut), (cut, end)
    return [span for part in parts for span in divide(*part, where, values, is_rest=is_rest)]


def _strongest(start: int, end: int, depth: Sequence[int]) -> int:
    return min(range(start + 1, end), key=depth.__getitem__)


def _may_stand(start: int, end: int, where: Metre, value: Value, *, is_rest: bool) -> bool:
    """Whether a span of the length of a value may be written as that value; see the module's docstring."""
    if end - start == 1 or (value.dots < 2 and (start, end) in where.spans):
        return True
    depth = where.depth
    middle = _strongest(start, end, depth)
    crossed, before, after = depth[middle], depth[start], depth[end]
    if where.is_strict and crossed <= where.group_depth:
        return not is_rest and value.dots < 2 and max(before, after) <= where.group_depth
    if is_rest:
        return value.dots == 0 and before < crossed
    if value.dots == 2:
        return before < crossed
    is_syncopation = value.dots == 0 and start + end == 2 * middle and before == after == crossed + 1
    return min(before, after) <= crossed or is_syncopation
