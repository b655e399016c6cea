"""`aurl generate -o OUT`: make music."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from aurl import DEFAULT_MODEL
from aurl.cli.output import Json, Quiet, print_facts, print_json

TOLD, HELD, DRAWN, REWRITTEN = "What the piece is like", "What it is held to", "How boldly", "Parts of a given piece"
Text = str | None


def generate(
    out: Annotated[Path, typer.Option("--out", "-o", help="File (piece.mid) or, for several pieces, folder.")],
    model: Annotated[
        Path, typer.Option("--model", "-m", help="Folder of a run, a checkpoint or a model; one is built in.")
    ] = Path(DEFAULT_MODEL),
    prompt: Annotated[Path | None, typer.Option(help="File of music to continue, or to rewrite.")] = None,
    seconds: Annotated[float | None, typer.Option(min=0.1, help="Length of the piece in seconds.")] = None,
    bars: Annotated[int | None, typer.Option(min=1, help="Length of the piece in bars.")] = None,
    max_tokens: Annotated[int | None, typer.Option(min=1, help="Stop after so many new rows in any case.")] = None,
    variations: Annotated[int | None, typer.Option("-n", min=1, help="How many pieces.")] = None,
    best_of: Annotated[int | None, typer.Option(min=1, help="Write so many of each, keep the best.")] = None,
    beams: Annotated[int | None, typer.Option(min=1, help="Search for the likeliest piece; slow.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Same seed, same bytes.")] = None,
    style: Annotated[Text, typer.Option(help="A genre the model knows.", rich_help_panel=TOLD)] = None,
    composer: Annotated[Text, typer.Option(help="A composer the model knows.", rich_help_panel=TOLD)] = None,
    key: Annotated[Text, typer.Option(help='Like "D minor".', rich_help_panel=TOLD)] = None,
    metre: Annotated[Text, typer.Option(help="Like 3/4.", rich_help_panel=TOLD)] = None,
    tempo: Annotated[float | None, typer.Option(help="Quarter notes a minute.", rich_help_panel=TOLD)] = None,
    density: Annotated[float | None, typer.Option(help="Notes a quarter.", rich_help_panel=TOLD)] = None,
    voices: Annotated[float | None, typer.Option(help="Notes at once, on average.", rich_help_panel=TOLD)] = None,
    instruments: Annotated[Text, typer.Option(help='Like "violin,cello,drums".', rich_help_panel=TOLD)] = None,
    chords: Annotated[Text, typer.Option(help='"Am F C G", numerals, or a file.', rich_help_panel=TOLD)] = None,
    sections: Annotated[Text, typer.Option(help='Form: "AABA", "A8 B8", or auto.', rich_help_panel=TOLD)] = None,
    guidance: Annotated[
        float | None, typer.Option(min=0, help="Above 1 makes more of these.", rich_help_panel=TOLD)
    ] = None,
    constraint: Annotated[
        list[str] | None,
        typer.Option(help="YAML like 'scale: {key: D minor}', once or more.", rich_help_panel=HELD),
    ] = None,
    transform: Annotated[
        list[str] | None,
        typer.Option(help="What is done to it when written, like 'ritardando:bars=4'.", rich_help_panel=HELD),
    ] = None,
    polyphony: Annotated[int | None, typer.Option(min=1, help="Most notes at once.", rich_help_panel=HELD)] = None,
    longest_note: Annotated[float | None, typer.Option(min=0.1, help="In seconds.", rich_help_panel=HELD)] = None,
    temperature: Annotated[
        float | None, typer.Option(min=0, help="0 greedy, 1 as learned.", rich_help_panel=DRAWN)
    ] = None,
    top_k: Annotated[int | None, typer.Option(min=0, help="The k likeliest; 0 is off.", rich_help_panel=DRAWN)] = None,
    top_p: Annotated[
        float | None, typer.Option(min=0, max=1, help="The likeliest of this mass.", rich_help_panel=DRAWN)
    ] = None,
    min_p: Annotated[
        float | None, typer.Option(min=0, max=1, help="Relative to the likeliest.", rich_help_panel=DRAWN)
    ] = None,
    epsilon: Annotated[
        float | None, typer.Option(min=0, max=1, help="At least this probable.", rich_help_panel=DRAWN)
    ] = None,
    typical_p: Annotated[
        float | None, typer.Option(min=0.01, max=1, help="As surprising as usual.", rich_help_panel=DRAWN)
    ] = None,
    repetition_penalty: Annotated[
        float | None, typer.Option(min=0.01, help="Above 1 avoids repeats.", rich_help_panel=DRAWN)
    ] = None,
    rewrite_bars: Annotated[Text, typer.Option(help="Write these anew: 5-8,13-.", rich_help_panel=REWRITTEN)] = None,
    rewrite_tracks: Annotated[Text, typer.Option(help="Write these anew: 2,3.", rich_help_panel=REWRITTEN)] = None,
    lock_bars: Annotated[Text, typer.Option(help="Write all bars but these.", rich_help_panel=REWRITTEN)] = None,
    lock_tracks: Annotated[Text, typer.Option(help="Write all tracks but these.", rich_help_panel=REWRITTEN)] = None,
    add: Annotated[Text, typer.Option(help='Add tracks: "piano,bass".', rich_help_panel=REWRITTEN)] = None,
    harmonise: Annotated[
        bool, typer.Option("--harmonise", help="Add chord symbols.", rich_help_panel=REWRITTEN)
    ] = False,
    also: Annotated[str, typer.Option(help="More files beside MIDI: wav,ogg,png,html,musicxml,svg,pdf.")] = "",
    soundfont: Annotated[Path | None, typer.Option(help="SoundFont (.sf2) for sound; one is built in.")] = None,
    fluidsynth: Annotated[bool, typer.Option("--fluidsynth", help="Render with an installed FluidSynth.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    form: Annotated[Text, typer.Option(help="torch, onnx, int8 or int4: how the network is computed.")] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write pieces of music: from nothing, going on from a prompt, or rewriting parts of it."""
    from aurl.pipelines.generate import Output, generate_pieces

    settings = {
        "seconds": seconds, "bars": bars, "max_tokens": max_tokens,
        "variations": variations, "best_of": best_of, "beams": beams, "seed": seed,
        "style": style, "composer": composer, "key": key, "metre": metre, "tempo": tempo, "density": density,
        "voices": voices, "instruments": _listed(instruments), "chords": chords, "sections": sections,
        "guidance": guidance, "polyphony": polyphony, "longest_note": longest_note, "temperature": temperature,
        "top_k": top_k, "top_p": top_p, "min_p": min_p, "epsilon": epsilon, "typical_p": typical_p,
        "repetition_penalty": repetition_penalty, "constraints": constraint, "transforms": transform,
    }  # fmt: skip
    rewrite = {
        "bars": rewrite_bars, "tracks": _listed(rewrite_tracks), "lock_bars": lock_bars,
        "lock_tracks": _listed(lock_tracks), "add": _listed(add), "harmonise": harmonise or None,
    }  # fmt: skip
    result = generate_pieces(
        model,
        Output(out, also=_listed(also) or (), soundfont=soundfont, fluidsynth=fluidsynth),
        prompt=prompt,
        rewrite=_given(rewrite),
        settings=_given(settings),
        device=device,
        form=form,
        quiet=quiet,
    )
    if json:
        print_json(result)
    else:
        print_facts("generated", result)


def _listed(text: str | None) -> tuple[str, ...] | None:
    return tuple(part.strip() for part in text.split(",") if part.strip()) if text else None


def _given(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}
