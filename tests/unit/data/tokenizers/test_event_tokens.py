"""The stream of tokens and the grid: fillers in long gaps, running states, ids of any kind."""

import numpy as np
import pytest

from aurl.data.tokenizers import event_vocabulary as ev
from aurl.data.tokenizers.event_grid import Grid, GridNotes, resolve_pedals, resolve_tempos
from aurl.data.tokenizers.event_tokens import bpm_at, known_ids, read_tokens, steps_passed, within, write_tokens

SHIFT_512 = ev.VELOCITY - 1
NONE = np.zeros(0, np.int64)


def one_note(start, end):
    notes = GridNotes(np.array([start]), np.array([end]), np.array([39], np.uint16), np.array([16]))
    return Grid(notes, resolve_tempos(NONE, NONE), resolve_pedals(NONE, NONE, NONE > 0))


@pytest.mark.parametrize("gap", [1, 511, 512, 513, 1024, 1025, 5000])
def test_gaps_of_any_length_are_full_shifts_and_one_rest(gap):
    ids = write_tokens(one_note(gap, gap + 1))
    shifts = ids[within(ids, ev.SHIFT, ev.LONGEST_SHIFT)]
    assert (shifts[:-2] == SHIFT_512).all()
    assert steps_passed(ids).sum() == gap + 1
    assert len(shifts) == -(-gap // 512) + 1
    assert read_tokens(ids).notes.start.tolist() == [gap]


def test_only_shifts_let_time_pass():
    ids = np.array([ev.VELOCITY, ev.SHIFT, SHIFT_512, ev.NOTE_OFF, ev.INSTRUMENT], np.uint16)
    assert steps_passed(ids).tolist() == [0, 1, 512, 0, 0]


def test_a_tempo_is_in_force_from_its_own_token_on():
    ids = np.array([ev.SHIFT, ev.TEMPO, ev.SHIFT, ev.TEMPO + 31], np.uint16)
    assert bpm_at(ids).tolist() == [120, 60, 60, 200]


def test_velocity_and_instrument_hold_until_they_change():
    on = ev.NOTE_ON
    stream = [on, ev.VELOCITY + 31, on + 1, ev.INSTRUMENT + 15, on + 2, ev.VELOCITY, on + 3, ev.INSTRUMENT, on + 4]
    notes = read_tokens(np.array([*stream, ev.SHIFT], np.uint16)).notes
    assert notes.velocity.tolist() == [16, 31, 31, 0, 0]
    assert (notes.voice >> 10).tolist() == [0, 0, 15, 15, 0]


def test_ids_of_any_type_become_known_ones():
    assert known_ids(np.array([[773], [774], [-1], [2**40]])).tolist() == [773, ev.UNKNOWN, ev.UNKNOWN, ev.UNKNOWN]
    assert known_ids(np.array([5, 774], np.uint16)).tolist() == [5, ev.UNKNOWN]
    assert known_ids(np.array([5], np.int8)).dtype == np.uint16
