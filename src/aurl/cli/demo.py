"""`aurl demo`: the whole path on the built-in chorales, from MIDI files to a piece of music."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aurl.cli.output import Json, Quiet, print_facts, print_json


def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for corpus, model and music.")] = Path("runs/demo"),
    steps: Annotated[int | None, typer.Option(min=1, help="Train for so many updates instead.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the piece.")] = 0,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train on built-in Bach chorales and make music of it.

    A small model learns for about two minutes, and writes a piece of a minute and more.
    """
    from aurl.pipelines.demo import run_demo

    result = run_demo(out, steps=steps, seed=seed, quiet=quiet)
    if json:
        print_json(result)
    else:
        print_facts("demo", result)
