"""Any music file to Score: MIDI, MusicXML (.mxl too), ABC and Humdrum kern, told apart by what is in them.

A name's suffix is believed only where the content does not say otherwise. MIDI is read with repair
(`aurl.music.repair`), notation through `aurl.music.notation` (extra `notation`). What was wrong, and what could not be
kept, is in the report; what cannot be read raises MidiError.
"""

from __future__ import annotations

import re
from pathlib import Path

from aurl.music.midi import LARGEST_FILE
from aurl.music.notation.abc import read_abc, split_tunes
from aurl.music.notation.kern import read_kern
from aurl.music.notation.musicxml import read_musicxml
from aurl.music.notation.playing import play
from aurl.music.repair import read_midi_repaired
from aurl.music.repair.report import FaultLog, RepairReport
from aurl.music.score import Score
from aurl.utils.errors import MidiError

SUFFIXES = {
    ".mid": "midi", ".midi": "midi", ".kar": "midi",
    ".musicxml": "musicxml", ".xml": "musicxml", ".mxl": "musicxml",
    ".abc": "abc", ".krn": "kern",
}  # fmt: skip
"""Suffixes of music files, in lower case, and the format each means."""
FORMAT_NAMES = {"midi": "MIDI", "musicxml": "MusicXML", "abc": "ABC", "kern": "Humdrum kern"}
MOST_TEXT = 8 * 1024 * 1024
"""Bytes of an ABC or kern file; longer ones are refused."""
HEAD = 64 * 1024
"""Bytes that tell a format."""
_ABC = re.compile(rb"^X:[ \t]*\d+[^\n]*\n(?:[A-Za-z]:[^\n]*\n|%[^\n]*\n|\s*\n)*K:", re.MULTILINE)


def read_music(source: Path | bytes, name: str = "") -> tuple[Score, RepairReport]:
    """Read one piece; of a book of tunes the first, with a fault that counts the others."""
    pieces = _pieces(source, name, first_only=True)
    return pieces[0][1:]


def read_all(source: Path | bytes, name: str = "") -> list[tuple[str, Score, RepairReport]]:
    """Read every piece of a file, each with its own name ("jigs.abc#12"); one piece but for ABC books."""
    return _pieces(source, name, first_only=False)


def sniff(data: bytes) -> str | None:
    """The format that the first bytes of a file are clearly in; None if they could be anything."""
    head = data[:HEAD]
    if head.startswith(b"MThd") or (head.startswith(b"RIFF") and head[8:12] == b"RMID"):
        return "midi"
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        head = head.decode("utf-16", "ignore").encode()
    head = head.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n")
    if head.startswith(b"PK\x03\x04") or (head.lstrip().startswith(b"<") and b"<score-" in head):
        return "musicxml"
    if re.search(rb"^\*\*kern", head, re.MULTILINE):
        return "kern"
    return "abc" if _ABC.search(head) else None


def _pieces(source: Path | bytes, name: str, *, first_only: bool) -> list[tuple[str, Score, RepairReport]]:
    name = name or ("the music" if isinstance(source, bytes) else str(source))
    faults = FaultLog()
    kind = _format(_read(source, HEAD), name, faults)
    if kind == "midi":
        score, report = read_midi_repaired(source)
        found = faults.report(0).faults
        return [(name, score, RepairReport(found + report.faults, report.notes_recovered))]
    data = _read(source)
    if kind == "musicxml":
        return [_piece(name, faults, play(read_musicxml(data, name), faults))]
    text = _text(data, name)
    if kind == "kern":
        return [_piece(name, faults, play(read_kern(text, name), faults))]
    return _tunes(text, name, faults, first_only=first_only)


def _format(head: bytes, name: str, faults: FaultLog) -> str:
    """The format to read, by content, else by suffix; raises MidiError if neither tells."""
    found, claimed = sniff(head), SUFFIXES.get(Path(name).suffix.lower())
    if found is None and claimed is None:
        known = ", ".join(SUFFIXES)
        raise MidiError(f"{name} is no music that can be read", found=f"it starts with {head[:8]!r}", hint=known)
    if found and claimed and found != claimed:
        faults.add("wrong suffix", Path(name).name, f"read as {FORMAT_NAMES[found]}")
    return found or claimed or ""


def _read(source: Path | bytes, most: int | None = None) -> bytes:
    if isinstance(source, bytes):
        return source[:most]
    try:
        if most is None and source.stat().st_size > LARGEST_FILE:
            raise MidiError(f"{source} is too large", hint=f"at most {LARGEST_FILE} bytes are read")
        with source.open("rb") as file:
            data = file.read(-1 if most is None else most)
    except OSError as error:
        raise MidiError(f"cannot read {source}", found=error.strerror) from None
    if not data:
        raise MidiError(f"{source} is empty")
    return data


def _text(data: bytes, name: str) -> str:
    """The characters of an ABC or kern file: UTF-8, UTF-16 with a mark, else Latin-1, which old files are in."""
    if len(data) > MOST_TEXT:
        raise MidiError(f"{name} is too large", found=f"{len(data)} bytes", hint=f"at most {MOST_TEXT} are read")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _tunes(text: str, name: str, faults: FaultLog, *, first_only: bool) -> list[tuple[str, Score, RepairReport]]:
    """Tunes of an ABC book; one that cannot be read is a fault of the first that can, raised if there is none."""
    tunes = split_tunes(text)
    if first_only:
        faults.add("further tune in the book", f"X:{tunes[-1][0]}", "not read", len(tunes) - 1)
        return [_piece(name, faults, play(read_abc(tunes[0][1], name), faults))]
    pieces: list[tuple[str, Score, RepairReport]] = []
    failure = None
    for number, tune in tunes:
        tune_name = f"{name}#{number}" if len(tunes) > 1 else name
        try:
            pieces.append(_piece(tune_name, faults, play(read_abc(tune, tune_name), faults)))
        except MidiError as error:
            failure = error
            faults.add("tune that cannot be read", tune_name, "left out")
            continue
        faults = FaultLog()
    if failure and not pieces:
        raise failure
    return pieces


def _piece(name: str, faults: FaultLog, score: Score) -> tuple[str, Score, RepairReport]:
    return name, score, faults.report(len(score.notes))
