"""A score as one HTML file: a piano roll that plays, with nothing to load from anywhere.

Drawing and playing are `assets/roll/roll.js`: a canvas, and an oscillator a note (sustain pedals are not heard). Times
are seconds, colours those of `aurl.music.picture`.
"""

from __future__ import annotations

import html
import json
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

import numpy as np

from aurl.music.picture import track_colours, track_name
from aurl.music.score import Score
from aurl.utils.files import require_suffix, write_file

LABELS = ("section", "key", "chord")
FEWEST_PITCHES = 24


def html_roll(score: Score, title: str = "") -> str:
    """The document; in a notebook, put it in an iframe's `srcdoc`."""
    return roll_page(roll_data(score), title)


def roll_page(data: str, title: str = "") -> str:
    """The document for what `roll_data` gives, which stands in it once and as it is."""
    assets = files("aurl").joinpath("assets", "roll")
    page = Template(assets.joinpath("roll.html").read_text(encoding="utf-8"))
    script = assets.joinpath("roll.js").read_text(encoding="utf-8")
    return page.substitute(title=html.escape(title or "Piano roll"), score=data, script=script)


def roll_data(score: Score) -> str:
    """What the player needs to know of a score: JSON that can stand in HTML."""
    return json.dumps(_data(score), separators=(",", ":"), ensure_ascii=True).replace("<", "\\u003c")


def write_html_roll(score: Score, path: str | Path, title: str = "") -> None:
    """Write an .html file, whole or not at all."""
    require_suffix(Path(path), ".html", ".htm")
    write_file(path, html_roll(score, title).encode())


def _data(score: Score) -> dict[str, Any]:
    notes, seconds = score.notes, score.tempo_map.ticks_to_seconds
    start, end = seconds(notes.onset), seconds(notes.end)
    columns = np.round(start, 3), np.round(end - start, 3), notes.pitch, notes.velocity, notes.track
    low, high = (int(notes.pitch.min()), int(notes.pitch.max())) if len(notes) else (60, 60)
    air = max(2, (FEWEST_PITCHES - (high - low)) // 2)
    bars = np.arange(1 + int(score.metre_map.ticks_to_bar_beat(score.end_ticks)[0]))
    labels = score.texts.take(np.isin(score.texts.kind, LABELS))
    return {
        "tracks": [
            {"name": track_name(track), "colour": colour, "program": track.program, "drum": track.is_drum}
            for track, colour in zip(score.tracks, track_colours(score), strict=True)
        ],
        "notes": list(zip(*(column.tolist() for column in columns), strict=True)),
        "bars": np.round(seconds(score.metre_map.bar_to_ticks(bars)), 3).tolist(),
        "labels": list(
            zip(np.round(seconds(labels.time), 3).tolist(), labels.kind.tolist(), labels.text.tolist(), strict=True)
        ),
        "seconds": round(score.duration_seconds, 3),
        "low": max(0, low - air),
        "high": min(127, high + air),
    }
