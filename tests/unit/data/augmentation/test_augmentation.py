"""What holds for every augmentation, and when each happens."""

import numpy as np
import pytest
from hypothesis import given, settings

from aurl.data.augmentation import AUGMENTATIONS, Augmenter, HumaniseConfig, TransposeConfig, VelocityConfig, augmented
from aurl.data.course import Course
from aurl.music.score import Score
from aurl.utils.errors import ConfigError
from random_scores import scores, snapshot

NAMES = ["dropout", "humanise", "instruments", "stretch", "swing", "transpose", "velocity"]


def apply(name, score, seed=0, **options):
    return AUGMENTATIONS.build(AUGMENTATIONS.parse({"name": name, **options}))(score, np.random.default_rng(seed))


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=15)
@given(score=scores())
def test_augmentations_are_pure_and_the_same_for_the_same_numbers(name, score):
    before = snapshot(score)
    result = apply(name, score)
    assert snapshot(score) == before
    assert apply(name, score) == result
    if name not in ("dropout", "swing", "humanise"):
        assert (result.notes.onset == score.notes.onset).all()


@pytest.mark.parametrize("name", ["instruments", "transpose"])
@settings(max_examples=15)
@given(score=scores())
def test_drums_stay_untouched(name, score):
    result = apply(name, score)
    assert result.notes.take(~result.is_pitched) == score.notes.take(~score.is_pitched)
    assert result.tracks[2] == score.tracks[2]


def test_every_augmentation_is_tested_above():
    assert AUGMENTATIONS.names() == NAMES


CONFIGS = [
    TransposeConfig(probability=0.5),
    VelocityConfig(probability=Course(kind="linear", start=0, end=1, epochs=5)),
]


def drawn(augmenter, epoch):
    return [len(augmenter.draw(epoch, piece)[0]) for piece in range(400)]


def test_pieces_are_drawn_as_often_as_the_course_says():
    augmenter = Augmenter(CONFIGS, seed=1)
    assert np.mean(drawn(augmenter, 0)) == pytest.approx(0.5, abs=0.1)
    assert np.mean(drawn(augmenter, 4)) == pytest.approx(1.5, abs=0.1)
    assert np.mean(drawn(augmenter, 99)) == pytest.approx(1.5, abs=0.1)


@given(score=scores(most_notes=5))
def test_draws_follow_from_seed_epoch_and_piece_alone(score):
    configs = [HumaniseConfig(), TransposeConfig()]
    first, second = Augmenter(configs, seed=1), Augmenter(configs, seed=1)
    second.draw(0, 0)
    assert augmented(score, first.draw(3, 7)) == augmented(score, second.draw(3, 7))


def test_without_augmentations_a_piece_stays():
    assert augmented(Score(), Augmenter([], seed=1).draw(0, 0)) == Score()


def test_seeds_epochs_and_pieces_differ():
    draws = [
        Augmenter([TransposeConfig()], seed).draw(*at)[1].random() for seed in (1, 2) for at in [(0, 0), (0, 1), (1, 0)]
    ]
    assert len(set(draws)) == 6


@pytest.mark.parametrize("options", [{"probability": 1.5}, {"probability": {"start": 0, "end": 2}}, {"semitones": 13}])
def test_impossible_settings_are_refused(options):
    with pytest.raises(ConfigError):
        AUGMENTATIONS.parse({"name": "transpose", **options})
