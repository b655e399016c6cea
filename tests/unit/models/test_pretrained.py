"""A model comes back as it was saved, from a model, a checkpoint or a run; anything else is refused."""

import os

import pytest
import torch

from aurl.models import pretrained
from aurl.models.config import MusicModelConfig
from aurl.models.folders import find_model, weight_count
from aurl.models.music_model import MusicModel
from aurl.models.pretrained import load_model
from aurl.utils.errors import CheckpointError, StorageError
from aurl.utils.folders import MANIFEST, atomic_folder

CONFIG = MusicModelConfig(vocabulary_sizes=(5, 7), width=16, layers=1, heads=2, context=8, dropout=0.5)
EXPERIMENT = {
    "tokenizer": {"name": "event", "merge": False},
    "model": CONFIG.model_dump(mode="json"),
    "title": "Übung",
}


@pytest.fixture
def model():
    torch.manual_seed(0)
    return MusicModel(CONFIG)


def save_model(target, state, experiment):
    """A model folder without training state."""
    with atomic_folder(target) as folder:
        pretrained.write_model(folder, state, experiment)


def checkpoint(run, step, model, bits_per_note=None, **metadata):
    """A checkpoint as training leaves it, whose title says which it is."""
    target = run / "checkpoints" / f"step-{step:09d}"
    with atomic_folder(target, {"step": step, "bits_per_note": bits_per_note, **metadata}) as folder:
        pretrained.write_model(folder, model.state_dict(), {**EXPERIMENT, "title": f"after {step}"})
        (folder / "optimizer.safetensors").write_bytes(b"")
    return target


def test_a_saved_model_computes_the_same_and_is_in_eval_mode(tmp_path, model):
    save_model(tmp_path / "model", model.state_dict(), EXPERIMENT)
    loaded, experiment = load_model(str(tmp_path / "model"))
    rows = torch.randint(0, 5, (2, 6, 2))
    assert not loaded.training
    every = torch.ones(rows.shape, dtype=torch.bool)
    assert torch.equal(loaded.nll(rows, rows, every), model.eval().nll(rows, rows, every))
    assert experiment == EXPERIMENT


def test_weights_are_counted_without_loading_them(tmp_path, model):
    save_model(tmp_path / "model", model.state_dict(), EXPERIMENT)
    assert weight_count(tmp_path / "model") == model.parameter_count


def test_tied_and_sliced_weights_are_saved_too(tmp_path):
    config = CONFIG.merged({"tie_embeddings": True})
    tied = MusicModel(config)
    tied.embeddings.tables[0].weight.data = torch.randn(16, 5).T  # not contiguous
    save_model(tmp_path / "model", tied.state_dict(), {"model": config.model_dump(mode="json")})
    loaded, _ = load_model(tmp_path / "model")
    assert torch.equal(loaded.embeddings.tables[0].weight, tied.embeddings.tables[0].weight)


def test_a_checkpoint_is_a_model(tmp_path, model):
    folder = checkpoint(tmp_path, 5, model)
    assert load_model(folder)[1]["title"] == "after 5"


def test_a_run_gives_its_best_checkpoint(tmp_path, model):
    for step, score in [(5, 9.0), (10, 8.0), (15, 8.5), (20, None)]:
        checkpoint(tmp_path, step, model, score)
    assert load_model(tmp_path)[1]["title"] == "after 10"


def test_scores_on_other_pieces_than_the_newest_are_none(tmp_path, model):
    for step, score, pieces in [(5, 2.0, "old"), (10, 8.0, "new"), (15, 8.5, "new"), (20, None, "new")]:
        checkpoint(tmp_path, step, model, score, scored_on={"corpus_fingerprint": pieces})
    (checkpoint(tmp_path, 25, model) / MANIFEST).unlink()
    assert find_model(tmp_path).name == "step-000000010"


def test_a_run_never_validated_gives_its_newest_checkpoint(tmp_path, model):
    for step in (5, 10):
        checkpoint(tmp_path, step, model)
    assert find_model(tmp_path).name == "step-000000010"


@pytest.mark.parametrize("name", ["model.safetensors", "config.yaml", MANIFEST])
def test_a_damaged_checkpoint_is_passed_over_with_a_warning(tmp_path, model, caplog, name):
    checkpoint(tmp_path, 5, model)
    best = checkpoint(tmp_path, 10, model, 8.0)
    content = (best / name).read_bytes()
    (best / name).write_bytes(content[:-1])
    assert find_model(tmp_path).name == "step-000000005"
    assert f"{name}" in caplog.text


def test_a_run_with_nothing_whole_is_refused(tmp_path, model):
    for step in (5, 10):
        (checkpoint(tmp_path, step, model) / "config.yaml").unlink()
    with pytest.raises(CheckpointError, match="is whole; found: 2 damaged ones"):
        load_model(tmp_path)


def test_a_damaged_model_is_refused(tmp_path, model):
    save_model(tmp_path / "model", model.state_dict(), EXPERIMENT)
    weights = tmp_path / "model" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"model\.safetensors was altered"):
        load_model(tmp_path / "model")


def test_another_folder_is_refused_with_what_it_holds(tmp_path):
    (tmp_path / "song.mid").write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"no model in .*found: song\.mid; give the folder of a run"):
        load_model(tmp_path)
    (tmp_path / "song.mid").unlink()
    with pytest.raises(CheckpointError, match="found: an empty folder"):
        load_model(tmp_path)


def test_a_path_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match="nowhere does not exist"):
        load_model(tmp_path / "nowhere")


def test_a_file_is_refused(tmp_path):
    (tmp_path / "song.mid").write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"song\.mid"):
        load_model(tmp_path / "song.mid")


def test_a_whole_folder_of_something_else_is_refused(tmp_path):
    with atomic_folder(tmp_path / "corpus") as folder:
        (folder / "notes.parquet").write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"not a model; found: notes\.parquet"):
        load_model(tmp_path / "corpus")


def test_weights_of_another_shape_are_refused(tmp_path, model):
    wider = CONFIG.merged({"width": 32}).model_dump(mode="json")
    save_model(tmp_path / "model", model.state_dict(), {"model": wider})
    with pytest.raises(CheckpointError, match=r"do not fit the model; found: .*size mismatch"):
        load_model(tmp_path / "model")


def test_a_model_of_an_older_configuration_is_refused(tmp_path, model):
    save_model(tmp_path / "model", model.state_dict(), {"model": {**EXPERIMENT["model"], "hidden_magic": 3}})
    with pytest.raises(CheckpointError, match=r"config\.yaml cannot be used; found: .*hidden_magic"):
        load_model(tmp_path / "model")
    save_model(tmp_path / "model", model.state_dict(), {"tokenizer": {}})
    with pytest.raises(CheckpointError, match=r"config\.yaml cannot be used; found: no model"):
        load_model(tmp_path / "model")


def test_a_full_disk_leaves_the_model_that_was_there(tmp_path, model, monkeypatch):
    save_model(tmp_path / "model", model.state_dict(), EXPERIMENT)

    def refuse(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(StorageError):
        save_model(tmp_path / "model", model.state_dict(), {**EXPERIMENT, "title": "other"})
    assert load_model(tmp_path / "model")[1]["title"] == "Übung"
