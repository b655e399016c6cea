import json

import pytest
from typer.testing import CliRunner

from aurl.cli.main import app
from aurl.music.midi import read_midi, write_midi
from aurl.music.score import Score, TimeSignatures
from aurl.pipelines.study import chart
from aurl.studies import STUDIES
from aurl.utils.errors import AurlError, ConfigError, UnknownNameError
from studies_music import block_chords, lone_melody

SYMBOLS = ["C", "Am", "F", "G7", "C"]


@pytest.fixture(scope="module")
def piece(tmp_path_factory):
    path = tmp_path_factory.mktemp("music") / "piece.mid"
    write_midi(block_chords(SYMBOLS), path)
    return path


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    for number in range(3):
        write_midi(block_chords(SYMBOLS[number:] + SYMBOLS[:number]), folder / f"{number}.mid")
    from aurl.data.corpus import PrepareConfig, build_corpus

    config = PrepareConfig.parse({"workers": 1, "labels": [], "valid_fraction": 0.0, "quality": {"min_seconds": 0}})
    build_corpus([folder], folder / "corpus", config)
    return folder / "corpus"


def run(*words):
    result = CliRunner().invoke(app, ["study", *map(str, words)])
    if isinstance(result.exception, AurlError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def test_a_piece_is_shown_as_a_chart_of_bars(piece):
    assert run("chords", piece).splitlines() == ["1 | C  | Am | F  | G7 |", "5 | C  |"]
    assert run("keys", piece).splitlines() == ["1 | C major | -       | -       | -       |"]


def test_a_lone_melody_is_told_in_a_sentence_and_not_labelled(tmp_path):
    path, out = tmp_path / "melody.mid", tmp_path / "out.mid"
    write_midi(lone_melody(), path)
    assert "melody alone" in run("chords", path, "--out", out).splitlines()[-1]
    assert not len(read_midi(out).texts.of("chord"))


def test_json_tells_every_label(piece):
    labels = json.loads(run("chord_templates", piece, "--json"))["labels"]
    assert [(row["beat"], row["label"]) for row in labels] == [(4 * i, s) for i, s in enumerate(SYMBOLS)]


def test_labels_are_written_as_markers(piece, tmp_path):
    run("chords", piece, "--out", tmp_path / "out.mid", "--plot", tmp_path / "out.png")
    assert read_midi(tmp_path / "out.mid").texts.of("chord").text.tolist() == SYMBOLS
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")


def test_the_melody_is_written_alone(piece, tmp_path):
    run("melody", piece, "--out", tmp_path / "out.mid")
    assert len(read_midi(tmp_path / "out.mid").notes) == 20


def test_a_corpus_is_summed_up(corpus):
    summary = json.loads(run("chords", corpus, "--json", "--quiet"))
    assert (summary["pieces"], summary["chords"]) == (3, 13)  # C, C is one chord
    assert "V7" in run("chords", corpus, "--quiet")


def test_what_cannot_be_studied_is_said(piece, corpus, tmp_path):
    with pytest.raises(UnknownNameError, match="chords"):
        run("chord", piece)
    with pytest.raises(ConfigError, match="does not exist"):
        run("chords", tmp_path / "missing.mid")
    with pytest.raises(ConfigError, match="aurl prepare"):
        run("chords", tmp_path)
    with pytest.raises(ConfigError, match="one piece"):
        run("chords", corpus, "--out", tmp_path / "a.mid")


def test_long_bars_are_cut_and_silent_lines_left_out():
    study = STUDIES.build(STUDIES.parse("chord_templates"))
    score = block_chords(["C", "F"] * 4 + ["C"] * 24, beats=1)
    whole = score.replace(time_signatures=TimeSignatures([0], [8], [4]))
    assert "…" in chart(whole, study.analyse(whole))[0]
    assert [line[0] for line in chart(score, study.analyse(score))] == ["1"]
    assert chart(Score(), study.analyse(Score())) == ["nothing that sounds"]
