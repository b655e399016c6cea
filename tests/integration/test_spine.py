"""The whole path on real music, through the command line: MIDI, corpus, model, piece."""

import json
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aurl.data.tokenizers import NoteTokenizer
from aurl.generation.generator import GeneratedPiece
from aurl.music.midi import read_midi, write_midi
from aurl.music.score import Notes, Score, Tempos, Track
from aurl.pipelines.generate import Output, write_piece
from aurl.pipelines.model import Piece


def output(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """What the last command printed as JSON."""
    values: dict[str, Any] = json.loads(capsys.readouterr().out)
    return values


def test_training_learns_the_chorales(run: Path) -> None:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    bits = [line["validation_bits_per_note"] for line in lines if "validation_bits_per_note" in line]
    assert [line["step"] for line in lines if "validation_bits_per_note" in line] == [10, 20]
    assert bits[1] < bits[0] < 9.6 * 2.6  # an untrained model takes log2(774) bits a token, 2.4 tokens a note


def test_info_knows_midi_corpus_and_model(aurl: Any, corpus: Path, run: Path, piece: Path, capsys: Any) -> None:
    kinds = []
    for path in (piece, corpus, run, run / "checkpoints" / "step-000000020"):
        assert aurl("info", path, "--json") == 0
        kinds.append(output(capsys)["kind"])
    assert kinds == ["music", "corpus", "model", "model"]


@pytest.fixture
def piece(corpus: Path, tmp_path: Path) -> Path:
    """A chorale from the corpus as a file, four bars long."""
    from aurl.data.store import Corpus

    score = Corpus.open(corpus).score(0)
    path = tmp_path / "piece.mid"
    write_midi(score.replace(notes=score.notes.take(score.notes.onset < 16 * score.ticks_per_beat)), path)
    return path


def test_tags_and_notes_are_kept_with_the_model(aurl: Any, short: list[str], tmp_path: Path, capsys: Any) -> None:
    assert aurl("train", *short, "training.steps=1", "tags=[bach,small]", "notes='less: dropout'") == 0
    capsys.readouterr()
    assert aurl("info", tmp_path / "test", "--json") == 0
    facts = output(capsys)
    assert (facts["tags"], facts["notes"]) == (["bach", "small"], "less: dropout")


def test_a_piece_is_heard_and_seen(aurl: Any, run: Path, tmp_path: Path) -> None:
    out = tmp_path / "music" / "new.mid"
    prompt = tmp_path / "prompt.mid"  # the model has learned next to nothing, and may write no note by itself
    write_midi(Score(notes=Notes([0], [480], [60], [90], [0]), tracks=(Track(),)), prompt)
    how = ("--prompt", prompt, "--seconds", 12, "--also", "wav,png,html,musicxml", "-q")
    assert aurl("generate", "-m", run, "-o", out, *how) == 0
    score = read_midi(out)
    assert len(score.notes)
    assert score.duration_seconds <= 13.3
    with wave.open(str(out.with_suffix(".wav"))) as sound:
        samples = np.frombuffer(sound.readframes(sound.getnframes()), np.int16)
        assert sound.getnframes() / sound.getframerate() >= score.duration_seconds
    assert np.abs(samples).max() > 3000
    assert out.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    assert "<score-partwise" in out.with_suffix(".musicxml").read_text()
    assert "<script" in out.with_suffix(".html").read_text()


def test_a_piece_without_notes_is_written_as_midi_alone(tmp_path: Path) -> None:
    empty = GeneratedPiece(Score(), np.zeros((1, 5), np.int64), 1, 0, "end", 0, {}, 0.0)
    output = Output(tmp_path / "x.mid", also=("wav", "svg"))
    assert write_piece(Piece(empty), tmp_path / "x", output) == [tmp_path / "x.mid"]


def test_the_same_seed_gives_the_same_bytes_alone_or_among_others(aurl: Any, run: Path, tmp_path: Path) -> None:
    assert aurl("generate", "-m", run, "-o", tmp_path / "many", "--bars", 2, "-n", 3, "--seed", 5, "-q") == 0
    assert aurl("generate", "-m", run, "-o", tmp_path / "one.mid", "--bars", 2, "--seed", 6, "-q") == 0
    many = [(tmp_path / "many" / f"piece-{n}.mid").read_bytes() for n in (1, 2, 3)]
    assert many[1] == (tmp_path / "one.mid").read_bytes()
    assert len(set(many)) == 3


def test_a_prompt_stands_at_the_head_of_the_piece(aurl: Any, run: Path, piece: Path, tmp_path: Path) -> None:
    out = tmp_path / "continued.mid"
    assert aurl("generate", "-m", run, "--prompt", piece, "-o", out, "--bars", 60, "--max-tokens", 90, "-q") == 0
    given, made = NoteTokenizer().canonical(read_midi(piece))[0].notes, read_midi(out).notes
    rows = [set(zip(notes.onset.tolist(), notes.pitch.tolist(), strict=True)) for notes in (given, made)]
    assert rows[0] <= rows[1]


def test_info_prints_a_key_and_no_infinity_for_a_tempo_of_zero(aurl: Any, tmp_path: Path, capsys: Any) -> None:
    notes = Notes([480], [480], [69], [64], [0])
    write_midi(Score(notes=notes, tracks=(Track(),), tempos=Tempos([0, 480], [0, 500_000])), tmp_path / "a.mid")
    assert aurl("info", tmp_path / "a.mid", "--json") == 0
    facts = output(capsys)
    assert facts["tempos_bpm"] == [120.0]
    assert facts["estimated_key"].startswith("A ")


def test_a_demo_that_trains_runs_again_over_the_corpus_of_an_earlier_aurl(aurl: Any, tmp_path: Path) -> None:
    words = ("demo", "--train", "-o", tmp_path / "demo", "--steps", 2, "-q")
    assert aurl(*words) == 0
    first = (tmp_path / "demo" / "piece.mid").read_bytes()
    assert (
        aurl("prepare", "aurl:chorales", "-o", tmp_path / "demo" / "corpus", "--valid", 0.5, "--overwrite", "-q") == 0
    )
    assert aurl(*words) == 0
    assert (tmp_path / "demo" / "piece.mid").read_bytes() == first


def test_a_demo_that_trains_makes_music_and_compares_it(aurl: Any, tmp_path: Path, capsys: Any) -> None:
    assert aurl("demo", "--train", "-o", tmp_path / "demo", "--steps", 4, "--json", "-q") == 0
    result = output(capsys)
    assert {Path(result[name]).is_file() for name in ("midi", "sound", "picture")} == {True}
    assert "note_density" in result["beside_held_out_chorales"]
