from __future__ import annotations

import csv
import io
import zipfile
from collections import defaultdict

import pytest

from aurl.data.embedded import built_in_model, chorales_archive
from aurl.music.midi import read_midi
from aurl.utils.errors import UnknownNameError


@pytest.fixture(scope="module")
def archive() -> zipfile.ZipFile:
    return zipfile.ZipFile(chorales_archive())


@pytest.fixture(scope="module")
def manifest(archive: zipfile.ZipFile) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(archive.read("manifest.csv").decode())))


def test_the_manifest_names_every_file_of_the_archive(archive, manifest):
    files = {name for name in archive.namelist() if name.endswith(".mid")}
    assert {row["path"] for row in manifest} == files
    assert len(manifest) == len(files) == 364


def test_all_settings_of_a_hymn_are_in_one_split(manifest):
    splits = defaultdict(set)
    for row in manifest:
        splits[row["piece_key"]].add(row["split"])
    assert all(len(names) == 1 for names in splits.values())
    assert set.union(*splits.values()) == {"train", "valid", "test"}


def test_the_archive_says_where_it_comes_from(archive):
    assert archive.read("SOURCE.md") == chorales_archive().with_name("SOURCE.md").read_bytes()


def test_chorales_have_four_voices_without_overlap_on_the_event_grid(archive, manifest):
    for row in manifest[::30]:
        score = read_midi(archive.read(row["path"]))
        assert [track.name for track in score.tracks] == ["Soprano", "Alto", "Tenor", "Bass"]
        assert set(score.notes.velocity) == {80}
        assert {track.program for track in score.tracks} == {19}
        step = score.ticks_per_beat // 48  # 1/64 s at 80 beats a minute
        assert not (score.notes.onset % step).any()
        for voice in range(4):
            notes = score.notes.take(score.notes.track == voice)
            assert (notes.onset[1:] >= notes.end[:-1]).all()


def test_bars_begin_after_the_pickup(archive):
    """BWV 269, "Aus meines Herzens Grunde", is in 3/4 and begins with a quarter note of pickup."""
    score = read_midi(archive.read("bwv269.mid"))
    assert score.metre_map.bar_to_ticks([0, 1, 2]).tolist() == [0, 480, 480 + 3 * 480]
    assert score.notes.pitch[:4].tolist() == [67, 62, 59, 43]


def test_models_are_found_by_name_and_by_nothing_else():
    assert (built_in_model("small") / "config.yaml").is_file()
    with pytest.raises(UnknownNameError, match="built-in model; found: 'smal'; did you mean 'small'"):
        built_in_model("smal")
    for name in ("", ".", "../chorales", "small/"):
        with pytest.raises(UnknownNameError):
            built_in_model(name)
