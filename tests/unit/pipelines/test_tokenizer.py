"""Learning a vocabulary from a corpus, through the command."""

import json
import zipfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

from aurl.cli.main import app
from aurl.data.corpus import PrepareConfig, build_corpus
from aurl.data.embedded import chorales_archive
from aurl.data.store import Corpus
from aurl.data.tokenizers import TOKENIZERS
from aurl.utils.errors import ConfigError, CorpusError, UnknownNameError

pytest.importorskip("miditok")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    with zipfile.ZipFile(chorales_archive()) as archive:
        for name in [name for name in archive.namelist() if name.endswith(".mid")][:4]:
            archive.extract(name, folder / "midi")
    build_corpus([folder / "midi"], folder / "corpus", PrepareConfig(workers=1, valid_fraction=0, labels=()))
    return folder / "corpus"


def run(*words: object) -> object:
    result = CliRunner().invoke(app, ["tokenizer", *map(str, words), "--quiet"])
    if result.exception:
        raise result.exception
    return result.stdout


def test_a_learned_vocabulary_is_a_tokenizer_that_needs_fewer_tokens(corpus: Path, tmp_path: Path) -> None:
    file = tmp_path / "new" / "tokenizer.json"
    report = json.loads(str(run(corpus, "--out", file, "--vocabulary", 560, "--json")))
    assert report["vocabulary"] == 560
    assert report["pieces"] == 4
    assert report["tokens_per_note"]["after"] < 0.8 * report["tokens_per_note"]["before"]
    tokenizer = TOKENIZERS.build(TOKENIZERS.parse(f"miditok:{file}"))
    score = Corpus.open(corpus).score(0)
    assert len(tokenizer.decode(tokenizer.encode(score)).notes) == len(score.notes)
    assert f"miditok:{file}" in str(run(corpus, "--out", file, "--vocabulary", 530, "--pieces", 1))


@pytest.mark.parametrize(
    ("words", "error", "problem"),
    [
        (["--vocabulary", 100], ConfigError, "tokens of REMI itself"),
        (["--vocabulary", 70_000], ConfigError, "tokens of REMI itself"),
        (["--kind", "Octuple"], ConfigError, "several fields"),
        (["--algorithm", "LZW"], UnknownNameError, "LZW"),
    ],
)
def test_what_cannot_be_learned_is_refused(
    corpus: Path, tmp_path: Path, words: list[object], error: type[Exception], problem: str
) -> None:
    with pytest.raises(error, match=problem):
        run(corpus, "--out", tmp_path / "tokenizer.json", *words)


def test_the_file_must_be_json(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="saved as JSON"):
        run(corpus, "--out", tmp_path / "tokenizer")


def test_a_corpus_without_training_pieces_is_refused(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_text("path,split\npiece.mid,valid\n")
    (tmp_path / "piece.mid").write_bytes(next((corpus.parent / "midi").rglob("*.mid")).read_bytes())
    build_corpus([tmp_path], tmp_path / "held out", PrepareConfig(workers=1, labels=()))
    with pytest.raises(CorpusError, match="no pieces"):
        run(tmp_path / "held out", "--out", tmp_path / "tokenizer.json")
