"""`aurl study NAME PATH`: the chords, keys or melody of a piece, or what those of a corpus have in common."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aurl.cli.output import Json, Quiet, print_facts, print_json


def study(
    name: Annotated[str, typer.Argument(help="What to look for: chords, chord_templates, keys or melody.")],
    path: Annotated[Path, typer.Argument(help="A file of music or a corpus folder.")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="MIDI file with the labels (or the melody).")] = None,
    plot: Annotated[Path | None, typer.Option(help="PNG: the piece with its labels.")] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Name the chords, keys or melody of a piece.

    Of a corpus, they are counted.
    """
    from aurl.pipelines.study import is_corpus, study_corpus, study_piece
    from aurl.utils.errors import ConfigError

    if is_corpus(path):
        if out or plot:
            raise ConfigError("--out and --plot are for one piece, not for a corpus", found=path)
        summary = study_corpus(name, path, quiet=quiet)
        if json:
            print_json(summary)
        else:
            print_facts(f"{name} of {path}", summary)
        return
    values, chart = study_piece(name, path, out=out, plot=plot)
    if json:
        print_json(values)
    else:
        typer.echo("\n".join(chart))
