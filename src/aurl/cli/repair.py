"""`aurl repair IN... --out OUT`: damaged MIDI files are mended, with a report of what was wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aurl.cli.output import Json, Quiet, print_facts, print_json


def repair(
    paths: Annotated[list[Path], typer.Argument(help="A MIDI file, several, or folders of them.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The mended file; a folder for several.")],
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Mend damaged MIDI files and say what was wrong with them."""
    from aurl.pipelines.repair import repair_file, repair_files

    single = len(paths) == 1 and not paths[0].is_dir()
    facts = repair_file(paths[0], out) if single else repair_files(paths, out, quiet=quiet)
    if json:
        print_json(facts)
    else:
        print_facts(f"mended {out}", facts)
