"""What an augmentation is: a function from a Score and random numbers to another Score that says the same music anew.

Whether a piece is augmented in an epoch, and how, is a pure function of the list of augmentations, seed, epoch and
piece: no process, order of reading or interruption changes it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Annotated, TypeVar

import numpy as np
from pydantic import Field

from aurl.data.course import Course
from aurl.music.score import Score
from aurl.utils.config import Config
from aurl.utils.registry import Registry
from aurl.utils.seed import derive_seed

C = TypeVar("C", bound="AugmentationConfig")
Augmentation = Callable[[Score, np.random.Generator], Score]
Amount = Annotated[float, Field(ge=0, le=1)]
Draws = tuple[Sequence[Augmentation], np.random.Generator]
"""What happens to a piece, and the random numbers of all that."""
NONE: Draws = ((), np.random.default_rng(0))

AUGMENTATIONS: Registry[Augmentation] = Registry("augmentations")


class AugmentationConfig(Config):
    """What all augmentations have."""

    probability: Course = Course()
    """Chance of a piece to be augmented: a number, or a course over epochs."""


def augmentation(
    config: type[C],
) -> Callable[[Callable[[Score, np.random.Generator, C], Score]], Callable[[Score, np.random.Generator, C], Score]]:
    """Decorate the function `(score, rng, config) -> Score` that is the augmentation described by `config`."""

    def add(
        function: Callable[[Score, np.random.Generator, C], Score],
    ) -> Callable[[Score, np.random.Generator, C], Score]:
        def build(settings: C) -> Augmentation:
            return partial(_call, function, settings)

        AUGMENTATIONS.register(config)(build)
        return function

    return add


class Augmenter:
    """A list of augmentations as a data set applies them."""

    def __init__(self, configs: Sequence[AugmentationConfig], seed: int) -> None:
        self._seed = seed
        self._parts = [AUGMENTATIONS.build(config) for config in configs]
        self._chances = lru_cache(2)(lambda epoch: [config.probability.at(epoch) for config in configs])

    def draw(self, epoch: int, piece: int) -> Draws:
        """The augmentations of a piece in an epoch, with random numbers for them; none where chance passes it over."""
        if not self._parts:
            return NONE
        rng = np.random.default_rng(derive_seed("augmentation", self._seed, epoch, piece))
        drawn = zip(self._parts, rng.random(len(self._parts)) < self._chances(epoch), strict=True)
        return [part for part, is_drawn in drawn if is_drawn], rng


def augmented(score: Score, draws: Draws) -> Score:
    """`score` after each of the augmentations drawn for it; takes random numbers, so a second call differs."""
    parts, rng = draws
    for part in parts:
        score = part(score, rng)
    return score


def _call(
    function: Callable[[Score, np.random.Generator, C], Score], settings: C, score: Score, rng: np.random.Generator
) -> Score:
    return function(score, rng, settings)
