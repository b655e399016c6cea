"""Baselines are distributions, see only what came before, learn what repeats, and agree with counting by hand."""

import itertools
from collections import Counter, defaultdict

import numpy as np
import pytest

from aurl.data.tokenizers import NoteTokenizer
from aurl.data.tokenizers.vocabulary import Field, Vocabulary
from aurl.evaluation.baselines import (
    CLASSES,
    Baseline,
    Counts,
    Stream,
    blended,
    classes,
    fit,
    learned_weights,
    mixed,
    piece_counts,
)
from aurl.music.score import Notes as NoteTable
from aurl.music.score import Score, Track
from aurl.utils.errors import CorpusError

SIZES = (3, 4, 5)


class Small(NoteTokenizer):
    """Three small fields, the last a choice only where the first is not 0; a row a note of a second."""

    def __init__(self):
        super().__init__()
        self.vocabulary = Vocabulary(tuple(Field(f"f{n}", tuple("abcde"[:n])) for n in SIZES))

    def field_mask(self, tokens):
        mask = np.ones(tokens.shape, np.bool_)
        mask[..., 2] = tokens[..., 0] > 0
        return mask

    def note_count(self, tokens):
        return len(tokens) - 1

    def decode(self, tokens):
        count = len(tokens) - 1
        ones = np.ones(count, np.int64)
        return Score(
            notes=NoteTable(960 * np.arange(count), 960 * ones, 60 * ones, 64 * ones, 0 * ones), tracks=(Track(0),)
        )


SMALL = Small()


def music(count, seed=0, length=60):
    """Pieces that repeat phrases of their own, with a fifth of the values drawn at random."""
    rng = np.random.default_rng(seed)
    pieces = []
    for _ in range(count):
        phrase = np.stack([rng.integers(0, size, 12) for size in SIZES], axis=1)
        piece = np.tile(phrase, (length // 12, 1))
        noise = np.stack([rng.integers(0, size, length) for size in SIZES], axis=1)
        pieces.append(np.where(rng.random(piece.shape) < 0.2, noise, piece).astype(np.uint16))
    return pieces


@pytest.fixture(scope="module")
def baselines():
    return fit(music(40), SMALL)


@pytest.mark.parametrize("name", ["n-gram", "copy"])
def test_probabilities_of_all_values_sum_to_one_in_every_context(baselines, name):
    given = music(6, seed=9)
    for column, size in enumerate(SIZES):
        for length in (2, 3, 17, 40, 60):
            total = 0
            for value in range(size):
                tried = [piece[:length].copy() for piece in given]
                for piece in tried:
                    piece[-1, 0] = max(piece[-1, 0], 1) if column else piece[-1, 0]
                    piece[-1, column] = value
                stream = Stream.of(tried, SMALL)
                ends = np.flatnonzero(np.append(np.diff(stream.piece), 1))
                at = np.flatnonzero(stream.counted[:, column])
                found = baselines[name].probabilities(stream, column, at)[np.isin(at, ends)]
                assert (found > 0).all()
                total = total + found
            assert total == pytest.approx(np.ones(6), rel=1e-9)


@pytest.mark.parametrize("name", ["n-gram", "copy"])
def test_what_comes_later_changes_nothing(baselines, name):
    (piece,) = music(1, seed=3)
    other = piece.copy()
    other[40:] = 2
    whole, cut = (Stream.of([each], SMALL) for each in (other, piece))
    for column in range(3):
        at = np.flatnonzero(cut.counted[:-20, column])
        found = [baselines[name].probabilities(stream, column, at) for stream in (whole, cut)]
        assert (found[0] == found[1]).all()


def test_pieces_are_scored_as_if_each_were_alone(baselines):
    given = music(5, seed=4)
    together = baselines["copy"].report(given).piece_bits
    alone = np.concatenate([baselines["copy"].report([piece]).piece_bits for piece in given])
    assert together == pytest.approx(alone, rel=1e-12)


def test_fields_that_follow_from_others_cost_nothing(baselines):
    (piece,) = music(1, seed=5)
    piece[:, 0] = 0
    assert baselines["copy"].report([piece]).piece_bits[0, 2] == 0


def test_music_that_repeats_itself_costs_the_copy_model_far_less(baselines):
    given = music(10, seed=6)
    ngram, copy = (baselines[name].report(given) for name in ("n-gram", "copy"))
    uniform = (ngram.piece_choices * np.log2(SIZES)).sum() / ngram.notes
    assert copy.bits_per_note < 0.9 * ngram.bits_per_note < 0.95 * uniform


def test_the_first_rows_cost_both_nearly_the_same(baselines):
    openings = [piece[:2] for piece in music(30, seed=7)]
    ngram, copy = (baselines[name].report(openings).bits_per_note for name in ("n-gram", "copy"))
    assert copy == pytest.approx(ngram, rel=0.1)


def test_random_values_cost_their_logarithm_and_little_more():
    rng = np.random.default_rng(8)
    given = [np.stack([rng.integers(0, size, 200) for size in SIZES], axis=1) for _ in range(60)]
    report = fit(given[:50], SMALL)["copy"].report(given[50:])
    uniform = (report.piece_choices * np.log2(SIZES)).sum() / report.notes
    assert uniform < report.bits_per_note < 1.03 * uniform


def test_a_certain_succession_costs_almost_nothing():
    piece = np.array(list(itertools.islice(itertools.cycle([(0, 1, 2), (1, 2, 3), (2, 3, 4)]), 90)))
    report = fit([piece] * 20, SMALL)["n-gram"].report([piece])
    assert report.bits_per_note < 0.01


def test_counts_in_a_piece_are_those_of_counting_row_by_row():
    rng = np.random.default_rng(11)
    contexts, values = mixed(np.zeros(300, np.uint64), rng.integers(0, 5, 300)), rng.integers(0, 4, 300)
    counts, told = piece_counts(contexts, values), defaultdict(Counter)
    for at, (context, value) in enumerate(zip(contexts.tolist(), values.tolist(), strict=True)):
        before = told[context]
        assert [column[at] for column in counts] == [before.total(), before[value], len(before)]
        before[value] += 1


def test_the_levels_of_the_corpus_are_those_of_counting_by_hand(baselines):
    followed = defaultdict(Counter)
    for piece in music(40):
        for before, row in itertools.pairwise(piece.tolist()):
            followed[row[0], before[1]][row[1]] += 1
    (level,) = [level for level in baselines["n-gram"].chains[1] if level.context == ((0, 0), (1, 1))]
    (piece,) = music(1, seed=12)
    stream = Stream.of([piece], SMALL)
    at = np.flatnonzero(stream.counted[:, 1])
    counts = level.look_up(stream, at, stream.rows[at, 1])
    for number, (before, row) in enumerate(itertools.pairwise(piece.tolist())):
        known = followed[row[0], before[1]]
        assert [column[number] for column in counts] == [known.total(), known[row[1]], len(known)]


def test_a_context_that_was_never_seen_changes_nothing():
    uniform = Baseline(SMALL, [[], [], []])
    pieces = music(20)
    for piece in pieces:
        piece[:, 1] = 0
    level = fit(pieces, SMALL)["n-gram"].chains[2][-1]
    (strange,) = music(1, seed=13)
    strange[:, 1] = 3
    stream = Stream.of([strange], SMALL)
    at = np.flatnonzero(stream.counted[:, 2])
    with_level = Baseline(SMALL, [[], [], [level]])
    assert (with_level.probabilities(stream, 2, at) == uniform.probabilities(stream, 2, at)).all()


def test_the_weight_that_is_learned_is_the_likeliest():
    rng = np.random.default_rng(14)
    believed = rng.uniform(0.05, 0.6, 500)
    hits = (rng.random(500) < 0.6).astype(np.int64) * 4
    counts = Counts(np.full(500, 4), hits, np.ones(500, np.int64))
    learned = np.log(blended(believed, counts, learned_weights(believed, counts))).sum()
    tried = [
        np.log(blended(believed, counts, np.full(CLASSES**2, weight))).sum() for weight in np.linspace(0.01, 0.99, 99)
    ]
    assert learned >= max(tried) - 0.05


def test_classes_tell_certain_contexts_from_uncertain_ones():
    kinds = classes(piece_counts(np.zeros(9, np.uint64), np.array([1, 1, 1, 1, 2, 3, 4, 5, 6])))
    assert len(set(kinds.tolist())) > 4
    assert kinds[2] == kinds[3]


def test_real_rows_are_scored_with_the_names_of_their_fields():
    tokenizer = NoteTokenizer()
    count = np.arange(64)
    ones = np.ones(64, np.int64)
    notes = NoteTable(count * 240, 240 * ones, 60 + count % 8, 64 * ones, 0 * ones)
    piece = tokenizer.encode(Score(notes=notes, tracks=(Track(0),)))
    report = fit([piece] * 12, tokenizer)["copy"].report([piece])
    assert report.fields == ("when", "who", "what", "how_long", "how_loud")
    assert (report.notes, report.tokens) == (64, len(piece) - 1)
    assert report.bits_per_note < 0.5


def test_one_piece_is_too_few():
    with pytest.raises(CorpusError, match="too few pieces"):
        fit(music(1), SMALL)
