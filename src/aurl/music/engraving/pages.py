"""Engraved pages: MusicXML through Verovio (extra `engraving`) to SVG, and through Typst to PDF. A4, upright."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from aurl.music.engraving.musicxml import musicxml_text
from aurl.music.score import Score
from aurl.utils.errors import MidiError, MissingExtraError
from aurl.utils.files import require_suffix, write_file

OPTIONS = {
    "pageWidth": 2100, "pageHeight": 2970, "scale": 40, "footer": "none", "header": "auto", "xmlIdSeed": 1,
    "pageMarginTop": 120, "pageMarginBottom": 120, "pageMarginLeft": 120, "pageMarginRight": 120,
    "justifyVertically": True, "condense": "none", "svgBoundingBoxes": False,
}  # fmt: skip
"""Verovio's; lengths in tenths of a millimetre."""
_SYMBOL = re.compile('<tspan font-family="Leipzig" font-size="(\\d+)px">([\ue000-\uf8ff])')
"""A character of the music font among words: readers of the file need not have that font."""
_PLAIN = {
    "\ueca3": "half",
    "\ueca5": "\u2669",
    "\uecb7": ".",
    "\uea64": "\u266d",
    "\uea65": "\u266e",
    "\uea66": "\u266f",
}
_HEADING = re.compile(r'<text font-size="0px">(\s*<tspan [^>]*?)( x="\d+" y="\d+" text-anchor="\w+")>')
"""A line of the heading, placed by a span inside the text, which not all that draw SVG follow."""
_TYPST = "#set document(date: none)\n#set page(width: 210mm, height: 297mm, margin: 0mm)\n"


def write_engraving(score: Score, path: str | Path) -> list[Path]:
    """Write .pdf or .svg; an SVG of several pages becomes files numbered from 1. Returns what was written.

    Raises MidiError as `musicxml_text` does, MissingExtraError without Verovio or, for PDF, Typst.
    """
    path = Path(path)
    require_suffix(path, ".svg", ".pdf")
    pages = svg_pages(score)
    if path.suffix.lower() == ".pdf":
        write_file(path, _pdf(pages))
        return [path]
    numbered = [path.with_name(f"{path.stem}-{number}{path.suffix}") for number in range(1, len(pages) + 1)]
    paths = [path] if len(pages) == 1 else numbered
    for page, target in zip(pages, paths, strict=True):
        write_file(target, page.encode())
    return paths


def svg_pages(score: Score) -> list[str]:
    """The pages as SVG, each whole in itself."""
    text = musicxml_text(score)
    toolkit = _toolkit()
    if not toolkit.loadData(text):
        raise MidiError("Verovio cannot engrave this score", hint="write it as MusicXML and open it elsewhere")
    pages = [toolkit.renderToSVG(number) for number in range(1, toolkit.getPageCount() + 1)]
    return [_HEADING.sub(r'<text font-size="0px"\2>\1>', _SYMBOL.sub(_plain, page)) for page in pages]


def require_engraver(suffix: str) -> None:
    """Raise MissingExtraError unless pages of this kind (".svg", ".pdf") can be written."""
    _toolkit()
    if suffix == ".pdf":
        _typst()


def _toolkit() -> Any:
    try:
        import verovio
    except ImportError:
        raise MissingExtraError.of("verovio", "engraving") from None
    verovio.enableLog(verovio.LOG_OFF)
    toolkit = verovio.toolkit()
    toolkit.setOptions(OPTIONS)
    return toolkit


def _typst() -> Any:
    try:
        import typst
    except ImportError:
        raise MissingExtraError.of("typst", "engraving") from None
    return typst


def _plain(symbol: re.Match[str]) -> str:
    size = int(symbol[1]) * 3 // 5 if symbol[2] in "\ueca3\ueca5" else int(symbol[1])
    return f'<tspan font-size="{size}px">{_PLAIN.get(symbol[2], "")}'


def _pdf(pages: list[str]) -> bytes:
    names = [f"page-{number}.svg" for number in range(len(pages))]
    main = _TYPST + "#pagebreak()\n".join(f'#image("{name}", width: 100%)\n' for name in names)
    files = {"main.typ": main.encode()} | {name: page.encode() for name, page in zip(names, pages, strict=True)}
    return bytes(_typst().compile(files))
