"""A checkpoint holds all that training changes, refuses another experiment, and holds nothing pickled."""

import logging
import random
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from aurl.training.checkpoint import Checkpoints, Trained, TrainingState, require_same_experiment
from aurl.training.optimizers import OPTIMIZERS, AdamWConfig
from aurl.utils.errors import CheckpointError, ConfigError, StorageError
from aurl.utils.folders import verify_folder

EXPERIMENT = {"model": {"width": 8, "sizes": (2, 3)}, "training": {"steps": 10, "optimizer": {"name": "adamw"}}}


def trained(seed=0, updates=2):
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    optimizer = OPTIMIZERS.build(AdamWConfig(), model)
    for _ in range(updates):
        model(torch.randn(5, 3)).square().mean().backward()
        optimizer.step()
    return Trained(model, optimizer, EXPERIMENT)


def draw():
    return [random.random(), float(np.random.rand()), float(torch.rand(()))]


def test_everything_comes_back(tmp_path):
    checkpoints, saved = Checkpoints(tmp_path, keep=2), trained()
    folder = checkpoints.save(saved, TrainingState(7, 100, 1.5, 9.25, 3), score=9.25)
    drawn = draw()
    fresh = trained(seed=1, updates=0)
    state = checkpoints.restore(folder, fresh)
    assert state == TrainingState(7, 100, 1.5, 9.25, 3)
    assert draw() == drawn
    for mine, theirs in zip(fresh.model.parameters(), saved.model.parameters(), strict=True):
        assert torch.equal(mine, theirs)
        before, now = saved.optimizer.state[theirs], fresh.optimizer.state[mine]
        assert before.keys() == now.keys() >= {"step", "exp_avg", "exp_avg_sq"}
        assert all(torch.equal(before[name], now[name]) for name in before)
    assert verify_folder(folder)["metadata"] == {"step": 7, "bits_per_note": 9.25, "scored_on": {}}


def test_an_optimiser_without_memory_can_be_saved(tmp_path):
    checkpoints = Checkpoints(tmp_path, keep=2)
    folder = checkpoints.save(trained(updates=0), TrainingState())
    assert checkpoints.restore(folder, trained(updates=0)) == TrainingState()


def test_the_settings_of_the_optimiser_are_those_of_now(tmp_path):
    checkpoints = Checkpoints(tmp_path, keep=2)
    folder = checkpoints.save(trained(), TrainingState(1))
    fresh = trained()
    fresh.optimizer.param_groups[0]["weight_decay"] = 0.7
    checkpoints.restore(folder, fresh)
    assert fresh.optimizer.param_groups[0]["weight_decay"] == 0.7


DATA = {"train_split": "train", "valid_split": "valid", "valid_pieces": None}


@pytest.mark.parametrize(
    ("changed", "best"),
    [
        ({}, 9.0),
        ({"data": {**DATA, "train_split": "all"}}, 9.0),
        ({"data": {**DATA, "valid_split": "test"}}, None),
        ({"data": {**DATA, "valid_pieces": 3}}, None),
        ({"corpus_fingerprint": "b"}, None),
    ],
)
def test_the_best_score_holds_only_for_the_pieces_it_was_measured_on(tmp_path, caplog, changed, best):
    checkpoints, first = Checkpoints(tmp_path, keep=1), trained()
    experiment = {**EXPERIMENT, "data": DATA, "corpus_fingerprint": "a"}
    old = checkpoints.save(replace(first, experiment=experiment), TrainingState(1, best_score=9.0), score=9.0)
    now = replace(first, experiment={**experiment, **changed})
    with caplog.at_level(logging.WARNING):
        assert checkpoints.restore(old, now).best_score == best
    assert len(caplog.messages) == len(changed)
    checkpoints.save(now, TrainingState(2), score=9.5)
    checkpoints.save(now, TrainingState(3))
    kept = ["step-000000002" if best is None else "step-000000001", "step-000000003"]
    assert sorted(item.name for item in tmp_path.iterdir()) == kept


def test_a_file_in_the_place_of_the_folder_is_a_storage_error(tmp_path):
    (tmp_path / "checkpoints").touch()
    with pytest.raises(StorageError, match="File exists"):
        Checkpoints(tmp_path / "checkpoints", keep=2)


def test_nothing_is_pickled(tmp_path):
    folder = Checkpoints(tmp_path, keep=2).save(trained(), TrainingState(1))
    names = {item.name for item in folder.iterdir()}
    assert names == {"model.safetensors", "optimizer.safetensors", "state.json", "config.yaml", "manifest.json"}


def test_without_a_checkpoint_there_is_no_newest(tmp_path):
    assert Checkpoints(tmp_path, keep=2).newest() is None


def test_a_half_written_checkpoint_of_a_dead_run_is_cleared_away(tmp_path):
    (tmp_path / f".tmp-step-000000009-{2**22 + 1}").mkdir()
    assert Checkpoints(tmp_path, keep=2).newest() is None
    assert list(tmp_path.iterdir()) == []


def test_weights_that_do_not_fit_are_refused(tmp_path):
    checkpoints = Checkpoints(tmp_path, keep=2)
    folder = checkpoints.save(trained(), TrainingState(1))
    model = nn.Linear(3, 4)
    other = Trained(model, OPTIMIZERS.build(AdamWConfig(), model), EXPERIMENT)
    with pytest.raises(CheckpointError, match="do not fit"):
        checkpoints.restore(folder, other)


def saved_experiment():
    return {"model": {"width": 8, "sizes": [2, 3]}, "training": {"steps": 10, "optimizer": {"name": "adamw"}}}


def test_the_same_experiment_passes_whatever_its_sequences_are(caplog):
    require_same_experiment(saved_experiment(), EXPERIMENT)
    assert caplog.messages == []


@pytest.mark.parametrize(
    ("changed", "key"),
    [
        ({"model": {"width": 16, "sizes": [2, 3]}}, "model.width"),
        ({"model": {"width": 8, "sizes": [2, 4]}}, "model.sizes"),
        ({"tokenizer": {"name": "note"}}, "tokenizer.name"),
        ({"training": {"steps": 10, "optimizer": {"name": "muon"}}}, "training.optimizer.name"),
        ({"training": {"steps": 10, "optimizer": {"adamw_modules": []}}}, "training.optimizer.adamw_modules"),
    ],
)
def test_another_model_tokenizer_or_optimiser_is_refused(changed, key):
    with pytest.raises(ConfigError, match=key.replace(".", r"\.")):
        require_same_experiment(saved_experiment(), {**EXPERIMENT, **changed})


def test_any_other_difference_is_told(caplog):
    with caplog.at_level(logging.WARNING):
        changed = {"training": {"steps": 20, "optimizer": {"name": "adamw"}}, "modelling": 3}
        changed["model"] = saved_experiment()["model"] | {"context": 2048}
        require_same_experiment(saved_experiment(), {**EXPERIMENT, **changed})
    assert caplog.messages == [
        "going on with another model.context: 2048, before None",
        "going on with another modelling: 3, before None",
        "going on with another training.steps: 20, before 10",
    ]
