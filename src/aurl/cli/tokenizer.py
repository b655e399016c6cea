"""`aurl tokenizer CORPUS --out tokenizer.json`: learn a vocabulary from a corpus."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, cast

import typer

from aurl.cli.output import Json, Quiet, print_facts, print_json


def tokenizer(
    corpus: Annotated[Path, typer.Argument(help="Folder written by `aurl prepare`.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Where tokenizer.json goes.")],
    kind: Annotated[str, typer.Option(help="Class of MidiTok: REMI, TSD, MIDILike ...")] = "REMI",
    vocabulary: Annotated[int, typer.Option(min=1, help="How many tokens to learn, the basic ones included.")] = 2000,
    algorithm: Annotated[str, typer.Option(help="BPE, Unigram or WordPiece.")] = "BPE",
    pieces: Annotated[int | None, typer.Option(min=1, help="Learn from so many pieces only.")] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Learn a vocabulary from a corpus.

    MidiTok's tokens of the training split are merged into longer ones; train with tokenizer=miditok:FILE.
    """
    from typing import get_args

    from aurl.data.store import Corpus
    from aurl.pipelines.tokenizer import Algorithm, train_tokenizer
    from aurl.utils.errors import UnknownNameError

    if algorithm not in get_args(Algorithm):
        raise UnknownNameError.among("algorithm", algorithm, get_args(Algorithm))
    report = train_tokenizer(
        Corpus.open(corpus),
        kind,
        out,
        vocabulary=vocabulary,
        algorithm=cast(Algorithm, algorithm),
        pieces=pieces,
        quiet=quiet,
    )
    if json:
        print_json(report)
    else:
        print_facts(f"tokenizer {out}", report)
