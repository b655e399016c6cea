"""Near-duplicates: what may change in a piece, and what may not."""

from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aurl.data import dedup
from aurl.data.dedup import SLOTS, STEPS, agreement, find_duplicates, likeness, outer_lines, sketch
from aurl.music.score import Notes, Score, Track
from aurl.music.transforms import transpose


def make_score(seed, length=240, voices=2):
    """Two voices that wander, with different steps for each seed."""
    rng = np.random.default_rng(seed)
    onset = np.cumsum(rng.choice([120, 240, 480], length))
    walks = 60 + np.cumsum(rng.choice([-4, -3, -2, -1, 1, 2, 3, 4, 5, -5], (voices, length)), axis=1)
    pitch = np.concatenate([40 + 12 * voice + walks[voice] % 17 for voice in range(voices)])
    onset = np.tile(onset, voices)
    track = np.repeat(np.arange(voices), length)
    return Score(
        480, Notes(onset, np.full(len(onset), 100), pitch, np.full(len(onset), 80), track), (Track(),) * voices
    )


def altered(score, seed, share=0.1):
    """A tenth of the notes deleted or moved by some semitones."""
    rng = np.random.default_rng(seed)
    columns = score.notes.columns()
    moved = rng.random(len(score.notes)) < share / 2
    columns["pitch"] = np.where(moved, columns["pitch"] + rng.integers(1, 7, len(moved)), columns["pitch"])
    return score.replace(notes=Notes(**columns).take(rng.random(len(moved)) >= share / 2))


def scaled(score, factor, ticks_per_beat):
    columns = score.notes.columns()
    for name in ("onset", "duration"):
        columns[name] = np.rint(columns[name] * factor * ticks_per_beat / score.ticks_per_beat).astype(np.int64)
    return score.replace(ticks_per_beat=ticks_per_beat, notes=Notes(**columns))


@settings(max_examples=20)
@given(st.integers(0, 1000), st.integers(-12, 12), st.sampled_from([96, 220, 960]), st.floats(0.7, 1.4))
def test_a_sketch_knows_neither_key_nor_tempo_nor_resolution(seed, semitones, resolution, factor):
    score = make_score(seed)
    assert np.array_equal(sketch(scaled(transpose(score, semitones), factor, resolution)), sketch(score))


def test_instruments_names_loudness_and_drums_do_not_matter():
    score = make_score(1)
    drums = Notes(np.arange(50) * 90, np.full(50, 10), np.full(50, 36), np.full(50, 99), np.full(50, 2))
    tracks = (Track(40, name="x"), Track(41), Track(is_drum=True))
    other = score.replace(tracks=tracks, notes=Notes.join([score.notes, drums]))
    assert np.array_equal(sketch(other), sketch(score))


def test_altered_copies_share_a_cluster_and_other_pieces_do_not():
    scores = [make_score(seed) for seed in range(30)]
    copies = [transpose(altered(score, 99), 3) for score in scores]
    clusters = find_duplicates([sketch(score) for score in scores + copies])
    assert clusters.tolist() == [*range(30), *range(30)]


def test_a_tune_with_another_bass_is_another_piece():
    first, second = make_score(1), make_score(2)
    tune = first.notes.take(first.notes.track == 1)
    bass = Notes(tune.onset, tune.duration, second.notes.take(second.notes.track == 0).pitch, tune.velocity, tune.track)
    other = first.replace(notes=Notes.join([tune, bass]))
    assert find_duplicates([sketch(first), sketch(other)]).tolist() == [0, 1]


@pytest.mark.parametrize("length", [0, 1, 3, 5, 10])
def test_pieces_of_few_notes_are_alone_even_when_equal(length):
    score = make_score(1, length, voices=1)
    assert sketch(score).shape == (SLOTS + STEPS // 4,)
    assert find_duplicates([sketch(score)] * 3).tolist() == [0, 1, 2]


def test_drums_alone_are_alone():
    score = make_score(1).replace(tracks=(Track(is_drum=True),) * 2)
    assert find_duplicates([sketch(score)] * 2).tolist() == [0, 1]


def test_formulas_that_all_share_do_not_make_duplicates():
    """Each piece ends in one common phrase, a seventh of it, and is its own elsewhere."""
    phrase = make_score(0, 15, voices=1).notes
    scores = []
    for seed in range(1, 20):
        own = make_score(seed, 90, voices=1).notes
        moved = Notes(phrase.onset + own.end.max() + 480 * seed, *list(phrase.columns().values())[1:])
        scores.append(make_score(seed, 90, voices=1).replace(notes=Notes.join([own, moved])))
    clusters = find_duplicates([sketch(score) for score in scores])
    assert len(set(clusters.tolist())) >= 15


SKETCHES = [sketch(altered(make_score(number // 3), number)) for number in range(12)]


@settings(max_examples=10)
@given(st.permutations(range(12)))
def test_clusters_do_not_depend_on_the_order(order):
    straight = find_duplicates(SKETCHES)
    shuffled = find_duplicates([SKETCHES[number] for number in order])
    assert _groups(straight, range(12)) == _groups(shuffled, order)


def _groups(clusters, names):
    return {frozenset(n for n, c in zip(names, clusters, strict=True) if c == cluster) for cluster in clusters}


def test_many_equal_pieces_are_one_cluster():
    assert set(find_duplicates([sketch(make_score(4))] * 500).tolist()) == {0}


def test_many_alike_pieces_are_one_cluster(monkeypatch):
    """More than are compared directly; the pairs found are sorted out on the way, to bound memory."""
    monkeypatch.setattr(dedup, "CODES_AT_ONCE", 100)
    sketches = [sketch(altered(make_score(4), seed, 0.03)) for seed in range(30)]
    assert set(find_duplicates(sketches).tolist()) == {0}


def test_a_chain_of_pieces_is_cut_where_its_ends_have_nothing_in_common():
    """Each piece is the one before it with another third replaced: all neighbours are alike, most pairs are not."""
    pitches = [make_score(0).notes.pitch.reshape(2, 3, 80)]
    for number in range(1, 13):
        new = make_score(number).notes.pitch.reshape(2, 3, 80)
        pitches.append(np.where(np.arange(3)[:, None] == number % 3, new, pitches[-1]))
    columns = make_score(0).notes.columns()
    scores = [make_score(0).replace(notes=Notes(**columns | {"pitch": pitch.ravel()})) for pitch in pitches]
    sketches = [sketch(score) for score in scores]
    assert all(find_duplicates([*pair]).tolist() == [0, 0] for pair in pairwise(sketches))
    assert np.bincount(find_duplicates(sketches)).max() <= 4


def test_pieces_that_share_runs_at_the_same_places_but_few_notes_in_order_are_not_joined():
    """Agreement of the slots is not enough: the lines are not aligned."""
    first, second = (sketch(make_score(seed)) for seed in (1, 2))
    impostor = np.concatenate([first[:SLOTS], second[SLOTS:]])
    assert agreement(*(each[None, :SLOTS].view(np.uint32) for each in (first, impostor))) == 1
    assert find_duplicates([first, impostor]).tolist() == [0, 1]


@given(st.lists(st.integers(61, 67), min_size=2, max_size=40), st.lists(st.integers(61, 67), min_size=2, max_size=40))
def test_likeness_is_the_longest_common_subsequence_of_pairs_of_intervals(one, other):
    lengths = np.zeros((len(one), len(other)), int)
    for i, j in product(range(1, len(one)), range(1, len(other))):
        equal = one[i - 1 : i + 1] == other[j - 1 : j + 1]
        lengths[i, j] = lengths[i - 1, j - 1] + 1 if equal else max(lengths[i - 1, j], lengths[i, j - 1])
    share = 2 * lengths[-1, -1] / (len(one) + len(other) - 2)
    lines = [np.pad(np.array([line] * 2, np.uint8), ((0, 0), (0, STEPS - len(line)))) for line in (one, other)]
    least = dedup.MIN_ALIGNED if share < dedup.MIN_ALIGNED else dedup.MIN_ALIGNED_ALONE
    assert likeness(*lines) == likeness(*lines[::-1]) == pytest.approx(share / least)


def test_a_line_without_intervals_is_like_nothing():
    still, moving = np.zeros((2, STEPS), np.uint8), np.full((2, STEPS), 65, np.uint8)
    assert likeness(still, moving) == likeness(still, still) == 0


def test_no_pieces_have_no_clusters():
    assert find_duplicates([]).shape == (0,)


def test_a_held_higher_note_hides_what_moves_below_it():
    notes = Notes([0, 0, 100, 200, 300], [250, 90, 90, 90, 90], [72, 48, 60, 50, 55], [80] * 5, [0] * 5)
    top, bottom = outer_lines(notes)
    assert top.tolist() == [72, 55]
    assert bottom.tolist() == [48, 60, 50, 55]
