"""The `aurl` program: registers the commands and turns typed errors into one line and an exit code."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from aurl import __version__
from aurl.cli import (
    cache,
    config,
    demo,
    download,
    engrave,
    evaluate,
    export,
    generate,
    info,
    pianoroll,
    prepare,
    repair,
    report,
    study,
    tokenizer,
    train,
    transform,
)
from aurl.utils.errors import AurlError, Interrupted

app = typer.Typer(
    name="aurl",
    help="A folder of MIDI becomes a trained model, and the model becomes music.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for command in (
    prepare.prepare,
    info.info,
    train.train,
    generate.generate,
    evaluate.evaluate,
    export.export,
    demo.demo,
    repair.repair,
    pianoroll.pianoroll,
    download.download,
    tokenizer.tokenizer,
    study.study,
    report.report,
    transform.transform,
    engrave.engrave,
):
    app.command()(command)
app.add_typer(cache.app, name="cache")
app.add_typer(config.app, name="config")
app.add_typer(download.app, name="data")


@app.callback(invoke_without_command=True)
def options(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    """A folder of MIDI becomes a trained model, and the model becomes music."""
    if version:
        typer.echo(f"aurl {__version__}")
        raise typer.Exit
    from aurl.utils.logging import LoggingConfig, configure_logging

    configure_logging(LoggingConfig())


def main() -> None:
    """Run the program; an AurlError becomes one line on stderr and its exit code."""
    try:
        app()
    except AurlError as error:
        typer.echo(f"aurl: {error}", err=True)
        sys.exit(error.exit_code)
    except SystemExit as stop:
        if stop.code == Interrupted.exit_code:  # Ctrl-C where nothing is there to be saved; typer made this of it
            typer.echo("aurl: interrupted", err=True)
        raise
