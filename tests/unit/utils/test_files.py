import errno
from pathlib import Path

import pytest

from aurl.utils.errors import ConfigError, StorageError
from aurl.utils.files import make_folder, require_suffix, write_file


def test_a_file_is_written_and_replaced(tmp_path):
    write_file(tmp_path / "a", b"one")
    write_file(tmp_path / "a", b"two")
    assert [item.name for item in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_bytes() == b"two"


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    write_file(tmp_path / "a", b"old")

    def full(path, content):
        path.open("wb").close()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(StorageError, match="No space left"):
        write_file(tmp_path / "a", b"new")
    assert [(item.name, item.read_bytes()) for item in tmp_path.iterdir()] == [("a", b"old")]


def test_a_folder_that_is_not_there_is_a_storage_error(tmp_path):
    with pytest.raises(StorageError, match="No such file"):
        write_file(tmp_path / "missing" / "a", b"")


def test_a_folder_that_cannot_be_made_is_a_storage_error(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    make_folder(tmp_path / "a" / "b")
    with pytest.raises(StorageError, match="cannot make the folder"):
        make_folder(tmp_path / "file" / "b")


def test_a_name_that_promises_another_kind_of_file_is_refused():
    require_suffix(Path("a.MID"), ".mid", ".midi")
    with pytest.raises(ConfigError, match=r"must end in \.mid or \.midi; found: a\.wav"):
        require_suffix(Path("a.wav"), ".mid", ".midi")
