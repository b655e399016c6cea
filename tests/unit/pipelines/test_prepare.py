import json

import numpy as np
import pytest
from typer.testing import CliRunner

from aurl.cli.main import app
from aurl.data.store import Corpus
from aurl.music.midi import midi_bytes
from aurl.music.score import Notes, Score, Track
from aurl.pipelines.info import describe_path
from aurl.pipelines.prepare import resolve_source, split_overrides
from aurl.utils.errors import ConfigError, UnknownNameError


@pytest.fixture
def music(tmp_path):
    """A folder of two tunes a little off the beat, one with labels, one whose labels are damaged."""
    folder = tmp_path / "music"
    folder.mkdir()
    for number, name in enumerate("ab"):
        onset = np.arange(32) * 480 + 7
        pitch = 60 + np.random.default_rng(number).integers(0, 12, 32)
        notes = Notes(onset, np.full(32, 400), pitch, np.full(32, 80), np.zeros(32))
        (folder / f"{name}.mid").write_bytes(midi_bytes(Score(notes=notes, tracks=(Track(),))))
    (folder / "a.meta.json").write_text('{"key": "Em"}')
    (folder / "b.meta.json").write_text("{")
    return folder


def test_settings_come_from_a_file_then_overrides_then_options(music, tmp_path):
    config = tmp_path / "prepare.yaml"
    config.write_text("transforms: [quantise]\nquality: {min_notes: 99}\nlabels: [chords, keys]\nworkers: 1\n")
    out = tmp_path / "corpus"
    command = [
        "prepare",
        music,
        "quality.min_notes=5",
        "-o",
        out,
        "--config",
        config,
        "--labels",
        "none",
        "-q",
        "--json",
    ]
    result = CliRunner().invoke(app, list(map(str, command)))
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["labels"] == {"key": {"given": 1}}
    corpus = Corpus.open(out)
    assert corpus.score(0).notes.onset[:3].tolist() == [0, 480, 960]
    kind, facts = describe_path(out)
    assert (kind, facts["labels"], facts["repairs"], facts["formats"]) == (
        "corpus", {"key": {"given": 1}}, {"label": 1}, {"midi": 2},
    )  # fmt: skip


def test_a_file_tells_its_labels_and_what_was_wrong(music):
    kind, facts = describe_path(music / "a.mid")
    assert (kind, facts["notes"], facts["faults"]) == ("music", 32, "none")
    assert facts["labels"] == {"key": "1 given: .meta.json: E minor"}
    assert "damaged JSON" in describe_path(music / "b.mid")[1]["labels_refused"][0]
    (music / "c.mid").write_bytes((music / "a.mid").read_bytes()[:-30])
    facts = describe_path(music / "c.mid")[1]
    assert facts["faults"] != "none"
    assert facts["labels"] == "none given"


def test_paths_and_overrides_are_told_apart():
    words = ["my music", "seed=3", "quality.min_notes=2", "./seed=3", "x=y", "transforms=[quantise]"]
    assert split_overrides(words) == (
        ["my music", "./seed=3", "x=y"], ["seed=3", "quality.min_notes=2", "transforms=[quantise]"],
    )  # fmt: skip
    with pytest.raises(ConfigError, match="nothing to prepare"):
        split_overrides(["seed=3"])


def test_only_known_collections_are_built_in():
    assert resolve_source("aurl:chorales") != "aurl:chorales"
    assert resolve_source("somewhere") == "somewhere"
    with pytest.raises(UnknownNameError, match="did you mean 'chorales'"):
        resolve_source("aurl:chorale")
