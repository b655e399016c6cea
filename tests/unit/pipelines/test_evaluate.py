"""`aurl evaluate`: a model and a folder side by side, by genre, and what it says of what cannot be evaluated."""

import json
import math

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from aurl.cli.main import app
from aurl.data.corpus import PrepareConfig
from aurl.data.tokenizers import TOKENIZERS
from aurl.evaluation import judging
from aurl.evaluation.statistics import bootstrap
from aurl.models.config import MusicModelConfig
from aurl.models.exported import export_model
from aurl.models.folders import CHECKPOINTS
from aurl.models.music_model import MusicModel
from aurl.models.pretrained import write_model
from aurl.music.midi import read_midi, write_midi
from aurl.pipelines import evaluate as pipeline
from aurl.pipelines.evaluate import EvaluationRequest, evaluate, subjects
from aurl.pipelines.evaluation_report import tables
from aurl.pipelines.prepare import prepare_corpus
from aurl.utils.errors import AurlError, ConfigError, CorpusError, MidiError, UnknownNameError
from aurl.utils.folders import atomic_folder
from metric_scores import bar_of, score_of

TOKENIZER = {"name": "note", "styles": ["pop", "fiddle"]}
GENRES = ("pop", "fiddle/reel")


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    torch.set_num_threads(1)


def song(seed):
    rng = np.random.default_rng(seed)
    return score_of(*(note for bar in range(6) for note in bar_of(bar, *rng.integers(55, 80, 8), beats=0.5)))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Twelve pieces to learn from and eight held out, every second one a reel."""
    music, out = (tmp_path_factory.mktemp(name) for name in ("music", "corpus"))
    lines = ["path,split,genre"]
    for number in range(20):
        write_midi(song(number), music / f"{number}.mid")
        lines.append(f"{number}.mid,{'train' if number < 12 else 'valid'},{GENRES[number % 2]}")
    (music / "manifest.csv").write_text("\n".join(lines))
    quality = {"min_seconds": 0, "min_notes": 1}
    config = PrepareConfig.parse({"workers": 1, "labels": [], "quality": quality})
    prepare_corpus([str(music)], out / "corpus", config, quiet=True)
    return out / "corpus"


def saved(folder, tokenizer, sizes=None):
    """A run of a model that has learned nothing."""
    torch.manual_seed(0)
    sizes = sizes or TOKENIZERS.build(TOKENIZERS.parse(tokenizer)).vocabulary.sizes
    config = MusicModelConfig(vocabulary_sizes=sizes, width=32, layers=1, heads=2, context=64)
    with atomic_folder(folder / CHECKPOINTS / "step-1") as inside:
        experiment = {
            "model": config.model_dump(mode="json"),
            "tokenizer": tokenizer,
            "generation": {"max_tokens": 60},
        }
        write_model(inside, MusicModel(config).state_dict(), experiment)
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return saved(tmp_path_factory.mktemp("runs") / "tiny", TOKENIZER)


@pytest.fixture
def songs(tmp_path):
    folder = tmp_path / "songs"
    folder.mkdir()
    for number in range(3):
        write_midi(song(100 + number), folder / f"{number}.mid")
    (folder / "broken.mid").write_bytes(b"MThd, or is it?")
    return folder


def call(*words):
    result = CliRunner().invoke(app, ["evaluate", *map(str, words), "--quiet"])
    if isinstance(result.exception, AurlError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_model_and_a_folder_side_by_side(run, songs, corpus, tmp_path):
    out = tmp_path / "out"
    text = call(run, songs, "--corpus", corpus, "--pieces", 2, "--bars", 3, "--out", out, "--baselines")
    result = json.loads((out / "evaluation.json").read_text())
    model, given = (result["evaluated"][name] for name in ("tiny", "songs"))
    assert (result["held_out_pieces"], model["pieces"], given["pieces"], given["bars"]) == (8, 2, 3, 3)
    assert sorted(path.name for path in (out / "tiny").iterdir()) == ["seed-0.mid", "seed-1.mid"]
    assert (out / "evaluation.png").read_bytes().startswith(b"\x89PNG")
    assert '"bars": 3' in model["written"]
    likelihood = model["likelihood"]
    assert likelihood["by_genre"].keys() == {"pop", "fiddle"}
    fields = sum(interval["value"] for interval in likelihood["by_field"].values())
    assert fields == pytest.approx(likelihood["bits_per_note"]["value"])
    assert likelihood["baselines"]["copy"]["bits_per_note"]["value"] < likelihood["bits_per_note"]["value"]
    assert given["not_read"].keys() == {"songs/broken.mid"}
    assert "songs/broken.mid" in text
    assert "bits per note of fiddle" in text
    assert "self-similarity, 4 bars" in text
    assert given["left_out"].keys() >= {"self_similarity_4", "frechet_hand_features"}
    titles = [table.title for table in tables(result)]
    assert [title.partition(" ")[0] for title in titles] == ["likelihood", "pieces", "metrics", "metrics"]
    assert "as it is" in titles[-1]


def test_pieces_that_were_kept_are_those_of_their_seeds(run, corpus, tmp_path, monkeypatch):
    for batch in (1, 2):
        monkeypatch.setattr(pipeline, "BATCH", batch)
        evaluate([run], EvaluationRequest(corpus, pieces=2, bars=2, out=tmp_path / str(batch)), quiet=True)
    for name in ("seed-0.mid", "seed-1.mid"):
        one, other = (read_midi(tmp_path / batch / "tiny" / name) for batch in ("1", "2"))
        assert one.notes == other.notes


def test_a_model_is_asked_for_more_where_that_is_wanted(run, corpus):
    request = EvaluationRequest(corpus, pieces=2, bars=2, ask={"temperature": 0.5, "constraints": ["scale"]})
    written = evaluate([run], request, quiet=True)["evaluated"]["tiny"]["written"]
    assert '"temperature": 0.5' in written
    assert "scale" in written


def test_one_genre_on_both_sides(run, corpus):
    request = EvaluationRequest(corpus, style="fiddle", pieces=1, bars=2)
    result = evaluate([run], request, quiet=True)
    assert result["held_out_pieces"] == 4
    assert "by_genre" not in result["evaluated"]["tiny"]["likelihood"]
    with pytest.raises(CorpusError, match="no pieces of the genre 'jazz'") as error:
        evaluate([run], EvaluationRequest(corpus, style="jazz"), quiet=True)
    assert error.value.found == "fiddle, pop"


def test_a_style_that_the_model_does_not_know_is_refused(corpus, tmp_path):
    run = saved(tmp_path / "run", {"name": "note", "styles": ["jazz"]})
    with pytest.raises(UnknownNameError, match="style"):
        evaluate([run], EvaluationRequest(corpus, style="pop"), quiet=True)


def test_likelihood_alone_and_the_vectors_of_a_model(run, songs, corpus, monkeypatch):
    monkeypatch.setattr(judging, "frechet", lambda ours, theirs: bootstrap(ours[:, :1], np.mean))
    told = json.loads(call(run, "--corpus", corpus, "--pieces", 0, "--json"))["evaluated"]["tiny"]
    assert told.keys() == {"path", "is", "likelihood"}
    assert "note metrical" in call(run, "--corpus", corpus, "--pieces", 0)
    told = json.loads(call(songs, "--corpus", corpus, "--embedding", run, "--json"))["evaluated"]["songs"]
    assert math.isfinite(told["frechet_embedding"]["pieces"]["value"])
    assert told["inside"]["figures"]["pieces"] > 0.5


def test_an_export_is_scored_through_its_graphs(run, corpus, tmp_path):
    export_model(run, tmp_path / "exported", "onnx")
    request = EvaluationRequest(corpus, pieces=0)
    found = evaluate([run, tmp_path / "exported"], request, quiet=True)["evaluated"]
    bits = [found[name]["likelihood"]["bits_per_note"]["value"] for name in ("tiny", "exported")]
    assert bits[0] == pytest.approx(bits[1], rel=1e-3)


def test_files_make_one_column_and_folders_of_one_name_two(songs, run, tmp_path):
    other = tmp_path / "other" / "songs"
    other.mkdir(parents=True)
    files = [songs / "0.mid", songs / "1.mid"]
    assert subjects([songs, *files, other, run, songs]) == {
        "files": files,
        "songs": [songs],
        "songs 2": [other],
        "tiny": [run],
    }


def test_what_cannot_be_evaluated_is_said(run, songs, corpus, tmp_path):
    with pytest.raises(ConfigError, match="does not exist"):
        call(tmp_path / "nothing", "--corpus", corpus)
    with pytest.raises(ConfigError, match="is a corpus"):
        call(corpus, "--corpus", corpus)
    with pytest.raises(CorpusError, match="no split 'held'"):
        call(songs, "--corpus", corpus, "--split", "held")
    with pytest.raises(CorpusError, match="no pieces in its split 'test'"):
        call(songs, "--corpus", corpus, "--split", "test")
    (tmp_path / "empty").mkdir()
    with pytest.raises(MidiError, match="no music"):
        call(tmp_path / "empty", "--corpus", corpus)
    with pytest.raises(MidiError, match=r"broken\.mid"):
        call(songs / "broken.mid", "--corpus", corpus)
    with pytest.raises(UnknownNameError, match="device"):
        call(songs, "--corpus", corpus, "--device", "abacus")


def test_a_model_that_does_not_know_the_tokens_of_the_corpus_is_refused(corpus, tmp_path):
    sizes = TOKENIZERS.build(TOKENIZERS.parse(TOKENIZER)).vocabulary.sizes
    run = saved(tmp_path / "run", TOKENIZER, (*sizes[:2], sizes[2] - 40, *sizes[3:]))
    with pytest.raises(CorpusError, match="does not know all tokens"):
        evaluate([run], EvaluationRequest(corpus), quiet=True)


def test_too_few_pieces_for_baselines_are_said(run, tmp_path):
    write_midi(song(0), tmp_path / "a.mid")
    (tmp_path / "manifest.csv").write_text("path,split\na.mid,valid")
    quality = {"min_seconds": 0, "min_notes": 1}
    config = PrepareConfig.parse({"workers": 1, "labels": [], "quality": quality})
    prepare_corpus([str(tmp_path / "a.mid"), str(tmp_path)], tmp_path / "corpus", config, quiet=True)
    text = call(run, "--corpus", tmp_path / "corpus", "--pieces", 1, "--bars", 2, "--baselines")
    assert "baselines" in text
    assert "could have been copied" in text
