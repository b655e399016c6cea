import pyarrow.parquet as pq
import pytest

from aurl.data import shards
from aurl.data.chunks import chunk_path, keep_chunk, parse_chunk
from aurl.data.plan import PieceConfig
from aurl.data.shards import write_shards
from aurl.data.sources import Entry
from aurl.data.splits import Assignment
from aurl.data.store import file_sha256
from aurl.utils.errors import StorageError

CONFIG = PieceConfig.parse({"labels": [], "quality": {"min_distinct_pitches": 1}})


@pytest.fixture
def chunk_paths(tmp_path, tune):
    """Five chunks of three tunes; the third holds nothing but a failure."""
    for number in range(5):
        good = [Entry(f"{number}/{n}.mid", tune(10 * number + n, 200), 0) for n in range(3)]
        entries = [Entry("bad.mid", b"?", 0)] if number == 2 else good
        keep_chunk(tmp_path, number, parse_chunk(entries, CONFIG, tmp_path / "journal"))
    return [chunk_path(tmp_path, number) for number in range(5)]


ABOUT = [{"title": f"T{n}", "mood": "sad"} if n % 2 else {} for n in range(12)]
ASSIGNMENTS = [Assignment(f"key {n}", "train", n, about) for n, about in enumerate(ABOUT)]


def test_rows_keep_their_order_over_shards_and_row_groups(tmp_path, chunk_paths, monkeypatch):
    monkeypatch.setattr(shards, "ROW_GROUP_BYTES", 1)
    (tmp_path / "out").mkdir()
    made = write_shards(chunk_paths, ASSIGNMENTS, tmp_path / "out", 10_000)
    assert [shard.name for shard in made] == ["00000.parquet", "00001.parquet"]
    assert [shard.rows for shard in made] == [6, 6]
    paths = [tmp_path / "out" / shard.name for shard in made]
    assert [pq.ParquetFile(path).num_row_groups for path in paths] == [2, 2]
    rows = [row for path in paths for row in pq.ParquetFile(path).read().to_pylist()]
    assert [row["source"] for row in rows] == [f"{c}/{n}.mid" for c in (0, 1, 3, 4) for n in range(3)]
    assert [row["piece_key"] for row in rows] == [f"key {n}" for n in range(12)]
    assert [row["cluster"] for row in rows] == [*range(12)]
    assert [row["title"] for row in rows[:2]] == [None, "T1"]
    assert rows[1]["metadata"] == [{"key": "mood", "value": "sad"}]


def test_each_shard_is_described_as_it_is(tmp_path, chunk_paths):
    (tmp_path / "out").mkdir()
    (shard,) = write_shards(chunk_paths, ASSIGNMENTS, tmp_path / "out", 1 << 20)
    path = tmp_path / "out" / shard.name
    assert (shard.rows, shard.bytes, shard.sha256) == (12, path.stat().st_size, file_sha256(path))


def test_a_folder_that_cannot_be_written_is_a_storage_error(tmp_path, chunk_paths, monkeypatch):
    def full(path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shards, "file_sha256", full)
    monkeypatch.setattr("os.fsync", full)
    (tmp_path / "out").mkdir()
    with pytest.raises(StorageError, match="No space left"):
        write_shards(chunk_paths, ASSIGNMENTS, tmp_path / "out", 1 << 20)
    assert [*(tmp_path / "out").iterdir()] == []
