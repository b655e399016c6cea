"""A study looks at a score and says what it hears: labels that begin at a beat and hold until the next.

`STUDIES` has them by name; a plug-in adds its own under the entry-point group `aurl.studies`. The same annotation feeds
the labels of a corpus, the charts of `aurl study`, and whatever else asks.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from aurl.music.score import WHOLE_SCORE, Score, TextKind, Texts
from aurl.utils.registry import Registry


@dataclass(frozen=True)
class Annotation:
    """Labels of one score in order: where each begins (beats, quarter notes), how sure the study is of it (0..1)."""

    kind: TextKind
    recogniser: str
    beats: NDArray[np.float64]
    labels: tuple[str, ...]
    confidence: NDArray[np.float64]
    end_beats: float
    """Where the last label ends."""
    doubt: str = ""
    """Why the labels had better not be used, in words for people; empty if nothing is against them."""

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def durations(self) -> NDArray[np.float64]:
        """Beats that each label holds."""
        return np.diff(self.beats, append=self.end_beats)

    def texts(self, score: Score) -> Texts:
        """The labels as rows of `score.texts`; of several at one tick the last counts."""
        ticks = score.tempo_map.beats_to_ticks(self.beats)
        last = np.append(np.diff(ticks) > 0, True)[: len(ticks)]
        labels = np.array([*self.labels, None], object)[:-1][last]
        kinds = np.full(len(labels), self.kind, object)
        return Texts(ticks[last], np.full(len(labels), WHOLE_SCORE), kinds, labels)

    def label(self, score: Score) -> Score:
        """The score with these labels instead of any of their kind, and their origin in its metadata.

        Labels in doubt are not written: no label is better than a wrong one.
        """
        if self.doubt:
            return score
        kept = score.texts.take(score.texts.kind != self.kind)
        metadata = {**score.metadata, f"labels.{self.kind}": f"detected: {self.recogniser}"}
        return score.replace(texts=Texts.join([kept, self.texts(score)]), metadata=metadata)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        columns = zip(self.beats.tolist(), self.durations.tolist(), self.labels, self.confidence.tolist(), strict=True)
        rows = [
            {"beat": beat, "beats": duration, "label": label, "confidence": round(confidence, 3)}
            for beat, duration, label, confidence in columns
        ]
        return {"kind": self.kind, "recogniser": self.recogniser, "doubt": self.doubt, "labels": rows}


class Study(ABC):
    """One way to hear a score."""

    kind: ClassVar[TextKind]

    @abstractmethod
    def analyse(self, score: Score) -> Annotation:
        """Hear one score; any score will do, an empty one has no labels."""

    def apply(self, score: Score) -> Score:
        """What the study makes of a score for others to hear or see: by default the score with its labels."""
        return self.analyse(score).label(score)

    @abstractmethod
    def summarise(self, annotations: Iterable[Annotation]) -> dict[str, Any]:
        """What many annotations have in common, as names and values; reads them one by one."""


STUDIES: Registry[Study] = Registry("studies")
