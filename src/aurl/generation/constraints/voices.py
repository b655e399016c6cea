"""Constraints on who plays and how voices go together: instruments, notes at once, parallels. Drums have no voices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Annotated, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field

from aurl.data.tokenizers.note_vocabulary import (
    DRUM_KIT,
    HOW_LONG,
    SLOTS,
    STEPS_PER_QUARTER,
    WHAT,
    WHEN,
    WHO,
    NoteLayout,
)
from aurl.generation.constraints.base import CONSTRAINTS, Bias, Law, Lean, Mask, Rule, RuleConfig, checked
from aurl.generation.constraints.pitches import PITCHES, pitch_mask
from aurl.generation.constraints.tracks import TrackChoice, Tracks, listed, programs_of
from aurl.generation.hearing import HeardPiece, Part
from aurl.music.score import Score
from aurl.utils.config import Config

REST = STEPS_PER_QUARTER
"""Steps of silence after which a voice begins anew."""
PARALLELS = (0, 7)
"""Semitones, octaves apart, of what may not move in parallel: unisons, octaves, fifths."""
WINDOW = 4
"""Bars before this one whose notes are counted towards the voices."""
LENGTHS = np.float32(0.25)
"""How much of the pull an octave of note lengths feels; most is felt by whether one note more begins."""


def _read_programs(value: object) -> tuple[object, ...]:
    return tuple(programs_of(name)[0] if isinstance(name, str) else name for name in listed(value))


class InstrumentsConfig(Config):
    """Exactly these instruments play."""

    name: Literal["instruments"] = "instruments"
    programs: Annotated[
        tuple[Annotated[int, Field(ge=0, le=DRUM_KIT)], ...], BeforeValidator(checked(_read_programs))
    ] = Field(min_length=1, max_length=SLOTS)
    """The tracks in order, each by a General MIDI name ("Violin", a family, "Drums") or number from 0; 128 is drums."""
    bars: int | None = Field(None, ge=1)
    """Bars of the piece; in the last of them, those who have not played yet must."""


@CONSTRAINTS.register(InstrumentsConfig)
class Instruments(Law[InstrumentsConfig]):
    """Exactly these instruments are declared and play."""

    fields = (WHEN, WHO, WHAT)

    def __init__(self, config: InstrumentsConfig, layout: NoteLayout) -> None:
        super().__init__(config, layout)
        self._last_bar = (config.bars or 0) - 1

    def mask(self, piece: HeardPiece, field: int, chosen: Sequence[int]) -> Mask | None:
        """Declarations in order, then those tracks; in the last bar those who were silent come in before it ends."""
        if field == WHAT:
            return self._declaration(len(piece.programs)) if piece.bar < 0 and chosen[WHEN] == 0 else None
        silent = self._silent(piece) if piece.bar == self._last_bar and piece.fill < 0 else []
        if field == WHEN:
            return ~self._only(field, [0]) if silent else None
        if chosen[WHEN] == 0 or (not silent and self.config.programs == piece.programs):
            return None
        wanted = [who for who, program in enumerate(piece.programs, 1) if program in self.config.programs]
        return self._only(field, [0, *(who for who in wanted if not silent or who <= silent[0])])

    def _declaration(self, declared: int) -> Mask:
        """Of programs only the next, and no music before the last."""
        mask, first = np.ones(self.layout.size, np.bool_), self.layout.first
        mask[first["program"] : self.layout.end["program"]] = False
        if declared < len(self.config.programs):
            mask[first["bar"]] = False
            mask[first["program"] + self.config.programs[declared]] = True
        return mask

    def _silent(self, piece: HeardPiece) -> list[int]:
        """Tracks that should play and have not, in order."""
        whos = enumerate(piece.programs, 1)
        return [who for who, program in whos if program in self.config.programs and who not in piece.parts]

    def _only(self, field: int, values: list[int]) -> Mask:
        mask = np.zeros(self.sizes[field], np.bool_)
        mask[values] = True
        return mask

    def score(self, score: Score) -> float:
        """The tracks that are wanted and sound, of those that are wanted or sound."""
        sounding = [score.tracks[track] for track in np.unique(score.notes.track).tolist()]
        heard = Counter(DRUM_KIT if track.is_drum else track.program for track in sounding)
        wanted = Counter(self.config.programs)
        return sum((heard & wanted).values()) / sum((heard | wanted).values())


class PolyphonyConfig(RuleConfig):
    """Notes of one track at once; of all tracks together, see `polyphony` of the request."""

    name: Literal["polyphony"] = "polyphony"
    most: int = Field(1, ge=1, le=128)
    """Most notes that sound at once in each track; 1 is a melody."""
    tracks: Tracks = ()
    """The tracks meant, all but drums when none are named."""


@CONSTRAINTS.register(PolyphonyConfig)
class Polyphony(Rule[PolyphonyConfig]):
    """No note begins in a track that is full."""

    fields = (WHEN, WHO)

    def __init__(self, config: PolyphonyConfig, layout: NoteLayout) -> None:
        super().__init__(config, layout)
        self.tracks = TrackChoice(config.tracks)

    def mask(self, piece: HeardPiece, field: int, chosen: Sequence[int]) -> Mask | None:
        """The times at which, and the tracks in which, there is room."""
        if field == WHEN:
            return self._times(piece)
        step = piece.bar_start + chosen[WHEN] - 1
        full = [who for who in self._heard(piece) if self._room_from(piece, who, step) > step]
        if not full or chosen[WHEN] == 0:
            return None
        mask = np.ones(SLOTS + 1, np.bool_)
        mask[full] = False
        return mask

    def _times(self, piece: HeardPiece) -> Mask | None:
        """From when on one of the tracks has room; any time where others are free to play."""
        writing = range(1, len(piece.programs) + 1) if piece.fill < 0 else [piece.fill]
        heard = self._heard(piece)
        if not writing or any(who not in heard for who in writing):
            return None
        first = min(self._room_from(piece, who, piece.bar_start + piece.time) for who in writing) - piece.bar_start
        if first <= piece.time:
            return None
        mask = np.ones(self.sizes[WHEN], np.bool_)
        mask[1 : 1 + first] = False
        return mask

    def _heard(self, piece: HeardPiece) -> list[int]:
        return [who for who in piece.parts if self.tracks.has(who, piece.programs) and not piece.is_drum(who)]

    def _room_from(self, piece: HeardPiece, who: int, step: int) -> int:
        """The step from which one more note fits, at `step` or later."""
        sounding = piece.parts[who].sounding(step)
        most = self.config.most
        return sorted((end for _, end in sounding), reverse=True)[most - 1] if len(sounding) >= most else step

    def score(self, score: Score) -> float:
        """The share of these tracks' notes that begin where no more than `most` sound."""
        notes = score.notes.take(score.is_pitched & self.tracks.of_score(score))
        within = []
        for track in np.unique(notes.track):
            own = notes.take(notes.track == track)
            ended = np.searchsorted(np.sort(own.end), own.onset, side="right")
            within.append(np.searchsorted(own.onset, own.onset, side="right") - ended <= self.config.most)
        return float(np.concatenate(within).mean()) if within else 1.0


class VoicesConfig(Config):
    """As many notes at once as asked for, on average."""

    name: Literal["voices"] = "voices"
    at_once: float = Field(gt=0, le=100)
    """Notes that sound at once, of all tracks but drums, with the silence between them."""
    strength: float = Field(2.0, gt=0, le=100)
    """Taken from (or added to) the logit of one more note at a time, for each bar's worth of sound too much."""


@CONSTRAINTS.register(VoicesConfig)
class Voices(Lean[VoicesConfig]):
    """Chords are thinner, and notes shorter, where more sounds than asked for in this bar and the four before."""

    fields = (WHEN, HOW_LONG)

    def __init__(self, config: VoicesConfig, layout: NoteLayout) -> None:
        super().__init__(config, layout)
        self._steps: list[int] = [0, *layout.durations.tolist()]
        self._octaves = np.append(0, np.log2(layout.durations / STEPS_PER_QUARTER)).astype(np.float32)

    def lean(self, piece: HeardPiece, field: int, chosen: Sequence[int]) -> Bias | None:
        """For or against what begins with the last note; every length in proportion to its logarithm."""
        who = piece.who if field == WHEN else chosen[WHO]
        if piece.bar < 0 or piece.fill >= 0 or piece.in_future or not who or piece.is_drum(who):
            return None
        pull = np.float32(-self.config.strength * min(max(self._ahead(piece), -1.0), 1.0))
        if field == HOW_LONG:
            return np.asarray(self._octaves * (LENGTHS * pull))
        bias = np.zeros(self.sizes[WHEN], np.float32)
        bias[piece.time + 1] = pull
        return bias

    def _ahead(self, piece: HeardPiece) -> float:
        """Bars' worth of sound that there is too much; notes count in full when they begin."""
        first = max(0, piece.bar - WINDOW)
        rows = (row for bar in piece.bars[first:] for row in bar if not piece.is_drum(row[WHO]))
        sounded = sum(self._steps[row[HOW_LONG]] for row in rows)
        passed = piece.bar_start + piece.time - piece.starts[first]
        passed = max(passed, piece.bar_length // 4)  # the first chord cannot know how long it lasts
        return (sounded / self.config.at_once - passed) / piece.bar_length

    def score(self, score: Score) -> float:
        """1 for as much as asked for, 0 for nothing and for twice as much or more."""
        sounded = score.notes.duration[score.is_pitched].astype(np.int64).sum() / max(1, score.end_ticks)
        return float(max(0.0, 1 - abs(sounded / self.config.at_once - 1)))


class ParallelsConfig(RuleConfig):
    """No parallel fifths, octaves and unisons."""

    name: Literal["parallels"] = "parallels"


class Line(NamedTuple):
    """The highest or lowest notes of a track: onset, pitch, and the last end of what began with them."""

    track: int
    onset: NDArray[np.int64]
    pitch: NDArray[np.int64]
    end: NDArray[np.int64]


@CONSTRAINTS.register(ParallelsConfig)
class Parallels(Rule[ParallelsConfig]):
    """Voices are the highest and the lowest notes of each track; two that both move keep no unison, fifth or octave."""

    fields = (WHAT,)

    def mask(self, piece: HeardPiece, field: int, chosen: Sequence[int]) -> Mask | None:  # noqa: ARG002
        """All pitches but those to which another voice has moved in parallel."""
        who, step = chosen[WHO], piece.bar_start + chosen[WHEN] - 1
        if not (who in piece.parts and chosen[WHEN]) or piece.is_drum(who):
            return None
        mine, now = _outer(piece.parts[who], step), piece.parts[who].at(step)
        forbidden = np.zeros(128, np.bool_)
        for low_or_high, before in enumerate(mine):
            if low_or_high == 0 and now:
                continue  # what is chosen now is not the lowest
            for other, there, here in self._others(piece, who, step):
                interval = abs(before - there) % 12
                if here != there and interval in PARALLELS and not (other == who and before == there):
                    parallel = np.abs(PITCHES - here) % 12 == interval
                    parallel[before] = False
                    forbidden |= parallel
        return pitch_mask(self.layout, ~forbidden) if forbidden.any() else None

    def _others(self, piece: HeardPiece, who: int, step: int) -> Iterator[tuple[int, int, int]]:
        """Where the other voices that move at `step` come from and go, after their track; of the same the lowest."""
        for other, part in piece.pitched.items():
            notes = part.at(step)
            if notes and (before := _outer(part, step)):
                pitches = [pitch for pitch, _ in notes]
                yield other, before[0], min(pitches)
                if other != who:
                    yield other, before[1], max(pitches)

    def score(self, score: Score) -> float:
        """The share of moves of two voices at once that are not parallel."""
        rest = REST * score.ticks_per_beat // STEPS_PER_QUARTER
        found = np.array([_moves(a, b, rest) for a, b in combinations(_lines(score), 2)]).reshape(-1, 2)
        moves, parallels = found.sum(axis=0).tolist()
        return 1 - parallels / moves if moves else 1.0


def _outer(part: Part, step: int) -> tuple[int, ...]:
    """Lowest and highest pitch of the last onset before `step`, unless a rest follows."""
    before = part.before(step)
    if not before or max(end for _, end in before) < step - REST:
        return ()
    pitches = [pitch for pitch, _ in before]
    return min(pitches), max(pitches)


def _lines(score: Score) -> list[Line]:
    """The lowest and the highest notes of each pitched track; one line where they are the same."""
    notes, lines = score.notes.take(score.is_pitched), []
    for track in np.unique(notes.track).tolist():
        own = notes.take(notes.track == track)
        onset, first = np.unique(own.onset, return_index=True)
        end = np.maximum.reduceat(own.end.astype(np.int64), first)
        pitch = own.pitch.astype(np.int64)
        low, high = np.minimum.reduceat(pitch, first), np.maximum.reduceat(pitch, first)
        lines.append(Line(track, onset.astype(np.int64), low, end))
        if (low != high).any():
            lines.append(Line(track, onset.astype(np.int64), high, end))
    return lines


def _moves(a: Line, b: Line, rest: int) -> tuple[int, int]:
    """How often both lines move at once, and how often they do so in parallel."""
    together, at_a, at_b = np.intersect1d(a.onset, b.onset, assume_unique=True, return_indices=True)
    later = (at_a > 0) & (at_b > 0)
    together, at_a, at_b = together[later], at_a[later], at_b[later]
    goes_on = (a.end[at_a - 1] >= together - rest) & (b.end[at_b - 1] >= together - rest)
    from_a, from_b, to_a, to_b = a.pitch[at_a - 1], b.pitch[at_b - 1], a.pitch[at_a], b.pitch[at_b]
    both = (
        goes_on & (from_a != to_a) & (from_b != to_b) & ((a.track != b.track) | ((from_a != from_b) & (to_a != to_b)))
    )
    before, after = np.abs(from_a - from_b) % 12, np.abs(to_a - to_b) % 12
    return int(both.sum()), int((both & (before == after) & np.isin(before, PARALLELS)).sum())
