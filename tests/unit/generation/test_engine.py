"""Lockstep writing: the grammar holds, windows slide unnoticed, no piece depends on the ones beside it."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from aurl.data.tokenizers import NoteTokenizer, NoteTokenizerConfig
from aurl.generation.engine import Engine, Runtime
from aurl.generation.generator import GenerationConfig, generate
from aurl.generation.sampling import SamplingConfig
from aurl.music.score import Notes, Score, Track
from aurl.utils.errors import ConfigError, GenerationError, UnknownNameError

START, END, PAD, TICK, NOTE = range(5)
SIZE = 10
PLAIN = SamplingConfig()


def write(runtime, tokenizer, *, steps, seeds=(0,), prompt=None, sampling=PLAIN, may_end=False):
    start = tokenizer.vocabulary.start[None].astype(np.int64)
    given = start if prompt is None else prompt
    engine = Engine(runtime, tokenizer, sampling, prompts=[given] * len(seeds), seeds=seeds)
    for _ in range(steps):
        if engine.alive.any():
            engine.step(np.full(len(seeds), may_end))
    return engine


def written(engine, piece=0):
    """The rows of one piece."""
    return engine.tokens[piece, : engine.lengths[piece]]


class ScriptedRuntime:
    """The logits it was given, over and over, for every row."""

    context, lengths = 10_000, np.zeros(2, np.int64)

    def __init__(self, script):
        self.script, self.at = script, 0

    def reset(self, batch):
        self.batch = batch

    def feed(self, tokens, counts=None):
        self.at += 1

    def rewind(self, lengths): ...

    def select(self, pieces): ...

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
    assert runtime.feeds == ["reset", *[1] * 8, "rewind", 4, 1, 1, 1, 1, "rewind", 4]


def test_a_prompt_longer_than_the_context_is_read_from_its_end(toy, fake_runtime):
    prompt = np.array([[START], *[[TICK], [NOTE]] * 20])
    runtime = fake_runtime(context=8)
    slid = write(runtime, toy, steps=20, prompt=prompt)
    assert runtime.feeds[:3] == ["reset", "rewind", 4]
    assert np.array_equal(slid.tokens, write(fake_runtime(), toy, steps=20, prompt=prompt).tokens)


def test_a_piece_is_the_same_alone_and_in_any_batch(toy, fake_runtime):
    sampling = SamplingConfig(temperature=1.3, top_k=8, top_p=0.97, min_p=0.01, repetition_penalty=1.1)
    together = write(fake_runtime(), toy, steps=60, seeds=range(5), sampling=sampling, may_end=True)
    assert len(set(together.lengths.tolist())) > 1
    for seed in range(5):
        alone = write(fake_runtime(), toy, steps=60, seeds=(seed,), sampling=sampling, may_end=True)
        assert np.array_equal(written(alone), written(together, seed))


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
    for tokens in (written(engine, 0), written(engine, 1)):
        assert len(tokens) == 7
        assert (tokens[1::2, 0] == 3).all()
        assert (tokens[1::2, 1] >= 1).all()
        assert (tokens[2::2] == [4, 0]).all()
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
    notes = written(write(ScriptedRuntime(script), toy, steps=6, sampling=near))[1:, 0] - NOTE
    assert notes.tolist() == [0, 1, 2, 0, 1, 2]


def test_an_illegal_prompt_goes_on_from_the_state_of_its_last_token(toy, fake_runtime):
    prompt = np.array([[PAD], [NOTE], [NOTE], [START], [NOTE + 1]])
    assert write(fake_runtime(), toy, steps=0, prompt=prompt).states == [NOTE + 1]
    engine = write(fake_runtime(), toy, steps=5, prompt=prompt)
    assert engine.tokens[0, 5, 0] != NOTE + 1


def test_a_new_window_begins_with_what_is_in_force(toy, fake_runtime):
    class Declaring(type(toy)):
        def preamble(self, tokens, at):
            return tokens[:1]

    runtime = fake_runtime(context=8)
    write(runtime, Declaring(), steps=9)
    assert runtime.rows[0][0] == [START]
    assert runtime.feeds[-2:] == ["rewind", 4]


def test_rows_of_notes_are_legal_and_keep_their_prefix_in_sight(note_runtime):
    tokenizer = NoteTokenizer()
    runtime = note_runtime(tokenizer)
    engine = write(runtime, tokenizer, steps=150, seeds=(0, 1))
    for row, length in zip(engine.tokens, engine.lengths, strict=True):
        assert tokenizer.grammar.first_illegal(row[:length]) is None
    assert len(runtime.windows) > 4
    later, first = runtime.windows[-2], runtime.windows[0]
    assert (later[0] != first[0]).any()
    programs = [set(found) for found in (later[:, 2].tolist(), engine.tokens[0, :60, 2].tolist())]
    names = tokenizer.vocabulary.fields[2].tokens
    declared = [{value for value in found if names[value].startswith("program")} for found in programs]
    assert declared[0] == declared[1]


def test_a_piece_of_notes_has_exactly_the_bars_asked_for(note_runtime):
    tokenizer = NoteTokenizer()
    config = GenerationConfig(bars=3, variations=2)
    for piece in generate(note_runtime(tokenizer), tokenizer, config):
        assert piece.stopped_by == "length"
        names = tokenizer.vocabulary.fields[2].tokens
        assert [names[value] for value in piece.tokens[:, 2]].count("bar") == 4  # the last closes the third
        assert piece.score.end_ticks <= piece.score.metre_map.bar_to_ticks(3)


@pytest.mark.parametrize("clock", ["metrical", "performed"])
def test_an_end_that_is_the_only_row_of_its_kind_waits_for_the_length_too(note_runtime, clock):
    tokenizer = NoteTokenizer(NoteTokenizerConfig.parse({"clock": clock}))
    for piece in generate(note_runtime(tokenizer), tokenizer, GenerationConfig(seconds=30, variations=2)):
        assert tokenizer.clock(piece.tokens).seconds[-1] >= 30
        assert piece.score.duration_seconds <= 33.01


@pytest.mark.parametrize("length", [{"bars": 2}, {"seconds": 4}])
def test_a_prompt_whose_last_note_fills_the_length_is_refused(note_runtime, length):
    tokenizer = NoteTokenizer()
    with pytest.raises(GenerationError, match="as long as"):
        generate(note_runtime(tokenizer), tokenizer, GenerationConfig(**length), prompt=halves(4))
    (piece,) = generate(note_runtime(tokenizer), tokenizer, GenerationConfig(**length), prompt=halves(3))
    assert piece.score.notes.onset[:3].tolist() == [0, 960, 1920]


def halves(count):
    """So many notes of half a bar of 4/4, a second each."""
    same = np.ones(count, np.int64)
    return Score(notes=Notes(960 * np.arange(count), 960 * same, 60 * same, 66 * same, 0 * same), tracks=(Track(),))


@pytest.mark.parametrize("context", [9, 1000])
def test_pieces_that_begin_differently_are_each_as_if_alone(toy, fake_runtime, context):
    prompts = [np.array([[START], *[[TICK], [NOTE + n]] * count]) for n, count in enumerate((0, 7, 2))]
    sampling = SamplingConfig(repetition_penalty=1.3, ngram=2, repetition_window=20)

    def go_on(numbers):
        runtime = fake_runtime(context=context)
        engine = Engine(runtime, toy, sampling, prompts=[prompts[n] for n in numbers], seeds=numbers)
        for _ in range(40):
            engine.step(np.zeros(len(numbers), np.bool_))
        return engine

    together = go_on([0, 1, 2])
    for piece in range(3):
        assert np.array_equal(written(go_on([piece])), written(together, piece))
        assert np.array_equal(written(together, piece)[: len(prompts[piece])], prompts[piece])


def test_a_selected_piece_goes_on_as_a_copy(toy, fake_runtime):
    engine = write(fake_runtime(), toy, steps=10, seeds=(0, 1, 2))
    before = [written(engine, piece).copy() for piece in range(3)]
    engine.select(np.array([2, 2, 0]))
    assert all(np.array_equal(written(engine, new), before[old]) for new, old in enumerate((2, 2, 0)))
    engine.step(np.zeros(3, np.bool_))
    for piece in range(3):
        assert toy.grammar.first_illegal(written(engine, piece)) is None
        assert engine.runtime.rows[piece] == written(engine, piece)[:-1].tolist()


def told_to_play(note_runtime, tokenizer, control):
    """A runtime that leans to the highest pitches as far as `control` is told among the rows it holds."""

    class Told(note_runtime):
        def logits(self, field, chosen):
            logits = super().logits(field, chosen)
            if field == 2:
                is_told = [any(row[2] == control for row in rows) for rows in self.rows]
                first = tokenizer.layout.first["pitch"]
                logits[is_told, first + 64 : first + 128] += 1.0
            return logits

    return Told(tokenizer, context=400)


def test_guidance_makes_more_of_the_controls(note_runtime):
    tokenizer = NoteTokenizer(NoteTokenizerConfig(styles=("High",)))
    layout = tokenizer.layout
    shares = []
    for guidance in (0.0, 1.0, 4.0):
        runtime = told_to_play(note_runtime, tokenizer, layout.first["style"] + 1)
        config = GenerationConfig.parse(
            {"bars": 30, "guidance": guidance, "conditions": {"style": "High", "instruments": ["piano"]}}
        )
        (piece,) = generate(runtime, tokenizer, config)
        assert len(runtime.rows) == (1 if guidance == 1 else 2)
        shares.append((piece.score.notes.pitch >= 64).mean())
        if guidance != 1:
            told, untold = (np.array(rows) for rows in runtime.rows)
            assert np.array_equal(tokenizer.unconditional(told), untold)
            assert (told != untold).any()
    assert shares[0] < shares[1] < shares[2]
    assert shares[2] > 0.9


def test_guidance_needs_controls(toy, fake_runtime):
    with pytest.raises(ConfigError, match="no controls to guide by"):
        generate(fake_runtime(), toy, GenerationConfig(seconds=5, guidance=2))


def test_a_temperature_of_a_field_that_there_is_not_is_refused(toy, fake_runtime):
    with pytest.raises(UnknownNameError, match="'when'"):
        write(fake_runtime(), toy, steps=1, sampling=SamplingConfig(temperatures={"when": 1.0}))


def test_a_field_with_temperature_zero_does_not_depend_on_the_seed(pair, fake_runtime):
    def pitches(**temperatures):
        sampling = SamplingConfig(temperatures=temperatures)
        start = np.zeros((1, 2), np.int64)
        engine = write(fake_runtime(sizes=(5, 6)), pair, steps=20, seeds=(0, 1), prompt=start, sampling=sampling)
        return [written(engine, piece)[:, 1].tolist() for piece in range(2)]

    assert len({tuple(each) for each in pitches()}) == 2
    assert len({tuple(each) for each in pitches(pitch=0)}) == 1
