"""What each filter keeps, that draws follow the distribution, and that no logits can make the sampler fail."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from aurl.generation.sampling import (
    Sampler,
    SamplingConfig,
    build_filters,
    build_samplers,
    draw,
    keep_epsilon,
    keep_likeliest,
    keep_min_p,
    keep_typical,
    penalize_ngrams,
    penalize_recent,
    weigh,
)
from aurl.utils.errors import ConfigError, UnknownNameError

NOTHING_RECENT = np.zeros(0, np.int64)


def row(*probabilities: float) -> np.ndarray:
    """Logits with these probabilities; 0 becomes -inf."""
    with np.errstate(divide="ignore"):
        return np.log(np.array(probabilities, np.float64)).astype(np.float32)


def kept(weights: np.ndarray) -> list[int]:
    return np.flatnonzero(weights).tolist()


def sample(config: SamplingConfig, logits: np.ndarray, count: int) -> np.ndarray:
    """`count` draws from the same logits."""
    sampler, every = Sampler(config), np.arange(len(logits))
    uniforms = np.random.default_rng(0).random(count).tolist()
    return np.array([sampler(logits, every, uniform, NOTHING_RECENT)[0] for uniform in uniforms])


def chi_square(draws: np.ndarray, probabilities: np.ndarray) -> float:
    expected = probabilities * len(draws)
    return float(((np.bincount(draws, minlength=len(expected)) - expected) ** 2 / expected).sum())


def test_draws_follow_the_softmax():
    probabilities = np.array([0.4, 0.3, 0.2, 0.07, 0.03])
    draws = sample(SamplingConfig(), row(*probabilities), 4_000)
    assert chi_square(draws, probabilities) < 18.5  # the 0.999 quantile of 4 degrees of freedom


def test_temperature_reshapes_the_distribution_as_a_power():
    probabilities = np.array([0.5, 0.3, 0.2])
    draws = sample(SamplingConfig(temperature=2.0), row(*probabilities), 4_000)
    assert chi_square(draws, probabilities**0.5 / (probabilities**0.5).sum()) < 13.8
    assert chi_square(draws, probabilities) > 100


def test_the_uniform_number_alone_decides_and_zero_probability_is_never_drawn():
    weights = weigh(row(0, 0.25, 0, 0.75, 0))
    assert [draw(weights, uniform) for uniform in (0.0, 0.2499, 0.2501, 1 - 2**-53)] == [1, 1, 3, 3]
    assert draw(np.zeros(5), 0.5) is None


def test_greedy_takes_the_likeliest_and_the_first_of_equals():
    assert set(sample(SamplingConfig(temperature=0), row(0.3, 0.35, 0.35), 50)) == {1}


def test_top_k_keeps_exactly_k_even_among_equals():
    assert kept(keep_likeliest(weigh(row(0.1, 0.2, 0.2, 0.5)), 2)) == [1, 3]
    assert kept(keep_likeliest(np.ones(9), 4)) == [0, 1, 2, 3]


def test_top_k_beyond_the_vocabulary_keeps_everything():
    weights = weigh(row(0.5, 0.25, 0.25))
    assert np.array_equal(keep_likeliest(weights, 1000), weights)
    assert set(sample(SamplingConfig(top_k=1000), row(0.5, 0.25, 0.25), 200)) == {0, 1, 2}


def test_top_p_keeps_the_smallest_set_that_reaches_the_mass():
    weights = weigh(row(0.1, 0.5, 0.3, 0.1))
    assert kept(keep_likeliest(weights, mass=0.45)) == [1]
    assert kept(keep_likeliest(weights, mass=0.7)) == [1, 2]
    assert kept(keep_likeliest(weights, mass=0.85)) == [0, 1, 2]
    assert kept(keep_likeliest(weights, mass=0.0)) == [1]


def full_sort_top_p(weights: np.ndarray, mass: float) -> np.ndarray:
    """The definition, written plainly."""
    order = np.argsort(-weights, kind="stable")
    before = weights[order].cumsum() - weights[order]
    keep = order[before < mass * weights[order].sum()]
    return np.sort(keep if len(keep) else order[:1])


@given(st.integers(1, 400), st.floats(0.01, 0.999), st.integers(0, 10_000), st.sampled_from([0.01, 1.0, 5.0]))
def test_top_p_is_its_definition(size, mass, seed, spread):
    weights = weigh(np.random.default_rng(seed).normal(0, spread, size).astype(np.float32))
    ours, plain = set(kept(keep_likeliest(weights, mass=mass))), set(full_sort_top_p(weights, mass))
    assert len(ours ^ plain) <= 1  # sums in another order may round across the boundary


@given(st.integers(1, 90), st.integers(1, 100), st.floats(0.01, 0.999), st.integers(0, 10_000))
def test_top_p_after_top_k_is_one_after_the_other(size, count, mass, seed):
    weights = weigh(np.random.default_rng(seed).integers(-3, 3, size).astype(np.float32))
    both = keep_likeliest(weights, count, mass)
    in_turn = keep_likeliest(keep_likeliest(weights, count), mass=mass)
    assert kept(both) == kept(in_turn)
    assert len(kept(both)) <= count


def test_epsilon_is_a_probability_and_spares_the_likeliest():
    assert kept(keep_epsilon(weigh(row(0.6, 0.3, 0.07, 0.03)), 0.05)) == [0, 1, 2]
    assert kept(keep_epsilon(weigh(row(0.98, 0.02)), 0.015)) == [0, 1]  # where top_p 0.95 leaves one
    assert kept(keep_epsilon(weigh(row(0.4, 0.3, 0.3)), 0.9)) == [0]


def test_min_p_is_relative_to_the_likeliest():
    assert kept(keep_min_p(weigh(row(0.6, 0.3, 0.07, 0.03)), 0.1)) == [0, 1, 2]


def test_the_penalty_lowers_recent_values_whatever_their_sign():
    penalized = penalize_recent(np.array([2.0, -2.0, 1.0]), np.array([0, 1, 0]), 2.0)
    assert penalized.tolist() == [1.0, -4.0, 1.0]


def test_a_penalty_makes_the_sampler_avoid_what_it_just_chose():
    sampler = Sampler(SamplingConfig(temperature=0, repetition_penalty=1.5))
    value, _ = sampler(np.array([3.0, 2.5], np.float32), np.arange(2), 0.0, np.array([0]))
    assert value == 1


def test_only_active_filters_are_built():
    assert build_filters(SamplingConfig(temperature=0.9)) == []
    assert len(build_filters(SamplingConfig(top_k=5, top_p=0.9, min_p=0.1, epsilon=0.1, typical_p=0.9))) == 4
    assert len(build_filters(SamplingConfig(temperature=0, top_k=5, top_p=0.9, min_p=0.1))) == 1


@pytest.mark.parametrize("logits", [[9.0, np.nan, np.nan, np.nan], [9.0, np.nan, -np.inf, np.nan]])
def test_logits_that_are_not_usable_give_a_possible_value_and_are_told(logits):
    value, lost = Sampler(SamplingConfig())(np.array(logits, np.float32), np.array([1, 2]), 0.9, NOTHING_RECENT)
    assert lost
    assert value == 1


def test_a_filter_that_leaves_nothing_falls_back_to_the_likeliest_possible_value():
    sampler = Sampler(SamplingConfig())
    sampler.filters = [np.zeros_like]
    assert sampler(row(0.7, 0.1, 0.2), np.array([1, 2]), 0.0, NOTHING_RECENT) == (2, True)


def test_infinite_logits_win_alone():
    draws = sample(SamplingConfig(), np.array([0.0, np.inf, 5.0, np.inf], np.float32), 100)
    assert set(draws) == {1, 3}


configs = st.builds(
    SamplingConfig,
    temperature=st.sampled_from([0.0, 1e-320, 1e-9, 0.7, 1.0, 1e6, 1e300]),
    top_k=st.sampled_from([0, 1, 3, 10_000]),
    top_p=st.sampled_from([0.0, 1e-9, 0.5, 0.95, 1.0]),
    min_p=st.sampled_from([0.0, 0.05, 1.0]),
    typical_p=st.sampled_from([1e-9, 0.5, 1.0]),
    ngram=st.sampled_from([0, 1, 2, 9]),
    ngram_penalty=st.sampled_from([1.0, 4.0, float("inf")]),
    repetition_penalty=st.sampled_from([1e-300, 0.5, 1.0, 1.3, 1e300]),
)


@given(
    configs,
    arrays(np.float32, 7, elements=st.floats(width=32)),
    st.sets(st.integers(0, 6), min_size=1),
    st.lists(st.integers(0, 6), max_size=4),
    st.floats(0, 1, exclude_max=True),
)
def test_any_logits_give_a_possible_value_and_others_do_not_matter(config, logits, possible, recent, uniform):
    sampler, values, before = Sampler(config), np.array(sorted(possible)), np.array(recent, np.int64)
    recent = before if sampler.config.window else NOTHING_RECENT
    value, lost = sampler(logits, values, uniform, recent)
    assert value in possible
    impossible = np.full(7, np.nan, np.float32)
    impossible[values] = logits[values]
    assert sampler(impossible, values, uniform, recent) == (value, lost)


def test_extreme_temperatures_approach_their_limits():
    logits = row(0.1, 0.6, 0.3)
    assert kept(weigh(logits, 1e-9)) == [1]
    assert chi_square(sample(SamplingConfig(temperature=1e6), logits, 2_000), np.full(3, 1 / 3)) < 13.8


@pytest.mark.parametrize(
    "wrong",
    [{"temperature": -0.1}, {"temperature": float("inf")}, {"top_k": -1}, {"top_p": 1.5}, {"min_p": -1},
     {"typical_p": 0}, {"ngram": -1}, {"ngram_penalty": 0.5}, {"temperatures": {"what": -1}},
     {"repetition_penalty": 0}, {"repetition_window": 0}, {"top_q": 1}],
)  # fmt: skip
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(ConfigError):
        SamplingConfig.parse(wrong)


def test_typical_keeps_what_surprises_as_much_as_expected():
    """Surprises 0.69, 1.39, 2.08, 2.08 nats around an entropy of 1.21: the second value is the most typical."""
    weights = weigh(row(0.5, 0.25, 0.125, 0.125))
    assert kept(keep_typical(weights, 0.2)) == [1]
    assert kept(keep_typical(weights, 0.3)) == [0, 1]
    assert kept(keep_typical(weights, 1.0)) == [0, 1, 2, 3]
    assert kept(keep_typical(weigh(row(0, 0, 1)), 0.5)) == [2]
    assert kept(keep_typical(np.zeros(3), 0.5)) == []


@given(st.integers(2, 60), st.floats(0.01, 1), st.integers(0, 10_000))
def test_typical_keeps_its_mass_and_no_value_more_than_needed(size, mass, seed):
    logits = np.random.default_rng(seed).normal(0, 2, size)
    share = np.exp(logits) / np.exp(logits).sum()
    distance = np.abs(-np.log(share) + (share * np.log(share)).sum())
    chosen = kept(keep_typical(weigh(logits), mass))
    assert share[chosen].sum() >= mass - 1e-9
    least_typical = max(chosen, key=lambda value: distance[value])
    assert share[chosen].sum() - share[least_typical] < mass + 1e-9
    assert distance[chosen].max() <= min((distance[n] for n in range(size) if n not in chosen), default=np.inf) + 1e-9


def test_a_run_that_was_heard_is_made_less_likely_to_come_again():
    logits, recent = np.zeros(4), np.array([0, 1, 2, 0, 1])
    assert penalize_ngrams(logits, recent, 3, 4.0).tolist() == pytest.approx([0, 0, -np.log(4), 0])
    assert penalize_ngrams(logits, np.array([0, 1, 2, 1, 0]), 3, 4.0).tolist() == [0, 0, 0, 0]
    assert np.isfinite(penalize_ngrams(logits, recent, 3, np.inf)).tolist() == [True, True, False, True]
    assert penalize_ngrams(logits, recent[:2], 3, 4.0) is logits
    assert penalize_ngrams(logits, recent, 1, 4.0).tolist() == pytest.approx([-np.log(4)] * 3 + [0])


def test_what_is_forbidden_is_so_however_likely():
    assert penalize_ngrams(np.array([np.inf, 1.0]), np.array([0]), 1, float("inf")).tolist() == [-np.inf, 1.0]


def test_forbidding_every_run_leaves_the_likeliest_and_says_so():
    sampler = Sampler(SamplingConfig(ngram=1, ngram_penalty=float("inf")))
    assert sampler(np.array([1.0, 2.0, 9.0]), np.array([0, 1]), 0.0, np.array([0, 1])) == (1, True)


def test_a_field_may_have_a_temperature_of_its_own():
    config = SamplingConfig(temperature=0.5, temperatures={"what": 0, "who": 2.0})
    samplers = build_samplers(config, ["when", "who", "what"])
    assert [sampler.config.temperature for sampler in samplers] == [0.5, 2.0, 0]
    with pytest.raises(UnknownNameError, match="did you mean 'what'"):
        build_samplers(SamplingConfig(temperatures={"waht": 1.0}), ["when", "who", "what"])
