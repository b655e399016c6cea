"""An export is checked against the network that was trained before it is written."""

import json

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from aurl.cli.main import app
from aurl.data.corpus import PrepareConfig
from aurl.data.tokenizers import EventTokenizer
from aurl.generation.runtimes.onnx_runtime import OnnxRuntime
from aurl.generation.runtimes.opening import open_runtime
from aurl.generation.runtimes.torch_runtime import TorchRuntime
from aurl.models import onnx_graph
from aurl.models.config import MusicModelConfig
from aurl.models.exported import carried_format, load_graphs
from aurl.models.folders import CHECKPOINTS
from aurl.models.music_model import MusicModel
from aurl.models.pretrained import write_model
from aurl.pipelines import export
from aurl.pipelines.export import SteppedModel, export_checked
from aurl.pipelines.info import describe_model
from aurl.pipelines.prepare import prepare_corpus
from aurl.utils.errors import CheckpointError, CorpusError
from aurl.utils.folders import atomic_folder

EVENT_SIZES = EventTokenizer().vocabulary.sizes


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Other tests may have let torch take them all."""
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus") / "corpus"
    prepare_corpus(["aurl:chorales"], folder, PrepareConfig(workers=1, labels=()), quiet=True)
    return folder


def saved(target, sizes=EVENT_SIZES):
    """A run with one checkpoint, every weight of which matters."""
    torch.manual_seed(0)
    config = MusicModelConfig(vocabulary_sizes=sizes, width=32, layers=1, heads=2, context=64)
    model = MusicModel(config)
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(std=0.1)
    with atomic_folder(target / CHECKPOINTS / "step-1") as folder:
        experiment = {"model": config.model_dump(mode="json"), "tokenizer": {"name": "event"}}
        write_model(folder, model.state_dict(), experiment)
    return target


@pytest.fixture
def run(tmp_path):
    return saved(tmp_path / "run")


def test_an_export_tells_what_it_costs(tmp_path, run, corpus):
    facts = export_checked(run, tmp_path / "out", "int8", corpus=corpus, pieces=1, quiet=True)
    assert isinstance(open_runtime(tmp_path / "out")[0], OnnxRuntime)
    assert facts["format"] == "int8"
    assert facts["megabytes"] < facts["megabytes_of_weights"]
    assert min(facts["ms_per_step"], facts["ms_per_step_torch"]) > 0
    assert 1e-6 < facts["largest_difference_in_logits"] < 0.2 * facts["spread_of_logits"]
    bits = facts["bits_per_note"]
    assert list(bits) == ["torch", "onnx", "int8", "int4"]
    assert bits["torch"]["percent_more"] == 0
    assert abs(bits["onnx"]["percent_more"]) < 1e-3
    assert 1e-6 < abs(bits["int8"]["percent_more"]) < 1
    assert bits["int8"]["bits_per_note"] == pytest.approx(bits["torch"]["bits_per_note"], rel=0.01)
    told = describe_model(tmp_path / "out")
    assert (told["exported_as"], told["validation_bits_per_note"]) == ("int8", bits["int8"]["bits_per_note"])


def test_graphs_that_compute_something_else_are_not_written(tmp_path, run, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))  # graphs that were built before are right
    monkeypatch.setattr(onnx_graph, "EPSILON", 0.1)
    with pytest.raises(CheckpointError, match="do not compute what the model does; found: logits"):
        export_checked(run, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_corpus_of_other_tokens_is_refused(tmp_path, corpus):
    with pytest.raises(CorpusError, match="does not know all tokens"):
        export_checked(saved(tmp_path / "small", (9,)), tmp_path / "out", corpus=corpus, pieces=1, quiet=True)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", ["torch", "onnx"])
def test_a_runtime_scores_as_its_model_does(kind):
    torch.manual_seed(0)
    sizes = (11, 7)
    model = MusicModel(MusicModelConfig(vocabulary_sizes=sizes, width=32, layers=2, heads=2, context=16)).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(std=0.3)
    weights = {name: weight.numpy() for name, weight in model.state_dict().items()}
    graphs = onnx_graph.build_graphs(model.config, weights, "onnx")
    runtime = TorchRuntime(model, torch.device("cpu")) if kind == "torch" else OnnxRuntime(graphs, model.config)
    generator = np.random.default_rng(0)
    rows = torch.from_numpy(np.stack([generator.integers(0, size, (3, 17)) for size in sizes], -1))
    mask = torch.from_numpy(generator.random((3, 16, 2)) < 0.6)
    with torch.inference_mode():
        expected = model.nll(rows[:, :-1], rows[:, 1:], mask)
    found = SteppedModel(runtime).nll(rows[:, :-1], rows[:, 1:], mask)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert not found[~mask].any()


def test_the_command_prints_json(tmp_path, run):
    out = tmp_path / "out"
    result = CliRunner().invoke(app, ["export", str(run), "--format", "int4", "-o", str(out), "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["format"] == "int4"
    assert carried_format(out) == "int4"
    assert load_graphs(out, "int4")


def test_the_command_keeps_the_weights_and_their_score(tmp_path, run, corpus):
    out = tmp_path / "out"
    words = ["export", str(run), "-o", str(out), "--with-weights", "--corpus", str(corpus), "--pieces", "1"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    told = describe_model(out)
    assert (told["exported_as"], told["parameters"]) == ("int8", describe_model(run)["parameters"])
    assert told["validation_bits_per_note"] == describe_model(run)["validation_bits_per_note"] == "not measured"


def test_the_command_prints_a_table(tmp_path, run):
    result = CliRunner().invoke(app, ["export", str(run), "-o", str(tmp_path / "out")])
    assert f"exported {run}" in result.stdout
    assert "int8" in result.stdout


def test_threads_of_torch_are_left_as_they_were(run):
    runtime, _ = open_runtime(run, device="cpu", form="torch")
    torch.set_num_threads(2)
    export.step_ms(runtime, runtime.model.config.vocabulary_sizes)
    assert torch.get_num_threads() == 2
    torch.set_num_threads(1)
