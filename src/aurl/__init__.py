"""Aurl: a folder of MIDI becomes a trained model, and the model becomes music."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aurl.pipelines.model import Model

__version__ = "0.1.0"


def load(path: Path | str, **options: Any) -> Model:
    """A trained model, ready to write music: see `aurl.pipelines.model.Model.load` for the options."""
    from aurl.pipelines.model import Model

    return Model.load(path, **options)
