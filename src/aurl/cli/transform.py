"""`aurl transform IN -o OUT.mid STEP...`: a piece quantised, trimmed, reduced ..., step by step."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aurl.cli.output import Json, print_facts, print_json


def transform(
    source: Annotated[Path, typer.Argument(help="The piece: MIDI, or another format that Aurl reads.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="MIDI file to write.")],
    steps: Annotated[
        list[str] | None,
        typer.Argument(help="Transforms in order: quantise, or with options quantise:grid=[16,12],mode=groove."),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="YAML file with a list `transforms`; its steps come first.")
    ] = None,
    json: Json = False,
) -> None:
    """Apply transforms to one piece and write it as MIDI."""
    from aurl.data.preprocessing import TRANSFORMS, StepsConfig, apply_transforms, parse_step
    from aurl.music.io import read_music
    from aurl.music.midi import write_midi
    from aurl.utils.config import load_config
    from aurl.utils.errors import ConfigError
    from aurl.utils.files import require_suffix

    require_suffix(out, ".mid", ".midi")
    configs = [*load_config(StepsConfig, config).transforms, *map(parse_step, steps or [])]
    if not configs:
        raise ConfigError("no transform is named", hint=f"known: {', '.join(TRANSFORMS.names())}")
    before, _ = read_music(source)
    after = apply_transforms(before, configs)
    write_midi(after, out)
    facts = {
        "steps": [config.name for config in configs],  # type: ignore[attr-defined]
        "notes": f"{len(before.notes):,} -> {len(after.notes):,}",
        "tracks": f"{len(before.tracks)} -> {len(after.tracks)}",
        "seconds": f"{before.duration_seconds:.1f} -> {after.duration_seconds:.1f}",
    }
    if json:
        print_json({"midi": str(out), **facts})
    else:
        print_facts(f"wrote {out}", facts)
