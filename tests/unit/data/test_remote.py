import io
import sys
import tarfile
import zipfile

import fsspec
import pytest

from aurl.data.corpus import PrepareConfig, build_corpus
from aurl.data.remote import is_remote, list_remote
from aurl.data.sources import Found, list_inputs, read_entries
from aurl.data.splits import given_manifest
from aurl.utils.errors import ConfigError, CorpusError, MissingExtraError


def read(*paths):
    found = Found()
    return list(read_entries(list_inputs(paths, found).files, found)), found


@pytest.fixture
def store():
    """An object store in memory; `store({"a.mid": b"..."})` is its URL."""
    memory = fsspec.filesystem("memory")

    def fill(files):
        for name, content in files.items():
            memory.pipe_file(f"/bucket/music/{name}", content)
        return "memory://bucket/music"

    yield fill
    memory.store.clear()
    memory.pseudo_dirs[:] = [""]


FILES = {
    "b/1.mid": b"1",
    "b.mid": b"2",
    "b/1.chords.json": b"L",
    "manifest.csv": b"path",
    "x.txt": b"",
    "\u00e9.kar": b"3",
}


@pytest.mark.parametrize("scheme", ["memory", "file"])
def test_a_store_is_read_as_a_folder_is(store, folder, scheme):
    path = folder(FILES)
    entries, found = read(store(FILES) if scheme == "memory" else path.as_uri() + "/")
    expected, beside = read(path)
    assert entries == expected
    assert [entry.companions for entry in entries] == [{".chords.json": b"L"}, {}, {}]
    assert found == beside


def test_a_single_file_and_an_archive_of_a_store_are_read(store, folder, tmp_path):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a.mid", b"A")
        archive.writestr("a.rn.txt", b"L")
    tarred = io.BytesIO()
    with tarfile.open(fileobj=tarred, mode="w:gz") as tar:
        tar.add(folder({"a.mid": b"A", "a.rn.txt": b"L"}), "set")
    url = store({"x.zip": packed.getvalue(), "x.tgz": tarred.getvalue(), "a.mid": b"one"})
    entries, _ = read(f"{url}/x.zip", f"{url}/x.tgz", f"{url}/a.mid")
    labels = {".rn.txt": b"L"}
    assert [(entry.name, entry.content, entry.companions) for entry in entries] == [
        ("x.zip/a.mid", b"A", labels),
        ("x.tgz/set/a.mid", b"A", labels),
        ("a.mid", b"one", {}),
    ]


def test_a_corpus_of_a_store_is_that_of_the_folder(store, folder, tmp_path, tune):
    files = {f"{number}.mid": tune(number, 12) for number in range(3)}
    config = PrepareConfig(workers=1)
    for out, source in {"here": folder(files), "there": store(files)}.items():
        build_corpus([source], tmp_path / out, config)
    here, there = (next((tmp_path / out / "shards").iterdir()).read_bytes() for out in ("here", "there"))
    assert here == there
    assert build_corpus([store({})], tmp_path / "there", config).unchanged


def test_an_object_written_anew_is_another_input(store):
    url = store({"a.mid": b"1"})
    (before,) = list_remote(url)
    assert [before] == list(list_remote(url))
    store({"a.mid": b"2"})
    (after,) = list_remote(url)
    assert (after.size, after.modified != before.modified) == (before.size, True)


@pytest.mark.parametrize(
    ("url", "error", "message"),
    [
        ("memory://bucket/none", CorpusError, "memory://bucket/none does not exist or is empty"),
        ("nonsense://x", ConfigError, "cannot read nonsense://x; found: Protocol not known"),
    ],
)
def test_a_store_that_is_not_there_is_an_error(url, error, message):
    with pytest.raises(error, match=message):
        read(url)


def test_without_fsspec_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(MissingExtraError, match=r"aurl\[cluster\]"):
        read("s3://bucket/music")


@pytest.mark.parametrize("name", ["a.mid", "x.tar"])
def test_a_store_that_fails_stops_the_work_instead_of_losing_a_file(store, monkeypatch, name):
    def fail(*_args, **_options):
        raise TimeoutError(110, "Connection timed out")

    files = list_inputs([store({name: b"A"})], Found()).files
    memory = fsspec.filesystem("memory")
    monkeypatch.setattr(memory, "cat_file", fail)
    monkeypatch.setattr(type(memory.store["/bucket/music/" + name]), "read", fail)
    with pytest.raises(CorpusError, match=r"cannot read memory://.*; found: Connection timed out; run the same"):
        list(read_entries(files, Found()))


def test_what_is_a_url(tmp_path):
    assert is_remote("s3://bucket/key")
    assert not is_remote("music/a.mid")
    assert not is_remote(tmp_path)


def test_a_manifest_lists_the_files_of_a_store(store, tmp_path):
    (tmp_path / "list.csv").write_text("path,split\nb/1.mid,test\n")
    manifest = given_manifest(tmp_path / "list.csv", list_inputs([store({"b/1.mid": b"1"})], Found()))
    assert manifest.find("music/b/1.mid").split == "test"
