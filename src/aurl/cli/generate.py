"""`aurl generate --model M -o OUT`: make music."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from aurl.cli.output import Json, Quiet, print_facts, print_json


def generate(
    model: Annotated[Path, typer.Option("--model", "-m", help="Folder of a run, a checkpoint or a model.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="File (piece.mid) or, for several pieces, folder.")],
    prompt: Annotated[Path | None, typer.Option(help="File of music to continue.")] = None,
    seconds: Annotated[float | None, typer.Option(min=0.1, help="Length of the piece in seconds.")] = None,
    bars: Annotated[int | None, typer.Option(min=1, help="Length of the piece in bars.")] = None,
    variations: Annotated[int | None, typer.Option("-n", min=1, help="How many pieces.")] = None,
    polyphony: Annotated[int | None, typer.Option(min=1, help="The most notes that may sound at once.")] = None,
    longest_note: Annotated[float | None, typer.Option(min=0.1, help="Seconds after which a note is ended.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Same seed, same bytes.")] = None,
    temperature: Annotated[float | None, typer.Option(min=0, help="0 is greedy, 1 as learned.")] = None,
    top_k: Annotated[int | None, typer.Option(min=0, help="Only the k likeliest tokens; 0 is off.")] = None,
    top_p: Annotated[float | None, typer.Option(min=0, max=1, help="Likeliest tokens up to this mass.")] = None,
    min_p: Annotated[float | None, typer.Option(min=0, max=1, help="Floor relative to the likeliest token.")] = None,
    repetition_penalty: Annotated[float | None, typer.Option(min=0.01, help="Above 1 avoids repeats.")] = None,
    wav: Annotated[bool, typer.Option("--wav", help="Write sound beside each MIDI file.")] = False,
    png: Annotated[bool, typer.Option("--png", help="Write a piano roll beside each MIDI file.")] = False,
    soundfont: Annotated[Path | None, typer.Option(help="SoundFont (.sf2) for --wav; one is built in.")] = None,
    fluidsynth: Annotated[
        bool, typer.Option("--fluidsynth", help="Render --wav with an installed FluidSynth.")
    ] = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write pieces of music: from nothing, or going on from a prompt."""
    from aurl.pipelines.generate import Output, generate_pieces

    sampling = {
        "temperature": temperature, "top_k": top_k, "top_p": top_p, "min_p": min_p,
        "repetition_penalty": repetition_penalty,
    }  # fmt: skip
    overrides = {
        "seconds": seconds, "bars": bars, "variations": variations, "seed": seed, "polyphony": polyphony,
        "longest_note": longest_note,
    }  # fmt: skip
    result = generate_pieces(
        model,
        Output(out, wav=wav, png=png, soundfont=soundfont, fluidsynth=fluidsynth),
        prompt=prompt,
        overrides={**_given(overrides), "sampling": _given(sampling)},
        quiet=quiet,
    )
    if json:
        print_json(result)
    else:
        print_facts("generated", result)


def _given(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}
