"""What holds for every transform, and how chains of them are said."""

import pytest
from hypothesis import given, settings

from aurl.data.preprocessing import TRANSFORMS, StepsConfig, apply_transforms, parse_step
from aurl.utils.errors import ConfigError, UnknownNameError
from random_scores import scores, snapshot

STEPS = [
    "quantise", "quantise:mode=groove", "quantise:mode=adaptive,grid=[16,12,32]", "normalise_velocity", "fold_range",
    "reduce_polyphony:voices=2", "pedal_to_durations", "trim_silence", "select_tracks:roles=[bass]", "transpose",
    "ritardando:bars=1", "align_bars",
]  # fmt: skip


@pytest.mark.parametrize("step", STEPS)
@settings(max_examples=15)
@given(score=scores())
def test_the_score_given_stays_as_it_is_and_metadata_is_kept(step, score):
    score = score.replace(metadata={"title": "song"})
    before = snapshot(score)
    (result,) = [apply_transforms(score, [parse_step(step)])]
    assert snapshot(score) == before
    assert result.metadata == {"title": "song"}


@pytest.mark.parametrize("step", [step for step in STEPS if "mode" not in step and "rit" not in step])
@settings(max_examples=15)
@given(score=scores())
def test_doing_it_again_changes_nothing(step, score):
    once = apply_transforms(score, [parse_step(step)])
    assert apply_transforms(once, [parse_step(step)]) == once


def test_every_transform_is_tested_above():
    assert {step.partition(":")[0] for step in STEPS} == set(TRANSFORMS.names())


def test_a_step_is_a_name_with_options_in_yaml():
    config = parse_step("quantise:grid=[16,12],mode=groove,strength=0.5")
    assert (config.grid, config.mode, config.strength) == ((16, 12), "groove", 0.5)
    assert parse_step("quantise:grid=32").grid == (32,)
    assert (
        StepsConfig.parse({"transforms": ["quantise", {"name": "fold_range", "lowest": 40}]}).transforms[1].lowest == 40
    )


@pytest.mark.parametrize(
    "step", ["quantize", "quantise:gird=16", "quantise:mode", "quantise:grid=7", "fold_range:lowest=100"]
)
def test_a_step_that_is_none_is_refused(step):
    with pytest.raises(ConfigError):
        parse_step(step)


def test_a_misspelt_step_is_told_the_right_name():
    with pytest.raises(UnknownNameError, match="did you mean 'quantise'"):
        parse_step("quantize")
