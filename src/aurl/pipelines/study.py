"""Studying one piece or a whole corpus: a readable chart, a file with the labels, a picture, a summary."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from aurl.data.store import DESCRIPTION_NAME, Corpus
from aurl.music.io import read_music
from aurl.music.midi import write_midi
from aurl.music.picture import write_piano_roll
from aurl.music.score import Score
from aurl.studies import STUDIES, Annotation, Study
from aurl.utils.errors import ConfigError
from aurl.utils.files import require_suffix
from aurl.utils.progress import progress_bar

BARS_PER_LINE = 4
LABELS_PER_BAR = 6
"""A bar of more labels is cut, with an ellipsis."""
HELD = "-"
"""Stands in the chart for a bar in which nothing new begins."""


def is_corpus(path: Path) -> bool:
    """Whether `path` is a prepared corpus."""
    return (path / DESCRIPTION_NAME).is_file()


def study_piece(
    name: str, path: Path, *, out: Path | None = None, plot: Path | None = None
) -> tuple[dict[str, Any], list[str]]:
    """Study one file of music: plain values and the lines of a chart; `out` and `plot` are written if given."""
    study = _find(name)
    if out is not None:
        require_suffix(out, ".mid", ".midi")
    if plot is not None:
        require_suffix(plot, ".png")
    if path.is_dir():
        raise ConfigError(f"{path} is a folder, not music or a corpus", hint="make a corpus of it with aurl prepare")
    if not path.is_file():
        raise ConfigError(f"{path} does not exist", hint="give a file of music or a corpus")
    score, _ = read_music(path)
    annotation = study.analyse(score)
    if out is not None:
        write_midi(study.apply(score), out)
    if plot is not None:
        write_piano_roll(study.apply(score), plot, title=path.name)
    return annotation.to_dict(), chart(score, annotation)


def study_corpus(name: str, path: Path, *, quiet: bool = False) -> dict[str, Any]:
    """Study every piece of a corpus, one after the other, and say what they have in common."""
    study, corpus = _find(name), Corpus.open(path)
    with progress_bar(f"studying {name}", total=len(corpus), unit="pieces", quiet=quiet) as bar:

        def annotations() -> Iterator[Annotation]:
            for index in range(len(corpus)):
                yield study.analyse(corpus.score(index))
                bar.advance()

        return study.summarise(annotations())


def chart(score: Score, annotation: Annotation) -> list[str]:
    """Bars with what begins in each, BARS_PER_LINE to a line, numbered from 1; then what speaks against them."""
    if not len(annotation):
        return ["nothing that sounds"]
    ticks = score.tempo_map.beats_to_ticks(annotation.beats)
    bars = score.metre_map.ticks_to_bar_beat(ticks)[0]
    end = score.tempo_map.beats_to_ticks(np.array([annotation.end_beats]))[0]
    last = max(int(bars[-1]), int(score.metre_map.ticks_to_bar_beat(max(int(end) - 1, 0))[0]))
    cells = {bar: _cell([label for _, label in group]) for bar, group in _by_bar(bars.tolist(), annotation)}
    lines = [range(first, min(first + BARS_PER_LINE, last + 1)) for first in range(0, last + 1, BARS_PER_LINE)]
    lines = [line for line in lines if any(bar in cells for bar in line)]
    width = max(map(len, cells.values()))
    number = len(str(last + 1))
    rows = [
        f"{line.start + 1:>{number}} | {' | '.join(f'{cells.get(bar, HELD):<{width}}' for bar in line)} |"
        for line in lines
    ]
    return [*rows, annotation.doubt] if annotation.doubt else rows


def _by_bar(bars: list[int], annotation: Annotation) -> Iterator[tuple[int, Iterator[tuple[int, str]]]]:
    return groupby(zip(bars, annotation.labels, strict=True), key=lambda pair: pair[0])


def _cell(labels: list[str]) -> str:
    return "  ".join(labels if len(labels) <= LABELS_PER_BAR else [*labels[:LABELS_PER_BAR], "…"])


def _find(name: str) -> Study:
    return STUDIES.build(STUDIES.parse(name))
