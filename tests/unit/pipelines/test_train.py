"""What a run keeps of its configuration, and what it does when it is continued with another."""

import json
from pathlib import Path
from typing import Any

import pytest

from aurl.data.corpus import PrepareConfig
from aurl.data.store import Corpus
from aurl.models.folders import find_model, read_experiment
from aurl.pipelines.experiment import ExperimentConfig
from aurl.pipelines.prepare import prepare_corpus
from aurl.pipelines.train import train_model
from aurl.utils.config import load_config
from aurl.utils.errors import CheckpointError, ConfigError


@pytest.fixture
def config(tmp_path: Path) -> ExperimentConfig:
    """A run of one update of the smallest model."""
    prepare_corpus(["aurl:chorales"], tmp_path / "corpus", PrepareConfig(workers=1), quiet=True)
    values: dict[str, Any] = {
        "folder": tmp_path,
        "data": {"corpus": tmp_path / "corpus", "batch_tokens": 64, "valid_pieces": 1},
        "model": {"width": 8, "layers": 1, "heads": 1, "context": 32},
        "training": {"steps": 1, "device": "cpu"},
        "logging": {"console": False},
    }
    return ExperimentConfig.parse(values)


def test_a_refused_resume_leaves_the_configuration_of_the_run(config: ExperimentConfig) -> None:
    train_model(config, quiet=True)
    saved = config.run_folder / "config.yaml"
    before = saved.read_bytes()
    assert load_config(ExperimentConfig, saved).model.width == 8
    with pytest.raises(ConfigError, match=r"model\.width"):
        train_model(config.merged({"model": {"width": 16}}), quiet=True)
    assert saved.read_bytes() == before
    train_model(config.merged({"training": {"steps": 2}}), quiet=True)
    assert load_config(ExperimentConfig, saved).training.steps == 2


def test_slips_are_learned_from(config: ExperimentConfig) -> None:
    """The same first batch costs otherwise where some of it is read wrongly."""
    learned = {"tokenizer": {"name": "note"}, "data": {"batch_tokens": 512}, "model": {"context": 256}}
    losses = []
    for share in (0.0, 0.25):
        one = config.merged({**learned, "name": f"slips-{share}", "training": {"log_every": 1}})
        one = one.merged({"data": {"slips": share}})
        train_model(one, quiet=True)
        records = map(json.loads, (one.run_folder / "metrics.jsonl").read_text().splitlines())
        losses.append(next(record["loss"] for record in records if "loss" in record))
    assert losses[0] != losses[1]


def test_a_model_keeps_what_its_music_is_like(config: ExperimentConfig) -> None:
    corpus = Corpus.open(config.data.corpus)
    genre = corpus.metadata(0)["genre"]
    told = config.merged({"tokenizer": {"name": "note"}, "data": {"mix": {genre: 1.0}}})
    train_model(told, quiet=True)
    kept = read_experiment(find_model(told.run_folder))
    assert kept["references"].keys() == {"any", genre}
    low, middle, high = kept["references"][genre]["polyphony"]
    assert 1 < low <= middle <= high < 6
    (share, instruments), *others = kept["ensembles"][genre.lower()]
    assert len(instruments) == 4
    assert share > 0.5
    assert share + sum(share for share, _ in others) == pytest.approx(1, abs=0.2)


def test_a_checkpoint_tells_its_corpus(config: ExperimentConfig) -> None:
    train_model(config, quiet=True)
    experiment = read_experiment(find_model(config.run_folder))
    assert experiment["corpus_fingerprint"] == Corpus.open(config.data.corpus).fingerprint


def test_a_run_starts_from_a_trained_model(config: ExperimentConfig) -> None:
    learned = config.merged({
        "name": "learned", "tokenizer": {"name": "note", "styles": ["hymn"]}, "generation": {"seconds": 7},
        "model": {"value_embeddings": True}, "data": {"batch_tokens": 512}, "training": {"steps": 3},
    })  # fmt: skip
    reached = train_model(learned, quiet=True)
    told = {"data": {"corpus": config.data.corpus, "valid_pieces": 1, "batch_tokens": 512}, "folder": config.folder}
    told |= {"training": {"steps": 1, "device": "cpu"}, "logging": {"console": False}, "model": {"dropout": 0.2}}
    told["model"] |= {"sharpness": 2.0, "width": 16}  # not asked: a model is as it was trained
    start = ExperimentConfig.parse({**told, "start_from": learned.run_folder})
    went_on = train_model(start, quiet=True)
    assert went_on["bits_per_note_at_the_start"] == pytest.approx(reached["best_validation_bits_per_note"])
    assert went_on["best_validation_bits_per_note"] != went_on["bits_per_note_at_the_start"]
    saved = load_config(ExperimentConfig, start.run_folder / "config.yaml")
    assert (saved.tokenizer, saved.generation) == (learned.tokenizer, learned.generation)
    assert (saved.model.width, saved.model.sharpness, saved.model.dropout) == (8, 1.0, 0.2)
    again = train_model(saved.merged({"training": {"steps": 2}}), quiet=True)
    assert again["steps"] == 2
    assert again["best_validation_bits_per_note"] < went_on["best_validation_bits_per_note"]
    own = start.merged({"name": "own", "generation": {"bars": 4}})
    train_model(own, quiet=True)
    assert load_config(ExperimentConfig, own.run_folder / "config.yaml").generation.bars == 4


def test_a_start_that_is_none_is_refused(config: ExperimentConfig) -> None:
    with pytest.raises(CheckpointError, match="does not exist"):
        train_model(config.merged({"start_from": "nowhere"}), quiet=True)
