"""What checks the shapes that `aurl` declares, given to jaxtyping by pyproject.toml.

Functions whose signature names a jaxtyping shape are checked by beartype; the others are mypy's business, and beartype
refuses some of them (`Self` in a class it did not decorate itself).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, get_args

from beartype import beartype
from jaxtyping import AbstractArray


def check_shapes(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make `function` refuse arrays that are not of the declared shape and kind."""
    signature = inspect.signature(function)
    hints = [parameter.annotation for parameter in signature.parameters.values()]
    return beartype(function) if any(map(_has_shape, [*hints, signature.return_annotation])) else function


def _has_shape(hint: Any) -> bool:
    return (inspect.isclass(hint) and issubclass(hint, AbstractArray)) or any(map(_has_shape, get_args(hint)))
