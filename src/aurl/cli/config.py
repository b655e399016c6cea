"""`aurl config show|schema`: see what an experiment resolves to, and what may be set."""

from __future__ import annotations

from typing import Annotated

import typer

from aurl.cli.output import print_json

app = typer.Typer(help="Show a configuration, or all that can be set.", no_args_is_help=True)


@app.command()
def show(
    config: Annotated[str | None, typer.Argument(help="YAML file; the defaults when not given.")] = None,
    overrides: Annotated[list[str] | None, typer.Argument(help="key.sub=value, as many as you like.")] = None,
) -> None:
    """Print a resolved configuration as YAML.

    What it extends is in it, and overrides are applied.
    """
    from aurl.pipelines.experiment import ExperimentConfig
    from aurl.utils.config import dump_yaml, load_config

    changes = overrides or []
    if config is not None and "=" in config:
        changes, config = [config, *changes], None
    typer.echo(dump_yaml(load_config(ExperimentConfig, config, changes)), nl=False)


@app.command()
def schema() -> None:
    """Print the JSON schema of an experiment's configuration."""
    from aurl.pipelines.experiment import ExperimentConfig

    print_json(ExperimentConfig.model_json_schema())
