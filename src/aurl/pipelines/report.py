"""A corpus as one HTML page that needs nothing else: figures and plots drawn as SVG, readable in light and in dark.

Titles, file names and labels come from strangers: every text passes through `html.escape`, and the page has no script.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from aurl.data.statistics import statistics
from aurl.data.store import Corpus
from aurl.data.tokenizers import TOKENIZERS
from aurl.evaluation.metrics import METRICS
from aurl.music.theory import pitch_name
from aurl.utils.files import write_file
from aurl.utils.progress import progress_bar

WIDTH, HEIGHT, FOOT = 320, 120, 18
"""Size of a plot in its own units, and the room below it for labels."""
ROW = 17
MOST_NAMES = 16
"""Names that a plot of counts shows; the rest are added up."""


def report_corpus(path: Path, tokenizers: Sequence[str], *, quiet: bool = False) -> dict[str, Any]:
    """All figures of a corpus; see `aurl.data.statistics`."""
    corpus = Corpus.open(path)
    built = {name: TOKENIZERS.build(TOKENIZERS.parse(name)) for name in tokenizers}
    with progress_bar("measuring", total=len(corpus), unit="pieces", quiet=quiet) as bar:
        return statistics(corpus, built, metrics=METRICS, on_piece=bar.advance)


def write_report(facts: Mapping[str, Any], title: str, path: Path) -> None:
    """Write the figures as a page."""
    write_file(path, page(facts, title).encode())


def page(facts: Mapping[str, Any], title: str) -> str:
    """The page as text."""
    style = files("aurl").joinpath("assets", "report", "style.css").read_text(encoding="utf-8")
    notes = facts["notes"]
    pitches = bars(notes["pitch"], [pitch_name(pitch) for pitch in range(128)])
    velocities = bars(notes["velocity"], list(map(str, range(128))))
    body = [
        _table(facts["corpus"].items()),
        "<h2>Splits</h2>",
        _table(facts["splits"].items()),
        *(_length_section(name, report) for name, report in facts["lengths"].items()),
        "<h2>Pieces</h2>",
        _plots(_measure_plot(name, told) for name, told in facts["measures"].items()),
        "<h2>Notes</h2>",
        _plots([_figure("pitch", "all notes but drums", pitches), _figure("velocity", "all notes", velocities)]),
        "<h2>Pieces with</h2>",
        _plots(_figure(name, f"{len(counts):,} in all", names(counts)) for name, counts in facts["counts"].items()),
        _duplicates_section(facts["duplicates"]),
        *(_counts_section(name, facts[name]) for name in ("repairs", "failures", "ignored")),
    ]
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
    content = "\n".join(body)
    return (
        f'<!doctype html>\n<html lang="en"><head>{head}<style>{style}</style></head>\n'
        f"<body><h1>{escape(title)}</h1>\n{content}\n</body></html>\n"
    )


def bars(counts: Sequence[int], labels: Sequence[str]) -> str:
    """A histogram as SVG; `labels` are of the bars, and those of the first and the last with something are shown."""
    filled = [index for index, count in enumerate(counts) if count] or [0]
    shown = range(filled[0], filled[-1] + 1)
    width, top = WIDTH / len(shown), max(1, *counts)
    drawn = [
        f'<rect x="{place * width:.2f}" y="{HEIGHT * (1 - counts[index] / top):.2f}" width="{width * 0.9:.2f}" '
        f'height="{HEIGHT * counts[index] / top:.2f}"><title>{escape(labels[index])}: {counts[index]:,}</title></rect>'
        for place, index in enumerate(shown)
    ]
    foot, first, last = HEIGHT + FOOT - 4, escape(labels[shown[0]]), escape(labels[shown[-1]])
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT + FOOT}" role="img">{"".join(drawn)}'
        f'<line x1="0" y1="{HEIGHT}" x2="{WIDTH}" y2="{HEIGHT}"/><text x="0" y="{foot}">{first}</text>'
        f'<text x="{WIDTH}" y="{foot}" text-anchor="end">{last}</text></svg>'
    )


def names(counts: Mapping[str, int]) -> str:
    """Counts by name as horizontal bars, the most frequent first."""
    items = list(counts.items())
    rest = sum(count for _, count in items[MOST_NAMES:])
    items = items[:MOST_NAMES] + ([(f"{len(items) - MOST_NAMES} others", rest)] if rest else [])
    top = max((count for _, count in items), default=1)
    drawn = []
    for row, (name, count) in enumerate(items):
        y, width = row * ROW, 120 * count / top
        drawn.append(
            f'<text x="0" y="{y + 12}">{escape(_short(name))}<title>{escape(name)}</title></text>'
            f'<rect x="150" y="{y + 2}" width="{width:.2f}" height="{ROW - 4}"/>'
            f'<text x="{154 + width:.2f}" y="{y + 12}">{count:,}</text>'
        )
    return f'<svg viewBox="0 0 {WIDTH} {max(1, len(items)) * ROW}" role="img">{"".join(drawn)}</svg>'


def _measure_plot(name: str, told: Mapping[str, Any]) -> str:
    if not told["count"]:
        return _figure(name, "nothing to measure", "")
    histogram = told["histogram"]
    labels = [_text(edge) for edge in histogram["edges"]]
    caption = f"median {_text(told['median'])}, 5 % {_text(told['5 %'])}, 95 % {_text(told['95 %'])}"
    return _figure(name, f"{caption}, largest {_text(told['max'])}", bars(histogram["counts"], labels))


def _length_section(name: str, report: Mapping[str, Any]) -> str:
    """The lengths under one tokenizer, and what each context costs."""
    percentiles = ", ".join(f"{percent} %: {value:,}" for percent, value in report["percentiles"].items())
    header = ["context", "pieces whole", "strategy", "windows", "never seen", "seen again", "padding"]
    rows = [
        [f"{cost['context']:,}", f"{cost['whole_share']:.1%}", strategy, f"{told['windows']:,}"]
        + [f"{told[share]:.1%}" for share in ("unseen_share", "repeated_share", "padding_share")]
        for cost in report["contexts"]
        for strategy, told in cost["strategies"].items()
    ]
    return (
        f"<h2>Length in tokens: {escape(name)}</h2><p>{report['tokens']:,} tokens, "
        f"{report['tokens_per_note']:.2f} a note; a piece has {percentiles}. "
        f"Recommended context: <b>{report['recommended']:,}</b>.</p>{_table(rows, header)}"
    )


def _duplicates_section(told: Mapping[str, Any]) -> str:
    summary = f"{told['pieces']:,} pieces in {told['clusters']:,} clusters; a cluster lies in one split."
    rows = [[str(len(cluster)), ", ".join(cluster[:8])] for cluster in told["largest"]]
    return f"<h2>Near-duplicates</h2><p>{summary}</p>{_table(rows, ['pieces', 'such as']) if rows else ''}"


def _counts_section(name: str, counts: Mapping[str, int]) -> str:
    content = _table(counts.items()) if counts else "<p>none</p>"
    return f"<h2>{escape(name.capitalize())}</h2>{content}"


def _table(rows: Iterable[Sequence[Any]], header: Sequence[str] = ()) -> str:
    head = "<tr>" + "".join(f"<th>{escape(cell)}</th>" for cell in header) + "</tr>" if header else ""
    lines = ("<tr>" + "".join(f"<td>{escape(_text(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="wide"><table>{head}{"".join(lines)}</table></div>'


def _plots(figures: Iterable[str]) -> str:
    return f'<div class="plots">{"".join(figures)}</div>'


def _figure(name: str, caption: str, drawing: str) -> str:
    return f"<figure><figcaption>{escape(name)}</figcaption><small>{escape(caption)}</small>{drawing}</figure>"


def _short(name: str) -> str:
    return name if len(name) <= 24 else f"{name[:23]}…"


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 or value == math.floor(value) else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value)
