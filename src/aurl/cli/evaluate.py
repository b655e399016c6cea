"""`aurl evaluate WHAT... --corpus C`: how good a model is, and how like real music pieces are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aurl.cli.output import Json, Quiet, print_facts, print_json, print_table


def evaluate(
    what: Annotated[
        list[Path], typer.Argument(help="Models (a run, a checkpoint, aurl:small), folders or files of music.")
    ],
    corpus: Annotated[Path, typer.Option(help="Real music to compare with, prepared.")],
    split: Annotated[str, typer.Option(help="Its pieces that were held out.")] = "valid",
    style: Annotated[str | None, typer.Option(help="Only this genre, such as pop, on both sides.")] = None,
    pieces: Annotated[int, typer.Option(min=0, help="That each model writes; 0 for bits per note alone.")] = 50,
    bars: Annotated[int, typer.Option(min=1, help="That they have, or that are heard of given ones.")] = 64,
    baselines: Annotated[bool, typer.Option("--baselines", help="Beside models that count n-grams and copy.")] = False,
    embedding: Annotated[
        Path | None, typer.Option(help="A model whose vectors of the pieces are compared too.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for MIDI, evaluation.json and evaluation.png.")
    ] = None,
    ask: Annotated[
        list[str] | None, typer.Option(help="What else models are asked for, like sections=auto; once or more.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Measure models and music beside real pieces.

    A model has to predict held-out music, then writes pieces, none of them chosen; pieces are compared with real ones
    by what they are like, by how they come back to what they said, and by what they have copied.
    """
    from aurl.pipelines.evaluate import EvaluationRequest, evaluate
    from aurl.pipelines.evaluation_report import left_out, tables
    from aurl.utils.config import parse_overrides

    asked = parse_overrides(ask or ())
    request = EvaluationRequest(corpus, split, style, pieces, bars, baselines, embedding, out, device, asked)
    result = evaluate(what, request, quiet=quiet)
    if json:
        print_json(result)
        return
    for table in tables(result):
        print_table(table.title, table.header, table.rows)
    if missing := left_out(result):
        print_facts("left out", missing)
