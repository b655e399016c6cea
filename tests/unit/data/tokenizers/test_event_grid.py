"""Snapping, merging, cutting, and writing a grid back as a score."""

import numpy as np

from aurl.data.tokenizers import event_vocabulary as ev
from aurl.data.tokenizers.event_grid import (
    LAST_STEP,
    VOICE_BITS,
    Grid,
    GridNotes,
    GridPedals,
    GridTempos,
    cut,
    merge,
    read_grid,
    resolve_pedals,
    resolve_tempos,
    write_score,
)
from aurl.music.score import Notes, Score, Tempos, Track


def grid_notes(*rows):
    """Notes from (start, end, voice, velocity)."""
    start, end, voice, velocity = np.array(rows).T
    return GridNotes(start, end, voice.astype(np.uint16), velocity)


def rows(notes):
    return np.array(notes).T.tolist()


def test_merging_orders_by_voice_and_keeps_the_longest_and_the_loudest():
    merged = merge(grid_notes((0, 9, 7, 3), (0, 5, 2, 20), (0, 8, 2, 10), (4, 6, 2, 1)))
    assert rows(merged) == [[0, 8, 2, 20], [4, 6, 2, 1], [0, 9, 7, 3]]


def test_cutting_ends_a_note_where_its_voice_goes_on():
    notes = cut(grid_notes((0, 8, 2, 20), (4, 6, 2, 1), (5, 9, 7, 3)))
    assert notes.end.tolist() == [4, 6, 9]


def test_tempos_begin_at_120_and_do_not_repeat():
    index = {bpm: place for place, bpm in enumerate(ev.METRONOME_BPM)}
    bins = np.array([index[bpm] for bpm in (100, 100, 90, 80)])
    resolved = resolve_tempos(np.array([3, 5, 8, 8]), bins)
    assert resolved.step.tolist() == [0, 3, 8]
    assert ev.BPM[resolved.tempo].tolist() == [120, 100, 80]


def test_a_tempo_at_the_beginning_replaces_the_default():
    resolved = resolve_tempos(np.array([0]), np.array([0]))
    assert (resolved.step.tolist(), resolved.tempo.tolist()) == ([0], [0])


def test_pedals_are_resolved_for_each_instrument_alone():
    step, instrument = np.array([0, 1, 2, 2, 3, 4]), np.array([5, 1, 5, 1, 1, 5])
    down = np.array([True, True, True, True, False, False])
    resolved = resolve_pedals(step, instrument, down)
    assert resolved.step.tolist() == [0, 1, 3, 4]
    assert resolved.instrument.tolist() == [5, 1, 1, 5]
    assert resolved.down.tolist() == [True, True, False, False]


def test_music_before_the_beginning_is_moved_to_it():
    score = Score(tracks=(Track(),), notes=Notes([-480, 480], [240, 480], [60, 62], [66, 66], [0, 0]))
    assert read_grid(score).notes.start.tolist() == [0, 32]


def test_ticks_are_nearest_to_the_steps_through_changes_of_tempo():
    tempos = GridTempos(np.array([0, 5, 11]), np.array([0, 31, 0]))  # 60, 200, 60 bpm: 7.5, 25, 7.5 ticks a step
    notes = grid_notes((0, 6, 60, 16), (5, 11, 61, 16), (7, 13, 62, 16))
    score = write_score(Grid(notes, tempos, GridPedals(*(np.zeros(0, int),) * 2, np.zeros(0, bool))))
    assert score.tempos.time.tolist() == [0, 38, 186]
    assert score.notes.onset.tolist() == [0, 38, 88]
    back = read_grid(score)
    assert rows(back.notes) == rows(notes)
    assert back.tempos.step.tolist() == [0, 5, 11]


def test_notes_at_a_change_of_tempo_share_its_tick():
    tempos = GridTempos(np.array([0, 3, 7]), np.array([0, 10, 31]))  # 3 steps at 60 bpm are 22.5 ticks
    notes = grid_notes((3, 7, 60, 16), (7, 8, 61, 16))
    score = write_score(Grid(notes, tempos, GridPedals(*(np.zeros(0, int),) * 2, np.zeros(0, bool))))
    assert score.notes.onset.tolist() == score.tempos.time[1:].tolist()


def test_the_last_step_has_a_tick_of_32_bits_at_the_fastest_tempo():
    notes = grid_notes((LAST_STEP - 1, LAST_STEP, 60, 16))
    fastest = GridTempos(np.array([0]), np.array([31]))
    score = write_score(Grid(notes, fastest, GridPedals(*(np.zeros(0, int),) * 2, np.zeros(0, bool))))
    assert read_grid(score).notes.end.tolist() == [LAST_STEP]


def test_voices_hold_the_instrument_above_the_pitch():
    score = Score(tracks=(Track(40),), notes=Notes([0], [480], [21 + 7], [66], [0]), tempos=Tempos([0], [500_000]))
    assert read_grid(score).notes.voice.tolist() == [5 << VOICE_BITS | 7]
