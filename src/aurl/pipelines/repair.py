"""Damaged MIDI files mended on disk: one to a file, several to a folder that keeps their places."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aurl.music.midi import write_midi
from aurl.music.repair import RepairReport, faults_by_kind, read_midi_repaired
from aurl.utils.errors import ConfigError, MidiError
from aurl.utils.files import make_folder, require_suffix
from aurl.utils.progress import progress_bar

SUFFIXES = (".mid", ".midi", ".kar", ".rmi", ".smf")


def repair_file(source: Path, target: Path) -> dict[str, Any]:
    """Mend one file; what was wrong with it."""
    require_suffix(target, ".mid", ".midi")
    report = _repair(source, target)
    return {
        "state": "sound" if report.is_clean else "mended",
        "notes": report.notes_recovered,
        "faults": {
            fault.kind: {"count": fault.count, "first": fault.where, "action": fault.action}
            for fault in report.faults
        },
    }  # fmt: skip


def repair_files(sources: Sequence[Path], folder: Path, *, quiet: bool = False) -> dict[str, Any]:
    """Mend files and folders of files into `folder`; how many were sound, mended, refused, and faults by kind."""
    files = _targets(sources, folder)
    reports: list[RepairReport] = []
    refused: dict[str, str] = {}
    with progress_bar("mending", total=len(files), unit="files", quiet=quiet) as progress:
        for target, source in files.items():
            try:
                reports.append(_repair(source, target))
            except MidiError as error:
                refused[str(source)] = str(error)
            progress.advance(refused=len(refused))
    if not reports:
        raise MidiError(f"none of {len(files)} files could be read", found=next(iter(refused.values())))
    states = Counter("sound" if report.is_clean else "mended" for report in reports)
    return {
        "files": len(files),
        "sound": states["sound"],
        "mended": states["mended"],
        "notes": sum(report.notes_recovered for report in reports),
        "faults": faults_by_kind(reports),
        "refused": refused,
    }


def _repair(source: Path, target: Path) -> RepairReport:
    score, report = read_midi_repaired(source)
    make_folder(target.parent)
    write_midi(score, target)
    return report


def _targets(sources: Sequence[Path], folder: Path) -> dict[Path, Path]:
    """Where each file goes: below `folder` as it lay below its source."""
    if folder.is_file():
        raise ConfigError("several files need a folder to go to", found=f"the file {folder}")
    files: dict[Path, Path] = {}
    for source in sources:
        found = (
            sorted(path for path in source.rglob("*") if path.suffix.lower() in SUFFIXES)
            if source.is_dir()
            else [source]
        )
        for path in found:
            target = (folder / (path.relative_to(source) if source.is_dir() else path.name)).with_suffix(".mid")
            if target in files:
                raise ConfigError(f"two files would be written to {target}", found=f"{files[target]} and {path}")
            files[target] = path
    if not files:
        raise ConfigError("no MIDI file found", found=", ".join(map(str, sources)))
    return files
