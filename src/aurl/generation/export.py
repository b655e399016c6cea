"""Writes a generated piece as files: MIDI, sound, notation, pictures.

Each file says what made the piece; nothing in it depends on when or where it was written, so one seed gives the same
bytes. Notation is written note for note where musicians could read it; where notes end or begin on finer places, it is
quantised first, and the MIDI beside it is not.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal, get_args

from aurl import __version__
from aurl.data.preprocessing.reading import readable
from aurl.generation.generator import GeneratedPiece
from aurl.music.audio import Synthesizer, write_ogg, write_wav
from aurl.music.engraving import with_signatures, write_engraving, write_musicxml
from aurl.music.html_roll import write_html_roll
from aurl.music.midi import write_midi
from aurl.music.picture import write_piano_roll
from aurl.music.score import Score
from aurl.utils.errors import UnknownNameError
from aurl.utils.files import make_folder

Format = Literal["mid", "wav", "ogg", "png", "musicxml", "svg", "pdf", "html"]


def export(
    piece: GeneratedPiece,
    stem: Path,
    formats: Iterable[Format] = ("mid",),
    *,
    soundfont: Path | None = None,
    synthesizer: Synthesizer = "builtin",
    provenance: str = "",
) -> list[Path]:
    """Write the piece in each format beside `stem`, folders made as needed; returns the files in order.

    An SVG of several pages is several files. `provenance` says which model and settings made the piece; version and
    seed are said anyway. Raises MissingExtraError for formats whose library is not there.
    """
    make_folder(stem.parent)
    told = "; ".join(filter(None, (f"Aurl {__version__}", f"seed {piece.seed}", provenance)))
    score = with_signatures(piece.score.replace(metadata={**piece.score.metadata, "provenance": told}))
    paths = []
    for form in formats:
        path = stem.with_name(f"{stem.name}.{form}")
        match form:
            case "mid":
                write_midi(score, path)
            case "wav":
                write_wav(score, path, soundfont=soundfont, synthesizer=synthesizer)
            case "ogg":
                write_ogg(score, path, soundfont=soundfont, synthesizer=synthesizer)
            case "png":
                write_piano_roll(score, path, title=f"seed {piece.seed}")
            case "html":
                write_html_roll(score, path, title=f"seed {piece.seed}")
            case "musicxml" | "svg" | "pdf":
                paths += write_notation(readable(score), path)
                continue
            case _:
                raise UnknownNameError.among("format", form, get_args(Format))
        paths.append(path)
    return paths


def write_notation(score: Score, path: Path) -> list[Path]:
    """Write MusicXML or engraved pages, as the suffix says; returns the files."""
    if path.suffix.lower() in (".svg", ".pdf"):
        return write_engraving(score, path)
    write_musicxml(score, path)
    return [path]
