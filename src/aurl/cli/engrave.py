"""`aurl engrave IN -o OUT.musicxml|.mxl|.svg|.pdf|.html`: a piece as notation, or as a piano roll that plays."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aurl.cli.output import Json, print_facts, print_json


def engrave(
    source: Annotated[Path, typer.Argument(help="The piece: MIDI, or another format that Aurl reads.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write: .musicxml, .mxl, .svg, .pdf or .html.")],
    title: Annotated[str, typer.Option(help="Title; that of the piece, or its file's name, when not given.")] = "",
    exact: Annotated[bool, typer.Option("--exact", help="Never quantise; refuses a performance.")] = False,
    json: Json = False,
) -> None:
    """Write a piece as notation, engraved pages or a piano roll that plays.

    Notation needs notes on the beats that the file has: played notes are put on sixteenths or triplet eighths first.
    """
    from aurl.pipelines.engrave import engrave_file

    facts = engrave_file(source, out, title=title, exact=exact)
    if json:
        print_json(facts)
    else:
        print_facts(f"wrote {', '.join(facts.pop('files'))}", facts)
