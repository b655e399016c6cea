"""`aurl cache stats|prune|clear`: the tokens that are kept from one training run to the next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from aurl.cli.output import Json, print_facts, print_json

if TYPE_CHECKING:
    from aurl.data.cache import CacheStats

app = typer.Typer(help="Tokens kept from one training run to the next.", no_args_is_help=True)


@app.command()
def stats(json: Json = False) -> None:
    """Print where the cache is, what it holds and how much it may."""
    from aurl.data.cache import Cache

    _show(Cache().stats(), json=json)


@app.command()
def prune(
    max_bytes: Annotated[
        int | None, typer.Option(min=0, help="Bytes that may remain; AURL_CACHE_BYTES, or 4 GiB, when not given.")
    ] = None,
    json: Json = False,
) -> None:
    """Remove what was used longest ago, until the rest fits."""
    from aurl.data.cache import Cache

    _show(Cache().prune(max_bytes), json=json)


@app.command()
def clear(json: Json = False) -> None:
    """Remove everything; it is made again when it is needed."""
    from aurl.data.cache import Cache

    _show(Cache().clear(), json=json)


def _show(values: CacheStats, *, json: bool) -> None:
    if json:
        print_json(values.to_dict())
    else:
        print_facts("cache", values.to_dict())
