import errno
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurl.data import cache as cache_module
from aurl.data.cache import Cache, default_bytes, default_folder, entry_key
from aurl.utils.errors import ConfigError, StorageError


@pytest.fixture
def cache(tmp_path):
    return Cache(tmp_path / "cache", 1000)


def names(cache):
    return {path.name.removesuffix(".cache") for path in cache.folder.iterdir()}


def content(cache, key):
    """What an entry holds; looking marks it as used."""
    found = cache.open(key)
    return found and bytes(found)


def test_an_entry_is_what_was_written_to_it(cache):
    assert cache.open("a") is None
    assert cache.write("a", b"one")
    assert content(cache, "a") == b"one"
    assert cache.write("a", b"two")
    assert content(cache, "a") == b"two"
    cache.remove("a")
    assert cache.open("a") is None


def test_a_key_tells_its_parts_apart():
    assert len({entry_key("ab", "c"), entry_key("a", "bc"), entry_key("ab", "c", 1), entry_key("ab", "c", 2)}) == 4


@given(steps=st.lists(st.tuples(st.sampled_from("abcdefg"), st.integers(1, 400), st.booleans()), max_size=30))
def test_what_was_used_last_stays_and_the_limit_holds(steps, tmp_path_factory):
    """Against a model: a list of keys, the one used longest ago first."""
    cache, model = Cache(tmp_path_factory.mktemp("lru"), 1000), {}
    for clock, (key, size, write) in enumerate(steps):
        if write:
            model_room(model, size)
            assert cache.write(key, bytes(size))
            model.pop(key, None)
            model[key] = size
        elif (found := cache.open(key)) is not None:
            assert len(found) == model[key]
            model[key] = model.pop(key)
        else:
            assert key not in model
        if key in model:
            os.utime(cache._path(key), ns=(clock, clock))  # file systems whose clocks tick slowly
        assert sorted(names(cache)) == sorted(model)
        assert cache.stats().bytes == sum(model.values()) <= 1000


def model_room(model, size):
    for key in list(model):
        if sum(model.values()) + size <= 1000:
            return
        del model[key]


def test_what_is_in_use_is_never_removed(cache):
    for key in "abc":
        cache.write(key, bytes(300))
    assert cache.write("d", bytes(300), in_use={"a", "c"})
    assert names(cache) == {"a", "c", "d"}
    assert not cache.write("e", bytes(800), in_use={"a", "c"})
    assert names(cache) == {"a", "c", "d"}


def test_an_entry_that_is_mapped_outlives_its_file(cache):
    cache.write("a", b"content")
    mapped = cache.open("a")
    cache.clear()
    assert bytes(mapped) == b"content"


def test_pruning_keeps_what_fits_and_says_what_it_removed(cache):
    for clock, key in enumerate("abcd"):
        cache.write(key, bytes(100))
        os.utime(cache._path(key), ns=(clock, clock))
    stats = cache.prune(250)
    assert names(cache) == {"c", "d"}
    assert (stats.entries, stats.bytes, stats.removed_entries, stats.removed_bytes) == (2, 200, 2, 200)
    stats = cache.clear()
    assert (stats.entries, stats.removed_entries, stats.max_bytes) == (0, 2, 1000)
    assert cache.prune().removed_entries == 0


def test_what_a_dead_process_left_is_pruned_and_what_a_living_one_writes_is_not(cache):
    cache.write("a", b"1")
    old, new = (cache.folder / name for name in (".tmp-old", ".tmp-new"))
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (0, time.time() - 2 * cache_module.ABANDONED_SECONDS))
    cache.prune()
    assert names(cache) == {"a", ".tmp-new"}


def test_a_full_disk_costs_a_warning_and_nothing_else(cache, monkeypatch, caplog):
    def full(path, content):
        raise StorageError(f"cannot write {path}", found=os.strerror(errno.ENOSPC))

    monkeypatch.setattr(cache_module, "write_file", full)
    assert not cache.write("a", b"1")
    assert not cache.write("b", b"1")
    assert cache.open("a") is None
    assert [record.message for record in caplog.records if "nothing more is cached" in record.message] != []
    assert len(caplog.records) == 1


def test_a_cache_where_no_folder_can_be_is_no_cache(tmp_path, caplog):
    (tmp_path / "file").write_bytes(b"")
    cache = Cache(tmp_path / "file" / "cache", 1000)
    assert not cache.write("a", b"1")
    assert cache.open("a") is None
    assert "nothing more is cached" in caplog.text


def test_an_entry_that_cannot_be_removed_stays(cache, monkeypatch):
    cache.write("a", bytes(900))
    monkeypatch.setattr(cache_module.Path, "unlink", partial(refuse, PermissionError(13, "in use")))
    assert cache.clear().entries == 1


def refuse(error, *_args, **_options):
    raise error


def test_the_limit_is_the_users(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_folder() == tmp_path / "aurl" / "tokens"
    assert default_bytes() == 4 << 30
    monkeypatch.setenv("AURL_CACHE_BYTES", "0")
    assert not Cache().write("a", b"1")
    monkeypatch.setenv("AURL_CACHE_BYTES", "2 GB")
    with pytest.raises(ConfigError, match="AURL_CACHE_BYTES must be a number of bytes; found: '2 GB'"):
        Cache()


def write_often(folder, byte):
    cache = Cache(folder, 1 << 20)
    for number in range(30):
        cache.write(str(number % 3), bytes([byte]) * 50_000)
        found = cache.open(str(number % 3))
        assert found is None or len(set(bytes(found))) == 1, "an entry of two writers"
    return True


def test_two_processes_may_write_the_same_entries(tmp_path):
    with ProcessPoolExecutor(2, get_context("forkserver")) as pool:
        assert all(pool.map(partial(write_often, tmp_path), [1, 2]))
    assert len(names(Cache(tmp_path))) == 3


KILLED = """
import sys
from pathlib import Path
from aurl.data.cache import Cache
cache = Cache(Path(sys.argv[1]), 1 << 30)
print("ready", flush=True)
for number in range(10**9):
    cache.write(f"{number % 5}", bytes([number % 256]) * 2_000_000)
"""


def test_a_process_killed_while_it_writes_leaves_no_bad_entry(tmp_path):
    for wait in (0.02, 0.05, 0.11):
        process = subprocess.Popen([sys.executable, "-c", KILLED, tmp_path], stdout=subprocess.PIPE)
        with process:
            process.stdout.readline()
            time.sleep(wait)
            process.send_signal(signal.SIGKILL)
        cache = Cache(tmp_path, 1 << 30)
        for key in names(cache):
            if not key.startswith(".tmp-"):
                whole = content(cache, key)
                assert whole == whole[:1] * 2_000_000
