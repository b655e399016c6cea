"""Setting what was written into the piece that was given: the rest of it comes back as it was, to the tick."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aurl.data.tokenizers.event_vocabulary import velocities
from aurl.data.tokenizers.note_grid import NUDGE_BITS, PITCH_BITS, NoteGrid, resolve
from aurl.data.tokenizers.note_tasks import LABELS, in_future
from aurl.data.tokenizers.note_tokens import read_tokens
from aurl.data.tokenizers.note_vocabulary import CHORDS, DRUM_KIT, SLOTS, WHAT, NoteLayout
from aurl.music.score import SUSTAIN_PEDAL, WHOLE_SCORE, Controls, Notes, Score, Texts, Track
from aurl.music.theory import PROGRAM_NAMES

PITCH_MASK = (1 << PITCH_BITS) - 1


@dataclass(frozen=True)
class Cells:
    """The bars and tracks of a score that are written anew."""

    score: Score
    slots: tuple[int, ...]
    """The track of each slot that the score has."""
    added: int
    """How many slots follow for new tracks."""
    writes: NDArray[np.bool_] | None
    """Which of the 17 values of `who` are written; every track where it is None."""
    grid_bars: NDArray[np.int64]
    """Steps at which the bars of the grid begin, and the end."""
    is_written: NDArray[np.bool_]
    """Which of them are written."""
    spans: tuple[tuple[int, int], ...]
    """Ticks of the bars of the score that are written."""
    steps: NDArray[np.int64]
    """Where the bars of the score begin on the grid, and the end."""
    ticks: NDArray[np.int64]
    """And in the score."""

    def filled(self, tokens: NDArray[Any], layout: NoteLayout) -> Score:
        """The score with what `tokens` say of the cells in them."""
        present = tokens[~in_future(tokens[:, WHAT], layout)].astype(np.uint16)
        grid = resolve(read_tokens(present, layout), layout)
        programs = grid.programs[len(self.slots) : len(self.slots) + self.added]
        tracks = (*self.score.tracks, *(_track(program) for program in programs))
        track_of = np.array([*self.slots, *range(len(self.score.tracks), len(tracks)), *[0] * SLOTS])[:SLOTS]
        is_slot = self.writes[1:] if self.writes is not None else np.arange(SLOTS) < len(self.slots)
        notes = grid.notes.take(self._in_cells(grid.notes.start) & is_slot[grid.notes.voice >> PITCH_BITS])
        onset, end = self._to_ticks(notes.start), self._to_ticks(notes.start + notes.length)
        written = Notes(
            onset, np.maximum(end - onset, 1), notes.voice & PITCH_MASK, velocities(notes.touch >> NUDGE_BITS),
            track_of[notes.voice >> PITCH_BITS],
        )  # fmt: skip
        kept = self.score.notes.take(
            ~self._is_replaced(self.score.notes.onset, self.score.notes.track, track_of[is_slot])
        )
        pedals = self._pedals(grid, is_slot, track_of)
        result = self.score.replace(tracks=tracks, notes=Notes.join([kept, fitted(written, kept)]), controls=pedals)
        return result.replace(texts=self._chords(grid)) if self.writes is not None and self.writes[LABELS] else result

    def _in_cells(self, steps: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which steps lie in bars that were to be written."""
        bar = np.searchsorted(self.grid_bars, steps, side="right") - 1
        return np.asarray((bar < len(self.is_written)) & self.is_written[np.minimum(bar, len(self.is_written) - 1)])

    def _to_ticks(self, steps: NDArray[np.int64]) -> NDArray[np.int64]:
        """Ticks of the given score, linear within its bars."""
        return np.rint(np.interp(steps, self.steps, self.ticks)).astype(np.int64)

    def _is_replaced(self, times: NDArray[Any], tracks: NDArray[Any], written: NDArray[Any]) -> NDArray[np.bool_]:
        inside = np.zeros(len(times), np.bool_)
        for start, stop in self.spans:
            inside |= (times >= start) & (times < stop)
        return inside & np.isin(tracks, written)

    def _pedals(self, grid: NoteGrid, is_slot: NDArray[np.bool_], track_of: NDArray[np.int64]) -> Controls:
        controls, pedals = self.score.controls, grid.pedals
        replaced = self._is_replaced(controls.time, controls.track, track_of[is_slot])
        kept = controls.take(~(replaced & (controls.number == SUSTAIN_PEDAL)))
        at = self._in_cells(pedals.step) & is_slot[pedals.instrument]
        number = np.full(int(at.sum()), SUSTAIN_PEDAL)
        written = Controls(
            self._to_ticks(pedals.step[at]), track_of[pedals.instrument[at]], number, 127 * pedals.down[at]
        )
        joined = Controls.join([kept, written])
        return Controls.join([joined, self._released(joined, track_of[is_slot])])

    def _released(self, written: Controls, tracks: NDArray[np.int64]) -> Controls:
        """Pedal changes a tick before locked bars that would begin with the pedal otherwise than they did."""
        starts = {start for start, _ in self.spans}
        ends = [stop for _, stop in self.spans if stop not in starts]
        rows = [(stop - 1, track, SUSTAIN_PEDAL, 127 * _is_down(self.score.controls, track, stop))
                for stop in ends for track in np.unique(tracks).tolist()
                if _is_down(self.score.controls, track, stop) != _is_down(written, track, stop)]  # fmt: skip
        return Controls(*np.array(rows, np.int64).reshape(-1, 4).T)

    def _chords(self, grid: NoteGrid) -> Texts:
        texts = self.score.texts
        everyone = np.zeros(len(texts), np.int64)
        replaced = self._is_replaced(texts.time, everyone, np.zeros(1)) & (texts.kind == "chord")
        at = self._in_cells(grid.chords.step)
        steps, symbols = grid.chords.step[at], [CHORDS[value] for value in grid.chords.value[at]]
        place = np.full(len(symbols), WHOLE_SCORE)
        kinds = np.full(len(symbols), "chord", object)
        return Texts.join(
            [texts.take(~replaced), Texts(self._to_ticks(steps), place, kinds, np.array(symbols, object))]
        )


def fitted(written: Notes, kept: Notes) -> Notes:
    """`written` notes, none where a kept note of its voice sounds, each over before the next note of its voice."""
    voices = [notes.track.astype(np.int64) << PITCH_BITS | notes.pitch for notes in (written, kept)]
    end = written.end.astype(np.int64)
    silent = np.ones(len(written), np.bool_)
    for row, (voice, onset) in enumerate(zip(voices[0].tolist(), written.onset.tolist(), strict=True)):
        same = voices[1] == voice
        silent[row] = not (same & (kept.onset <= onset) & (kept.end > onset)).any()
        later = kept.onset[same & (kept.onset > onset)]
        end[row] = min(end[row], later.min()) if len(later) else end[row]
    return written.replace(duration=end - written.onset).take(silent)


def _is_down(controls: Controls, track: int, before: int) -> bool:
    """Whether the pedal of a track is down just before a tick."""
    at = (controls.track == track) & (controls.number == SUSTAIN_PEDAL) & (controls.time < before)
    return bool((controls.value[at][-1:] >= SUSTAIN_PEDAL).any())


def _track(program: int) -> Track:
    return Track(0, True, "Drums") if program == DRUM_KIT else Track(program, False, PROGRAM_NAMES[program])
