"""What was wrong with a file and what was done about it; faults of one kind are counted, the first place is told."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Fault:
    """One kind of fault: where it was first met, what was done, how many times."""

    kind: str
    where: str
    action: str
    count: int = 1


@dataclass(frozen=True)
class RepairReport:
    """All faults of a file, and how many notes the mended score holds."""

    faults: tuple[Fault, ...] = ()
    notes_recovered: int = 0

    @property
    def is_clean(self) -> bool:
        """Whether nothing was wrong."""
        return not self.faults

    def summary(self) -> str:
        """One line, such as `12 notes; 3 broken event (track 1, byte 93): left out`."""
        notes = f"{self.notes_recovered} note{'s' * (self.notes_recovered != 1)}"
        faults = [f"{fault.count} {fault.kind} ({fault.where}): {fault.action}" for fault in self.faults]
        return "; ".join([notes, *(faults or ["sound"])])

    def to_dict(self) -> dict[str, Any]:
        """Plain values, fit for JSON."""
        return {"faults": [asdict(fault) for fault in self.faults], "notes_recovered": self.notes_recovered}


def faults_by_kind(reports: Iterable[RepairReport]) -> dict[str, int]:
    """How many faults of each kind several files had, most first."""
    counts: dict[str, int] = {}
    for report in reports:
        for fault in report.faults:
            counts[fault.kind] = counts.get(fault.kind, 0) + fault.count
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


@dataclass
class FaultLog:
    """Faults as they are met, one entry for each kind and action."""

    _found: dict[tuple[str, str], tuple[str, int]] = field(default_factory=dict)

    def add(self, kind: str, where: str, action: str, count: int = 1) -> None:
        """Count a fault; of several of one kind and action the first place stays."""
        if count:
            first, known = self._found.get((kind, action), (where, 0))
            self._found[kind, action] = (first, known + count)

    def take(self, other: FaultLog) -> None:
        """Count the faults of another log behind these."""
        for (kind, action), (where, count) in other._found.items():
            self.add(kind, where, action, count)

    def __len__(self) -> int:
        return len(self._found)

    def report(self, notes: int) -> RepairReport:
        """The faults so far, with the number of notes there are."""
        faults = [Fault(kind, where, action, count) for (kind, action), (where, count) in self._found.items()]
        return RepairReport(tuple(faults), notes)
