"""ABC tune books: one text, any number of tunes, each from `X:` to an empty line."""

from __future__ import annotations

import re

from aurl.music.notation.library import parse_text, refuse_metres
from aurl.music.notation.written import WrittenScore

TUNE_START = re.compile(r"^X:[ \t]*(\d*)", re.MULTILINE)
TUNE_END = re.compile(r"^K:.*\n(?:.*\S.*\n?)*", re.MULTILINE)
"""The key ends a tune's head; an empty line ends the tune."""

KEY = re.compile(r"^K:", re.MULTILINE)
METRES = re.compile(r"^M:([^\n%]*)", re.MULTILINE)
HEAD_OF_LENGTHS = re.compile(r"^[LM]:", re.MULTILINE)
"""A unit note length, or a metre, from which the library finds it."""
USUAL_LENGTH = "L:1/8\n"
"""Where a tune gives neither length nor metre (ABC 2.1, 4.6 and 4.7)."""
NOTHING_SAID = re.compile(r"^[LM]:[ \t]*(%.*)?\n", re.MULTILINE)
INLINE = re.compile(r"\[([A-Za-z]):([^\]\n]*)\]")
"""A field between notes, which the library passes over; on a line of its own it does not."""

VOICE = re.compile(r"^V:[ \t]*(\S+)(.*\n)", re.MULTILINE)


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
    text = _plain(text)
    refuse_metres(METRES.findall(text), name)
    return parse_text(text, name, "abc", "ABC")


def _plain(text: str) -> str:
    """The tune in that part of ABC which the library reads rightly."""
    text = NOTHING_SAID.sub("", INLINE.sub(_own_line, text))
    key = KEY.search(text)
    if key is None:
        return text
    head, music = text[: key.start()], text[key.start() :]
    return head + ("" if HEAD_OF_LENGTHS.search(head) else USUAL_LENGTH) + _voice_by_voice(music)


def _voice_by_voice(music: str) -> str:
    """The music with the lines of each voice together, as the library takes each `V:` for another voice."""
    before, *parts = VOICE.split(music)
    voices: dict[str, str] = {}
    for name, properties, lines in zip(*[iter(parts)] * 3, strict=True):
        voices[name] = voices.get(name, f"V:{name}{properties}") + lines
    return before + "".join(voices.values())


def _own_line(field: re.Match[str]) -> str:
    return f"\n{field[1]}:{field[2]}\n" if field[1] in "KLMQV" else ""
