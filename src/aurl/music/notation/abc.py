"""ABC tune books: one text, any number of tunes, each from `X:` to an empty line."""

from __future__ import annotations

import re

from aurl.music.notation.library import parse_text, refuse_metres
from aurl.music.notation.written import WrittenScore

TUNE_START = re.compile(r"^X:[ \t]*(\d*)", re.MULTILINE)
TUNE_END = re.compile(r"^K:.*\n(?:.*\S.*\n?)*", re.MULTILINE)
"""The key ends a tune's head; an empty line ends the tune."""

METRES = re.compile(r"(?:^|\[)M:([^\]\n%]*)", re.MULTILINE)


def split_tunes(text: str) -> list[tuple[str, str]]:
    """Number and text of each tune; what precedes the first (defaults of the book) is put before each."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    starts = list(TUNE_START.finditer(text))
    if not starts:
        return [("1", text)]
    ends = [start.start() for start in starts[1:]] + [len(text)]
    shared = "".join(line + "\n" for line in text[: starts[0].start()].splitlines() if re.match(r"[A-Za-z]:", line))
    return [
        (start[1] or str(index), shared + _tune(text[start.start() : end]))
        for index, (start, end) in enumerate(zip(starts, ends, strict=True), 1)
    ]


def _tune(text: str) -> str:
    """The tune without what stands between it and the next one."""
    body = TUNE_END.search(text)
    return text[: body.end()] if body else text


def read_abc(text: str, name: str) -> WrittenScore:
    """Read one tune; raises MidiError."""
    refuse_metres(METRES.findall(text), name)
    return parse_text(text, name, "abc", "ABC")
