"""Bars begin where phrases and harmonies do, and nothing else changes."""

import numpy as np
import pytest
from hypothesis import given

from aurl.data.preprocessing import AlignBarsConfig, align_bars
from aurl.music.score import KeySignatures, Notes, Score, Tempos, Texts, TimeSignatures, Track
from random_scores import scores

BEAT, BAR = 480, 1920
ROOTS = (48, 53, 55, 45)


def song(late=0, bars=16, labels=("section", "chord"), **tables):
    """A chord and a bass a bar and a melody in quarters, all `late` ticks after the bar lines; phrases of four bars."""
    rows = []
    for bar in range(bars):
        root, at = ROOTS[bar % 4], late + bar * BAR
        rows += [(at, BAR, root), (at, BAR, root + 12), (at, BAR, root + 16)]
        rows += [(at + beat * BEAT, BEAT, 72 + (bar * 3 + beat * 5) % 9) for beat in range(4)]
    onsets, durations, pitches = zip(*rows, strict=True)
    notes = Notes(onsets, durations, pitches, [64] * len(rows), [0] * len(rows)).sorted()
    words = [(late + bar * BAR, "chord", "C" if bar % 2 else "F") for bar in range(bars)]
    words += [(late + bar * BAR, "section", "A") for bar in range(0, bars, 4)]
    words = sorted(word for word in words if word[1] in labels)
    times, kinds, texts = zip(*words, strict=True) if words else ((), (), ())
    given = Texts(times, [-1] * len(times), np.array(kinds, object), np.array(texts, object))
    return Score(notes=notes, tracks=(Track(),), texts=given, **tables)


def aligned(score, by="chords"):
    return align_bars(score, AlignBarsConfig(by=by))


def places(score):
    """Places in the bar where phrases and chords are labelled."""
    return set((score.texts.time % BAR).tolist())


@pytest.mark.parametrize("late", [0, 240, 480, 960, 1440, 1680])
@pytest.mark.parametrize("labels", [("section", "chord"), ("section",), ("chord",)])
def test_music_that_begins_anywhere_is_moved_to_its_bars(late, labels):
    score = song(late, labels=labels)
    result = aligned(score)
    assert places(result) <= {0}
    assert set((result.notes.onset - score.notes.onset).tolist()) == {-late % BAR}
    assert np.array_equal(result.notes.pitch, score.notes.pitch)
    assert np.array_equal(result.notes.duration, score.notes.duration)
    assert aligned(result) is result


def test_what_holds_from_the_start_still_does_and_what_changes_later_moves_along():
    score = song(
        480,
        tempos=Tempos([0, BAR], [500_000, 400_000]),
        key_signatures=KeySignatures([0], [2], [False]),
        time_signatures=TimeSignatures([0], [4], [4]),
    )
    result = aligned(score)
    assert result.tempos.time.tolist() == [0, BAR + 1440]
    assert result.key_signatures.time.tolist() == result.time_signatures.time.tolist() == [0]


def test_phrases_decide_between_the_two_halves_of_a_bar_and_chords_where_exactly():
    score = song(960)
    texts = score.texts
    halves = texts.take(texts.kind == "chord")
    halves = Texts(halves.time - 960, halves.track, halves.kind, halves.text)
    late = texts.replace(time=texts.time + 40 * (texts.kind == "section"))  # labelled a little late
    assert aligned(score.replace(texts=Texts.join([late, halves, halves]))).notes.onset.min() == BAR


def test_only_what_is_to_be_believed_moves_music():
    chords, phrases = song(480, labels=("chord",)), song(480, labels=("section",))
    assert aligned(chords, by="phrases") is chords
    assert aligned(chords, by="chords").notes.onset.min() == BAR
    assert aligned(phrases, by="phrases").notes.onset.min() == BAR


def test_music_in_several_metres_or_without_enough_labels_stays():
    metres = TimeSignatures([0, 4 * BAR], [4, 3], [4, 4])
    for unmoved in (song(480, time_signatures=metres), song(480, labels=()), song(480, bars=4, labels=("chord",))):
        assert aligned(unmoved) is unmoved


@given(scores())
def test_notes_keep_their_distances_and_move_by_less_than_a_bar(score):
    result = aligned(score)
    delays = set((result.notes.onset - score.notes.onset).tolist())
    assert len(delays) <= 1
    assert all(0 <= delay < score.metre_map.bar_to_ticks(1) for delay in delays)
    assert np.array_equal(result.notes.duration, score.notes.duration)
