"""Scores with something in every table, for property tests."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from aurl.music.score import (
    WHOLE_SCORE,
    Controls,
    KeySignatures,
    Notes,
    PitchBends,
    Score,
    Tempos,
    Texts,
    TimeSignatures,
    Track,
)

TRACKS = (Track(0, name="Piano"), Track(33, name="Bass"), Track(0, is_drum=True, name="Drums"))
CHORDS, KEYS = ("Am7/G", "F#dim", "N.C."), ("C major", "F# minor")


@st.composite
def scores(draw: st.DrawFn, *, lowest: int = 33, highest: int = 96, most_notes: int = 15) -> Score:
    """Scores of up to three tracks, the last of them drums, of a few bars."""
    times = st.integers(0, 6000)
    count = draw(st.integers(0, most_notes))
    rows = st.lists(
        st.tuples(times, st.integers(1, 900), st.integers(lowest, highest), st.integers(1, 127), st.integers(0, 2)),
        min_size=count,
        max_size=count,
    )
    bars = draw(st.lists(st.sampled_from([0, 1440, 1920, 3840]), unique=True, max_size=3))
    metres = [draw(st.sampled_from([(4, 4), (3, 4), (6, 8), (7, 8)])) for _ in bars]
    texts = draw(
        st.lists(
            st.tuples(times, st.just(WHOLE_SCORE), st.just("chord"), st.sampled_from(CHORDS))
            | st.tuples(times, st.just(WHOLE_SCORE), st.just("key"), st.sampled_from(KEYS))
            | st.tuples(times, st.integers(0, 1), st.just("lyric"), st.just("la")),
            max_size=5,
        )
    )
    return Score(
        ticks_per_beat=draw(st.sampled_from([96, 480])),
        notes=Notes(*_columns(draw(rows), 5)),
        tracks=TRACKS,
        tempos=Tempos(*_columns(draw(st.lists(st.tuples(times, st.integers(200_000, 900_000)), max_size=3)), 2)),
        time_signatures=TimeSignatures(bars, [m[0] for m in metres], [m[1] for m in metres]),
        key_signatures=KeySignatures(
            *_columns(draw(st.lists(st.tuples(times, st.integers(-5, 6), st.booleans()), max_size=2)), 3)
        ),
        controls=Controls(
            *_columns(
                draw(
                    st.lists(
                        st.tuples(times, st.integers(0, 2), st.sampled_from([1, 64]), st.sampled_from([0, 127])),
                        max_size=8,
                    )
                ),
                4,
            )
        ),
        pitch_bends=PitchBends(
            *_columns(draw(st.lists(st.tuples(times, st.integers(0, 1), st.integers(-8192, 8191)), max_size=2)), 3)
        ),
        texts=Texts(*[np.array([*column, None], object)[:-1] for column in zip(*texts, strict=True)])
        if texts
        else Texts.empty(),
    )


def snapshot(score: Score) -> list[bytes]:
    """The bytes of every table, to see that none was changed."""
    tables = [getattr(score, name) for name in score.table_names()]
    return [str(column.tolist()).encode() for table in tables for column in table.columns().values()]


def _columns(rows: list[tuple[int, ...]], width: int) -> list[list[int]]:
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in range(width)]
