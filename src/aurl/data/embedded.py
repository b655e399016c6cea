"""Music that comes with the package: archives of MIDI files and a manifest, with their provenance in SOURCE.md."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path


def chorales_archive() -> Path:
    """Zip archive of 364 four-part chorales by J. S. Bach, split by hymn; see SOURCE.md inside for what it is."""
    return Path(str(files("aurl") / "assets" / "chorales" / "chorales.zip"))
