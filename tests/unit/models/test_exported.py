"""Graphs are built once, found again, rebuilt when damaged, and carried by an exported folder."""

import sys

import numpy as np
import pytest
from safetensors.numpy import save_file

from aurl.data.cache import Cache
from aurl.models import exported, onnx_graph
from aurl.models.config import MusicModelConfig
from aurl.models.exported import export_model, load_graphs
from aurl.models.folders import CONFIG, WEIGHTS, find_model, read_experiment
from aurl.models.music_model import MusicModel
from aurl.models.pretrained import load_model, write_model
from aurl.utils.config import yaml_text
from aurl.utils.errors import CheckpointError, ConfigError
from aurl.utils.folders import atomic_folder, read_manifest

SHAPE = MusicModelConfig(vocabulary_sizes=(5, 7), width=32, layers=1, heads=2, context=8)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache of this test alone."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return Cache()


@pytest.fixture
def builds(monkeypatch):
    """What has been built since the test began."""
    formats = []

    def build(config, weights, form):
        formats.append(form)
        return onnx_graph.build_graphs(config, weights, form)

    monkeypatch.setattr(exported, "build_graphs", build)
    return formats


@pytest.fixture
def folder(tmp_path):
    return saved(tmp_path / "model", SHAPE)


def saved(target, config, **experiment):
    with atomic_folder(target) as new:
        written = {"title": "Übung", "model": config.model_dump(mode="json"), **experiment}
        write_model(new, MusicModel(config).state_dict(), written)
    return target


def test_graphs_are_built_once_for_each_format(folder, builds):
    first = load_graphs(folder, "onnx")
    assert set(first) == {"model", "head-1"}
    assert load_graphs(folder, "onnx") == first
    assert load_graphs(folder) == load_graphs(folder, "int8") != first
    assert builds == ["onnx", "int8"]


def test_found_graphs_need_neither_torch_nor_onnx(folder, monkeypatch):
    graphs = load_graphs(folder)
    for module in ("torch", "onnx"):
        monkeypatch.setitem(sys.modules, module, None)
    assert load_graphs(folder) == graphs


def test_other_weights_another_shape_and_another_version_are_built_anew(tmp_path, folder, builds, monkeypatch):
    load_graphs(folder)
    saved(folder, SHAPE)
    load_graphs(folder)
    same_weights = saved(tmp_path / "other", SHAPE.merged({"rope_base": 5.0}))
    load_graphs(same_weights)
    monkeypatch.setattr(exported, "VERSION", onnx_graph.VERSION + 1)
    load_graphs(same_weights)
    assert builds == ["int8"] * 4


def test_a_damaged_entry_of_the_cache_is_built_anew(folder, builds, cache):
    graphs = load_graphs(folder)
    (entry,) = cache.folder.glob("*.cache")
    content = bytearray(entry.read_bytes())
    content[len(content) // 2] ^= 1
    for damaged in (bytes(content), bytes(content[:-50]), b"junk"):
        entry.write_bytes(damaged)
        assert load_graphs(folder) == graphs
    assert len(builds) == 4
    assert load_graphs(folder) == graphs
    assert len(builds) == 4


def test_without_a_cache_graphs_are_built_each_time(folder, builds, monkeypatch):
    monkeypatch.setenv("AURL_CACHE_BYTES", "0")
    assert load_graphs(folder) == load_graphs(folder)
    assert len(builds) == 2


@pytest.mark.parametrize("form", ["onnx", "int8", "int4"])
def test_an_exported_model_carries_its_graphs(tmp_path, folder, form):
    export_model(folder, tmp_path / "export", form, {"note": 1})
    assert find_model(tmp_path / "export") == tmp_path / "export"
    assert load_graphs(tmp_path / "export") == load_graphs(tmp_path / "export", form) == load_graphs(folder, form)
    told = {"graph_format": form, "graph_version": onnx_graph.VERSION, "note": 1}
    assert read_manifest(tmp_path / "export")["metadata"] == told
    assert sorted(item.name for item in (tmp_path / "export").iterdir()) == [
        CONFIG, "head-1.onnx", "manifest.json", "model.onnx",
    ]  # fmt: skip
    assert (tmp_path / "export" / CONFIG).read_text("utf-8") == (folder / CONFIG).read_text("utf-8")


def test_an_export_is_not_what_it_is_not(tmp_path, folder):
    export_model(folder, tmp_path / "export", "int8")
    with pytest.raises(ConfigError, match="was exported as int8; found: onnx"):
        load_graphs(tmp_path / "export", "onnx")
    with pytest.raises(ConfigError, match="is an export itself"):
        export_model(tmp_path / "export", tmp_path / "again", "int8")
    with pytest.raises(CheckpointError, match="was exported for ONNX Runtime"):
        load_model(tmp_path / "export")


def test_an_export_replaces_an_export_and_nothing_else(tmp_path, folder):
    for form in ("onnx", "int8"):
        export_model(folder, tmp_path / "export", form)
        assert load_graphs(tmp_path / "export") == load_graphs(folder, form)
    with pytest.raises(ConfigError, match="is there and is not an earlier export"):
        export_model(folder, tmp_path, "int8")
    assert find_model(folder) == folder


@pytest.fixture
def whole(tmp_path, folder):
    """Weights with 8-bit graphs beside them."""
    export_model(folder, tmp_path / "whole", "int8", with_weights=True)
    return tmp_path / "whole"


def test_graphs_beside_the_weights_are_read_and_others_are_built(whole, folder, builds, monkeypatch):
    with monkeypatch.context() as patch:
        for module in ("torch", "onnx"):
            patch.setitem(sys.modules, module, None)
        graphs = load_graphs(whole)
    assert graphs == load_graphs(folder)
    assert builds == []
    assert load_graphs(whole, "onnx") == load_graphs(folder, "onnx")
    assert builds == ["onnx"]


def test_weights_are_kept_to_the_byte_with_what_is_told_of_them(tmp_path, builds):
    config = SHAPE.model_dump(mode="json")
    with atomic_folder(tmp_path / "model", {"bits_per_note": 9.5}) as new:
        write_model(new, MusicModel(SHAPE).state_dict(), {"model": config})
    export_model(tmp_path / "model", tmp_path / "whole", "int8", with_weights=True)
    assert (tmp_path / "whole" / WEIGHTS).read_bytes() == (tmp_path / "model" / WEIGHTS).read_bytes()
    assert read_manifest(tmp_path / "whole")["metadata"]["bits_per_note"] == 9.5
    model = load_model(tmp_path / "whole")[0]
    assert model.state_dict().keys() == load_model(tmp_path / "model")[0].state_dict().keys()


def test_a_model_with_graphs_is_exported_anew_but_not_onto_itself(tmp_path, whole):
    export_model(whole, tmp_path / "small", "int4")
    assert load_graphs(tmp_path / "small") == load_graphs(whole, "int4")
    with pytest.raises(ConfigError, match="choose another folder"):
        export_model(whole, whole, "int8")
    assert load_model(whole)


def test_graphs_of_another_version_are_built_anew_where_there_are_weights(tmp_path, whole, folder, builds, monkeypatch):
    export_model(folder, tmp_path / "export", "int8")
    builds.clear()
    monkeypatch.setattr(exported, "VERSION", onnx_graph.VERSION + 1)
    load_graphs(whole)
    assert builds == ["int8"]
    with pytest.raises(CheckpointError, match="another version of Aurl; export the trained model anew"):
        load_graphs(tmp_path / "export")


def test_an_export_does_not_tell_where_it_was_trained(tmp_path):
    data = {"corpus": "/home/ada/corpus", "valid_split": "valid"}
    folder = saved(tmp_path / "model", SHAPE, folder="/home/ada/runs", data=data)
    export_model(folder, tmp_path / "export", "int8", with_weights=True)
    assert "ada" not in (tmp_path / "export" / CONFIG).read_text("utf-8")
    expected = {"title": "Übung", "model": SHAPE.model_dump(mode="json"), "data": {"valid_split": "valid"}}
    assert read_experiment(tmp_path / "export") == expected


def test_a_damaged_export_is_refused(tmp_path, folder):
    export_model(folder, tmp_path / "export", "int8")
    graph = tmp_path / "export" / "head-1.onnx"
    content = bytearray(graph.read_bytes())
    content[100] ^= 1
    graph.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"head-1\.onnx was altered"):
        find_model(tmp_path / "export")


def test_weights_that_lack_one_are_refused(tmp_path):
    with atomic_folder(tmp_path / "model") as new:
        save_file({"outputs.0.weight": np.zeros((5, 32), np.float32)}, new / WEIGHTS)
        (new / CONFIG).write_text(yaml_text({"model": SHAPE.model_dump(mode="json")}), "utf-8")
    with pytest.raises(CheckpointError, match=r"do not fit the model; found: no embeddings\.tables\.0\.weight"):
        load_graphs(tmp_path / "model")


def test_heads_that_onnx_runtime_cannot_compute_are_refused(tmp_path):
    folder = saved(tmp_path / "model", SHAPE.merged({"heads": 4}))
    with pytest.raises(ConfigError, match="multiple of 16 units; found: 8; generate with --device torch"):
        load_graphs(folder)
