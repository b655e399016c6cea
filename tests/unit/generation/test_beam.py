"""The likeliest piece: as an exhaustive search finds it, legal, and never worse than greedy."""

from itertools import product

import numpy as np
import pytest

from aurl.data.tokenizers import NoteTokenizer
from aurl.generation.beam import BeamEngine
from aurl.generation.generator import GenerationConfig, generate
from aurl.generation.sampling import SamplingConfig
from aurl.utils.errors import ConfigError

STEPS = 3
SIZE = 10


def beams(runtime, tokenizer, width, *, steps=STEPS, may_end=True):
    start = tokenizer.vocabulary.start[None].astype(np.int64)
    engine = BeamEngine(runtime, tokenizer, SamplingConfig(), prompts=[start] * width, seeds=range(width))
    for _ in range(steps):
        if engine.alive.any():
            engine.step(np.full(width, may_end))
    return engine


def log_probability(runtime, tokenizer, values):
    """Of the values after the start, and how many; -inf where one is not legal."""
    grammar, state = tokenizer.grammar, tokenizer.grammar.advance(tokenizer.grammar.initial, [0])
    runtime.reset(1)
    runtime.feed(np.array([[[0]]]))
    total = 0.0
    for value in values:
        legal = grammar.mask(state, 0, [])
        if not legal[value]:
            return -np.inf
        logits = runtime.logits(0, np.zeros((1, 0), np.int64))[0].astype(np.float64)
        total += logits[value] - np.log(np.exp(logits[legal]).sum())
        state = grammar.advance(state, [value])
        runtime.feed(np.array([[[value]]]))
    return total


def test_a_wide_beam_finds_what_an_exhaustive_search_finds(toy, fake_runtime):
    engine = beams(fake_runtime(), toy, 300, may_end=False)
    runtime = fake_runtime()
    every = [v for v in product(range(SIZE), repeat=STEPS) if 1 not in v]  # no end
    best = max(every, key=lambda values: log_probability(runtime, toy, values))
    assert tuple(engine.tokens[0, 1 : STEPS + 1, 0].tolist()) == best


@pytest.mark.parametrize("width", [2, 5])
def test_beams_are_legal_different_and_the_likeliest_comes_first(toy, fake_runtime, width):
    engine = beams(fake_runtime(), toy, width, steps=12)
    rows = [tuple(engine.tokens[n, : engine.lengths[n], 0].tolist()) for n in range(width)]
    assert len(set(rows)) == width
    runtime = fake_runtime()
    means = [log_probability(runtime, toy, row[1:]) / (len(row) - 1) for row in rows]
    assert np.isfinite(means).all()
    assert means == sorted(means, reverse=True)


def test_a_beam_is_no_worse_than_greedy(toy, fake_runtime):
    config = GenerationConfig(seconds=6, max_tokens=12)
    runtime = fake_runtime()
    means = []
    for settings in ({"beams": 8}, {"sampling": {"temperature": 0}}):
        (piece,) = generate(fake_runtime(), toy, config.merged(settings))
        values = piece.tokens[1:, 0].tolist()
        means.append(log_probability(runtime, toy, values) / len(values))
    assert means[0] >= means[1] - 1e-9


def test_where_there_are_fewer_ways_than_beams_no_nonsense_is_written(toy, fake_runtime):
    engine = beams(fake_runtime(), toy, 50, steps=1)
    for row, length in zip(engine.tokens, engine.lengths, strict=True):
        assert toy.grammar.first_illegal(row[:length]) is None


def test_beams_of_rows_of_notes_keep_the_bars_and_what_is_given(note_runtime):
    tokenizer = NoteTokenizer()
    config = GenerationConfig.parse({"bars": 2, "beams": 3, "variations": 2, "conditions": {"chords": "Am F"}})
    pieces = generate(note_runtime(tokenizer), tokenizer, config)
    assert len(pieces) == 2
    for piece in pieces:
        assert tokenizer.grammar.first_illegal(piece.tokens) is None
        assert piece.score.texts.of("chord").text.tolist() == ["Am", "F"]


def test_more_pieces_than_beams_are_refused():
    with pytest.raises(ConfigError, match="one search"):
        GenerationConfig(beams=2, variations=3)
