"""`aurl report CORPUS -o report.html`: what a corpus holds, as a page with plots or as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aurl.cli.output import Json, Quiet, print_json


def report(
    corpus: Annotated[Path, typer.Argument(help="Folder written by `aurl prepare`.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The page; none with --json.")] = Path("report.html"),
    tokenizer: Annotated[
        list[str] | None, typer.Option(help="Count tokens of this tokenizer; may be given again.")
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Describe a corpus as a page with plots.

    It tells lengths, pitch, keys, metres, tempi, instruments, duplicates and repairs.
    """
    from aurl.pipelines.report import report_corpus, write_report

    facts = report_corpus(corpus, tokenizer or ["event"], quiet=quiet)
    if json:
        print_json(facts)
        return
    write_report(facts, f"Corpus {corpus.resolve().name}", out)
    typer.echo(f"wrote {out}")
