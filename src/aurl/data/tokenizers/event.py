"""The `event` tokenizer: performed time as a stream of 774 values, one field a token.

A piece is `start`, a tempo, then for each moment at which anything happens the shifts that lead to it, its tempo, its
note-offs, pedal changes and note-ons, notes by instrument and pitch, then `end`. An instrument is named when it
changes, a velocity when it differs from that of the note before. The vocabulary has no metre and no keys.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from aurl.data.tokenizers import event_vocabulary as ev
from aurl.data.tokenizers.base import TOKENIZERS, Clock, LossReport, Tokenizer, Tokens
from aurl.data.tokenizers.event_grammar import EventGrammar
from aurl.data.tokenizers.event_grid import cut, merge, read_grid, write_score
from aurl.data.tokenizers.event_losses import count_losses
from aurl.data.tokenizers.event_tokens import bpm_at, known_ids, read_tokens, steps_passed, within, write_tokens
from aurl.music.score import Score
from aurl.utils.config import Config

BEATS_PER_BAR = 4


class EventTokenizerConfig(Config):
    """The `event` tokenizer; it has nothing to set."""

    name: Literal["event"] = "event"


@TOKENIZERS.register(EventTokenizerConfig)
class EventTokenizer(Tokenizer):
    """Scores as the 774 events of the reference vocabulary."""

    VERSION: ClassVar[int] = 1

    def __init__(self, config: EventTokenizerConfig | None = None) -> None:
        self.config = config or EventTokenizerConfig()
        self.vocabulary = ev.event_vocabulary()
        self.grammar = EventGrammar()

    def encode(self, score: Score) -> Tokens:
        """The tokens `[t, 1]` of any score, from `start` to `end`."""
        grid = read_grid(score)
        return write_tokens(grid._replace(notes=cut(merge(grid.notes))))[:, None]

    def decode(self, tokens: NDArray[Any]) -> Score:
        """The score of any array of integers, up to its first `end`; notes left open end with the piece."""
        return write_score(read_tokens(known_ids(tokens)))

    def canonical(self, score: Score) -> tuple[Score, LossReport]:
        """`score` on the grid of 1/64 s, one track an instrument, with what that costs."""
        grid = read_grid(score)
        merged = merge(grid.notes)
        resolved = grid._replace(notes=cut(merged))
        return write_score(resolved), count_losses(score, grid, merged, resolved)

    def clock(self, tokens: NDArray[Any]) -> Clock:
        """Seconds, beats at the tempo told (120 bpm before any), bars of four beats for want of a metre."""
        ids = known_ids(tokens)
        passed = steps_passed(ids).astype(np.int64)
        beats = np.cumsum(passed * bpm_at(ids))  # in beats / (64 * 60)
        unit = ev.STEPS_PER_SECOND * 60
        return Clock(np.cumsum(passed) / ev.STEPS_PER_SECOND, beats / unit, beats // (unit * BEATS_PER_BAR))

    @property
    def resolution(self) -> str:
        """The grid of onsets and ends, and the classes of loudness."""
        return f"event, {ev.STEPS_PER_SECOND} steps a second, durations exact, {ev.VELOCITY_COUNT} loudnesses"

    def note_count(self, tokens: NDArray[Any]) -> int:
        """The number of note-on tokens."""
        return int(np.count_nonzero(within(known_ids(tokens), ev.NOTE_ON, ev.PITCH_COUNT)))

    def preamble(self, tokens: NDArray[Any], at: int) -> NDArray[Any]:
        """The tempo and the instrument in force."""
        ids = known_ids(tokens[:at])
        ranges = ((ev.TEMPO, ev.TEMPO_COUNT, ev.DEFAULT_TEMPO_BIN), (ev.INSTRUMENT, ev.INSTRUMENT_COUNT, 0))
        told = [np.append(first + unsaid, ids[within(ids, first, count)])[-1] for first, count, unsaid in ranges]
        return np.array(told, tokens.dtype)[:, None]
