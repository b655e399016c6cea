"""Rows tell their own time."""

import numpy as np
import pytest
from hypothesis import given

from aurl.data.tokenizers import NoteTokenizer, NoteTokenizerConfig
from aurl.data.tokenizers.note_tasks import Hole, arrange, in_future
from aurl.data.tokenizers.note_vocabulary import STEPS_PER_QUARTER, WHAT, WHEN
from aurl.data.tokenizers.row_clock import START, RowClock
from aurl.music.score import Notes, Score, TimeSignatures, Track
from random_scores import scores

TOKENIZER = NoteTokenizer()
CLOCK = RowClock(TOKENIZER.row_clock)


def steps_of(tokens):
    """The time of each row, told one by one."""
    steps, state = [], START
    for row in tokens.tolist():
        step, state = CLOCK.advance(row, state)
        steps.append(step)
    return np.array(steps)


def waltz_and_march():
    """A note on each quarter of three bars of 3/4 and three of 4/4."""
    onset = np.arange(21) * 480
    same = np.ones(21, np.int64)
    return Score(
        tracks=(Track(0),),
        time_signatures=TimeSignatures([0, 3 * 1440], [3, 4], [4, 4]),
        notes=Notes(onset, 480 * same, 60 + onset // 480, 66 * same, 0 * same),
    )


@given(scores())
def test_rows_have_the_time_that_the_tokenizer_says(score):
    tokens = TOKENIZER.encode(score)
    timed = tokens[:, WHEN] > 0
    assert np.array_equal(steps_of(tokens)[timed], np.rint(TOKENIZER.clock(tokens).beats * STEPS_PER_QUARTER)[timed])


@pytest.mark.parametrize("hole", [Hole(0, 2), Hole(1, 2), Hole(2, 3)])
def test_a_hole_has_the_times_it_has_in_the_piece_and_so_has_its_future_less_the_hole(hole):
    tokens = TOKENIZER.encode(waltz_and_march())[:-1]
    plain = steps_of(tokens)
    arranged = arrange(tokens, TOKENIZER.layout, hole=hole)
    steps = steps_of(arranged)
    is_note = arranged[:, WHAT] >= TOKENIZER.layout.first["pitch"]
    is_future = in_future(arranged[:, WHAT], TOKENIZER.layout)
    when = dict(zip(tokens[:, WHAT].tolist(), plain.tolist(), strict=True))  # every note has its own pitch
    true = np.array([when[what] for what in arranged[:, WHAT].tolist() if what >= TOKENIZER.layout.first["pitch"]])
    later = is_future[is_note]
    assert np.array_equal(steps[is_note & ~is_future], true[~later])
    lead = np.unique(true[later] - steps[is_note & is_future])
    assert len(lead) == 1
    assert lead[0] > 0


def test_performed_time_has_no_bars_to_tell():
    assert NoteTokenizer(NoteTokenizerConfig(clock="performed")).row_clock is None
