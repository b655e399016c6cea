"""`aurl train CONFIG [key=value ...]`: train a model, or go on where an interrupted run stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aurl.cli.output import Json, Quiet, print_facts, print_json


def train(
    config: Annotated[Path, typer.Argument(help="YAML file of the experiment.")],
    overrides: Annotated[list[str] | None, typer.Argument(help="key.sub=value, as many as you like.")] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train the model that CONFIG describes. The same command resumes a run that was interrupted."""
    from aurl.pipelines.experiment import ExperimentConfig
    from aurl.pipelines.train import train_model
    from aurl.utils.config import load_config

    result = train_model(load_config(ExperimentConfig, config, overrides or ()), quiet=quiet)
    if json:
        print_json(result)
    else:
        print_facts("trained", result)
