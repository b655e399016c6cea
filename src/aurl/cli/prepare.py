"""`aurl prepare PATH... --out CORPUS`: MIDI files become a corpus that training reads."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aurl.cli.output import Json, Quiet, print_facts, print_json


def prepare(
    paths: Annotated[
        list[str], typer.Argument(help="Folders, MIDI files, .tar.gz or .zip archives; aurl:chorales is built in.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the corpus.")],
    manifest: Annotated[
        Path | None, typer.Option(help="CSV with path and, where known, piece_key, split, composer, genre, title ...")
    ] = None,
    workers: Annotated[int, typer.Option(min=0, help="Processes; 0 takes one a core.")] = 0,
    valid: Annotated[float, typer.Option(min=0, max=1, help="Share of compositions held out for validation.")] = 0.05,
    test: Annotated[float, typer.Option(min=0, max=1, help="Share of compositions held out for testing.")] = 0.0,
    seed: Annotated[int, typer.Option(min=0, help="Decides which compositions are held out.")] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace another corpus in --out.")] = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Read MIDI, split it by composition, store it as Parquet. Run again to resume what was interrupted."""
    from aurl.data.corpus import PrepareConfig
    from aurl.pipelines.prepare import prepare_corpus

    config = PrepareConfig.parse(
        {"manifest": manifest, "workers": workers, "valid_fraction": valid, "test_fraction": test, "seed": seed}
    )
    report = prepare_corpus(paths, out, config, overwrite=overwrite, quiet=quiet).to_dict()
    if json:
        print_json(report)
    else:
        print_facts(f"corpus {out}", report)
