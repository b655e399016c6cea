"""Two studies that name the chords of a score: a trained one, `chords`, and one by templates, which learned nothing."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from aurl.music.chords import QUALITIES, Chord
from aurl.music.score import Score, TextKind
from aurl.studies.base import STUDIES, Annotation, Study
from aurl.studies.chords.decoding import best_path
from aurl.studies.chords.features import pitch_features, place_features
from aurl.studies.chords.network import LEARNED, Beliefs, believe, shipped_weights
from aurl.studies.chords.summary import summarise_chords
from aurl.studies.chords.templates import change_costs, template_fits
from aurl.studies.grid import Grid, make_grid
from aurl.utils.config import Config

Array = NDArray[Any]
MOST_WITHOUT_CHORD = 0.5
"""Share of a piece without any chord, above which its chords are in doubt."""
NO_HARMONY = "No chord is heard in more than half of this piece (a melody alone?), so no chords are written to it."
SEVENTHS = 0.5
"""Added to the log-probability of chords with a seventh, which the network says too seldom: the best of 0, 0.25, 0.5,
0.75 and 1 on the third of the training pieces that weights of the other two thirds had not seen."""
_HANDICAP = np.append(np.tile([SEVENTHS * (quality in ("7", "maj7", "min7")) for quality in LEARNED], 12), 0.0)


class ChordsConfig(Config):
    """The trained recogniser."""

    name: Literal["chords"] = "chords"


class ChordTemplatesConfig(Config):
    """The recogniser by templates."""

    name: Literal["chord_templates"] = "chord_templates"


class ChordStudy(Study):
    """Chords on a grid of half-beats; each holds until the next, "N.C." where there is none."""

    kind: ClassVar[TextKind] = "chord"
    name: ClassVar[str]
    qualities: ClassVar[Sequence[str]]

    def __init__(self, config: Config) -> None:
        self.config = config

    def analyse(self, score: Score) -> Annotation:
        """Name the chords of a score."""
        grid = make_grid(score)
        if not len(grid):
            return Annotation(self.kind, self.name, np.zeros(0), (), np.zeros(0), 0.0)
        path, confidence, basses = self.hear(grid)
        starts = np.flatnonzero(np.diff(path, prepend=-1))
        bass = np.add.reduceat(basses, starts, axis=0).argmax(1)
        chords = [self._chord(path[start], low, grid.origin) for start, low in zip(starts, bass, strict=True)]
        lengths = np.diff(starts, append=len(path))
        sureness = np.add.reduceat(confidence, starts) / lengths
        labels = tuple(chord.symbol for chord in chords)
        end = len(grid) * grid.frame_beats
        silent = lengths[[chord.root is None for chord in chords]].sum() / len(path)
        doubt = NO_HARMONY if silent > MOST_WITHOUT_CHORD else ""
        return Annotation(self.kind, self.name, grid.starts[starts], labels, sureness.astype(np.float64), end, doubt)

    def summarise(self, annotations: Iterable[Annotation]) -> dict[str, Any]:
        """Qualities, chords by degree, and the commonest progressions."""
        return summarise_chords(annotations)

    @abstractmethod
    def hear(self, grid: Grid) -> tuple[Array, Array, Array]:
        """State of each frame, how sure of it (0..1), and evidence of each bass [frames, 12]."""

    def _chord(self, state: int, bass: int, origin: int) -> Chord:
        root, quality = divmod(int(state), len(self.qualities))
        if root == 12:
            return Chord(None)
        chord = Chord((root + origin) % 12, self.qualities[quality])
        low = (int(bass) + origin) % 12
        return Chord(chord.root, chord.quality, low) if low in chord.pitch_classes else chord


def likeliest_states(beliefs: Beliefs) -> Array:
    """State of each frame: root by root in the order of `LEARNED`, then no chord; a change costs its log-odds."""
    return best_path(beliefs.chords + _HANDICAP, -beliefs.change)


@STUDIES.register(ChordsConfig)
class TrainedChords(ChordStudy):
    """A small network on what sounds around each frame, then the likeliest sequence; see `docs/STUDIES.md`."""

    name, qualities = "chords", LEARNED

    def hear(self, grid: Grid) -> tuple[Array, Array, Array]:
        """Likeliest states under the network's log-probabilities."""
        beliefs = believe(pitch_features(grid), place_features(grid), shipped_weights())
        path = likeliest_states(beliefs)
        return path, np.exp(beliefs.chords[np.arange(len(path)), path]), beliefs.basses


@STUDIES.register(ChordTemplatesConfig)
class TemplateChords(ChordStudy):
    """Template matching and the likeliest sequence: nothing is learned, so nothing is taken from any data set."""

    name, qualities = "chord_templates", QUALITIES

    def hear(self, grid: Grid) -> tuple[Array, Array, Array]:
        """States that fit best; sureness is how far the best fit of a frame is above the worst, at most 1."""
        pitches = pitch_features(grid)
        fits = template_fits(pitches)
        path = best_path(fits, change_costs(place_features(grid)))
        return path, np.clip(0.5 + 0.5 * fits[np.arange(len(path)), path], 0, 1), pitches[:, 2]
