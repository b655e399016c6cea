"""The trained recogniser's network in numpy: each of the twelve roots sees the music from itself, with shared weights.

Five dilated convolutions over time give a frame the 32 beats around it (van den Oord et al. 2016 for the idea). What
the roots have in common is mixed in by their mean, so a transposed piece gives transposed answers. It is trained by
`benchmarks/train_chords.py`; the licence of what it learned from stands beside the weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load

Array = NDArray[Any]
LEARNED = ("7", "maj7", "min7", "hdim7", "dim7", "maj", "min", "dim", "aug", "sus2", "sus4")
"""Qualities that the network tells apart, in its order: all but maj6, read as the min7 a third below."""
DILATIONS = (1, 2, 4, 8, 16)
_TURNS = (np.arange(12)[:, None] + np.arange(12)) % 12


@dataclass(frozen=True)
class Beliefs:
    """Log-probabilities by frame, pitch classes from the grid's origin."""

    chords: Array
    """float32[frames, 12 * len(LEARNED) + 1]: root by root, then no chord."""
    basses: Array
    """float32[frames, 12]"""
    change: Array
    """float32[frames]: log-odds that a chord begins here."""


def believe(pitches: Array, places: Array, weights: Mapping[str, Array]) -> Beliefs:
    """Run the network on features [frames, channels, 12] and [frames, places]."""
    frames = len(pitches)
    turned = np.take(pitches, _TURNS, axis=2).swapaxes(1, 2).reshape(frames * 12, -1)
    enter = weights["enter.weight"].T
    place_part = places @ enter[turned.shape[1] :] + weights["enter.bias"]
    hidden = _by_root(turned @ enter[: turned.shape[1]], frames)
    hidden += place_part[:, None]
    np.maximum(hidden, 0, out=hidden)
    for index, dilation in enumerate(DILATIONS):
        taps = weights[f"blocks.{index}.weight"][:, :, 0]  # out, in, (before, here, after)
        before, here, after = (_by_root(_flat(hidden) @ taps[..., i].T, frames) for i in range(3))
        common = _mean(hidden) @ weights[f"shared.{index}.weight"].T + weights[f"shared.{index}.bias"]
        here += (common + weights[f"blocks.{index}.bias"])[:, None]
        here[dilation:] += before[:-dilation]
        here[:-dilation] += after[dilation:]
        hidden += np.maximum(here, 0, out=here)
    each = _by_root(_flat(hidden) @ weights["leave.weight"].T + weights["leave.bias"], frames)
    whole = _mean(hidden) @ weights["leave_shared.weight"].T + weights["leave_shared.bias"]
    chords = np.concatenate([each[..., :-1].reshape(frames, -1), whole[:, :1]], axis=1)
    return Beliefs(_log_softmax(chords), _log_softmax(each[..., -1]), whole[:, 1])


@cache
def shipped_weights() -> dict[str, Array]:
    """The weights that come with the package."""
    return load((files("aurl") / "assets" / "studies" / "chords.safetensors").read_bytes())


def _flat(hidden: Array) -> Array:
    return hidden.reshape(-1, hidden.shape[2])


def _by_root(rows: Array, frames: int) -> Array:
    return rows.reshape(frames, 12, -1)


def _mean(hidden: Array) -> Array:
    """Mean over the roots; numpy is slow at it along a short axis in the middle."""
    return np.asarray(np.einsum("trw->tw", hidden) / np.float32(12))


def _log_softmax(logits: Array) -> Array:
    shifted = logits - logits.max(1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(1, keepdims=True)))
