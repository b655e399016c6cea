"""Piano rolls equal what a loop over notes and cells would give."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurl.data import pianoroll
from aurl.data.pianoroll import PIANO_KEYS, aligned_roll, beat_grid, piano_roll, seconds_grid
from aurl.data.tokenizers import EventTokenizer, NoteTokenizer, Tokenizer
from aurl.music.score import Notes, Score, Tempos, Track
from aurl.utils.errors import ConfigError

ROWS = st.lists(
    st.tuples(
        st.integers(0, 60), st.integers(0, 40), st.integers(19, 26), st.integers(1, 127), st.integers(0, 1)
    ),
    max_size=12,
)  # fmt: skip


def make(rows: list[tuple[int, ...]]) -> Score:
    columns = np.array(rows, np.int64).reshape(-1, 5).T
    return Score(12, Notes(*columns), (Track(0), Track(0, is_drum=True)), Tempos([0, 24], [400_000, 700_000]))  # type: ignore[arg-type]


@given(ROWS, st.lists(st.integers(0, 90), min_size=1, max_size=8, unique=True).map(sorted), st.integers(1, 20))
def test_a_roll_equals_brute_force(rows: list[tuple[int, ...]], starts: list[int], at_once: int) -> None:
    onset, velocity, drums = (np.zeros((len(starts), 128), int) for _ in range(3))
    for start, length, pitch, loud, track in rows:
        for row, (low, high) in enumerate(zip(starts, [*starts[1:], 10**6], strict=True)):
            starts_here = low <= start < high
            if track:
                drums[row, pitch] += starts_here
                continue
            onset[row, pitch] += starts_here
            if start < high and start + max(length, 1) > low:
                velocity[row, pitch] = max(velocity[row, pitch], loud)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pianoroll, "AT_ONCE", at_once)
        roll = piano_roll(make(rows), starts)
    assert np.array_equal(roll.onset, onset)
    assert np.array_equal(roll.velocity, velocity)
    assert np.array_equal(roll.sustain, velocity > 0)
    assert np.array_equal(roll.drums, drums)
    assert len(roll) == len(starts)


@given(ROWS, st.integers(1, 6))
def test_on_a_grid_every_note_starts_once(rows: list[tuple[int, ...]], steps: int) -> None:
    score = make(rows)
    for starts in (beat_grid(score, steps), seconds_grid(score, 0.05 * steps)):
        roll = piano_roll(score, starts)
        assert roll.onset.sum() + roll.drums.sum() == len(rows)


@given(ROWS)
def test_the_keys_of_a_piano_are_the_middle_of_all_pitches(rows: list[tuple[int, ...]]) -> None:
    score = make(rows)
    whole, keys = (piano_roll(score, beat_grid(score, 4), pitches=p) for p in (range(128), PIANO_KEYS))
    assert np.array_equal(keys.onset, whole.onset[:, 21:109])
    assert np.array_equal(keys.velocity, whole.velocity[:, 21:109])
    assert np.array_equal(keys.drums, whole.drums)
    assert keys.lowest == 21


def test_more_notes_than_a_byte_counts_do_not_wrap() -> None:
    roll = piano_roll(make([(0, 5, 20, 64, 0)] * 300), [0])
    assert roll.onset.max() == 255


def test_seconds_follow_the_tempo() -> None:
    assert seconds_grid(make([(0, 48, 20, 64, 0)]), 0.4).tolist() == [0, 12, 24, 31, 38, 45]


@pytest.mark.parametrize("tokenizer", [EventTokenizer(), NoteTokenizer()])
@given(rows=ROWS)
def test_an_aligned_roll_is_the_roll_sampled_by_the_clock(tokenizer: Tokenizer, rows: list[tuple[int, ...]]) -> None:
    tokens = tokenizer.encode(make(rows))
    roll = aligned_roll(tokenizer, tokens)
    score = tokenizer.decode(tokens)
    ticks = score.tempo_map.seconds_to_ticks(tokenizer.clock(tokens).seconds)
    whole = piano_roll(score, np.arange(max(score.end_ticks, ticks.max()) + 1))
    changes = np.append(np.flatnonzero(np.diff(ticks)), len(ticks) - 1)
    assert len(roll) == len(tokens)
    assert roll.onset[changes].sum() + roll.drums[changes].sum() == len(score.notes)
    moments = {int(tick) for tick in ticks}
    for row, tick in enumerate(ticks):
        later = min((moment for moment in moments if moment > tick), default=len(whole))
        assert np.array_equal(roll.onset[row], whole.onset[tick:later].sum(axis=0))
        assert np.array_equal(roll.velocity[row], whole.velocity[tick:later].max(axis=0))


def test_a_window_of_tokens_has_a_row_for_each() -> None:
    tokenizer = EventTokenizer()
    tokens = tokenizer.encode(make([(tick, 6, 60 + tick // 6, 64, 0) for tick in range(0, 60, 6)]))
    assert len(aligned_roll(tokenizer, tokens[7:19])) == 12


def test_senseless_and_gigantic_grids_are_refused() -> None:
    long = make([(0, 2**30, 20, 64, 0)])
    for refused in (
        lambda: beat_grid(long, 0),
        lambda: seconds_grid(long, 0.0),
        lambda: seconds_grid(long, float("nan")),
    ):
        with pytest.raises(ConfigError):
            refused()
    with pytest.raises(ConfigError, match="too large"):
        beat_grid(long, 12)
    with pytest.raises(ConfigError, match="too large"):
        seconds_grid(long, 0.001)
