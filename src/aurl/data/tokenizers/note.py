"""The `note` tokenizer: a row a note, which says when, who, what, how long, how loud and, if asked, by how much off.

A piece is a prefix (controls, metre, tempo, the program of each track), then its bars: a `bar` row each, then metre,
tempo, key, section and chord where they change, pedals and notes, in order of position, track and pitch. On the
performed clock there are no bars: each row tells the time since the row before, and rows that wait fill long gaps.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from aurl.data.tokenizers.base import TOKENIZERS, Clock, LossReport, Tokenizer, Tokens
from aurl.data.tokenizers.event_vocabulary import VELOCITY_COUNT
from aurl.data.tokenizers.note_grammar import NoteGrammar
from aurl.data.tokenizers.note_grid import read_grid, resolve, write_score
from aurl.data.tokenizers.note_losses import count_losses
from aurl.data.tokenizers.note_memory import theme
from aurl.data.tokenizers.note_slips import slips
from aurl.data.tokenizers.note_tasks import drawn_task, freed, in_future, reopened
from aurl.data.tokenizers.note_tokens import Rows, Timeline, known_rows, read_tokens, until_end, write_tokens
from aurl.data.tokenizers.note_vocabulary import (
    COMMON_METRE,
    DEFAULT_TEMPO,
    METRE_STEPS,
    NOTE_BPM,
    NOTE_MICROSECONDS,
    NUDGES,
    STEPS_PER_QUARTER,
    STEPS_PER_SECOND,
    WHAT,
    WHEN,
    WHO,
    NoteLayout,
    NoteTokenizerConfig,
    is_within,
)
from aurl.data.tokenizers.row_clock import RowClockConfig
from aurl.data.tokenizers.runs import last_changes
from aurl.data.tokenizers.tasks import Slips, TasksConfig
from aurl.music.score import Score
from aurl.music.timing import TempoMap

BEATS_PER_BAR = 4


@TOKENIZERS.register(NoteTokenizerConfig)
class NoteTokenizer(Tokenizer):
    """Scores as rows of five fields (six with nudges), one row a note."""

    VERSION: ClassVar[int] = 2
    rows_per_second: ClassVar[int] = 64

    def __init__(self, config: NoteTokenizerConfig | None = None) -> None:
        self.config = config or NoteTokenizerConfig()
        self.layout = NoteLayout(self.config)
        self.vocabulary = self.layout.vocabulary
        self.grammar = NoteGrammar(self.layout)

    def encode(self, score: Score) -> Tokens:
        """The rows `[t, 5]` of any score, from `start` to `end`; `[t, 6]` with nudges."""
        return write_tokens(resolve(read_grid(score, self.layout), self.layout), self.layout)

    def decode(self, tokens: NDArray[Any]) -> Score:
        """The score of any rows, up to the first `end`; a slot that was not declared plays the piano, or drums."""
        rows = until_end(self._present(known_rows(tokens, self.layout)), self.layout)
        return write_score(resolve(read_tokens(rows, self.layout), self.layout), self.layout)

    def canonical(self, score: Score) -> tuple[Score, LossReport]:
        """`score` on the grid, of up to 16 tracks, with what that costs."""
        grid = read_grid(score, self.layout)
        resolved = resolve(grid, self.layout)
        return write_score(resolved, self.layout), count_losses(score, grid, resolved, self.layout)

    def clock(self, tokens: NDArray[Any]) -> Clock:
        """When each row happens, the future that a task tells taking no time.

        On the performed clock bars have four beats, for want of a metre.
        """
        rows = known_rows(tokens, self.layout)
        is_future = in_future(rows[:, WHAT], self.layout)
        if is_future.any():
            clock = self.clock(np.concatenate([self.vocabulary.pad[None], rows[~is_future]]))
            present = np.cumsum(~is_future)
            return Clock(clock.seconds[present], clock.beats[present], clock.bars[present])
        time = Timeline(rows, self.layout)
        what = rows[:, WHAT]
        is_tempo = is_within(what, self.layout.first["tempo"], self.layout.end["tempo"])
        told = np.maximum.accumulate(time.step[is_tempo])
        steps, tempos = last_changes(told, what[is_tempo].astype(np.int64) - self.layout.first["tempo"], DEFAULT_TEMPO)
        if time.bars is not None:
            has_ended = np.cumsum(what == self.layout.first["end"]) > 0
            step = np.maximum.accumulate(np.where(has_ended, time.bars.starts[time.bar + 1], time.step))
            seconds = TempoMap(steps, NOTE_MICROSECONDS[tempos], STEPS_PER_QUARTER).ticks_to_seconds(step)
            return Clock(seconds, step / STEPS_PER_QUARTER, time.bar + has_ended)
        per_step = NOTE_BPM[tempos] / (60 * STEPS_PER_SECOND)
        elapsed = np.append(0, np.cumsum(np.diff(steps) * per_step[:-1]))
        at = np.searchsorted(steps, time.step, side="right") - 1
        beats = elapsed[at] + (time.step - steps[at]) * per_step[at]
        return Clock(time.step / STEPS_PER_SECOND, beats, (beats // BEATS_PER_BAR).astype(np.int64))

    @property
    def row_clock(self) -> RowClockConfig | None:
        """How rows tell time in bars; None on the performed clock."""
        layout = self.layout
        if not layout.is_metrical:
            return None
        return RowClockConfig(
            when=WHEN,
            what=WHAT,
            bar=layout.first["bar"],
            first_metre=layout.first["metre"],
            metre_steps=tuple(METRE_STEPS.tolist()),
            common_metre=COMMON_METRE,
            future=layout.first["future"],
            now=layout.span("now"),
        )

    @property
    def resolution(self) -> str:
        """The grid of onsets, and the classes of length and loudness."""
        metrical = self.layout.is_metrical
        grid = f"{STEPS_PER_QUARTER} steps a quarter" if metrical else f"{STEPS_PER_SECOND} steps a second"
        nudges = f", {NUDGES} nudges" if self.layout.has_nudge else ""
        classes = f"{len(self.layout.durations)} durations, {VELOCITY_COUNT} loudnesses{nudges}"
        return f"note {self.layout.config.clock}, {grid}, {classes}"

    def note_count(self, tokens: NDArray[Any]) -> int:
        """The number of rows whose `what` is a pitch or a drum."""
        return int(np.count_nonzero(np.asarray(tokens)[..., WHAT] >= self.layout.first["pitch"]))

    def _present(self, rows: Rows) -> Rows:
        """Rows without the future that a task tells."""
        is_future = in_future(rows[:, WHAT], self.layout)
        return rows[~is_future] if is_future.any() else rows

    def arranged(self, tokens: NDArray[Any], tasks: TasksConfig, rng: np.random.Generator) -> NDArray[Any]:
        """A window of rows as a task that is drawn for it."""
        if not self.layout.is_metrical:
            return super().arranged(tokens, tasks, rng)
        return drawn_task(tokens, self.layout, tasks, rng)

    def slips(self, tokens: NDArray[Any], share: float, rng: np.random.Generator) -> Slips:
        """A window of rows read with mistakes."""
        return slips(tokens, self.layout, share, rng)

    def unconditional(self, tokens: NDArray[Any]) -> NDArray[Any]:
        """Rows `[..., f]` with every control `free`."""
        return freed(tokens, self.layout, self.layout.controls)

    def field_mask(self, tokens: NDArray[Any]) -> NDArray[np.bool_]:
        """Only what happens at a time has a `who`, and only notes have a length, a loudness and a nudge."""
        mask = np.empty(tokens.shape, np.bool_)
        mask[..., WHEN] = mask[..., WHAT] = True
        mask[..., WHO] = tokens[..., WHEN] > 0
        mask[..., WHAT + 1 :] = (tokens[..., WHAT] >= self.layout.first["pitch"])[..., None]
        return mask

    def preamble(self, tokens: NDArray[Any], at: int) -> NDArray[Any]:
        """The prefix without `start`, with key, metre and tempo as they are in force there, and an open bar if any.

        What the prefix says of the task stays. The future of a hole that is being written stands before that bar.
        """
        what, layout = np.asarray(tokens)[:, WHAT], self.layout
        present = what[:at][~in_future(what[:at], layout)]
        told = {kind: self._last_told(present, kind) for kind in layout.prefix[1:]}
        programs = what[is_within(what, *layout.span("program"))]
        fills = what[: int(is_within(what, *layout.span("bar")).argmax())]
        rows = [*told.values(), *programs.tolist(), *fills[is_within(fills, *layout.span("fill"))].tolist()]
        prefix = np.zeros((len(rows), tokens.shape[1]), tokens.dtype)
        prefix[:, WHAT] = rows
        if not layout.is_metrical:
            return prefix
        opening = reopened(tokens, at, told["metre"] - layout.first["metre"], layout)
        return np.concatenate([prefix, opening.astype(tokens.dtype)])

    def resumed(self, tokens: NDArray[Any], about: int) -> NDArray[Any]:
        """The preamble and the rows from the first bar after row `about` on, if half of what follows is left then.

        Before them stands how the section that is being written went before, half as many rows at most, unless a hole
        is being filled.
        """
        what = np.asarray(tokens)[:, WHAT]
        is_future = in_future(what, self.layout)
        bars = np.flatnonzero(is_within(what, *self.layout.span("bar")) & ~is_future)
        following = int(np.searchsorted(bars, about))
        if following == len(bars) or (2 * bars[following] > len(tokens) + about and not is_future[about]):
            return super().resumed(tokens, about)
        at = int(bars[following]) + 1
        preamble = self.preamble(tokens, at)
        if is_future.any():
            return np.concatenate([preamble, tokens[at:]])
        remembered = theme(tokens, at, (len(tokens) - at) // 2, self.layout)
        return np.concatenate([preamble[:-1], remembered, preamble[-1:], tokens[at:]])

    def _last_told(self, what: NDArray[Any], kind: str) -> int:
        """The last value of a kind, or what goes without saying."""
        first = self.layout.first[kind]
        last = np.flatnonzero(is_within(what, first, self.layout.end[kind]))
        unsaid = {"metre": COMMON_METRE, "tempo": DEFAULT_TEMPO}.get(kind, 0)
        return int(what[last[-1]]) if len(last) else first + unsaid
