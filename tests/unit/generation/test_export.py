"""Files that hold the piece and what made it: same piece, same bytes."""

import dataclasses
import wave

import mido
import numpy as np
import pytest

from aurl.generation.export import export
from aurl.generation.generator import GeneratedPiece
from aurl.music.midi import read_midi
from aurl.music.score import KeySignatures, Texts
from aurl.utils.errors import UnknownNameError
from notation_reader import read_notes


@pytest.fixture
def piece(melody):
    return GeneratedPiece(
        score=melody, tokens=np.zeros((1, 1), np.int64), prompt_tokens=1, seed=3, stopped_by="end", fallbacks=0,
        dropped={}, seconds_taken=0.1,
    )  # fmt: skip


def test_each_format_becomes_a_file_beside_the_stem(piece, tmp_path):
    stem = tmp_path / "new" / "folder" / "op.1"
    paths = export(piece, stem, ("mid", "wav", "png"))
    assert [path.name for path in paths] == ["op.1.mid", "op.1.wav", "op.1.png"]
    assert read_midi(paths[0]).notes == piece.score.notes
    with wave.open(str(paths[1])) as sound:
        assert sound.getnframes() / sound.getframerate() >= 12
    assert paths[2].read_bytes().startswith(b"\x89PNG")


def test_midi_alone_is_written_unless_asked(piece, tmp_path):
    assert export(piece, tmp_path / "piece") == [tmp_path / "piece.mid"]
    assert [path.name for path in tmp_path.iterdir()] == ["piece.mid"]


def test_the_same_piece_gives_the_same_bytes(piece, tmp_path):
    first, second = (export(piece, tmp_path / name, ("mid", "png")) for name in ("a", "b"))
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_an_unknown_format_is_refused_with_the_known_ones(piece, tmp_path):
    with pytest.raises(UnknownNameError, match="did you mean 'mid'"):
        export(piece, tmp_path / "piece", ("midi",))


def test_files_say_what_made_the_piece(piece, tmp_path):
    midi, notation = export(piece, tmp_path / "a", ("mid", "musicxml"), provenance="model Bach, temperature 1")
    texts = [event.text for track in mido.MidiFile(midi).tracks for event in track if event.type == "text"]
    assert len(texts) == 1
    assert "seed 3; model Bach, temperature 1" in texts[0]
    assert texts[0] in notation.read_text(encoding="utf-8")


def test_key_labels_become_key_signatures(piece, tmp_path):
    labels = Texts([0], [-1], np.array(["key"], object), np.array(["Bb major"], object))
    (path,) = export(dataclasses.replace(piece, score=piece.score.replace(texts=labels)), tmp_path / "a")
    assert read_midi(path).key_signatures == KeySignatures([0], [-2], [False])


def test_sound_notation_and_pages_that_play(piece, tmp_path):
    pytest.importorskip("verovio")
    pytest.importorskip("soundfile")
    paths = export(piece, tmp_path / "a", ("ogg", "musicxml", "svg", "html"))
    assert {path.suffix for path in paths} == {".ogg", ".musicxml", ".svg", ".html"}
    assert all(path.stat().st_size for path in paths)
    assert sum(read_notes(paths[1].read_text(encoding="utf-8")).values()) == len(piece.score.notes)
