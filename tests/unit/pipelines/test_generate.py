"""Where pieces go, and which settings a request ends up with."""

from pathlib import Path
from typing import Any

import pytest

from aurl.music.score import Score
from aurl.pipelines.generate import Output, generate_pieces
from aurl.pipelines.model import Model
from aurl.utils.errors import ConfigError, GenerationError, UnknownNameError


@pytest.mark.parametrize(
    ("path", "pieces", "stems"),
    [
        ("a/song.mid", 1, ["a/song"]),
        ("a/song.mid", 2, ["a/song-1", "a/song-2"]),
        ("a/songs", 1, ["a/songs/piece-1"]),
        ("a/v1.2", 2, ["a/v1.2/piece-1", "a/v1.2/piece-2"]),
    ],
)
def test_a_midi_name_is_a_file_and_any_other_a_folder(path: str, pieces: int, stems: list[str]) -> None:
    output = Output(Path(path))
    assert [str(output.stem(index, pieces)) for index in range(pieces)] == stems


def model(**experiment: Any) -> Model:
    """A model that is only asked what a request would be."""
    return Model(None, {"tokenizer": {"name": "note"}, **experiment})  # type: ignore[arg-type]


def test_a_request_keeps_what_was_saved_and_is_not_given() -> None:
    saved = {"seconds": 30.0, "bars": None, "sampling": {"temperature": 0.8, "top_p": 0.9}}
    config = model(generation=saved).request({"temperature": 1.1, "key": "D minor"})
    assert (config.seconds, config.sampling.temperature, config.sampling.top_p) == (30.0, 1.1, 0.9)
    assert config.conditions.key == "D minor"


def test_a_length_replaces_the_saved_one_of_another_unit() -> None:
    config = model(generation={"seconds": 30.0}).request({"bars": 8})
    assert (config.seconds, config.bars) == (None, 8)


def test_two_lengths_at_once_are_refused() -> None:
    with pytest.raises(ConfigError, match="one length"):
        model().request({"bars": 8, "seconds": 3.0})


@pytest.mark.parametrize("told", ["scale: {key: D minor}", {"name": "scale", "key": "D minor"}])
def test_a_constraint_is_told_in_yaml_or_as_a_mapping(told: Any) -> None:
    (constraint,) = model().request({"constraints": [told]}).constraints
    assert constraint.model_dump()["name"] == "scale"


@pytest.mark.parametrize("told", ["scale: {", "- scale", "a: {}\nb: {}", "scale: 3"])
def test_what_is_no_constraint_is_refused(told: str) -> None:
    with pytest.raises(ConfigError, match="not a constraint"):
        model().request({"constraints": [told]})


@pytest.mark.parametrize(
    ("settings", "rewrite", "task"),
    [({}, {"bars": "2"}, "infill"), ({}, {"add": ["piano"]}, "tracks"), ({"guidance": 2}, None, "free")],
)
def test_what_a_model_was_not_trained_to_do_is_refused(settings: Any, rewrite: Any, task: str) -> None:
    with pytest.raises(GenerationError, match="not trained") as refused:
        model().write(settings, prompt=Score(), rewrite=rewrite)
    assert task in str(refused.value)


@pytest.mark.parametrize(("what", "choice"), [("format", {"also": ("mp3",)}), ("device", {}), ("form", {})])
def test_unknown_names_are_refused_before_anything_is_loaded(tmp_path: Path, what: str, choice: Any) -> None:
    output = Output(tmp_path / "x.mid", **choice)
    named = {what: "abacus"} if what != "format" else {}
    with pytest.raises(UnknownNameError, match=what):
        generate_pieces(tmp_path / "none", output, **named)
