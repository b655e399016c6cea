"""The ONNX graphs of a trained model: built once and kept in the cache, or carried by an exported model folder.

An exported model is a folder with config.yaml and the graphs, in place of the weights or beside them; the metadata of
its manifest say their format. Neither torch is needed, nor onnx where the graphs have been built before.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.numpy import load_file

from aurl.data.cache import Cache, entry_key
from aurl.models.config import MusicModelConfig
from aurl.models.folders import CONFIG, GRAPH, WEIGHTS, find_model, has_weights, model_config, read_experiment
from aurl.models.onnx_graph import VERSION, GraphFormat, build_graphs
from aurl.utils.config import yaml_text
from aurl.utils.errors import CheckpointError, ConfigError
from aurl.utils.folders import atomic_folder, read_manifest

FORMAT, FORMAT_VERSION = "graph_format", "graph_version"
"""Keys of the manifest's metadata in an exported model."""


def carried_format(folder: Path) -> GraphFormat | None:
    """The format of the graphs that a model folder carries; None without graphs that this version of Aurl reads."""
    metadata = read_manifest(folder)["metadata"]
    return metadata[FORMAT] if FORMAT in metadata and metadata.get(FORMAT_VERSION) == VERSION else None


def load_graphs(folder: Path, form: GraphFormat | None = None) -> dict[str, bytes]:
    """The graphs of the model in `folder`, as `find_model` gives it: those it carries, int8 or what is asked for.

    Raises ConfigError for a format that a folder without weights does not carry.
    """
    carried = carried_format(folder)
    if carried and form in (None, carried):
        return {file.stem: file.read_bytes() for file in sorted(folder.glob("*.onnx"))}
    if has_weights(folder):
        return _built(folder, form or "int8")
    if carried is None:
        raise CheckpointError(f"{folder} was exported by another version of Aurl", hint="export the trained model anew")
    raise ConfigError(f"{folder} was exported as {carried}", found=form, hint="export the trained model in that format")


def export_model(
    source: Path,
    target: Path,
    form: GraphFormat,
    metadata: Mapping[str, Any] | None = None,
    *,
    with_weights: bool = False,
) -> None:
    """Write the model in `source`, a run, a checkpoint or a model, to the folder `target`, whole or not at all.

    With the weights, what the manifest says of them is kept. Raises ConfigError for a `target` that is there and is
    something else than an earlier export.
    """
    folder = find_model(source)
    if target.exists() and (not (target / GRAPH).exists() or target.samefile(folder)):
        raise ConfigError(f"{target} is there and is not an earlier export", hint="choose another folder")
    if not has_weights(folder):
        raise ConfigError(f"{folder} is an export itself", hint="give the model that was trained")
    graphs, experiment = load_graphs(folder, form), read_experiment(folder)
    kept = read_manifest(folder)["metadata"] if with_weights else {}
    with atomic_folder(target, {**kept, FORMAT: form, FORMAT_VERSION: VERSION, **(metadata or {})}) as new:
        for name, content in graphs.items():
            (new / f"{name}.onnx").write_bytes(content)
        if with_weights:
            (new / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes())
        (new / CONFIG).write_text(yaml_text(without_places(experiment)), encoding="utf-8")


def without_places(experiment: Mapping[str, Any]) -> dict[str, Any]:
    """An experiment without the folders of the machine that trained it."""
    kept = {name: value for name, value in experiment.items() if name != "folder"}
    if "data" in kept:
        kept["data"] = {name: value for name, value in kept["data"].items() if name != "corpus"}
    return kept


def _built(folder: Path, form: GraphFormat) -> dict[str, bytes]:
    """The graphs of trained weights, from the cache if they have been asked for before."""
    config = model_config(folder, read_experiment(folder))
    checksum = read_manifest(folder)["files"][WEIGHTS]["sha256"]
    cache, key = Cache(), entry_key("graphs", VERSION, form, checksum, config.model_dump_json())
    content = cache.open(key)
    if content is not None:
        try:
            return _unpack(bytes(content))
        except zipfile.BadZipFile:
            cache.remove(key)
    graphs = _build(folder, config, form)
    cache.write(key, _pack(graphs))
    return graphs


def _build(folder: Path, config: MusicModelConfig, form: GraphFormat) -> dict[str, bytes]:
    try:
        return build_graphs(config, load_file(folder / WEIGHTS), form)
    except KeyError as error:
        found = f"no {error.args[0]}"
        raise CheckpointError(f"the weights in {folder} do not fit the model", found=found) from None


def _pack(graphs: Mapping[str, bytes]) -> bytes:
    """One file of them all, not compressed, with a checksum for each."""
    with io.BytesIO() as file:
        with zipfile.ZipFile(file, "w") as archive:
            for name, content in graphs.items():
                archive.writestr(name, content)
        return file.getvalue()


def _unpack(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}
