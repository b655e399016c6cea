"""Where pieces go, and which settings a request ends up with."""

from pathlib import Path

import pytest

from aurl.pipelines.generate import Output, request
from aurl.utils.errors import ConfigError


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


def test_a_request_keeps_what_was_saved_and_is_not_given() -> None:
    saved = {"seconds": 30.0, "bars": None, "sampling": {"temperature": 0.8, "top_p": 0.9}}
    config = request(saved, {"sampling": {"temperature": 1.1}})
    assert (config.seconds, config.sampling.temperature, config.sampling.top_p) == (30.0, 1.1, 0.9)


def test_a_length_replaces_the_saved_one_of_another_unit() -> None:
    config = request({"seconds": 30.0}, {"bars": 8})
    assert (config.seconds, config.bars) == (None, 8)


def test_two_lengths_at_once_are_refused() -> None:
    with pytest.raises(ConfigError, match="one length"):
        request({}, {"bars": 8, "seconds": 3.0})
