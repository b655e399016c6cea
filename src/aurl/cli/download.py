"""`aurl download NAME` and `aurl data list`: public collections of music."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aurl.cli.output import Json, Quiet, print_facts, print_json

app = typer.Typer(help="Public collections of music.", no_args_is_help=True)


@app.callback()  # without one, Typer would make a lone command the whole of `aurl data`
def data() -> None:
    """Public collections of music."""


@app.command("list")
def list_collections(json: Json = False) -> None:
    """List what `aurl download` knows, with licences."""
    from aurl.data.catalogue import COLLECTIONS

    facts = {name: collection.facts() for name, collection in COLLECTIONS.items()}
    if json:
        print_json(facts)
    else:
        print_facts("collections, for aurl download NAME", facts)


def download(
    name: Annotated[str, typer.Argument(help="A name of `aurl data list`.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the archive.")] = Path("downloads"),
    accept_licence: Annotated[bool, typer.Option("--accept-licence", help="Accept its licence unasked.")] = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Download a public collection of music.

    Its licence is shown and has to be accepted.
    """
    from aurl.data.catalogue import find_collection
    from aurl.pipelines.download import download_collection
    from aurl.utils.errors import ConfigError

    collection = find_collection(name)
    if not accept_licence:
        typer.echo(
            f"{collection.title}\n{collection.about}\nlicence: {collection.licence}\nsee {collection.homepage}",
            err=True,
        )
        try:
            accepted = typer.confirm("Do you accept this licence?", err=True)
        except typer.Abort:
            accepted = False
        if not accepted:
            raise ConfigError(f"the licence of {name} was not accepted", hint="answer y, or pass --accept-licence")
    report = download_collection(name, out, quiet=quiet)
    if json:
        print_json(report)
    else:
        print_facts(f"collection {name}", report)
