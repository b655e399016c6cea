"""MusicXML, plain and compressed (.mxl), from strangers: checked before the library sees it.

Refused: entities and external references (defusedxml), archives whose contents are too large, too many or too well
compressed to be music, archives in archives. Instruments and transpositions are read here: music21 transposes by the
name of the instrument even where the file does not say so.
"""

from __future__ import annotations

import io
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from fractions import Fraction
from typing import Any
from xml.etree.ElementTree import Element, ParseError, SubElement

from aurl.music.notation.library import MOST_NOTES, guarded, music21, refuse_metres, to_written
from aurl.music.notation.written import Change, WrittenPart, WrittenScore
from aurl.utils.errors import MidiError, MissingExtraError

MOST_BYTES = 32 * 1024 * 1024
"""Of one XML document; 100,000 notes take about 20 MB."""
LONGEST_TAG = 128 * 1024
"""Bytes without a `>`; the parser's time grows with the square of a tag's attributes."""
MOST_MEMBERS = 1000
MEMBER_MARK = b"PK\x01\x02"
"""Begins what an archive says of each of its files."""
HIGHEST_RATIO = 150
"""How much smaller than its contents an archive may be; real ones reach 40."""
SMALL_BYTES = 1024 * 1024
"""Contents that are never too well compressed."""
DRUM_CHANNEL = 10
STEPS = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


def read_musicxml(data: bytes, name: str) -> WrittenScore:
    """Read a document or an .mxl archive; raises MidiError."""
    if data.startswith(b"PK"):
        data = unpack(data, name)
    root = parse_xml(data, name)
    if root.tag != "score-partwise":
        raise MidiError(f"{name} is not partwise MusicXML", found=f"<{root.tag}>", hint="export it as MusicXML again")
    if root.find("part") is None:
        raise MidiError(f"{name} holds no part")
    count = sum(1 for _ in root.iter("note"))
    if count > MOST_NOTES:
        raise MidiError(f"{name} is too large", found=f"{count} notes", hint=f"at most {MOST_NOTES} are read")
    times = (zip(time.iterfind("beats"), time.iterfind("beat-type"), strict=False) for time in root.iter("time"))
    refuse_metres((f"{beats.text}/{value.text}" for pairs in times for beats, value in pairs), name)
    importer = music21().musicxml.xmlToM21.MusicXMLImporter
    return guarded(name, "MusicXML", lambda: _read(root, importer()))


def _read(root: Element, importer: Any) -> WrittenScore:
    drum_parts = _number_drums(root)
    importer.xmlRootToScore(root, importer.stream)
    streams = [part for part in importer.stream.parts if part.recurse().notes] or list(importer.stream.parts)
    written = to_written(importer.stream)
    elements = {part.get("id"): part for part in root.iterfind("part")}
    listed = {part.get("id"): part for part in root.iterfind("part-list/score-part")}
    for part, stream in zip(written.parts, streams, strict=True):
        instrument = stream.getInstrument(returnDefault=False)
        identity = getattr(instrument, "partId", None)
        if identity in elements:
            _set_instrument(part, listed.get(identity))
            part.is_drum |= identity in drum_parts
            part.semitones = [] if part.is_drum else list(_transpositions(elements[identity]))
    return written


def _number_drums(root: Element) -> set[str | None]:
    """Make the General MIDI drum of an unpitched note its pitch, as music21 loses it; which parts have some."""
    drums = {
        midi.get("id"): int(midi.findtext("midi-unpitched", "")) - 1
        for midi in root.iterfind("part-list/score-part/midi-instrument")
        if midi.find("midi-unpitched") is not None
    }
    parts = set()
    for part in root.iterfind("part"):
        for note in part.iterfind("measure/note"):
            unpitched, instrument = note.find("unpitched"), note.find("instrument")
            if unpitched is None:
                continue
            parts.add(part.get("id"))
            number = drums.get(None if instrument is None else instrument.get("id"))
            if number is not None:
                _set_pitch(unpitched, number)
    return parts


def _set_pitch(element: Element, number: int) -> None:
    element.clear()
    element.tag = "pitch"
    step = STEPS[number % 12]
    for tag, value in (("step", step[0]), ("alter", step.count("#")), ("octave", number // 12 - 1)):
        SubElement(element, tag).text = str(value)


def _set_instrument(part: WrittenPart, listed: Element | None) -> None:
    midi = None if listed is None else listed.find("midi-instrument")
    if midi is None:
        return
    program, channel = midi.findtext("midi-program", "1"), midi.findtext("midi-channel", "")
    part.program = max(0, int(program) - 1) & 127
    part.is_drum |= channel.strip() == str(DRUM_CHANNEL)


def _transpositions(part: Element) -> Iterator[Change]:
    for bar, measure in enumerate(part.iterfind("measure")):
        for transpose in measure.iterfind("attributes/transpose"):
            octaves = int(transpose.findtext("octave-change", "0"))
            yield Change(bar, Fraction(0), int(float(transpose.findtext("chromatic", "0"))) + 12 * octaves)


def parse_xml(data: bytes, name: str) -> Element:
    """The tree of an XML document without entities; raises MidiError."""
    try:
        from defusedxml import DefusedXmlException
        from defusedxml.ElementTree import fromstring
    except ImportError:
        raise MissingExtraError.of("defusedxml", "notation") from None
    if len(data) > MOST_BYTES:
        raise MidiError(f"{name} is too large", found=f"{len(data)} bytes", hint=f"at most {MOST_BYTES} are read")
    if any(data.find(b">", start, start + LONGEST_TAG) < 0 for start in range(0, len(data) - LONGEST_TAG, LONGEST_TAG)):
        raise MidiError(f"{name} has a tag too long for music", hint=f"at most {LONGEST_TAG} bytes are read")
    try:
        root: Element = fromstring(data)
    except DefusedXmlException as error:
        raise MidiError(f"{name} holds XML entities, which are not read", found=type(error).__name__) from None
    except (ParseError, ValueError, LookupError) as error:  # LookupError: an encoding nobody knows
        raise MidiError(f"{name} is not well-formed XML", found=error) from None
    return root


def unpack(data: bytes, name: str) -> bytes:
    """The document in an .mxl archive; raises MidiError."""
    if (count := data.count(MEMBER_MARK)) > MOST_MEMBERS:
        raise MidiError(f"{name} holds too many files", found=count, hint=f"at most {MOST_MEMBERS} are read")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            _refuse_bombs(archive, len(data), name)
            document = archive.read(_document_name(archive, name))
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, RuntimeError, NotImplementedError) as e:
        raise MidiError(f"{name} is a damaged or encrypted archive", found=e) from None
    if document.startswith(b"PK"):
        raise MidiError(f"{name} holds an archive in an archive")
    return document


def _refuse_bombs(archive: zipfile.ZipFile, size: int, name: str) -> None:
    total = max((member.file_size for member in archive.infolist()), default=0)
    if total > MOST_BYTES or total > max(SMALL_BYTES, HIGHEST_RATIO * size):
        raise MidiError(
            f"{name} unpacks to more than music needs",
            found=f"{total} bytes from {size}",
            hint=f"at most {MOST_BYTES} bytes and {HIGHEST_RATIO} times the archive are read",
        )


def _document_name(archive: zipfile.ZipFile, name: str) -> str:
    """Where the container says the document is; where it lies or is damaged, the first document there is."""
    names = archive.namelist()
    documents = [m for m in names if m.endswith((".xml", ".musicxml")) and not m.startswith("META-INF/")]
    if "META-INF/container.xml" in names:
        try:
            container = parse_xml(archive.read("META-INF/container.xml"), name)
        except MidiError:
            container = Element("container")
        paths = [element.get("full-path", "") for element in container.iter() if element.tag.endswith("rootfile")]
        documents = [path for path in paths[:1] if path in names] + documents
    if not documents:
        raise MidiError(f"{name} holds no MusicXML document", found=", ".join(names[:5]) or "an empty archive")
    return documents[0]
