"""`aurl pianoroll IN -o OUT.npz`: a piece as tables of what starts and sounds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aurl.cli.output import Json, print_facts, print_json


def pianoroll(
    path: Annotated[Path, typer.Argument(help="A file of music.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Where the tables go, as .npz.")],
    steps_per_beat: Annotated[int, typer.Option(min=1, help="Rows of a quarter note.")] = 4,
    seconds: Annotated[float | None, typer.Option(help="Seconds of a row, instead of steps per beat.")] = None,
    keys: Annotated[bool, typer.Option("--keys", help="The 88 keys of a piano instead of all 128 pitches.")] = False,
    json: Json = False,
) -> None:
    """Write a piece as tables of what starts and sounds.

    They hold what starts (onset, drums) and sounds (velocity) at each step, with the ticks and seconds of the steps.
    """
    from aurl.data.pianoroll import ALL_PITCHES, PIANO_KEYS, beat_grid, npz_bytes, piano_roll, seconds_grid
    from aurl.music.io import read_music
    from aurl.utils.files import require_suffix, write_file

    require_suffix(out, ".npz")
    score, report = read_music(path)
    starts = beat_grid(score, steps_per_beat) if seconds is None else seconds_grid(score, seconds)
    roll = piano_roll(score, starts, pitches=PIANO_KEYS if keys else ALL_PITCHES)
    write_file(out, npz_bytes(roll, ticks=starts, seconds=score.tempo_map.ticks_to_seconds(starts)))
    facts = {
        "rows": len(roll),
        "pitches": roll.onset.shape[1],
        "notes": int(roll.onset.sum()),
        "drum_hits": int(roll.drums.sum()),
        "reading": report.summary(),
    }
    if json:
        print_json(facts)
    else:
        print_facts(f"piano roll {out}", facts)
