"""When a piece may end, and that cutting it leaves nothing beyond the limit."""

import math

import numpy as np

from aurl.generation.length import Length
from aurl.music.score import WHOLE_SCORE, Notes, Score, Tempos, Texts, Track


def test_slack_is_a_tenth_and_never_more_than_eight_seconds():
    assert Length.of(30.0, None) == Length("seconds", 30.0, 33.0)
    assert Length.of(300.0, None).limit == 308.0


def test_bars_are_exact():
    assert Length.of(None, 8) == Length("bars", 8, 8)


def test_without_a_length_a_piece_may_end_at_once_and_never_must():
    assert Length.of(None, None) == Length("seconds", 0, math.inf)


def test_the_cap_on_tokens_grows_with_the_length(toy):
    caps = [Length.of(seconds, None).max_tokens(toy) for seconds in (1.0, 60.0, 600.0)]
    assert caps == sorted(set(caps))
    assert Length.of(None, 4).max_tokens(toy) < Length.of(None, 400).max_tokens(toy)


def test_tokens_are_cut_after_the_one_that_reaches_the_limit(toy):
    tokens = np.array([[0], [4], [3], [5], [3], [6], [3]])
    assert Length("seconds", 2, 2).cut(toy, tokens).tolist() == tokens[:5].tolist()
    assert Length("seconds", 9, 9).cut(toy, tokens) is tokens
    assert Length("bars", 1, 1).cut(toy, tokens).tolist() == tokens[:5].tolist()


def score_of_two_notes():
    return Score(
        notes=Notes([0, 960, 1920], [960, 2000, 10], [60, 62, 64], [64, 64, 64], [0, 0, 0]),
        tracks=(Track(),),
        tempos=Tempos([0, 3000], [500_000, 400_000]),
        texts=Texts([100, 1920], [WHOLE_SCORE] * 2, ["marker"] * 2, ["a", "b"]),
    )


def test_clipping_ends_what_sounds_and_drops_what_comes_later():
    clipped = Length("seconds", 2, 2).clip(score_of_two_notes())
    assert clipped.notes.onset.tolist() == [0, 960]
    assert clipped.notes.end.tolist() == [960, 1920]
    assert clipped.tempos.time.tolist() == [0]
    assert clipped.texts.text.tolist() == ["a"]
    assert Length("bars", 1, 1).clip(score_of_two_notes()) == clipped
