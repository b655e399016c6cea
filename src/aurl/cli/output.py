"""How commands print: a table for people, JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON only.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")]


def print_json(values: Mapping[str, Any]) -> None:
    """Print one JSON object."""
    typer.echo(json.dumps(values, indent=2, ensure_ascii=False, default=str))


def print_facts(title: str, facts: Mapping[str, Any]) -> None:
    """Print names and values in two aligned columns, nested mappings indented below their name."""
    typer.echo(title)
    for line in _lines(facts, "  "):
        typer.echo(line)


def print_table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print text in aligned columns, the first of names."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    typer.echo(title)
    for name, *cells in (header, *rows):
        aligned = [f"{cell:>{width}}" for cell, width in zip(cells, widths[1:], strict=True)]
        typer.echo("  ".join(["", f"{name:<{widths[0]}}", *aligned]).rstrip())


def _lines(facts: Mapping[str, Any], indent: str) -> list[str]:
    width = max((len(str(key)) for key in facts), default=0)
    lines: list[str] = []
    for key, value in facts.items():
        if isinstance(value, Mapping) and value:
            lines += [f"{indent}{key}", *_lines(value, indent + "  ")]
        else:
            lines.append(f"{indent}{key!s:<{width}}  {_text(value)}")
    return lines


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, Mapping | Sequence) and not isinstance(value, str):
        return ", ".join(map(_text, value)) or "none"
    return str(value)
