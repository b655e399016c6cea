"""`aurl export MODEL --format int8 -o FOLDER`: a trained model as graphs that run without PyTorch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from aurl.cli.output import Json, Quiet, print_facts, print_json


def export(
    model: Annotated[Path, typer.Argument(help="Folder of a run, a checkpoint or a model, or aurl:small.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write; `aurl generate --model` takes it.")],
    form: Annotated[
        Literal["onnx", "int8", "int4"], typer.Option("--format", "-f", help="Weights of 32, 8 or 4 bits.")
    ] = "int8",
    corpus: Annotated[
        Path | None, typer.Option(help="Measure bits per note in all formats on its validation split.")
    ] = None,
    pieces: Annotated[int, typer.Option(min=1, help="How many pieces of it.")] = 32,
    with_weights: Annotated[
        bool, typer.Option("--with-weights", help="Keep the trained weights beside the graphs.")
    ] = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write a trained model as ONNX graphs, checked against the network that was trained."""
    from aurl.pipelines.export import export_checked

    facts = export_checked(model, out, form, corpus=corpus, pieces=pieces, with_weights=with_weights, quiet=quiet)
    if json:
        print_json(facts)
    else:
        print_facts(f"exported {model}", facts)
