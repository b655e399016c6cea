"""What comes with the package by name, `aurl:...`: music (archives of MIDI files, with their provenance) and models."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from aurl.utils.errors import UnknownNameError

BUILT_IN = "aurl:"
"""Prefix of the names of what comes with the package."""


def chorales_archive() -> Path:
    """Zip archive of 364 four-part chorales by J. S. Bach, split by hymn; see SOURCE.md inside for what it is."""
    return Path(str(files("aurl") / "assets" / "chorales" / "chorales.zip"))


def built_in_model(name: str) -> Path:
    """Folder of the model called `name`, like "small"; raises UnknownNameError."""
    models = Path(str(files("aurl") / "assets" / "models"))
    known = [folder.name for folder in models.glob("*") if folder.is_dir()]
    if name not in known:
        raise UnknownNameError.among("built-in model", name, known)
    return models / name
