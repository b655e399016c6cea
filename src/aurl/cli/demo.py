"""`aurl demo`: a piece by the built-in model; `aurl demo --train`: the whole path on the built-in chorales."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aurl.cli.output import Json, Quiet, print_facts, print_json
from aurl.utils.errors import ConfigError


def demo(
    train: Annotated[bool, typer.Option("--train", help="Train a small model on chorales, which writes.")] = False,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder; runs/demo, or runs/chorales where one is trained.")
    ] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Train for so many updates.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the piece.")] = 0,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write a piece of three minutes with the built-in model: MIDI, sound, picture, page that plays, sheet music.

    With --train, a small model learns from Bach's chorales for about two minutes, and writes a piece of a minute.
    """
    if train:
        from aurl.pipelines.chorales import train_on_chorales

        result = train_on_chorales(out or Path("runs/chorales"), steps=steps, seed=seed, quiet=quiet)
    elif steps:
        raise ConfigError("nothing is trained", found=f"--steps {steps}", hint="add --train")
    else:
        from aurl.pipelines.demo import run_demo

        result = run_demo(out or Path("runs/demo"), seed=seed, quiet=quiet)
    if json:
        print_json(result)
    else:
        print_facts("demo", result)
