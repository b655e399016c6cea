"""What a piece is to be like, told before it is written: controls, metre, tempo, instruments, chords, sections.

Only the `note` tokenizer can be told; bars, metres, chords and sections need its metrical clock. A model heeds what it
was trained with: a style it knows by name, chords and sections if its corpus had them.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from aurl.data.tokenizers.note import NoteTokenizer
from aurl.data.tokenizers.note_grid import chord_index, key_index, section_index
from aurl.data.tokenizers.note_tasks import row_of
from aurl.data.tokenizers.note_tokens import bar_count_class
from aurl.data.tokenizers.note_vocabulary import (
    COMMON_METRE,
    DENSITIES,
    DRUM_KIT,
    FREE,
    METRE_STEPS,
    METRES,
    POLYPHONIES,
    SLOTS,
    WHAT,
    WHEN,
    WHO,
    NoteLayout,
    is_within,
    nearest_tempos,
)
from aurl.generation.form import draw_form
from aurl.generation.plan import BarPlan, Plan, Rows
from aurl.generation.progressions import Progression
from aurl.music.score import Score
from aurl.music.theory import estimate_key, key_name, parse_program
from aurl.utils.config import Config
from aurl.utils.errors import ConfigError, UnknownNameError

USUAL_SECTION = 8
ENSEMBLES = 0x656E73
"""Seeds the choice of instruments, beside the seed of the piece."""
AUTO = "auto"
_SECTION = re.compile(r"([A-Z])[:=]?(\d*)")


Ensembles = Sequence[tuple[float, Sequence[str]]]
"""How often the music of a style has these instruments, as `Conditions.instruments` are written."""


class Conditions(Config):
    """What a piece is to be like; what is not given is the model's choice."""

    style: str | None = None
    """A genre that the tokenizer knows by name."""
    composer: str | None = None
    """A composer that the tokenizer knows by name."""
    key: str | None = None
    """Like "D minor"; a control that the model heeds as far as it has learned to. The constraint `scale` is strict."""
    metre: str | None = Field(None, pattern=r"\d{1,2}/\d{1,2}")
    """Like "3/4"; held throughout."""
    tempo: float | None = Field(None, ge=10, le=400)
    """Quarter notes a minute at the beginning."""
    density: float | None = Field(None, gt=0, le=100)
    """Notes a quarter (a second on the performed clock), all tracks together."""
    voices: float | None = Field(None, gt=0, le=100)
    """Notes that sound at once, on average."""
    instruments: tuple[str, ...] = Field((), max_length=SLOTS)
    """The tracks: General MIDI names or parts of them, program numbers, "drums".

    Without them a piece in a style that the model tells the instruments of has some of those.
    """
    chords: str | None = None
    """A progression ("Am F C G", Roman numerals with `key`) or a file with one; repeated to the end.

    Without a key or a prompt, the likeliest key of the chords is told.
    """
    sections: str | None = None
    """The form, like "AABA", or with bars "A8 A8 B8 A8"; without them sections share the bars of the piece.

    "auto" draws one for each piece, as pop songs have them.
    """

    @property
    def is_empty(self) -> bool:
        """Whether nothing is told."""
        return self == Conditions()


def planned(
    conditions: Conditions, layout: NoteLayout, bars: int | None, most_bars: int, metre: int | None = None
) -> Plan:
    """The plan of a piece of `bars` bars (`most_bars` at most where it is not known); raises ConfigError.

    `metre` is the one that a prompt ends in. A chart has its places in one metre, 4/4 if none is given.
    """
    if not layout.is_metrical and (conditions.metre or conditions.chords or conditions.sections):
        raise ConfigError("performed time has no bars for metre, chords or sections", hint="use clock=metrical")
    controls = control_rows(conditions, layout, bars)
    is_held = conditions.metre is not None or conditions.chords is not None
    if metre is None and is_held:
        metre = METRES.index(_metre(conditions.metre or "4/4"))
        controls["metre"] = row_of("metre", metre, layout)
    if conditions.tempo is not None:
        microseconds = np.array([round(60e6 / conditions.tempo)], np.int32)
        controls["tempo"] = row_of("tempo", int(nearest_tempos(microseconds)[0]), layout)
    given = _labels(conditions, layout, bars, most_bars, COMMON_METRE if metre is None else metre)
    opening = row_of("bar" if layout.is_metrical else "start", 0, layout)
    programs = program_rows(conditions.instruments, layout)
    is_given = {"metre": is_held, "program": programs is not None, "section": conditions.sections is not None}
    fixed = [kind for kind, given_so in is_given.items() if given_so]
    return Plan(
        prefix=controls,
        programs=programs,
        bars={bar: BarPlan(opening, tuple(rows)) for bar, rows in given.items()},
        masks=masks(layout, labels=conditions.chords is None, fixed=fixed),
    )


def opened(
    conditions: Conditions, tokenizer: NoteTokenizer, prompt: Score | None, bars: int | None, most_bars: int
) -> tuple[Rows, Plan]:
    """What a piece begins with, and its plan; raises ConfigError for what a prompt tells itself."""
    layout, head = tokenizer.layout, tokenizer.opening(prompt)
    if prompt is None:
        return head, planned(_with_key(conditions), layout, bars, most_bars)
    refuse(conditions, ("metre", "tempo", "instruments"))
    metres = head[is_within(head[:, WHAT], *layout.span("metre")), WHAT] - layout.span("metre")[0]
    plan = planned(conditions, layout, bars, most_bars, int(metres[-1]) if len(metres) else None)
    free = {kind: row_of(kind, 0, layout) for kind in layout.controls if kind == "bars"}
    return told(head, {**free, **plan.prefix}, layout), plan


def formed(conditions: Conditions, seed: int, bars: int | None, most_bars: int) -> Conditions:
    """With a form of `bars` bars where it is to be drawn; one without an outro where their number is not known."""
    if (conditions.sections or "").strip().lower() != AUTO:
        return conditions
    form = draw_form(bars or most_bars, seed, ends=bars is not None)
    return conditions.model_copy(update={"sections": form})


def orchestrated(conditions: Conditions, seed: int, ensembles: Ensembles) -> Conditions:
    """With one of the ensembles, as often as they come, where no instruments are told."""
    if conditions.instruments or not ensembles:
        return conditions
    shares = np.array([share for share, _ in ensembles], np.float64)
    drawn = np.random.default_rng([ENSEMBLES, seed]).choice(len(ensembles), p=shares / shares.sum())
    return conditions.model_copy(update={"instruments": tuple(ensembles[int(drawn)][1])})


def refuse(conditions: Conditions, names: Sequence[str]) -> None:
    """Raise ConfigError if one of these is told of a piece that has it already."""
    for name in names:
        if getattr(conditions, name):
            hint = "leave it out; a rewrite adds instruments to a piece"
            raise ConfigError(f"the prompt has its own {name}", found=getattr(conditions, name), hint=hint)


def _with_key(conditions: Conditions) -> Conditions:
    """With the likeliest key of the chords, where chords are given and no key: the model would draw one."""
    if conditions.chords is None or conditions.key is not None:
        return conditions
    weights = np.zeros(12)
    for bar in Progression.read(conditions.chords).bars:
        for _, chord in bar:
            if chord.root is not None:
                weights[[*chord.pitch_classes]] += 1
                weights[chord.root] += 1
    tonic, is_minor, _ = estimate_key(weights)
    return conditions.model_copy(update={"key": key_name(tonic, is_minor)}) if weights.any() else conditions


def told(head: Rows, controls: Mapping[str, Rows], layout: NoteLayout) -> Rows:
    """The rows with these controls in place of theirs."""
    changed = head.copy()
    for kind, row in controls.items():
        changed[(head[:, WHEN] == 0) & is_within(head[:, WHAT], *layout.span(kind))] = row
    return changed


def masks(layout: NoteLayout, *, labels: bool, fixed: Sequence[str]) -> dict[int, NDArray[np.bool_]]:
    """What the model may choose: `labels` (chords, keys, sections, tempos) in the music, no kind that is `fixed`."""
    found: dict[int, NDArray[np.bool_]] = {}
    if not labels:
        found[WHO] = np.arange(SLOTS + 1) > 0
    if fixed:
        found[WHAT] = np.ones(layout.size, np.bool_)
        for kind in fixed:
            found[WHAT][slice(*layout.span(kind))] = False
    return found


def control_rows(conditions: Conditions, layout: NoteLayout, bars: int | None) -> dict[str, Rows]:
    """The row of each control that is given."""
    values: dict[str, int] = {}
    for kind, name in (("style", conditions.style), ("composer", conditions.composer)):
        if name is not None:
            values[kind] = _named(kind, name, layout)
    if conditions.key is not None:
        index = key_index(conditions.key)
        if index is None:
            raise ConfigError("not a key", found=repr(conditions.key), hint='write it like "F# minor" or "Bb major"')
        values["key"] = index + 1
    if conditions.density is not None:
        values["density"] = bisect_right(DENSITIES, conditions.density) + 1
    if conditions.voices is not None:
        values["polyphony"] = min(max(round(conditions.voices), 1), len(POLYPHONIES))
    if bars is not None and layout.is_metrical:
        values["bars"] = bar_count_class(bars)
    return {kind: row_of(kind, value, layout) for kind, value in values.items()}


def program_rows(instruments: tuple[str, ...], layout: NoteLayout) -> Rows | None:
    """The rows that declare these tracks; None without any."""
    programs = [DRUM_KIT if name.strip().lower() in {"drums", "drum"} else parse_program(name) for name in instruments]
    return np.concatenate([row_of("program", program, layout) for program in programs]) if programs else None


def _named(kind: str, name: str, layout: NoteLayout) -> int:
    known = {known.lower(): index for index, known in enumerate(layout.names(kind))}
    if name.lower() not in known or name == FREE:
        if len(known) == 1:
            hint = f"train with tokenizer.{kind}s=[...] and a corpus that tells them"
            raise ConfigError(f"this model was told of no {kind}", found=repr(name), hint=hint)
        raise UnknownNameError.among(kind, name, layout.names(kind)[1:])
    return known[name.lower()]


def _metre(text: str) -> tuple[int, int]:
    numerator, denominator = map(int, text.split("/"))
    if (numerator, denominator) not in METRES:
        raise ConfigError(
            "not a metre that tokens can tell", found=text, hint="up to eight quarters, over 2, 4, 8 or 16"
        )
    return numerator, denominator


def _labels(
    conditions: Conditions, layout: NoteLayout, bars: int | None, most_bars: int, metre: int
) -> dict[int, list[Rows]]:
    """The section and chord rows of each bar that has any, in order."""
    found: dict[int, list[Rows]] = {}
    if conditions.sections is not None:
        for bar, name in _form(conditions.sections, bars):
            found.setdefault(bar, []).append(_timed("section", section_index(name) or 0, 0, layout))
    if conditions.chords is not None:
        steps = int(METRE_STEPS[metre])
        for change in Progression.read(conditions.chords, conditions.key).changes(bars or most_bars, steps):
            index = chord_index(change.chord.symbol)
            assert index is not None, change.chord
            found.setdefault(change.bar, []).append(_timed("chord", index, change.step, layout))
    return found


def _timed(kind: str, value: int, step: int, layout: NoteLayout) -> Rows:
    row = row_of(kind, value, layout)
    row[0, WHEN] = step + 1
    return row


def _form(text: str, bars: int | None) -> list[tuple[int, str]]:
    """The first bar of each section of a form, and its letter."""
    squeezed = re.sub(r"[\s,|-]+", "", text.upper())
    parts = _SECTION.findall(squeezed)
    if not parts or "".join(name + length for name, length in parts) != re.sub("[:=]", "", squeezed):
        raise ConfigError("not a form", found=repr(text), hint='write it like "AABA" or "A8 A8 B8 A8"')
    untold = sum(not length for _, length in parts)
    told = sum(int(length) for _, length in parts if length)
    share = (bars - told) / untold if bars is not None and untold else float(USUAL_SECTION)
    if share < 1:
        raise ConfigError(
            f"{bars} bars are too few for the form {text}", found=f"{told} bars told, {untold} sections more"
        )
    found, bar = [], 0.0
    for name, length in parts:
        found.append((round(bar), name))
        bar += int(length) if length else share
    return found
