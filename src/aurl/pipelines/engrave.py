"""Any file of music to notation, engraved pages or a piano roll that plays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aurl.data.preprocessing.reading import readable, readable_share
from aurl.generation.export import write_notation
from aurl.music.engraving import with_signatures
from aurl.music.html_roll import write_html_roll
from aurl.music.io import read_music
from aurl.utils.files import require_suffix

NOTATION = (".musicxml", ".xml", ".mxl", ".svg", ".pdf")


def engrave_file(source: Path, target: Path, *, title: str = "", exact: bool = False) -> dict[str, Any]:
    """Write `source` as what the suffix of `target` says; what was read, changed and written.

    Notes on places that nobody counts are quantised first unless `exact`; a piano roll shows them as they are.
    """
    require_suffix(target, *NOTATION, ".html")
    score, report = read_music(source)
    told = {"title": source.stem, **score.metadata, **({"title": title} if title else {})}
    score = with_signatures(score.replace(metadata=told))
    shown = score
    if target.suffix.lower() == ".html":
        write_html_roll(score, target, score.metadata["title"])
        files = [target]
    else:
        shown = score if exact else readable(score)
        files = write_notation(shown, target)
    return {
        "files": [str(file) for file in files],
        "notes": len(shown.notes),
        "tracks": len(shown.tracks),
        "on_counted_places": readable_share(score),
        "quantised": "no" if shown is score else "each beat to sixteenths or triplet eighths",
        "reading": report.summary(),
    }
