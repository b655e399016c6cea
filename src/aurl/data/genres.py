"""Short names for genres as collections write them: `fiddle` for `fiddle/reel`, `song` for `art song`."""

from __future__ import annotations

import re
from collections.abc import Iterable


def short_name(genre: str, names: Iterable[str]) -> str | None:
    """The first of `names` that is the genre, or else the first whose words it contains, in any case; None without."""
    told, given = _words(genre), list(names)
    same = (name for name in given if name.casefold() == genre.casefold())
    return next(same, next((name for name in given if (words := _words(name)) and words <= told), None))


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.casefold()))
