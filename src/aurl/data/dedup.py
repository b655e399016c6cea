"""Near-duplicates: the same music in another key, tempo, resolution or instrumentation, or with some notes changed.

A piece is known by two lines through all its instruments: the highest pitch of each onset and the lowest, unless a
note beyond still sounds. Only intervals count, so neither key nor tempo matters. Duplicates are found in three steps.
MinHash (Broder 1997) keeps `SLOTS` runs of `RUN` intervals of each line with the place where each first comes; pieces
equal in two slots meet (locality-sensitive hashing, Indyk and Motwani 1998). Those are candidates whose slots agree *at
the same place* often enough, which the formulas that a style shares do not. Candidates are confirmed by aligning the
beginnings of both lines, note by note. A tune harmonised twice is two pieces: its lowest lines differ. Drums are not
heard, and a piece of few runs is nobody's duplicate.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray

from aurl.music.score import Notes, Score

Sketch = NDArray[np.uint64]
Ints = NDArray[np.int64]
Slots = NDArray[np.uint32]
"""20 bits of a run's hash, then 12 bits of its place; two of them make one value of a sketch."""
Steps = NDArray[np.uint8]
"""Intervals of a line, 64 for none, up to 63 semitones up or down; 0 where the line has ended."""
SLOTS = 128
"""Slots of one line; a sketch begins with those of the highest line, then those of the lowest."""
STEPS = 256
"""Intervals of one line, from its beginning, that are aligned; a sketch ends with those of both, eight in a value."""
RUN = 3
"""Intervals of one run."""
MIN_RUNS = 12
"""A line of fewer different runs says too little."""
MAX_NOTES = 1 << 15
"""Notes of a piece that are looked at, from its beginning; bounds time and memory."""
MIN_AGREEMENT = 0.1
"""Share of the slots that agree in candidates."""
MIN_ALIGNED = 0.38
"""Share of both lines that is aligned in duplicates, in the line with less."""
MIN_ALIGNED_ALONE = 0.55
"""The same where a piece is of one voice: its two lines are one, and say less than two."""
ONE_VOICE = 0.5
"""Share of the lines of a piece of one voice that is aligned with each other."""
SAME_PLACE = 0.06
"""How far apart, as a share of the line, runs may lie and be at the same place."""
BAND_STEPS = (1, 2, 3)
"""Slots i and i + step of the highest line make a band: pieces equal in both meet."""
NEIGHBOURS = 8
"""Of many pieces equal in a band, each meets this many that follow."""
JOIN_SHARE = 0.9
"""Of what duplicates have at least, what members of two clusters that are joined have on average."""
ASKED = 8
"""Members of a cluster that are aligned with those of another before the two are joined."""
PAIRS_AT_ONCE = 1 << 12
CODES_AT_ONCE = 1 << 22
PLACE_BITS = 12
EMPTY = np.uint32(0xFFFFFFFF)


def sketch(score: Score) -> Sketch:
    """What `find_duplicates` needs of a piece: uint64[SLOTS + STEPS / 4], 1.5 KB."""
    notes = score.notes.take(score.is_pitched).take(slice(MAX_NOTES))
    lines = outer_lines(notes) if len(notes) > RUN else (np.zeros(0, np.int64),) * 2
    steps = [(np.clip(np.diff(line), -63, 63) + 64).astype(np.uint8) for line in lines]
    slots = np.concatenate([_minima(each) for each in steps])
    starts = np.concatenate([np.pad(each[:STEPS], (0, max(0, STEPS - len(each)))) for each in steps])
    return np.concatenate([slots.view(np.uint64), starts.view(np.uint64)])


def find_duplicates(sketches: Sequence[Sketch]) -> Ints:
    """The cluster of each piece, numbered from 0 as they appear; which pieces share one depends on no order.

    Clusters are joined from the most alike pair down, and only where their members are alike on average, so that pieces
    are not chained together by what is common to many.
    """
    if not len(sketches):
        return np.zeros(0, np.int64)
    table, piece_rows = np.unique(np.stack(sketches), axis=0, return_inverse=True)
    slots, steps = table[:, :SLOTS].view(np.uint32), table[:, SLOTS:].view(np.uint8).reshape(-1, 2, STEPS)
    clusters = _clusters(steps, _alike_pairs(slots, steps))
    silent = (slots[:, 0] == EMPTY)[piece_rows.ravel()]
    labels = clusters[piece_rows.ravel()]
    labels[silent] = len(table) + np.flatnonzero(silent)
    _, first, numbers = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[numbers.ravel()].astype(np.int64)


def agreement(first: Slots, second: Slots) -> NDArray[np.float64]:
    """Share of the slots, but for those empty in both, that agree in the pieces of each row; uint32[n, 2 * SLOTS]."""
    mask = np.uint32((1 << PLACE_BITS) - 1)
    apart = np.abs((first & mask).astype(np.int32) - (second & mask).astype(np.int32))
    equal = (first >> PLACE_BITS == second >> PLACE_BITS) & (apart <= SAME_PLACE * mask)
    heard = (first != EMPTY) | (second != EMPTY)
    return np.asarray((equal & heard).sum(axis=1) / np.maximum(1, heard.sum(axis=1)))


def likeness(first: Steps, second: Steps) -> float:
    """How much of two pieces is aligned, uint8[2, STEPS] each, as a multiple of what duplicates have at least."""
    share = min(_aligned(*lines) for lines in zip(first, second, strict=True))
    if share < MIN_ALIGNED:
        return share / MIN_ALIGNED
    of_one = max(_aligned(*first), _aligned(*second)) >= ONE_VOICE
    return share / (MIN_ALIGNED_ALONE if of_one else MIN_ALIGNED)


def _aligned(first: Steps, second: Steps) -> float:
    """Share of two lines that is one subsequence of pairs of intervals (bit-parallel: Hyyro 2004)."""
    one, other = (line[:-1][line[1:] > 0].astype(int) << 7 | line[1:][line[1:] > 0] for line in (first, second))
    if not len(one) or not len(other):
        return 0.0
    places: dict[int, int] = {}
    for place, pair in enumerate(one.tolist()):
        places[pair] = places.get(pair, 0) | 1 << place
    everywhere = (1 << len(one)) - 1
    unmatched = everywhere
    for pair in other.tolist():
        matching = unmatched & places.get(pair, 0)
        unmatched = (unmatched + matching | unmatched - matching) & everywhere
    return 2 * (len(one) - unmatched.bit_count()) / (len(one) + len(other))


def _alike_pairs(slots: Slots, steps: Steps) -> Ints:
    """Pairs of rows [n, 2] that are duplicates, from the most alike down."""
    pairs = [np.zeros((0, 2), np.int64)]
    codes = _candidates(slots)
    for start in range(0, len(codes), PAIRS_AT_ONCE):
        pair = np.stack(np.divmod(codes[start : start + PAIRS_AT_ONCE], len(slots)), axis=1)
        pairs.append(pair[agreement(slots[pair[:, 0]], slots[pair[:, 1]]) >= MIN_AGREEMENT])
    candidates = np.concatenate(pairs)
    alike = np.array([likeness(steps[first], steps[second]) for first, second in candidates.tolist()])
    order = np.lexsort((candidates[:, 1], candidates[:, 0], -alike))
    return np.asarray(candidates[order[alike[order] >= 1]])


def _candidates(slots: Slots) -> Ints:
    """Pairs of rows equal in a band, as first * len(slots) + second, ascending."""
    hashes = (slots[:, :SLOTS] >> PLACE_BITS).astype(np.int64)
    rows = np.flatnonzero(slots[:, 0] != EMPTY)
    found: Ints = np.zeros(0, np.int64)
    waiting: list[Ints] = []
    for step, slot in product(BAND_STEPS, range(SLOTS)):
        keys = hashes[rows, slot] << 20 | hashes[rows, (slot + step) % SLOTS]
        order = np.argsort(keys, kind="stable")
        waiting += list(_neighbours(keys[order], rows[order], len(slots)))
        if sum(map(len, waiting)) > CODES_AT_ONCE:
            found, waiting = np.unique(np.concatenate([found, *waiting])), []
    return np.unique(np.concatenate([found, *waiting]))


def _neighbours(keys: Ints, rows: Ints, count: int) -> Iterator[Ints]:
    """Pairs of `rows` up to `NEIGHBOURS` apart whose `keys`, which ascend, are equal."""
    for apart in range(1, NEIGHBOURS + 1):
        equal = np.flatnonzero(keys[:-apart] == keys[apart:])
        if not len(equal):
            return
        yield rows[equal] * count + rows[equal + apart]


def _clusters(steps: Steps, pairs: Ints) -> Ints:
    """The cluster of each row: the number of one of its rows."""
    members = {row: [row] for row in np.unique(pairs).tolist()}
    owner = np.arange(len(steps))
    for first, second in pairs.tolist():
        one, other = sorted((int(owner[first]), int(owner[second])))
        if one == other or not _joinable(steps, members[one], members[other]):
            continue
        owner[members[other]] = one
        members[one] += members.pop(other)
    return owner


def _joinable(steps: Steps, one: list[int], other: list[int]) -> bool:
    """Whether the members of two clusters are alike on average."""
    if len(one) == len(other) == 1:
        return True
    asked = product(sorted(one)[:ASKED], sorted(other)[:ASKED])
    return bool(np.mean([likeness(steps[first], steps[second]) for first, second in asked]) >= JOIN_SHARE)


def outer_lines(notes: Notes) -> tuple[Ints, Ints]:
    """The highest and the lowest pitch at each onset, where nothing that still sounds lies beyond."""
    onset, pitch = notes.onset.astype(np.int64), notes.pitch.astype(np.int64)
    together = (onset[-1] - onset[0]) / len(onset) / 4  # a fourth of the mean time between notes: also in any tempo
    chord = np.cumsum(np.diff(onset, prepend=onset[0]) > together)
    firsts = np.flatnonzero(np.diff(chord, prepend=-1))
    ends = np.zeros((len(firsts) + 1, 128), np.int64)
    np.maximum.at(ends, (chord + 1, pitch), notes.end)
    sounding = np.maximum.accumulate(ends, axis=0)[:-1] > onset[firsts, None] + together
    lines = []
    for sign, order in ((1, sounding[:, ::-1]), (-1, sounding)):
        outer = sign * np.maximum.reduceat(sign * pitch, firsts)
        held = np.where(order.any(axis=1), order.argmax(axis=1), 128)
        limit = 127 - held if sign == 1 else held
        lines.append(outer[sign * outer >= sign * limit])
    return lines[0], lines[1]


def _minima(steps: Steps) -> Slots:
    """For each slot, the run whose hash is least, with the place where it first comes; empty for a short line."""
    windows = np.lib.stride_tricks.sliding_window_view(steps, RUN) if len(steps) >= RUN else np.zeros((0, RUN), int)
    runs, first = np.unique(windows.astype(np.int64) @ 128 ** np.arange(RUN), return_index=True)
    if len(runs) < MIN_RUNS:
        return np.full(SLOTS, EMPTY)
    salts = _mixed(np.arange(1, SLOTS + 1, dtype=np.uint64))
    hashes = _mixed(_mixed(runs.astype(np.uint64))[:, None] ^ salts)
    least = hashes.argmin(axis=0)
    kept = hashes[least, np.arange(SLOTS)] & np.uint64((1 << 20) - 1)  # the upper bits of a least hash tell little
    places = first[least] * ((1 << PLACE_BITS) - 2) // len(windows)
    return np.asarray((kept.astype(np.uint32) << PLACE_BITS) | places.astype(np.uint32))


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """All bits of each value spread over all bits (finaliser of splitmix64, Steele et al. 2014)."""
    values = (values ^ values >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ values >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    return values ^ values >> np.uint64(31)
