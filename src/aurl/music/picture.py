"""Scores as a piano roll: PNG, one row a score, all rows on the same scales so that they can be compared.

Seconds to the right, pitch upwards with every C named, notes coloured by track and stronger when louder, bar lines
behind them, and the chords, keys and sections that the score names. Text in the picture is taken literally (no
mathematics).
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from aurl.music.score import Score, Track
from aurl.music.theory import PROGRAM_NAMES, pitch_name
from aurl.utils.files import write_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH_INCHES = 12.0
ROW_INCHES = 3.2
DOTS_PER_INCH = 150
PALETTE = ("#4477aa", "#cc6677", "#228833", "#ddaa33", "#66aacc", "#aa4499", "#999933", "#882255")
"""Told apart by most colour-blind people (after Paul Tol's schemes)."""
DRUMS = "#888888"
INK, FAINT, GRID = "#333333", "#777777", "#dddddd"
MOST_BAR_LINES = 50
MOST_NAMES = 8
BLACK_KEYS = (1, 3, 6, 8, 10)


def write_piano_roll(
    scores: Score | Sequence[Score], path: str | Path, *, title: str | Sequence[str] | None = None
) -> None:
    """Write a PNG; `title` is one for each score."""
    from matplotlib.figure import Figure  # the object API draws with Agg; pyplot would look for a screen

    scores = [scores] if isinstance(scores, Score) else list(scores)
    titles = [""] * len(scores) if title is None else [title] if isinstance(title, str) else list(title)
    figure = Figure((WIDTH_INCHES, ROW_INCHES * len(scores) + 0.3), DOTS_PER_INCH, layout="constrained")
    rows = figure.subplots(len(scores), sharex=True, sharey=True, squeeze=False)[:, 0]
    for axes, score, text in zip(rows, scores, titles, strict=True):
        _draw_notes(axes, score)
        _label(axes, score, text)
    _scale(rows[-1], scores)
    for axes, score in zip(rows, scores, strict=True):
        _draw_grid(axes, score)
        _draw_labels(axes, score)
    rows[-1].set_xlabel("seconds", color=FAINT, fontsize=8)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    write_file(path, buffer.getvalue())


def _draw_notes(axes: Axes, score: Score) -> None:
    from matplotlib.collections import PolyCollection
    from matplotlib.colors import to_rgba_array

    notes = score.notes
    start, end = score.tempo_map.ticks_to_seconds(np.stack([notes.onset, notes.end]))
    colours = to_rgba_array(track_colours(score) or "none")[notes.track]
    colours[:, 3] = 0.35 + 0.65 * notes.velocity / 127
    corners: Any = _rectangles(start, end, notes.pitch)
    axes.add_collection(PolyCollection(corners, facecolors=colours, linewidths=0, zorder=3))


def track_colours(score: Score) -> list[str]:
    """One for each track; drums are grey."""
    return [DRUMS if track.is_drum else PALETTE[i % len(PALETTE)] for i, track in enumerate(score.tracks)]


def _rectangles(start: NDArray[Any], end: NDArray[Any], pitch: NDArray[Any]) -> NDArray[Any]:
    """Corners [n, 4, 2]: a little shorter than the note, so that repeated notes part, but never too thin to see."""
    thinnest = end.max(initial=1.0) / 1500
    end = start + np.maximum((end - start) - np.minimum(0.1 * (end - start), thinnest), thinnest)
    low, high = pitch - 0.44, pitch + 0.44
    corners = [[start, low], [start, high], [end, high], [end, low]]
    return np.asarray(np.transpose(corners, (2, 0, 1)))


def _label(axes: Axes, score: Score, title: str) -> None:
    from matplotlib.patches import Patch

    axes.set_title(title, loc="left", fontsize=11, color=INK, parse_math=False)
    playing = np.unique(score.notes.track)
    if len(playing) < 2:
        return
    names = [track_name(score.tracks[track]) for track in playing[:MOST_NAMES]]
    patches = [Patch(color=track_colours(score)[track]) for track in playing[:MOST_NAMES]]
    if len(playing) > MOST_NAMES:
        names.append(f"and {len(playing) - MOST_NAMES} more")
        patches.append(Patch(color="none"))
    legend = axes.legend(
        patches, names, loc="lower right", bbox_to_anchor=(1, 1), ncols=len(names), frameon=False, fontsize=8,
        labelcolor=INK, handlelength=0.8, handleheight=0.8, columnspacing=1.2, borderaxespad=0.2,
    )  # fmt: skip
    for text in legend.get_texts():
        text.set_parse_math(False)


def track_name(track: Track) -> str:
    """The name of a track, or that of its instrument, short enough for a legend."""
    fallback = "Drums" if track.is_drum else PROGRAM_NAMES[track.program]
    name = "".join(letter for letter in track.name if letter.isprintable()).strip(" _")
    return (name if len(name) <= 24 else f"{name[:23]}…") or fallback


def _scale(axes: Axes, scores: Sequence[Score]) -> None:
    """Limits that hold every note of every score, with air, on at least two octaves."""
    pitches = np.concatenate([score.notes.pitch for score in scores])
    low, high = (int(pitches.min()), int(pitches.max())) if len(pitches) else (60, 60)
    air = max(2, (24 - (high - low)) / 2)
    axes.set_ylim(low - air, high + air)
    axes.set_xlim(0, max(1.0, *(score.duration_seconds for score in scores)) * 1.002)
    octaves = [pitch for pitch in range(0, 128, 12) if low - air <= pitch <= high + air]
    axes.set_yticks(octaves, [pitch_name(pitch) for pitch in octaves])


def _draw_grid(axes: Axes, score: Score) -> None:
    low, high = axes.get_ylim()
    for pitch in range(int(low), int(high) + 1):
        if pitch % 12 in BLACK_KEYS:
            axes.axhspan(pitch - 0.5, pitch + 0.5, color="#f6f6f6", linewidth=0, zorder=0)
    for octave in axes.get_yticks():
        axes.axhline(octave - 0.5, color=GRID, linewidth=0.6, zorder=1)
    last_bar = int(score.metre_map.ticks_to_bar_beat(score.end_ticks)[0])
    bars = np.arange(1, last_bar + 2, _bars_between_lines(last_bar))
    seconds = score.tempo_map.ticks_to_seconds(score.metre_map.bar_to_ticks(bars))
    axes.vlines(seconds, low, high, color=GRID, linewidth=0.6, zorder=1)
    axes.tick_params(length=0, labelsize=8, labelcolor=FAINT)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(GRID)


def _draw_labels(axes: Axes, score: Score) -> None:
    """Chords upright at the bottom, keys and sections at the top; one that would run into the last is left out."""
    low, high = axes.get_ylim()
    for kind, height, direction, apart in (("chord", low, 90, 90), ("key", high, 0, 12), ("section", high, 0, 40)):
        labels, shown = score.texts.of(kind), -np.inf  # type: ignore[arg-type]
        for second, text in zip(score.tempo_map.ticks_to_seconds(labels.time), labels.text, strict=True):
            if second - shown < axes.get_xlim()[1] / apart:
                continue
            shown, place = second, "bottom" if height == low else "top"
            axes.text(
                second, height, f" {text} ", rotation=direction, fontsize=6, color=INK, ha="left", va=place,
                parse_math=False, zorder=4,
            )  # fmt: skip


def _bars_between_lines(bars: int) -> int:
    """1, 2, 4, 8 ... bars, so that the lines stay apart."""
    return 1 << max(0, int(np.ceil(np.log2((bars + 1) / MOST_BAR_LINES))))
