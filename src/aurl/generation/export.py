"""Writes a generated piece as files: MIDI, sound, picture.

Nothing but the music goes into the files, so one seed gives the same bytes whatever made the request.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal, get_args

from aurl.generation.generator import GeneratedPiece
from aurl.music.audio import Synthesizer, write_wav
from aurl.music.midi import write_midi
from aurl.music.picture import write_piano_roll
from aurl.utils.errors import UnknownNameError
from aurl.utils.files import make_folder

Format = Literal["mid", "wav", "png"]


def export(
    piece: GeneratedPiece,
    stem: Path,
    formats: Iterable[Format] = ("mid",),
    *,
    soundfont: Path | None = None,
    synthesizer: Synthesizer = "builtin",
) -> list[Path]:
    """Write `stem`.mid, .wav and .png as asked, folders made as needed; returns the files in the order of `formats`."""
    make_folder(stem.parent)
    paths = []
    for form in formats:
        path = stem.with_name(f"{stem.name}.{form}")
        match form:
            case "mid":
                write_midi(piece.score, path)
            case "wav":
                write_wav(piece.score, path, soundfont=soundfont, synthesizer=synthesizer)
            case "png":
                write_piano_roll(piece.score, path, title=f"seed {piece.seed}")
            case _:
                raise UnknownNameError.among("format", form, get_args(Format))
        paths.append(path)
    return paths
