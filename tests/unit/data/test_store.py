import json
import os
import pickle
import shutil
import threading

import numpy as np
import pyarrow.parquet as pq
import pytest

from aurl.data.store import SCHEMA, Corpus, file_sha256
from aurl.music.midi import read_midi
from aurl.utils.errors import CorpusError, StorageError
from aurl.utils.files import replacing


def rewrite(path, **changes):
    description = json.loads((path / "corpus.json").read_text())
    (path / "corpus.json").write_text(json.dumps(description | changes))


def test_scores_are_those_of_the_files(corpus, finished_corpus):
    assert len(corpus) == 10
    for index in range(10):
        source = corpus.metadata(index)["source"]
        assert corpus.score(index) == read_midi(finished_corpus.parent / source)
        assert corpus.score(index).metadata == corpus.metadata(index)
        assert corpus.note_counts[index] == len(corpus.score(index).notes)


def test_indices_part_the_pieces_by_split(corpus):
    parts = [corpus.indices(split) for split in corpus.splits]
    assert sorted(np.concatenate(parts)) == list(range(10))
    assert {split: len(part) for split, part in zip(corpus.splits, parts, strict=True)} == corpus.splits
    assert [*corpus.splits] == ["train", "valid", "test"]
    assert all(corpus.metadata(index)["split"] == "valid" for index in corpus.indices("valid"))


def test_an_unknown_split_is_named_with_those_there_are(corpus):
    with pytest.raises(CorpusError, match="no split 'trian'; found: train, valid, test"):
        corpus.indices("trian")


@pytest.mark.parametrize("index", [10, -1])
def test_an_index_beyond_the_pieces_is_an_index_error(corpus, index):
    with pytest.raises(IndexError, match="of a corpus of 10"):
        corpus.score(index)


def test_broken_files_are_listed(corpus):
    assert [failure.source for failure in corpus.failures] == ["music/broken.mid"]
    assert "not a MIDI file" in corpus.failures[0].reason


def test_a_pickled_corpus_opens_itself_again(corpus):
    corpus.score(0)
    copy = pickle.loads(pickle.dumps(corpus))
    assert copy.score(3) == corpus.score(3)
    assert copy.fingerprint == corpus.fingerprint


def test_the_shards_say_everything_in_plain_columns(corpus_path):
    table = pq.read_table(corpus_path / "shards" / "00000.parquet")
    assert table.schema == SCHEMA
    row = table.slice(0, 1).to_pylist()[0]
    assert row["pitch"] == [40] * 5
    assert row["tracks_name"] == ["lead"]
    assert row["metadata"] == []
    assert row["title"] is None


def test_a_missing_folder_says_how_to_make_a_corpus(tmp_path):
    with pytest.raises(CorpusError, match="does not exist; make it with: aurl prepare"):
        Corpus.open(tmp_path / "none")


def test_without_its_description_there_is_no_corpus(corpus_path):
    (corpus_path / "corpus.json").unlink()
    with pytest.raises(CorpusError, match="is not a finished corpus"):
        Corpus.open(corpus_path)


def test_another_format_is_refused_by_its_number(corpus_path):
    rewrite(corpus_path, format=99)
    with pytest.raises(CorpusError, match="found: format 99; run aurl prepare again"):
        Corpus.open(corpus_path)


@pytest.mark.parametrize("text", ["{", "[]", "\xff"])
def test_a_description_that_is_none_is_refused(corpus_path, text):
    (corpus_path / "corpus.json").write_text(text, encoding="latin1")
    with pytest.raises(CorpusError):
        Corpus.open(corpus_path)


def test_a_damaged_description_is_refused(corpus_path):
    rewrite(corpus_path, pieces="many")
    with pytest.raises(CorpusError, match="is damaged"):
        Corpus.open(corpus_path)


@pytest.mark.parametrize("changes", [{"shards": []}, {"pieces": 11}, {"pieces": 0, "shards": []}])
def test_a_description_whose_shards_do_not_hold_its_pieces_is_refused(corpus_path, changes):
    rewrite(corpus_path, **changes)
    with pytest.raises(CorpusError, match=r"corpus\.json is damaged"):
        Corpus.open(corpus_path)


def test_a_missing_shard_is_found_at_once(corpus_path):
    (corpus_path / "shards" / "00000.parquet").unlink()
    with pytest.raises(CorpusError, match="cannot read the shard"):
        Corpus.open(corpus_path)


def test_a_file_where_the_shards_should_be_is_found_at_once(corpus_path):
    shutil.rmtree(corpus_path / "shards")
    (corpus_path / "shards").write_text("no folder")
    with pytest.raises(CorpusError, match="cannot read the shard"):
        Corpus.open(corpus_path)


def test_a_shard_cut_short_is_found_at_once(corpus_path):
    shard = corpus_path / "shards" / "00000.parquet"
    shard.write_bytes(shard.read_bytes()[:-1])
    with pytest.raises(CorpusError, match="bytes, not"):
        Corpus.open(corpus_path)


def test_verify_finds_a_changed_byte(corpus_path):
    corpus = Corpus.open(corpus_path)
    corpus.verify()
    shard = corpus_path / "shards" / "00000.parquet"
    data = bytearray(shard.read_bytes())
    data[100] ^= 1
    shard.write_bytes(data)
    with pytest.raises(CorpusError, match="has changed"):
        Corpus.open(corpus_path).verify()
    with pytest.raises(CorpusError, match="has changed"):
        Corpus.open(corpus_path).score(0)
    shard.unlink()
    with pytest.raises(CorpusError, match="cannot read the shard"):
        corpus.verify()


def zeroed(path):
    path.write_bytes(b"PAR1" + bytes(path.stat().st_size - 4))


def of_other_columns(path):
    pq.write_table(pq.read_table(path).drop_columns(["split"]), path)


def with_a_name_that_is_no_text(path):
    path.write_bytes(path.read_bytes().replace(b"piece_key", b"piece\xffkey"))


@pytest.mark.parametrize("change", [zeroed, of_other_columns, with_a_name_that_is_no_text])
def test_a_shard_that_cannot_be_decoded_is_a_corpus_error(corpus_path, change):
    shard = corpus_path / "shards" / "00000.parquet"
    change(shard)
    told = {"name": shard.name, "rows": 10, "bytes": shard.stat().st_size, "sha256": file_sha256(shard)}
    rewrite(corpus_path, shards=[told])
    corpus = Corpus.open(corpus_path)
    with pytest.raises(CorpusError, match="cannot read the shard"):
        corpus.score(0)
    with pytest.raises(CorpusError, match="cannot read the shard"):
        corpus.indices("train")


def test_the_cache_is_built_once(corpus_path):
    Corpus.open(corpus_path).score(0)
    (cache,) = (corpus_path / "cache").glob("*.arrow")
    os.utime(cache, ns=(5, 5))
    Corpus.open(corpus_path).score(1)
    assert cache.stat().st_mtime_ns == 5
    assert cache.stem == Corpus.open(corpus_path).fingerprint


@pytest.mark.parametrize("content", [b"", b"ARROW1\0\0 cut short"])
def test_a_damaged_cache_is_built_again(corpus_path, corpus, content):
    (corpus_path / "cache").mkdir()
    (corpus_path / "cache" / f"{corpus.fingerprint}.arrow").write_bytes(content)
    assert Corpus.open(corpus_path).score(2) == corpus.score(2)


def test_a_corpus_that_may_not_be_written_caches_with_the_user(corpus_path, corpus, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    (corpus_path / "cache").write_text("a file where the folder should be")
    read_only = Corpus.open(corpus_path)
    assert read_only.score(4) == corpus.score(4)
    assert read_only.cache_dir.is_relative_to(tmp_path / "user" / "aurl")
    monkeypatch.setenv("XDG_CACHE_HOME", str(corpus_path / "cache"))
    with pytest.raises(StorageError, match="set XDG_CACHE_HOME"):
        _ = Corpus.open(corpus_path).cache_dir


def test_several_may_build_the_cache_at_once(corpus_path, corpus):
    corpora = [Corpus.open(corpus_path) for _ in range(4)]
    results = []
    threads = [threading.Thread(target=lambda one=one: results.append(one.score(5))) for one in corpora]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [corpus.score(5)] * 4
    assert [path.suffix for path in (corpus_path / "cache").iterdir()] == [".arrow"]


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(TypeError), replacing(path) as temporary:
        temporary.write_text("half") + "not a number"
    assert path.read_text() == "old"
    assert [*tmp_path.iterdir()] == [path]
    with replacing(path) as temporary:
        temporary.write_text("new")
    assert path.read_text() == "new"
