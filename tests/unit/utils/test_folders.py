"""A folder is whole or not there, tells when it was altered, and leaves nothing behind."""

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurl.utils import folders
from aurl.utils.errors import CheckpointError, StorageError
from aurl.utils.folders import (
    MANIFEST,
    atomic_folder,
    locked,
    read_manifest,
    remove_folder,
    remove_stale,
    storage_errors,
    verify_folder,
)


def write(target: Path, **files: str) -> Path:
    with atomic_folder(target, {"step": 3}) as folder:
        for name, text in files.items():
            (folder / name).write_text(text)
    return target


def names(folder: Path) -> list[str]:
    return sorted(item.name for item in folder.iterdir())


def test_a_folder_has_its_files_and_a_manifest_and_no_trace_of_the_writing(tmp_path):
    target = write(tmp_path / "deep" / "model", weights="abc", config="x: 1")
    assert names(target) == ["config", MANIFEST, "weights"]
    assert names(target.parent) == ["model"]
    manifest = verify_folder(target)
    assert manifest["files"]["weights"]["size"] == 3
    assert manifest["metadata"] == {"step": 3}


def test_files_in_subfolders_are_in_the_manifest_too(tmp_path):
    with atomic_folder(tmp_path / "a") as folder:
        (folder / "sub").mkdir()
        (folder / "sub" / "file").write_text("abc")
    (tmp_path / "a" / "sub" / "file").write_text("abd")
    with pytest.raises(CheckpointError, match="sub/file was altered"):
        verify_folder(tmp_path / "a")


def test_an_exception_leaves_the_folder_that_was_there_and_nothing_else(tmp_path):
    target = write(tmp_path / "model", weights="old")

    def interrupted():
        with atomic_folder(target) as folder:
            (folder / "weights").write_text("new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert verify_folder(target)
    assert (target / "weights").read_text() == "old"
    assert names(tmp_path) == ["model"]


def test_everything_is_on_the_disk_before_the_rename_and_the_rename_before_the_end(tmp_path, monkeypatch):
    sync, rename, events = folders._sync, Path.rename, []
    monkeypatch.setattr(folders, "_sync", lambda path: events.append(path.name) or sync(path))
    monkeypatch.setattr(Path, "rename", lambda self, to: events.append(f"to {to.name}") or rename(self, to))
    write(tmp_path / "model", weights="abc", config="x")
    hidden = f".tmp-model-{os.getpid()}"
    assert [e for e in events if "-old-" not in e] == [
        "config", "weights", MANIFEST, hidden, "to model", tmp_path.name,
    ]  # fmt: skip


def test_a_folder_that_exists_is_replaced_whole(tmp_path):
    write(tmp_path / "model", weights="old", extra="gone")
    target = write(tmp_path / "model", weights="new")
    assert verify_folder(target)["files"].keys() == {"weights"}
    assert names(target) == [MANIFEST, "weights"]
    assert names(tmp_path) == ["model"]


def test_the_folder_that_was_there_comes_back_if_the_rename_fails(tmp_path, monkeypatch):
    target = write(tmp_path / "model", weights="old")
    rename = Path.rename

    def refuse(self, to):
        if to == target and "-old-" not in self.name:
            raise OSError(errno.ENOSPC, "No space left on device")
        return rename(self, to)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(StorageError, match="intact"):
        write(target, weights="new")
    assert (target / "weights").read_text() == "old"
    assert names(tmp_path) == ["model"]


@given(place=st.data())
def test_any_flipped_bit_and_any_cut_is_found_and_named(tmp_path_factory, place):
    target = write(tmp_path_factory.mktemp("run") / "model", weights="abcdefgh", config="x: 1")
    file = target / place.draw(st.sampled_from(["weights", "config", MANIFEST]))
    content = bytearray(file.read_bytes())
    at = place.draw(st.integers(0, len(content) - 1))
    if place.draw(st.booleans()):
        content[at] ^= 1 << place.draw(st.integers(0, 7))
    else:
        del content[at:]
    file.write_bytes(content)
    with pytest.raises(CheckpointError, match=file.name):
        verify_folder(target)


def test_a_longer_file_is_found(tmp_path):
    target = write(tmp_path / "model", weights="abc")
    (target / "weights").write_text("abcd")
    with pytest.raises(CheckpointError, match=r"weights was altered; found: 4 bytes, not 3"):
        verify_folder(target)


def test_a_missing_file_is_found(tmp_path):
    target = write(tmp_path / "model", weights="abc")
    (target / "weights").unlink()
    with pytest.raises(CheckpointError, match="weights is missing"):
        verify_folder(target)


def test_what_has_no_manifest_does_not_exist(tmp_path):
    target = write(tmp_path / "model", weights="abc")
    (target / MANIFEST).unlink()
    with pytest.raises(CheckpointError, match="not complete"):
        verify_folder(target)
    with pytest.raises(CheckpointError, match="no such folder"):
        verify_folder(tmp_path / "other")


def test_a_manifest_of_a_newer_aurl_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(folders, "FORMAT", 99)
    target = write(tmp_path / "model", weights="abc")
    monkeypatch.undo()
    with pytest.raises(CheckpointError, match="newer format; found: 99; upgrade Aurl"):
        read_manifest(target)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_a_disk_that_refuses_is_a_storage_error_and_nothing_is_lost(tmp_path, monkeypatch, code):
    target = write(tmp_path / "model", weights="old")

    def refuse(descriptor):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(StorageError, match=f"{os.strerror(code)}; what was saved before is intact"):
        write(target, weights="new")
    assert names(tmp_path) == ["model"]
    assert verify_folder(target)["files"]["weights"]["size"] == 3
    assert (target / "weights").read_text() == "old"


@pytest.mark.parametrize("code", [errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG])
def test_something_in_the_way_is_a_storage_error(tmp_path, code):
    with pytest.raises(StorageError, match=f"{os.strerror(code)}.*move what is in the way"), storage_errors(tmp_path):
        raise OSError(code, os.strerror(code))


def test_a_file_system_without_locks_only_warns(tmp_path, monkeypatch, caplog):
    def refuse(stream, flags):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(folders.fcntl, "lockf", refuse)
    with locked(tmp_path / "lock", work="trains"):
        assert "cannot be locked" in caplog.text


def test_a_mistake_in_the_block_is_not_called_a_full_disk(tmp_path):
    with pytest.raises(FileNotFoundError), atomic_folder(tmp_path / "model") as folder:
        (folder / "nowhere" / "file").write_text("x")


def test_removing_hides_first_so_that_no_half_removed_folder_looks_whole(tmp_path, monkeypatch):
    target = write(tmp_path / "model", weights="abc")
    monkeypatch.setattr(folders.shutil, "rmtree", lambda *_, **__: None)  # killed before the first file was deleted
    remove_folder(target)
    assert [name for name in names(tmp_path) if not name.startswith(".")] == []
    monkeypatch.undo()
    remove_stale(tmp_path)
    assert names(tmp_path) == []


def test_removing_what_is_not_there_is_fine(tmp_path):
    remove_folder(tmp_path / "model")
    assert names(tmp_path) == []


def test_only_what_dead_writers_left_is_stale(tmp_path):
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as alive:
        for pid in (alive.pid, 2**22 + 1, os.getpid()):
            (tmp_path / f".tmp-model-{pid}").mkdir()
        (tmp_path / f".tmp-file-{2**22 + 1}").write_text("x")
        (tmp_path / ".tmp-not-ours").mkdir()
        remove_stale(tmp_path)
        assert names(tmp_path) == [f".tmp-model-{alive.pid}", ".tmp-not-ours"]
        alive.communicate(b"\n")


def test_the_writer_of_another_user_counts_as_alive(tmp_path, monkeypatch):
    def refuse(pid, number):
        raise PermissionError

    (tmp_path / ".tmp-model-123").mkdir()
    monkeypatch.setattr(os, "kill", refuse)
    remove_stale(tmp_path)
    assert names(tmp_path) == [".tmp-model-123"]


def test_a_kill_while_writing_leaves_only_what_is_stale(tmp_path):
    code = (
        "import os, sys, signal; from pathlib import Path; from aurl.utils.folders import atomic_folder\n"
        "with atomic_folder(Path(sys.argv[1])) as folder:\n"
        "    (folder / 'weights').write_text('abc'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    result = subprocess.run([sys.executable, "-c", code, tmp_path / "model"], check=False)
    assert result.returncode == -signal.SIGKILL
    assert [name[:11] for name in names(tmp_path)] == [".tmp-model-"]
    remove_stale(tmp_path)
    assert names(tmp_path) == []


def test_a_manifest_is_readable_json(tmp_path):
    target = write(tmp_path / "model", weights="abc")
    assert json.loads((target / MANIFEST).read_text())["format"] == folders.FORMAT
