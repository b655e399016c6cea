"""What an evaluation found, as tables of text and as a picture."""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from aurl.evaluation.distribution import PLACES, density
from aurl.evaluation.judging import FORM_LAGS, LAGS, Judgement, known_mean
from aurl.evaluation.metrics import METRICS
from aurl.music.picture import DOTS_PER_INCH, FAINT, INK, PALETTE
from aurl.utils.files import write_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PICTURED = (
    "note_density", "polyphony", "mean_duration", "pitch_range", "pitch_class_entropy", "onset_entropy",
    "groove_consistency", "chord_changes", "mean_interval",
)  # fmt: skip
"""Metrics whose densities are drawn, one at least of each kind."""
REAL_COLOUR = "#bbbbbb"
NOTHING = "-"
ENOUGH = 0.95
"""Share of the pieces that a metric should have inside; the names of others are told."""
Rows = list[tuple[str, ...]]


@dataclass(frozen=True)
class Table:
    """Text in columns; the first is of names."""

    title: str
    header: tuple[str, ...]
    rows: Rows


def tables(result: Mapping[str, Any]) -> list[Table]:
    """The tables of an evaluation: likelihood, pieces, and metrics beside each way in which real music is told."""
    evaluated: dict[str, dict[str, Any]] = result["evaluated"]
    models = {name: told["likelihood"] for name, told in evaluated.items() if "likelihood" in told}
    judged = {name: told for name, told in evaluated.items() if "metrics" in told}
    style = f" ({result['style']})" if result["style"] else ""
    where = f"{result['held_out_pieces']} pieces of {result['corpus']} {result['split']}{style}"
    found = [_likelihood(models, f"likelihood of {where}; bits, 95 %")] if models else []
    if judged:
        found.append(_pieces(judged, f"pieces beside {where}; 95 %"))
    groups: dict[str, dict[str, dict[str, Any]]] = {}
    for name, told in judged.items():
        groups.setdefault(f"real: {told['told_by']}; {told['bars']} bars", {})[name] = told
    return found + [_metrics(group, f"metrics beside {where}; {how}") for how, group in groups.items()]


def left_out(result: Mapping[str, Any]) -> dict[str, Any]:
    """What could not be said, and what could not be read, by what was evaluated."""
    told = {}
    for name, each in result["evaluated"].items():
        baselines = each.get("likelihood", {}).get("baselines_left_out")
        why = {
            **each.get("left_out", {}),
            **({"baselines": baselines} if baselines else {}),
            **each.get("not_read", {}),
        }
        if why:
            told[name] = why
    return told


def _likelihood(models: Mapping[str, Any], title: str) -> Table:
    """A column for each model, a row for each figure that one of them has."""
    rows: Rows = [
        ("bits per note", *(_bits(told["bits_per_note"]) for told in models.values())),
        ("bits per second", *(_bits(told["bits_per_second"]) for told in models.values())),
        ("perplexity of a choice", *(_text(told["perplexity"]) for told in models.values())),
    ]
    for part, name in (("by_field", "bits per note: {}"), ("by_genre", "bits per note of {}")):
        for key in _keys(told.get(part, {}) for told in models.values()):
            rows.append((name.format(key), *(_bits(told.get(part, {}).get(key)) for told in models.values())))
    for key in _keys(told.get("baselines", {}) for told in models.values()):
        found = (told.get("baselines", {}).get(key, {}).get("bits_per_note") for told in models.values())
        rows.append((f"bits per note: {key} baseline", *map(_bits, found)))
    resolutions = _keys({told["resolution"]: name} for name, told in models.items())
    return Table(f"{title}; {' | '.join(resolutions)}", ("", *models), rows)


def _pieces(judged: Mapping[str, Any], title: str) -> Table:
    """Two columns each: the pieces, and real music beside them."""
    columns = [_piece_column(told) for told in judged.values()]
    rows: Rows = []
    for key in _keys(columns):
        rows.append((key, *(cell for column in columns for cell in column.get(key, (NOTHING, NOTHING)))))
    return Table(title, ("", *(head for name in judged for head in (name, "real"))), rows)


def _piece_column(told: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    inside = told["inside"]
    below = [metric for metric, share in inside["by_metric"].items() if share["pieces"] < ENOUGH]
    column = {
        "pieces": (str(told["pieces"]), str(told["held_out_pieces"])),
        "bars heard of each": (str(told["bars"]), str(told["bars"])),
        "degenerate": _shares(told["degenerate"]),
        "figures inside 1-99 %": _shares(inside["figures"]),
        "pieces inside by all": _shares(inside["whole_pieces"]),
        f"metrics below {ENOUGH:.0%}": (f"{len(below)} of {len(METRICS)}", NOTHING),
    }
    for lag in FORM_LAGS:
        column[f"self-similarity, {lag} bars"] = _sides(told.get(f"self_similarity_{lag}"))
    column["form: 4, 8, 16 less a bar off"] = _sides(told.get("form"))
    column["Frechet, hand features"] = _sides(told.get("frechet_hand_features"))
    if "frechet_embedding" in told:
        column["Frechet, embedding"] = _sides(told["frechet_embedding"])
    for line, copied in told.get("copying", {}).items():
        sides = copied["generated"], copied["held_out"]
        for figure in ("median", "upper", "most"):
            name = {"median": "median", "upper": "95 %", "most": "longest"}[figure]
            column[f"copied notes, {line}, {name}"] = _pair(*(_text(side[figure]) for side in sides))
        column[f"copied notes, {line}, above"] = (_interval(copied["share_above"]), "0.05")
        column[f"copying, {line}"] = ("passed" if copied["passed"] else "NOT PASSED", NOTHING)
    for line, shared in told.get("diversity", {}).items():
        column[f"notes two pieces share, {line}"] = _sides(shared)
    return column


def _metrics(group: Mapping[str, Any], title: str) -> Table:
    """The range of real music, and where the pieces lie."""
    first = next(iter(group.values()))["metrics"]
    header = ["", "real 1 %", "real 50 %", "real 99 %"]
    for name in group:
        header += [f"{name}: median", "overlap", "inside"] + (["real inside"] if name == next(iter(group)) else [])
    rows: Rows = []
    for metric, real in first.items():
        row = [metric, *(_text(real[f"real_{place}"]) for place in ("1_percent", "median", "99_percent"))]
        for number, told in enumerate(group.values()):
            figures, inside = told["metrics"][metric], told["inside"]["by_metric"][metric]
            row += [_text(figures["median"]), _text(figures["overlapped_area"]), _share(inside["pieces"])]
            row += [_share(inside["real"])] if number == 0 else []
        rows.append(tuple(row))
    return Table(title, tuple(header), rows)


def _keys(parts: Iterable[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(key for part in parts for key in part))


def _bits(interval: Mapping[str, float | None] | None) -> str:
    return NOTHING if not interval else _interval(interval, ".2f")


def _interval(interval: Mapping[str, float | None], form: str = ".3g") -> str:
    value, low, high = (_text(interval[name], form) for name in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"


def _sides(sides: Mapping[str, Any] | None) -> tuple[str, str]:
    """An interval of the pieces and one of real music."""
    return (NOTHING, NOTHING) if sides is None else _pair(*(_interval(sides[name]) for name in ("pieces", "real")))


def _shares(sides: Mapping[str, Any]) -> tuple[str, str]:
    return _pair(_share(sides["pieces"]), _share(sides["real"]))


def _pair(one: str, other: str) -> tuple[str, str]:
    return one, other


def _share(share: float | None) -> str:
    return _text(share, ".0%")


def _text(value: float | None, form: str = ".3g") -> str:
    return NOTHING if value is None or math.isnan(value) else format(value, form)


def draw(judgements: Mapping[str, Judgement], path: Path) -> None:
    """A PNG: densities of the main metrics of pieces and of real music (grey), and self-similarity by lag."""
    from matplotlib.figure import Figure  # the object API draws with Agg; pyplot would look for a screen

    figure = Figure((10, 9), DOTS_PER_INCH, layout="constrained")
    grid = figure.add_gridspec(4, 3)
    for place, metric in enumerate(PICTURED):
        axes = figure.add_subplot(grid[divmod(place, 3)])
        _draw_densities(axes, judgements, list(METRICS).index(metric))
        axes.set_yticks([])
        axes.set_ylim(bottom=0)
        _dress(axes, metric.replace("_", " "))
    axes = figure.add_subplot(grid[3, :])
    _draw_form(axes, judgements)
    _dress(axes, "self-similarity by distance in bars")
    legend = figure.legend(
        *axes.get_legend_handles_labels(), loc="outside upper right", ncols=4, frameon=False, fontsize=8
    )
    for text in legend.get_texts():
        text.set_parse_math(False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    write_file(path, buffer.getvalue())


def _draw_densities(axes: Axes, judgements: Mapping[str, Judgement], column: int) -> None:
    sides = [(_known(each.real_features[:, column]), _known(each.features[:, column])) for each in judgements.values()]
    values = np.concatenate([values for pair in sides for values in pair])
    if len(values) < 2 or not np.ptp(values):
        return
    low, span = values.min() - np.ptp(values) / 10, 1.2 * np.ptp(values)
    places = np.linspace(low, low + span, PLACES)
    for number, (real, ours) in enumerate(sides):
        if len(real) > 1:
            axes.fill_between(places, density((real - low) / span), color=REAL_COLOUR, linewidth=0, alpha=0.6)
        if len(ours) > 1:
            axes.plot(places, density((ours - low) / span), color=PALETTE[number % len(PALETTE)], linewidth=1.5)


def _draw_form(axes: Axes, judgements: Mapping[str, Judgement]) -> None:
    for number, (name, each) in enumerate(judgements.items()):
        real, ours = ([known_mean(column) for column in side.T] for side in (each.real_similarity, each.similarity))
        axes.plot(LAGS, real, color=REAL_COLOUR, linewidth=3, label="" if number else "real")
        axes.plot(LAGS, ours, color=PALETTE[number % len(PALETTE)], linewidth=1.5, marker=".", label=name)
    axes.set_xticks([1, *range(4, LAGS.stop, 4)])
    axes.set_ylim(bottom=0)


def _dress(axes: Axes, title: str) -> None:
    axes.set_title(title, loc="left", fontsize=9, color=INK)
    axes.tick_params(labelsize=7, labelcolor=FAINT)
    axes.spines[["top", "right"]].set_visible(False)


def _known(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values[~np.isnan(values)]
