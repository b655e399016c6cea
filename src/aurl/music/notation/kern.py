"""Humdrum **kern: one piece a file, read by converter21; music21's own reader loses spines that split."""

from __future__ import annotations

import re
from typing import Any

from aurl.music.notation.library import guarded, music21, quiet, refuse_metres, to_written
from aurl.music.notation.written import WrittenScore
from aurl.utils.errors import MissingExtraError

METRES = re.compile(r"(?:^|\t)\*M([0-9][^\t\n]*)", re.MULTILINE)


def read_kern(text: str, name: str) -> WrittenScore:
    """Read a piece; raises MidiError."""
    refuse_metres(METRES.findall(text), name)
    file = _reader()()

    def read() -> WrittenScore:
        file.readString(text)
        return to_written(file.createMusic21Stream())

    return guarded(name, "Humdrum kern", read)


def _reader() -> Any:
    metadata = music21().metadata.Metadata
    if not hasattr(metadata, "_convertValue"):
        metadata._convertValue = staticmethod(metadata.convertValue)  # converter21 4.0 uses the name before music21 10
    try:
        with quiet():
            from converter21.humdrum.humdrumfile import HumdrumFile
    except ImportError:
        raise MissingExtraError.of("converter21", "notation") from None
    return HumdrumFile
