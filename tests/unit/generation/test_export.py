"""Files that hold the piece and nothing else: same piece, same bytes."""

import wave

import numpy as np
import pytest

from aurl.generation.export import export
from aurl.generation.generator import GeneratedPiece
from aurl.music.midi import read_midi
from aurl.utils.errors import UnknownNameError


@pytest.fixture
def piece(melody):
    return GeneratedPiece(
        score=melody, tokens=np.zeros((1, 1), np.int64), prompt_tokens=1, seed=3, stopped_by="end", fallbacks=0,
        seconds_taken=0.1,
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
