"""Known models give known bits, each token counts once, and windows do not change what a short memory says."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from aurl.data.tokenizers import EventTokenizer, NoteTokenizer, NoteTokenizerConfig
from aurl.evaluation.likelihood import bits_per_note, difference, split
from aurl.models.config import MusicModelConfig
from aurl.models.music_model import MusicModel
from aurl.music.score import Notes as NoteTable
from aurl.music.score import Score, Track
from aurl.utils.errors import CorpusError

VOCABULARY = 774


class UniformModel(nn.Module):
    """Finds all values equally likely; remembers the mode it was asked in."""

    def nll(self, tokens, targets, mask):
        self.mode_seen = self.training
        return torch.full(targets.shape, math.log(VOCABULARY)) * mask


class ShortMemoryModel(nn.Module):
    """Costs depend on the target and the two tokens before it, and on nothing else."""

    def nll(self, tokens, targets, mask):
        before = torch.cat([torch.zeros_like(tokens[:, :1]), tokens[:, :-1]], dim=1)
        return (targets + 3 * tokens + 7 * before).double() / 100 * mask


class CountingModel(nn.Module):
    """Each prediction costs what its target says: targets that are powers of two show which were counted."""

    def nll(self, tokens, targets, mask):
        return targets.double() * math.log(2) * mask


def pieces(*lengths, fields=1, seed=0):
    generator = np.random.default_rng(seed)
    return [generator.integers(0, VOCABULARY, (length, fields)).astype(np.uint16) for length in lengths]


class Notes(EventTokenizer):
    """As many notes a piece as it is told; pieces are cut as they are."""

    def __init__(self, notes):
        super().__init__()
        self.notes = notes

    def note_count(self, tokens):
        return self.notes

    def preamble(self, tokens, at):
        return tokens[:0]


TEN_NOTES = Notes(10)


def test_a_uniform_model_costs_the_logarithm_of_the_vocabulary():
    report = bits_per_note(UniformModel(), pieces(40, 7, 100), TEN_NOTES, context=16)
    assert report.bits_per_token == pytest.approx(math.log2(VOCABULARY), rel=1e-6)
    assert (report.tokens, report.notes) == (39 + 6 + 99, 30)
    assert report.bits_per_note == pytest.approx(math.log2(VOCABULARY) * 144 / 30, rel=1e-6)


@pytest.mark.parametrize("length", [2, 5, 8, 9, 10, 12, 13, 16, 17, 50])
@pytest.mark.parametrize("context", [1, 2, 7, 8])
def test_each_token_but_the_first_is_counted_exactly_once(length, context):
    tokens = (2 ** np.arange(length, dtype=np.int64))[:, None]
    report = bits_per_note(CountingModel(), [tokens], Notes(1), context=context, batch_tokens=20)
    assert report.bits_per_note == pytest.approx(2**length - 2, rel=1e-12)


@pytest.mark.parametrize("context", [8, 9, 64])
def test_each_token_has_half_a_context_of_history_where_there_is_that_much(context):
    for window in split(pieces(500)[0], context):
        assert len(window) <= context
        assert window.start == 0 or window.scored - window.start + 1 >= context / 2


@pytest.mark.parametrize("batch_tokens", [1, 64, 10_000])
@pytest.mark.parametrize("context", [4, 16, 33])
def test_splitting_in_windows_and_batches_does_not_change_the_value(context, batch_tokens):
    given = pieces(120, 3, 61, 60, fields=2)
    whole = bits_per_note(ShortMemoryModel(), given, TEN_NOTES, context=1000)
    parts = bits_per_note(ShortMemoryModel(), given, TEN_NOTES, context=context, batch_tokens=batch_tokens)
    assert parts.bits_per_note == pytest.approx(whole.bits_per_note, rel=1e-12)
    assert parts.bits_per_token_by_field == pytest.approx(whole.bits_per_token_by_field, rel=1e-12)
    assert sum(parts.bits_per_token_by_field) == pytest.approx(parts.bits_per_token)


@pytest.mark.parametrize("training", [True, False])
def test_dropout_is_off_while_scoring_and_the_mode_is_restored(training):
    model = UniformModel().train(training)
    bits_per_note(model, pieces(9), TEN_NOTES, context=4)
    assert model.mode_seen is False
    assert model.training is training


def test_the_mode_is_restored_when_scoring_fails():
    class Failing(UniformModel):
        def nll(self, tokens, targets, mask):
            raise RuntimeError("out of memory")

    model = Failing().train()
    with pytest.raises(RuntimeError):
        bits_per_note(model, pieces(9), TEN_NOTES, context=4)
    assert model.training


@pytest.mark.parametrize(("given", "notes"), [([], 10), (pieces(1), 10), (pieces(9), 0)])
def test_nothing_to_score_is_an_error_of_the_user(given, notes):
    with pytest.raises(CorpusError, match="no notes"):
        bits_per_note(UniformModel(), given, Notes(notes), context=4)


def tune(count):
    same = np.ones(count, np.int64)
    notes = NoteTable(np.arange(count) * 240, 240 * same, 60 + np.arange(count) % 7, 64 * same, 0 * same)
    return Score(notes=notes, tracks=(Track(40),))


def test_fields_that_follow_from_others_cost_exactly_nothing():
    tokenizer = NoteTokenizer()
    tokens = tokenizer.encode(tune(40))
    sizes = tokenizer.vocabulary.sizes
    model = MusicModel(MusicModelConfig(vocabulary_sizes=sizes, width=32, layers=1, heads=2)).eval()
    rows = torch.from_numpy(tokens.astype(np.int64))[None]
    mask = torch.from_numpy(tokenizer.field_mask(tokens))[None]
    with torch.inference_mode():
        nats = model.nll(rows[:, :-1], rows[:, 1:], mask[:, 1:])
        all_nats = model.nll(rows[:, :-1], rows[:, 1:], torch.ones_like(mask[:, 1:]))
    assert (nats[~mask[:, 1:]] == 0).all()
    assert torch.equal(nats[mask[:, 1:]] > 0, torch.ones(int(mask[:, 1:].sum()), dtype=torch.bool))
    report = bits_per_note(model, [tokens], tokenizer, context=1000)
    assert report.bits_per_note == pytest.approx(float(nats.double().sum()) / math.log(2) / 40, rel=1e-5)
    assert float(nats.sum()) < float(all_nats.sum())


class Watching(UniformModel):
    """Keeps the first rows of what it was given."""

    def nll(self, tokens, targets, mask):
        self.first_rows = tokens[:, :20].tolist()
        return super().nll(tokens, targets, mask)


@pytest.mark.parametrize("context", [8, 16, 20, 24, 40, 64, 1000])
def test_rows_of_preambles_are_never_scored_and_the_others_once(context):
    tokenizer = NoteTokenizer()
    tokens = tokenizer.encode(tune(60))
    scored = []

    class Scored(UniformModel):
        def nll(self, tokens, targets, mask):
            scored.extend(map(tuple, targets[mask.any(-1)].tolist()))
            return super().nll(tokens, targets, mask)

    bits_per_note(Scored(), [tokens], tokenizer, context=context)
    assert sorted(scored) == sorted(map(tuple, tokens[1:].tolist()))


def test_windows_inside_a_piece_begin_with_its_preamble():
    tokenizer = NoteTokenizer()
    tokens = tokenizer.encode(tune(400))
    model = Watching()
    bits_per_note(model, [tokens], tokenizer, context=64)
    told = tokenizer.preamble(tokens, 100).tolist()
    assert told in [rows[: len(told)] for rows in model.first_rows]


def test_each_piece_has_its_own_bits_choices_notes_tokens_and_seconds():
    tokenizer = NoteTokenizer()
    given = [tokenizer.encode(tune(40)), tokenizer.encode(tune(90))]
    sizes = tokenizer.vocabulary.sizes
    model = MusicModel(MusicModelConfig(vocabulary_sizes=sizes, width=32, layers=1, heads=2)).eval()
    report = bits_per_note(model, given, tokenizer, context=24, batch_tokens=100)
    alone = [bits_per_note(model, [piece], tokenizer, context=24) for piece in given]
    assert report.piece_bits == pytest.approx(np.concatenate([each.piece_bits for each in alone]), rel=1e-5)
    assert report.piece_notes.tolist() == [40, 90]
    assert report.piece_tokens.tolist() == [len(piece) - 1 for piece in given]
    assert report.piece_choices[:, 4].tolist() == [40, 90]
    assert report.piece_seconds == pytest.approx([tokenizer.decode(piece).duration_seconds for piece in given])
    assert report.bits_per_second == pytest.approx(report.piece_bits.sum() / report.piece_seconds.sum())
    assert report.fields == ("when", "who", "what", "how_long", "how_loud")


def test_perplexity_is_the_number_of_values_that_seem_equally_likely():
    report = bits_per_note(UniformModel(), pieces(40, 7, 100, fields=1), TEN_NOTES, context=16)
    assert report.perplexity == pytest.approx(VOCABULARY, rel=1e-6)


def test_the_interval_is_of_the_figure_and_shares_of_fields_add_up_to_it():
    tokenizer = NoteTokenizer()
    given = [tokenizer.encode(tune(count)) for count in (30, 40, 60, 80)]
    report = bits_per_note(CountingModel(), given, tokenizer, context=64)
    for unit, figure in (
        ("note", report.bits_per_note), ("second", report.bits_per_second), ("token", report.bits_per_token),
    ):  # fmt: skip
        interval = report.interval(unit)
        assert interval.value == pytest.approx(figure)
        assert interval.low <= figure <= interval.high
        shares = [report.interval(unit, field).value for field in report.fields]
        assert sum(shares) == pytest.approx(figure)
    loud = report.values("choice", "how_loud")
    assert loud[:, 1].tolist() == [30, 40, 60, 80]


def test_two_models_are_compared_piece_by_piece():
    tokenizer = NoteTokenizer()
    given = [tokenizer.encode(tune(count)) for count in (30, 60, 90)]

    class Twice(CountingModel):
        def nll(self, tokens, targets, mask):
            return 2 * super().nll(tokens, targets, mask)

    one, two = (bits_per_note(model, given, tokenizer, context=64) for model in (CountingModel(), Twice()))
    assert difference(two, one).value == pytest.approx(one.bits_per_note)
    assert difference(two, one, "second", "what").value == pytest.approx(one.interval("second", "what").value)
    assert difference(one, one).high == 0


def test_models_of_other_pieces_cannot_be_compared():
    tokenizer = NoteTokenizer()
    one, other = (
        bits_per_note(CountingModel(), [tokenizer.encode(tune(count))], tokenizer, context=64) for count in (30, 60)
    )
    with pytest.raises(CorpusError, match="different pieces"):
        difference(one, other)


@pytest.mark.parametrize(
    ("tokenizer", "told"),
    [
        (NoteTokenizer(), "note metrical, 24 steps a quarter, 68 durations, 32 loudnesses"),
        (
            NoteTokenizer(NoteTokenizerConfig(nudge=True)),
            "note metrical, 24 steps a quarter, 68 durations, 32 loudnesses, 4 nudges",
        ),
        (
            NoteTokenizer(NoteTokenizerConfig(clock="performed")),
            "note performed, 64 steps a second, 120 durations, 32 loudnesses",
        ),
        (EventTokenizer(), "event, 64 steps a second, durations exact, 32 loudnesses"),
    ],
)
def test_a_report_tells_its_resolution(tokenizer, told):
    report = bits_per_note(CountingModel(), [tokenizer.encode(tune(9))], tokenizer, context=64)
    assert report.resolution == told
