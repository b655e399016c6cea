"""Aurl: a folder of MIDI becomes a trained model, and the model becomes music."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aurl.pipelines.model import Model

__version__ = "0.1.0"
DEFAULT_MODEL = "aurl:small"
"""The model that comes with the package."""


def load(path: Path | str = DEFAULT_MODEL, **options: Any) -> Model:
    """A trained model, ready to write music; `aurl.pipelines.model.Model.load` has the options."""
    from aurl.pipelines.model import Model

    return Model.load(path, **options)
