"""`aurl info PATH`: what a file of music, a corpus or a model holds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aurl.cli.output import Json, print_facts, print_json


def info(
    path: Annotated[Path, typer.Argument(help="A file of music, a corpus, a run or a model; aurl:small is built in.")],
    json: Json = False,
) -> None:
    """Describe a file of music, a corpus or a model."""
    from aurl.pipelines.info import describe_path

    title, facts = describe_path(path)
    if json:
        print_json({"kind": title, **facts})
    else:
        print_facts(f"{title} {path}", facts)
