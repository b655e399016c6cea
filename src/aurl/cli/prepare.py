"""`aurl prepare PATH... --out CORPUS [key=value ...]`: music becomes a corpus that training reads."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from aurl.cli.output import Json, Quiet, print_facts, print_json


def prepare(
    paths: Annotated[
        list[str],
        typer.Argument(
            help="Folders, files of music (MIDI, MusicXML, ABC, kern), .tar.gz or .zip archives, URLs; aurl:chorales "
            "is built in. Then key=value for settings without an option: quality.min_notes=20, transforms=[quantise]."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the corpus.")],
    config: Annotated[Path | None, typer.Option(help="YAML file of settings; options win over it.")] = None,
    manifest: Annotated[
        Path | None, typer.Option(help="CSV with path and, where known, piece_key, split, composer, genre, title ...")
    ] = None,
    labels: Annotated[
        str | None, typer.Option(help="Studies that label what nobody labelled: chords,keys (as it is) or none.")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=0, help="Processes; 0, as it is, takes one a core.")] = None,
    engine: Annotated[str | None, typer.Option(help="local, or ray: the cluster at RAY_ADDRESS.")] = None,
    valid: Annotated[
        float | None, typer.Option(min=0, max=1, help="Share of compositions held out for validation; 0.05.")
    ] = None,
    test: Annotated[
        float | None, typer.Option(min=0, max=1, help="Share of compositions held out for testing; 0.")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Decides which compositions are held out; 0.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace another corpus in --out.")] = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Make a corpus of music.

    It is read, mended, labelled, split by composition and stored as Parquet. Run again to resume.
    """
    from aurl.data.plan import PrepareConfig
    from aurl.pipelines.prepare import prepare_corpus, split_overrides
    from aurl.utils.config import load_config

    sources, overrides = split_overrides(paths)
    options: dict[str, Any] = {
        "manifest": manifest and str(manifest),
        "labels": None if labels is None else [name for name in labels.split(",") if name != "none"],
        "workers": workers,
        "engine": engine,
        "valid_fraction": valid,
        "test_fraction": test,
        "seed": seed,
    }
    given = {name: value for name, value in options.items() if value is not None}
    settings = load_config(PrepareConfig, config, overrides).merged(given)
    report = prepare_corpus(sources, out, settings, overwrite=overwrite, quiet=quiet).to_dict()
    print_json(report) if json else print_facts(f"corpus {out}", report)
