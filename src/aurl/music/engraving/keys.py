"""The keys of a score: what its signatures, its key labels, or else its notes say."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from aurl.music.engraving.spelling import place_of
from aurl.music.score import KeySignatures, Score
from aurl.music.theory import PITCH_CLASSES, estimate_key, parse_key
from aurl.utils.errors import ConfigError

MOST_ACCIDENTALS = 6
"""In a signature made here: keys of more are written as their enharmonic ones."""
MOST_SHARPS = 7
"""Signatures of more are damage."""


class Key(NamedTuple):
    """A key from a time on: sharps of its signature (flats negative), and mode."""

    time: int
    sharps: int
    is_minor: bool

    @property
    def tonic(self) -> int:
        """Its place on the line of fifths."""
        return self.sharps + 3 * self.is_minor


def with_signatures(score: Score) -> Score:
    """The score with key signatures where its key labels are, if it has labels and no signatures."""
    labels = _labelled(score)
    return score.replace(key_signatures=_table(labels)) if labels and not len(score.key_signatures) else score


def key_signatures(score: Score) -> KeySignatures:
    """The signatures of a score: those it has, else those of its key labels, else that of its likeliest key."""
    table = with_signatures(score).key_signatures
    known = table.take(np.abs(table.sharps) <= MOST_SHARPS)
    return known if len(known) else _table([_likeliest(score)])


def keys_in_force(score: Score) -> list[Key]:
    """The keys by time, the first from 0; labels, where there are any, say more than signatures."""
    table = key_signatures(score)
    signatures = map(Key, table.time.tolist(), table.sharps.tolist(), table.is_minor.tolist())
    first, *rest = _labelled(score) or signatures
    return [first._replace(time=0), *rest]


def _labelled(score: Score) -> list[Key]:
    """The keys that labels name."""
    labels, keys = score.texts.of("key"), []
    for time, text in zip(labels.time.tolist(), labels.text.tolist(), strict=True):
        try:
            _, is_minor = parse_key(text)
        except ConfigError:
            continue
        name = text.strip()
        accidentals = name[1:][: len(name[1:]) - len(name[1:].lstrip("#b"))]
        keys.append(Key(time, _sharps(name[0] + accidentals, is_minor), is_minor))
    return keys


def _likeliest(score: Score) -> Key:
    notes = score.notes.take(score.is_pitched)
    tonic, is_minor, _ = estimate_key(np.bincount(notes.pitch % 12, notes.duration, 12))
    return Key(0, _sharps(PITCH_CLASSES[tonic], is_minor), is_minor)


def _sharps(tonic: str, is_minor: bool) -> int:
    sharps = place_of(tonic) - 3 * is_minor
    return sharps if abs(sharps) <= MOST_ACCIDENTALS else (sharps + 5) % 12 - 5


def _table(keys: list[Key]) -> KeySignatures:
    times, sharps, modes = zip(*keys, strict=True)
    return KeySignatures(np.array(times), np.array(sharps), np.array(modes))
