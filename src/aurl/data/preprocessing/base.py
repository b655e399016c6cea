"""What a transform is: a pure function from a Score to a Score, chosen by a config and chained in the order given.

A transform leaves the Score it is given as it is, and moves every table of it alike: where notes go, words, tempos and
controls go. A piece that a transform cannot do anything sensible with is refused with a MidiError.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import partial
from typing import Annotated, TypeVar

from aurl.music.score import Score
from aurl.utils.config import Config, parse_overrides
from aurl.utils.registry import Registry

C = TypeVar("C", bound=Config)
Transform = Callable[[Score], Score]

TRANSFORMS: Registry[Transform] = Registry("transforms")


def transform(config: type[C]) -> Callable[[Callable[[Score, C], Score]], Callable[[Score, C], Score]]:
    """Decorate the function `(score, config) -> Score` that is the transform described by `config`."""

    def add(function: Callable[[Score, C], Score]) -> Callable[[Score, C], Score]:
        def build(settings: C) -> Transform:
            return partial(_call, function, settings)

        TRANSFORMS.register(config)(build)
        return function

    return add


def apply_transforms(score: Score, configs: Iterable[Config]) -> Score:
    """`score` after each of the transforms in turn."""
    for config in configs:
        score = TRANSFORMS.build(config)(score)
    return score


class StepsConfig(Config):
    """A chain of transforms, as a file says it."""

    transforms: tuple[Annotated[Config, TRANSFORMS.field()], ...] = ()
    """In the order in which they are applied."""


def parse_step(text: str) -> Config:
    """The transform that `name` or `name:option=value,option=value` asks for; values are read as YAML."""
    name, _, options = text.partition(":")
    items = re.split(r",(?=\w+=)", options) if options else []  # a comma inside a value is no separator
    return TRANSFORMS.parse({"name": name, **parse_overrides(items)})


def _call(function: Callable[[Score, C], Score], settings: C, score: Score) -> Score:
    return function(score, settings)
