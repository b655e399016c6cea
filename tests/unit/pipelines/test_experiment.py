"""The configuration of an experiment: every file that comes with Aurl loads, and a saved one is the same experiment."""

from importlib.resources import files
from pathlib import Path

import pytest

from aurl.data.tokenizers import TOKENIZERS, EventTokenizer
from aurl.models.music_model import MusicModel
from aurl.pipelines.experiment import ExperimentConfig
from aurl.pipelines.train import described_network
from aurl.utils.config import load_config, save_config
from aurl.utils.errors import ConfigError

ROOT = Path(__file__).parents[3]
CONFIGS = [*sorted((ROOT / "configs").rglob("*.yaml")), Path(str(files("aurl") / "assets" / "demo.yaml"))]


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_every_configuration_loads_and_saved_it_is_the_same(path: Path, tmp_path: Path) -> None:
    config = load_config(ExperimentConfig, path)
    save_config(config, tmp_path / "saved.yaml")
    assert load_config(ExperimentConfig, tmp_path / "saved.yaml") == config


def test_the_default_model_has_the_size_of_the_default_tokenizer() -> None:
    config = ExperimentConfig()
    assert config.model.vocabulary_sizes == EventTokenizer(config.tokenizer).vocabulary.sizes


@pytest.mark.parametrize(("name", "millions"), [("dev", 1.3), ("test", 0.34), ("prod", 29.0)])
def test_models_have_the_sizes_that_the_guide_tells(name: str, millions: float) -> None:
    config = load_config(ExperimentConfig, ROOT / "configs" / f"{name}.yaml")
    told = described_network(config, TOKENIZERS.build(config.tokenizer))
    assert MusicModel(told.model).parameter_count / 1e6 == pytest.approx(millions, 0.1)


def test_tokens_without_bars_have_no_musical_time() -> None:
    config = ExperimentConfig.parse({"model": {"musical_time": True}})
    assert not described_network(config, EventTokenizer(config.tokenizer)).model.musical_time


def test_a_seed_beyond_63_bits_is_refused() -> None:
    assert ExperimentConfig.parse({"seed": 2**63 - 1}).seed == 2**63 - 1
    with pytest.raises(ConfigError, match="seed"):
        ExperimentConfig.parse({"seed": 2**63})
