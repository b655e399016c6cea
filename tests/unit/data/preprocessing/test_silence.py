"""Whole silent bars go, and everything moves alike."""

import numpy as np
from hypothesis import given

from aurl.data.preprocessing import TrimSilenceConfig, trim_silence
from aurl.music.score import Controls, Notes, Score, Tempos, Texts, TimeSignatures, Track
from random_scores import scores

BAR = 1920


def bars(*onsets, **tables):
    """Quarter notes at the bars given."""
    count = len(onsets)
    ticks = [round(bar * BAR) for bar in onsets]
    notes = Notes(ticks, [480] * count, [60] * count, [64] * count, [0] * count)
    return Score(notes=notes, tracks=(Track(),), **tables)


def trimmed(score, gap_bars=1):
    return trim_silence(score, TrimSilenceConfig(gap_bars=gap_bars))


def test_leading_bars_go_and_places_in_the_bar_stay():
    assert trimmed(bars(2.25, 3)).notes.onset.tolist() == [480, BAR]


def test_long_gaps_are_cut_to_the_bars_that_may_stay():
    assert trimmed(bars(0, 5.5)).notes.onset.tolist() == [0, 2 * BAR + 960]
    assert trimmed(bars(0, 5.5), gap_bars=0).notes.onset.tolist() == [0, BAR + 960]
    assert trimmed(bars(0, 2)).notes.onset.tolist() == [0, 2 * BAR]


def test_of_states_in_a_removed_bar_the_last_stays_words_all_and_what_follows_the_end_goes():
    tables = {
        "tempos": Tempos([0, BAR // 2, BAR, 9 * BAR], [1, 2, 3, 4]),
        "controls": Controls([10, 9 * BAR], [0, 0], [64, 64], [127, 0]),
        "texts": Texts(
            [0, BAR, BAR, BAR, 2 * BAR],
            [-1] * 5,
            np.array(["chord", "chord", "marker", "marker", "chord"], object),
            np.array(["C", "D", "a", "b", "G"], object),
        ),
    }
    result = trimmed(bars(2, 3, **tables))
    assert (result.tempos.time.tolist(), result.tempos.microseconds_per_beat.tolist()) == ([0], [3])
    assert result.controls.time.tolist() == [0, BAR + 480]
    assert result.texts.text.tolist() == ["a", "b", "G"]


def test_metres_change_where_they_did_in_the_music():
    metres = TimeSignatures([0, 2 * BAR], [4, 3], [4, 4])
    result = trimmed(bars(2, 2.75, time_signatures=metres))
    assert (result.time_signatures.time.tolist(), result.time_signatures.numerator.tolist()) == ([0], [3])
    assert result.notes.onset.tolist() == [0, 1440]


@given(scores())
def test_notes_keep_their_number_length_and_place_in_the_bar(score):
    result = trim_silence(score, TrimSilenceConfig())
    assert len(result.notes) == len(score.notes)
    places, old = (np.sort(s.metre_map.ticks_to_bar_beat(s.notes.onset)[1]) for s in (result, score))
    assert np.allclose(places, old)
    assert sorted(result.notes.duration) == sorted(score.notes.duration)
    assert all(
        getattr(result, name).time.max(initial=0) <= result.end_ticks for name in ("tempos", "controls", "texts")
    ) or not len(score.notes)
