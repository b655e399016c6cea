"""Requests: lengths are kept, prompts stay as they were, seeds decide, and every way to stop has its name."""

import numpy as np
import pytest

from aurl.generation.generator import GenerationConfig, generate
from aurl.generation.sampling import SamplingConfig
from aurl.utils.errors import ConfigError, GenerationError

START, END, PAD, TICK, NOTE = range(5)


def ask(runtime, tokenizer, prompt=None, on_progress=None, **settings):
    return generate(runtime, tokenizer, GenerationConfig(**settings), prompt=prompt, on_progress=on_progress)


def same(one, other):
    return np.array_equal(one.tokens, other.tokens) and one.score == other.score


def test_a_length_in_seconds_is_reached_and_not_overrun(toy, fake_runtime):
    for piece in ask(fake_runtime(), toy, seconds=40.0, variations=4):
        assert piece.stopped_by in ("end", "length")
        assert 40 <= toy.clock(piece.tokens).seconds[-1] <= 44
        assert piece.score.duration_seconds <= 44
        assert toy.grammar.first_illegal(piece.tokens) is None


def test_an_eager_end_waits_for_the_length_and_then_comes(toy, biased):
    (piece,) = ask(biased(end=50.0, tick=3.0), toy, seconds=20.0)
    assert piece.stopped_by == "end"
    assert piece.tokens[-1, 0] == END
    assert (piece.tokens[:-1, 0] != END).all()
    assert toy.clock(piece.tokens).seconds[-1] == 20


def test_a_piece_that_will_not_end_is_cut_with_its_notes_closed(toy, biased):
    (piece,) = ask(biased(end=-1e9), toy, seconds=20.0)
    assert piece.stopped_by == "length"
    assert toy.clock(piece.tokens).seconds[-1] == 22
    assert piece.score.end_ticks == 22 * 960


def test_bars_are_cut_at_the_bar_line(toy, biased):
    (piece,) = ask(biased(end=50.0), toy, bars=7)
    assert piece.stopped_by == "length"
    assert piece.score.end_ticks == 7 * 4 * 480
    assert toy.clock(piece.tokens).bars[-1] == 7


def test_a_token_that_jumps_over_the_limit_is_clipped_in_the_score(toy, fake_runtime):
    (piece,) = ask(fake_runtime(), toy, seconds=12.5)
    assert piece.score.duration_seconds <= 13.75


def test_a_model_that_never_moves_on_stops_and_says_so(toy, biased):
    (piece,) = ask(biased(tick=-1e9, end=-1e9), toy, seconds=0.2)
    assert piece.stopped_by == "max_tokens"
    assert piece.score.end_ticks == 0
    assert len(piece.tokens) < 600


def test_max_tokens_counts_new_tokens(toy, biased, melody):
    (piece,) = ask(biased(end=-1e9), toy, prompt=melody, max_tokens=9)
    assert piece.stopped_by == "max_tokens"
    assert len(piece.tokens) == piece.prompt_tokens + 9


def test_without_a_length_the_model_decides(toy, biased):
    pieces = ask(biased(end=1.0), toy, variations=3)
    assert {piece.stopped_by for piece in pieces} == {"end"}
    assert len({len(piece.tokens) for piece in pieces}) > 1


def test_running_out_of_tokens_beyond_the_length_is_still_the_length(toy, biased):
    tokens = len(ask(biased(end=-1e9), toy, seconds=30.0)[0].tokens) - 1
    (piece,) = ask(biased(end=-1e9), toy, seconds=30.0, max_tokens=tokens)
    assert piece.stopped_by == "length"


def test_the_prompt_is_the_head_of_every_piece(toy, fake_runtime, melody):
    given = toy.encode(melody)[:-1]
    for piece in ask(fake_runtime(), toy, prompt=melody, seconds=30.0, variations=3):
        assert piece.prompt_tokens == len(given)
        assert np.array_equal(piece.tokens[: len(given)], given)
        assert piece.score.notes.take(slice(0, 11)) == melody.notes.take(slice(0, 11))
        assert 30 <= toy.clock(piece.tokens).seconds[-1] <= 33


def test_an_opening_has_a_start_and_no_end(toy, melody):
    assert toy.opening(None).tolist() == [[START]]
    assert toy.opening(melody)[0, 0] == START
    assert (toy.opening(melody) != END).all()


def test_a_tokenizer_that_writes_no_end_loses_nothing(toy, melody):
    toy.encode = lambda score: np.array([[START], [NOTE], [TICK]], np.uint16)
    assert toy.opening(melody).tolist() == [[START], [NOTE], [TICK]]


@pytest.mark.parametrize("length", [{"seconds": 10.0}, {"seconds": 12.0}, {"bars": 6}])
def test_a_prompt_as_long_as_the_piece_is_refused_with_both_lengths(toy, fake_runtime, melody, length):
    with pytest.raises(GenerationError, match=r"found: a prompt of (12 seconds|6 bars)"):
        ask(fake_runtime(), toy, prompt=melody, **length)


def test_variation_i_of_a_seed_is_the_piece_of_seed_plus_i(toy, fake_runtime):
    together = ask(fake_runtime(), toy, seconds=9.0, seed=7, variations=3)
    assert [piece.seed for piece in together] == [7, 8, 9]
    for piece in together:
        assert same(ask(fake_runtime(), toy, seconds=9.0, seed=piece.seed)[0], piece)
    assert not same(together[0], together[1])


def test_a_context_shorter_than_the_piece_makes_no_difference_to_a_short_memory(toy, fake_runtime):
    whole = ask(fake_runtime(), toy, seconds=25.0, variations=2)
    slid = ask(fake_runtime(context=16), toy, seconds=25.0, variations=2)
    assert all(map(same, whole, slid))


def test_greedy_pieces_do_not_depend_on_the_seed(toy, fake_runtime):
    pieces = ask(fake_runtime(), toy, seconds=15.0, variations=2, sampling=SamplingConfig(temperature=0))
    assert same(*pieces)


def test_a_damaged_model_still_gives_a_piece_and_is_reported(toy, fake_runtime):
    (piece,) = ask(fake_runtime(bias=np.full(10, np.nan)), toy, seconds=2.0, max_tokens=30)
    assert piece.fallbacks == len(piece.tokens) - 1
    assert toy.grammar.first_illegal(piece.tokens) is None


def test_progress_tells_music_done_of_music_wanted(toy, fake_runtime):
    heard = []
    pieces = ask(fake_runtime(), toy, seconds=40.0, variations=2, on_progress=heard.append)
    assert [p.done for p in heard] == sorted(p.done for p in heard)
    assert (heard[-1].done, heard[-1].wanted, heard[-1].unit) == (40.0, 40.0, "seconds")
    assert all(p.tokens_per_second > 0 for p in heard)
    assert heard[-1].tokens == sum(len(p.tokens) - p.prompt_tokens for p in pieces)


def test_progress_without_a_length_has_nothing_wanted(toy, biased):
    heard = []
    ask(biased(end=-1e9), toy, max_tokens=64, on_progress=heard.append)
    assert {p.wanted for p in heard} == {None}
    assert heard[-1].done > 0


def test_two_lengths_are_refused():
    with pytest.raises(ConfigError, match="one length"):
        GenerationConfig(seconds=10, bars=4)
    with pytest.raises(ConfigError, match="one length"):
        GenerationConfig.parse({"seconds": 10, "bars": 4})


@pytest.mark.parametrize("wrong", [{"seconds": 0}, {"bars": 0}, {"variations": 0}, {"seed": -1}, {"max_tokens": 0}])
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(ConfigError):
        GenerationConfig.parse(wrong)
