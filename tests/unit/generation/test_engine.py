"""Lockstep writing: the grammar holds, windows slide unnoticed, no piece depends on the ones beside it."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from aurl.data.tokenizers import NoteTokenizer, NoteTokenizerConfig
from aurl.generation.engine import Engine, Runtime, state_after
from aurl.generation.generator import GenerationConfig, generate
from aurl.generation.sampling import SamplingConfig
from aurl.music.score import Notes, Score, Track
from aurl.utils.errors import GenerationError

START, END, PAD, TICK, NOTE = range(5)
SIZE = 10
PLAIN = SamplingConfig()


def write(runtime, tokenizer, *, steps, seeds=(0,), prompt=None, sampling=PLAIN, may_end=False):
    start = tokenizer.vocabulary.start[None].astype(np.int64)
    engine = Engine(
        runtime, tokenizer, sampling, prompt=start if prompt is None else prompt, seeds=seeds, capacity=steps
    )
    for _ in range(steps):
        if engine.alive.any():
            engine.step(np.full(len(seeds), may_end))
    return engine


class ScriptedRuntime:
    """The logits it was given, over and over, for every row."""

    context, length = 10_000, 0

    def __init__(self, script):
        self.script, self.at = script, 0

    def reset(self, batch):
        self.batch = batch

    def feed(self, tokens):
        self.at += 1

    def logits(self, field, chosen):
        return np.repeat(self.script[self.at % len(self.script)][None], self.batch, axis=0)


def test_a_runtime_needs_no_base_class(fake_runtime):
    assert isinstance(fake_runtime(), Runtime)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(arrays(np.float32, (7, SIZE), elements=st.floats(width=32)), st.integers(0, 2**32), st.booleans())
def test_no_logits_can_break_the_grammar(toy, script, seed, may_end):
    engine = write(ScriptedRuntime(script), toy, steps=25, seeds=(seed, seed + 1), may_end=may_end)
    for row, length in zip(engine.tokens, engine.lengths, strict=True):
        assert toy.grammar.first_illegal(row[:length]) is None


@pytest.mark.parametrize("context", [8, 9, 31])
def test_a_sliding_window_is_unnoticed_by_a_model_with_a_short_memory(toy, fake_runtime, context):
    whole = write(fake_runtime(context=1000, memory=4), toy, steps=100, seeds=(1, 2))
    slid = write(fake_runtime(context=context, memory=4), toy, steps=100, seeds=(1, 2))
    assert np.array_equal(slid.tokens, whole.tokens)


def test_a_full_context_is_replaced_by_its_last_half(toy, fake_runtime):
    runtime = fake_runtime(context=8)
    write(runtime, toy, steps=14)
    assert runtime.feeds == ["reset", *[1] * 8, "reset", 4, 1, 1, 1, 1, "reset", 4]


def test_a_prompt_longer_than_the_context_is_read_from_its_end(toy, fake_runtime):
    prompt = np.array([[START], *[[TICK], [NOTE]] * 20])
    runtime = fake_runtime(context=8)
    slid = write(runtime, toy, steps=20, prompt=prompt)
    assert runtime.feeds[:3] == ["reset", "reset", 4]
    assert np.array_equal(slid.tokens, write(fake_runtime(), toy, steps=20, prompt=prompt).tokens)


def test_a_piece_is_the_same_alone_and_in_any_batch(toy, fake_runtime):
    sampling = SamplingConfig(temperature=1.3, top_k=8, top_p=0.97, min_p=0.01, repetition_penalty=1.1)
    together = write(fake_runtime(), toy, steps=60, seeds=range(5), sampling=sampling, may_end=True)
    assert len(set(together.lengths.tolist())) > 1
    for seed in range(5):
        alone = write(fake_runtime(), toy, steps=60, seeds=(seed,), sampling=sampling, may_end=True)
        assert np.array_equal(alone.tokens[0], together.tokens[seed])


def test_the_end_comes_only_where_it_may(toy, biased):
    eager = {"end": 50.0, "tick": 5.0}
    assert not (write(biased(**eager), toy, steps=30).tokens == END).any()
    assert write(biased(**eager), toy, steps=30, may_end=True).ended.all()


def test_a_piece_that_ended_is_padded_and_draws_no_more(toy, biased):
    engine = write(biased(end=2.0), toy, steps=40, seeds=(0, 1, 2), may_end=True)
    for row, length in zip(engine.tokens[:, :, 0], engine.lengths, strict=True):
        assert (row[length:] == PAD).all()
        assert not (row[:length] == PAD).any()
    assert engine.ended.any()


def test_the_end_is_allowed_where_nothing_else_is(toy, fake_runtime):
    toy.grammar.legal[TICK] = False
    toy.grammar.legal[TICK, END] = True
    engine = write(fake_runtime(), toy, steps=3, prompt=np.array([[START], [TICK]]))
    assert engine.tokens[0, :, 0].tolist()[:3] == [START, TICK, END]


def test_fields_are_chosen_in_turn_and_forced_ones_cost_no_logits(pair, fake_runtime):
    runtime = fake_runtime(sizes=(5, 6))
    engine = write(runtime, pair, steps=6, seeds=(3, 4), prompt=np.zeros((1, 2), np.int64))
    assert (engine.tokens[:, 1::2, 0] == 3).all()
    assert (engine.tokens[:, 1::2, 1] >= 1).all()
    assert (engine.tokens[:, 2::2] == [4, 0]).all()
    assert runtime.asked == [1, 1, 1]


def test_a_later_field_sees_the_fields_chosen_before_it(pair, fake_runtime):
    seen = []

    class Watched(fake_runtime):
        def logits(self, field, chosen):
            seen.append((field, chosen.tolist()))
            return super().logits(field, chosen)

    write(Watched(sizes=(5, 6)), pair, steps=1, seeds=(3, 4))
    assert seen == [(1, [[3], [3]])]


def test_a_row_of_several_fields_ends_at_the_field_that_has_an_end(pair, fake_runtime):
    runtime = fake_runtime(sizes=(5, 6), bias=np.array([0, 50.0, 0, 0, 0, 0]))
    engine = write(runtime, pair, steps=5, may_end=True)
    assert engine.ended.all()
    assert engine.tokens[0, 2].tolist() == [END, 0]


def test_choices_without_a_usable_logit_are_counted_by_piece(toy):
    script = np.full((1, SIZE), np.nan, np.float32)
    assert write(ScriptedRuntime(script), toy, steps=9, seeds=(0, 1)).fallbacks.tolist() == [9, 9]


def test_the_repetition_penalty_looks_back_no_further_than_its_window(toy):
    script = np.zeros((1, SIZE), np.float32)
    script[0, NOTE : NOTE + 3] = [4.0, 3.0, 2.0]
    near = SamplingConfig(temperature=0, repetition_penalty=10.0, repetition_window=2)
    notes = write(ScriptedRuntime(script), toy, steps=6, sampling=near).tokens[0, 1:, 0] - NOTE
    assert notes.tolist() == [0, 1, 2, 0, 1, 2]


def test_an_illegal_prompt_goes_on_from_the_state_of_its_last_token(toy, fake_runtime):
    prompt = np.array([[PAD], [NOTE], [NOTE], [START], [NOTE + 1]])
    assert state_after(toy.grammar, prompt) == NOTE + 1
    engine = write(fake_runtime(), toy, steps=5, prompt=prompt)
    assert engine.tokens[0, 5, 0] != NOTE + 1


def test_a_new_window_begins_with_what_is_in_force(toy, fake_runtime):
    class Declaring(type(toy)):
        def preamble(self, tokens, at):
            return tokens[:1]

    runtime = fake_runtime(context=8)
    write(runtime, Declaring(), steps=9)
    assert runtime.rows[0][0] == [START]
    assert runtime.feeds[-2:] == ["reset", 4]


class NoteRuntime:
    """Equally likely values; counts what it is asked."""

    context = 64

    def __init__(self, tokenizer):
        self.sizes, self.length, self.windows = tokenizer.vocabulary.sizes, 0, []

    def reset(self, batch):
        self.batch, self.length = batch, 0

    def feed(self, tokens):
        if not self.length:
            self.windows.append(tokens)
        self.length += tokens.shape[1]

    def logits(self, field, chosen):
        logits = np.zeros((self.batch, self.sizes[field]), np.float32)
        if field == 0:
            logits[:, 0] = 3.0
        return logits


def test_rows_of_notes_are_legal_and_keep_their_prefix_in_sight():
    tokenizer = NoteTokenizer()
    runtime = NoteRuntime(tokenizer)
    engine = write(runtime, tokenizer, steps=150, seeds=(0, 1))
    for row, length in zip(engine.tokens, engine.lengths, strict=True):
        assert tokenizer.grammar.first_illegal(row[:length]) is None
    later = runtime.windows[-1]
    programs = [set(found) for found in (later[0, :, 2].tolist(), engine.tokens[0, :60, 2].tolist())]
    names = tokenizer.vocabulary.fields[2].tokens
    declared = [{value for value in found if names[value].startswith("program")} for found in programs]
    assert declared[0] == declared[1]


def test_a_piece_of_notes_has_exactly_the_bars_asked_for():
    tokenizer = NoteTokenizer()
    config = GenerationConfig(bars=3, variations=2)
    for piece in generate(NoteRuntime(tokenizer), tokenizer, config):
        assert piece.stopped_by == "length"
        names = tokenizer.vocabulary.fields[2].tokens
        assert [names[value] for value in piece.tokens[:, 2]].count("bar") == 4  # the last closes the third
        assert piece.score.end_ticks <= piece.score.metre_map.bar_to_ticks(3)


@pytest.mark.parametrize("clock", ["metrical", "performed"])
def test_an_end_that_is_the_only_row_of_its_kind_waits_for_the_length_too(clock):
    tokenizer = NoteTokenizer(NoteTokenizerConfig.parse({"clock": clock}))
    for piece in generate(NoteRuntime(tokenizer), tokenizer, GenerationConfig(seconds=30, variations=2)):
        assert tokenizer.clock(piece.tokens).seconds[-1] >= 30
        assert piece.score.duration_seconds <= 33.01


@pytest.mark.parametrize("length", [{"bars": 2}, {"seconds": 4}])
def test_a_prompt_whose_last_note_fills_the_length_is_refused(length):
    tokenizer = NoteTokenizer()
    with pytest.raises(GenerationError, match="as long as"):
        generate(NoteRuntime(tokenizer), tokenizer, GenerationConfig(**length), prompt=halves(4))
    (piece,) = generate(NoteRuntime(tokenizer), tokenizer, GenerationConfig(**length), prompt=halves(3))
    assert piece.score.notes.onset[:3].tolist() == [0, 960, 1920]


def halves(count):
    """So many notes of half a bar of 4/4, a second each."""
    same = np.ones(count, np.int64)
    return Score(notes=Notes(960 * np.arange(count), 960 * same, 60 * same, 66 * same, 0 * same), tracks=(Track(),))
