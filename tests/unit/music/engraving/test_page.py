"""A score on the grid of the page: bars, upbeats, keys, and what is no notation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aurl.music.engraving.keys import key_signatures, keys_in_force, with_signatures
from aurl.music.engraving.page import Page, share_on_grid
from aurl.music.score import KeySignatures, Notes, Score, Texts, TimeSignatures, Track
from aurl.utils.errors import MidiError
from random_scores import scores

TICKS = 480


def score_of(*rows, metres=(), keys=(), **tables):
    """Notes as (onset, length) in quarters; metres as (quarter, numerator, denominator); key labels (quarter, name)."""
    onset, length = np.array(rows, float).T * TICKS
    count = len(rows)
    texts = Texts(
        [int(time * TICKS) for time, _ in keys], [-1] * len(keys), np.array(["key"] * len(keys), object),
        np.array([name for _, name in keys], object),
    )  # fmt: skip
    return Score(
        TICKS,
        Notes(onset.astype(int), length.astype(int), tables.pop("pitch", [60] * count), [64] * count, [0] * count),
        (Track(),),
        time_signatures=TimeSignatures([int(t * TICKS) for t, _, _ in metres], *list(zip(*metres, strict=True))[1:])
        if metres
        else TimeSignatures.empty(),
        texts=texts,
        **tables,
    )


def bars(score):
    return [(bar.start, bar.length, bar.offset, f"{bar.numerator}/{bar.denominator}") for bar in Page.of(score).bars]


def test_music_on_a_metre_is_in_bars_of_it():
    assert bars(score_of((0, 1), (4, 4))) == [(0, 96, 0, "4/4"), (96, 96, 0, "4/4")]
    assert bars(score_of((0, 7), metres=[(0, 3, 4)])) == [(n * 72, 72, 0, "3/4") for n in range(3)]


def test_a_change_of_metre_cuts_the_bar_it_falls_in():
    score = score_of((0, 12), metres=[(0, 4, 4), (6, 3, 4)])
    assert bars(score) == [(0, 96, 0, "4/4"), (96, 48, 0, "4/4"), (144, 72, 0, "3/4"), (216, 72, 0, "3/4")]


def test_a_first_bar_mostly_silent_is_an_upbeat():
    assert bars(score_of((3, 1), (4, 4)))[0] == (72, 24, 72, "4/4")
    assert bars(score_of((3.5, 0.5), (4, 4)))[0] == (72, 24, 72, "4/4")
    assert bars(score_of((1, 3), (4, 4)))[0] == (0, 96, 0, "4/4")


def test_a_short_first_bar_is_an_upbeat_of_the_metre_that_follows():
    assert bars(score_of((0, 1), (1, 3), metres=[(0, 1, 4), (1, 3, 4)])) == [(0, 24, 48, "3/4"), (24, 72, 0, "3/4")]
    assert bars(score_of((0, 1), (1, 3), metres=[(0, 3, 4), (1, 3, 4)]))[0] == (0, 24, 48, "3/4")


def test_a_performance_is_refused_with_what_to_do():
    rng = np.random.default_rng(1)
    score = score_of(*zip(np.sort(rng.uniform(0, 60, 200)), rng.uniform(0.1, 1, 200), strict=True))
    assert share_on_grid(score) < 0.5
    with pytest.raises(MidiError, match="quantise first"):
        Page.of(score)


def test_nothing_to_notate_is_refused():
    with pytest.raises(MidiError, match="without notes"):
        Page.of(Score())


@pytest.mark.parametrize("metre", [(3, 64), (200, 4)])
def test_a_metre_without_notation_is_refused(metre):
    with pytest.raises(MidiError, match="metre"):
        Page.of(score_of((0, 1), metres=[(0, *metre)]))


def test_a_metre_that_means_nothing_is_passed_over():
    assert bars(score_of((0, 1), metres=[(0, 0, 4)])) == [(0, 96, 0, "4/4")]


def test_roundings_of_a_coarse_file_are_snapped():
    score = Score(96, Notes([0, 32, 64, 96], [32, 32, 32, 31], [60] * 4, [64] * 4, [0] * 4), (Track(),))
    page = Page.of(score)
    assert page.onset.tolist() == [0, 8, 16, 24]
    assert page.end.tolist() == [8, 16, 24, 32]


def test_a_note_of_no_length_keeps_a_step():
    assert Page.of(score_of((0, 0.001))).end.tolist() == [1]


def test_signatures_come_from_the_file_then_from_labels_then_from_the_notes():
    labelled = score_of((0, 8), keys=[(0, "Eb minor"), (4, "what?"), (4, "G#m")])
    assert key_signatures(labelled).sharps.tolist() == [-6, 5]
    assert with_signatures(labelled).key_signatures == KeySignatures([0, 4 * TICKS], [-6, 5], [True, True])
    written = labelled.replace(key_signatures=KeySignatures([0], [2], [False]))
    assert key_signatures(written).sharps.tolist() == [2]
    assert [key.sharps for key in keys_in_force(written)] == [-6, 5]
    plain = score_of(*((n, 1) for n in range(7)), pitch=[62, 64, 66, 67, 69, 71, 73])
    assert key_signatures(plain).sharps.tolist() == [2]
    assert with_signatures(plain) is plain


def test_a_signature_of_more_than_seven_is_passed_over():
    score = score_of((0, 1), key_signatures=KeySignatures([0, 10], [100, -3], [False, False]))
    assert key_signatures(score).sharps.tolist() == [-3]


@pytest.mark.parametrize(
    ("name", "sharps"),
    [("C major", 0), ("Am", 0), ("f#", 3), ("C# major", -5), ("Ab minor", 5), ("F# major", 6), ("Bbm", -5)],
)
def test_a_key_has_the_signature_of_fewer_accidentals(name, sharps):
    assert keys_in_force(score_of((0, 1), keys=[(2, name)]))[0][:2] == (0, sharps)


@settings(max_examples=25)
@given(scores(), st.integers(1, 4))
def test_bars_follow_each_other_and_hold_all_notes(score, beats):
    grid = score.ticks_per_beat // 24
    notes = score.notes
    score = score.replace(notes=notes.replace(onset=notes.onset // grid * grid, duration=notes.duration * grid * beats))
    if not len(score.notes):
        return
    page = Page.of(score)
    assert all(a.end == b.start for a, b in zip(page.bars, page.bars[1:], strict=False))
    assert page.bars[0].start <= page.onset.min()
    assert page.bars[-1].end >= page.end.max()
    assert all(bar.start % 3 == 0 and bar.length > 0 for bar in page.bars)
