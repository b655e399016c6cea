"""Damaged MIDI files: read all the same, with a report of what was wrong."""

from aurl.music.repair.reading import read_midi_repaired
from aurl.music.repair.report import Fault, RepairReport, faults_by_kind

__all__ = ["Fault", "RepairReport", "faults_by_kind", "read_midi_repaired"]
