"""MusicXML 4.0 (W3C Community Group report, June 2021), partwise, from a score on the grid.

Every note of the score is there with its pitch, place and length; its velocity is the note's `dynamics` attribute (in
MusicXML a percentage of 90). What MIDI calls a track is a part. Nothing in the text depends on when or where it was
written.
"""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path
from xml.etree.ElementTree import Element, indent, tostring

import numpy as np

from aurl.music.engraving.drums import drum
from aurl.music.engraving.keys import Key, key_signatures
from aurl.music.engraving.marks import add, part_marks, printable, score_marks
from aurl.music.engraving.page import Page, to_steps
from aurl.music.engraving.part_writer import PartWriter, instrument_id
from aurl.music.engraving.spelling import Name, name_of, spell
from aurl.music.engraving.staves import Part, make_parts
from aurl.music.score import Score
from aurl.music.theory import PROGRAM_NAMES
from aurl.utils.files import require_suffix, write_file

DOCTYPE = (
    '<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD MusicXML 4.0 Partwise//EN" '
    '"http://www.musicxml.org/dtds/partwise.dtd">'
)
DRUM_CHANNEL = 10
SOFTWARE = "Aurl"
_HAND = re.compile(r"[\s,_-]*(staff|hand)\s*\d*$", re.IGNORECASE)
"""Ends the name of a track that is one staff of an instrument."""


def musicxml_text(score: Score) -> str:
    """The document; raises MidiError for a score without notes, off the grid or in a metre without notation."""
    page = Page.of(score)
    root = Element("score-partwise", version="4.0")
    _heading(root, score)
    parts = make_parts(page)
    listed = add(root, "part-list")
    for number, part in enumerate(parts, 1):
        _list_part(listed, number, part, page)
    names, signatures = _names(page), _signatures(page)
    for number, part in enumerate(parts, 1):
        marks = part_marks(page, part) + (score_marks(page) if number == 1 else [])
        root.append(PartWriter(page, part, number, names, signatures, marks).part())
    indent(root, " ")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{DOCTYPE}\n{tostring(root, encoding="unicode")}\n'


def write_musicxml(score: Score, path: str | Path) -> None:
    """Write .musicxml (or .xml), or .mxl compressed; whole or not at all."""
    path = Path(path)
    require_suffix(path, ".musicxml", ".xml", ".mxl")
    text = musicxml_text(score).encode()
    write_file(path, _archive(text) if path.suffix.lower() == ".mxl" else text)


def _archive(text: bytes) -> bytes:
    """The bytes of an .mxl: the document, and where it is; times are left out, so that they do not differ."""
    container = Element("container")
    add(add(container, "rootfiles"), "rootfile", full_path="score.musicxml")
    files = {"META-INF/container.xml": tostring(container, encoding="UTF-8"), "score.musicxml": text}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _heading(root: Element, score: Score) -> None:
    known = {name: printable(text) for name, text in score.metadata.items()}
    if known.get("title"):
        add(add(root, "work"), "work-title", known["title"])
    identification = add(root, "identification")
    for role in ("composer", "lyricist", "arranger"):
        if known.get(role):
            add(identification, "creator", known[role], type=role)
    add(add(identification, "encoding"), "software", SOFTWARE)
    if known.get("provenance"):
        add(add(identification, "miscellaneous"), "miscellaneous-field", known["provenance"], name="provenance")
    for kind, justify in (("title", "center"), ("composer", "right")):
        if known.get(kind):
            credit = add(root, "credit", page="1")
            add(credit, "credit-type", kind)
            add(credit, "credit-words", known[kind], justify=justify, valign="top")


def _list_part(listed: Element, number: int, part: Part, page: Page) -> None:
    track = part.track
    entry = add(listed, "score-part", id=f"P{number}")
    name = _HAND.sub("", printable(track.name)) or ("Drums" if track.is_drum else PROGRAM_NAMES[track.program])
    add(entry, "part-name", name)
    notes = page.score.notes
    pitches = np.unique(notes.pitch[np.isin(notes.track, part.tracks)]).tolist() if track.is_drum else [None]
    for pitch in pitches:
        instrument = add(entry, "score-instrument", id=instrument_id(number, pitch))
        add(instrument, "instrument-name", name if pitch is None else drum(pitch).name)
    channel = DRUM_CHANNEL if track.is_drum else (number - 1) % 15 + 1
    for pitch in pitches:
        midi = add(entry, "midi-instrument", id=instrument_id(number, pitch))
        add(midi, "midi-channel", channel + (channel >= DRUM_CHANNEL and not track.is_drum))
        add(midi, "midi-program", track.program + 1)
        if pitch is not None:
            add(midi, "midi-unpitched", pitch + 1)


def _names(page: Page) -> dict[int, Name]:
    """The written pitch of each note by its row; that of drums is their place on the staff."""
    notes, pitched = page.score.notes, np.flatnonzero(page.score.is_pitched)
    order = pitched[np.lexsort((notes.pitch[pitched], page.onset[pitched]))]
    starts, sharps = [key.time for key in page.keys], np.array([key.sharps for key in page.keys])
    places = spell(
        page.onset[order], notes.pitch[order], sharps[np.searchsorted(starts, page.onset[order], side="right") - 1]
    )
    names = {int(row): name_of(int(place), int(notes.pitch[row])) for row, place in zip(order, places, strict=True)}
    for row in np.flatnonzero(~page.score.is_pitched).tolist():
        place = drum(int(notes.pitch[row]))
        names[row] = Name(place.letter, 0, place.octave)
    return names


def _signatures(page: Page) -> list[Key]:
    """The key whose signature stands in each bar: changes move to the nearest bar line."""
    table = key_signatures(page.score)
    keys = [Key(*row) for row in zip(table.time.tolist(), table.sharps.tolist(), table.is_minor.tolist(), strict=True)]
    starts = np.array([bar.start for bar in page.bars])
    steps = to_steps(page.score, table.time)
    bars = np.abs(starts[:, None] - steps).argmin(0).tolist()
    change = dict(zip(bars, keys, strict=True))
    signatures = [change.get(0, Key(0, 0, False))]
    for bar in range(1, len(page.bars)):
        signatures.append(change.get(bar, signatures[-1]))
    return signatures
