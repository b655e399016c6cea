"""Downloads from a server on this machine: whole, resumed, refused, and checked."""

import hashlib
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path

import pytest
from typer.testing import CliRunner

from aurl.cli.main import app
from aurl.data import catalogue
from aurl.data.catalogue import COLLECTIONS, Collection, download, find_collection
from aurl.utils.errors import ConfigError, CorpusError, UnknownNameError

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def archive(commit: str = COMMIT) -> bytes:
    content = BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        file.writestr("piece.mid", bytes(range(256)) * 4000)
        file.comment = commit.encode()
    return content.getvalue()


class Server(ThreadingHTTPServer):
    """Serves one file; can break off early, refuse ranges, or have nothing."""

    content = archive()
    break_after: int | None = None
    has_ranges = True
    is_gone = False
    ranges: list[str]


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        content, wanted = self.server.content, self.headers.get("Range")
        self.server.ranges.append(wanted or "")
        if self.server.is_gone:
            return self.send_error(404)
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and self.server.has_ranges else 0
        if start >= len(content):
            self.send_response(416)
            self.end_headers()
            return None
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.wfile.write(content[start:][: self.server.break_after])
        return None


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as server:
        server.ranges = []
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def collection(server: Server) -> Collection:
    url = f"http://127.0.0.1:{server.server_port}/songs.zip"
    sha256 = hashlib.sha256(server.content).hexdigest()
    return Collection(
        "songs", "Songs", "a few songs", "CC0 1.0", "http://songs.example", url, "songs.zip", sha256=sha256
    )


def test_an_archive_arrives_whole_and_only_once(server: Server, collection: Collection, tmp_path: Path) -> None:
    told: list[tuple[int, int | None]] = []
    path = download(collection, tmp_path / "new", lambda done, total: told.append((done, total)))
    assert path.read_bytes() == server.content
    assert told[-1] == (len(server.content), len(server.content))
    assert download(collection, tmp_path / "new") == path
    assert len(server.ranges) == 1
    assert [item.name for item in path.parent.iterdir()] == ["songs.zip"]


@pytest.mark.parametrize("has_ranges", [True, False])
def test_a_download_goes_on_where_it_stopped(
    server: Server, collection: Collection, tmp_path: Path, has_ranges: bool
) -> None:
    server.break_after, server.has_ranges = 300_000, has_ranges
    with pytest.raises(CorpusError, match="cannot download"):
        download(collection, tmp_path)
    assert not (tmp_path / "songs.zip").exists()
    kept = (tmp_path / "songs.zip.part").stat().st_size
    assert kept > 0
    server.break_after = None
    assert download(collection, tmp_path).read_bytes() == server.content
    assert server.ranges == ["", f"bytes={kept}-"]


def test_a_part_longer_than_the_file_is_thrown_away(server: Server, collection: Collection, tmp_path: Path) -> None:
    (tmp_path / "songs.zip.part").write_bytes(server.content + b"more")
    assert download(collection, tmp_path).read_bytes() == server.content


def test_other_content_than_published_is_refused_and_removed(collection: Collection, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="not what it was"):
        download(replace(collection, sha256="0" * 64), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_archive_of_a_commit_is_checked_by_its_comment(
    server: Server, collection: Collection, tmp_path: Path
) -> None:
    of_commit = replace(collection, sha256=None, commit=COMMIT)
    assert download(of_commit, tmp_path).exists()
    server.content = archive("f" * 40)
    with pytest.raises(CorpusError, match="not the archive of commit"):
        download(replace(of_commit, file="other.zip"), tmp_path)
    server.content = b"no zip"
    with pytest.raises(CorpusError, match="not the archive of commit"):
        download(replace(of_commit, file="other.zip"), tmp_path)
    assert [item.name for item in tmp_path.iterdir()] == ["songs.zip"]


def test_what_is_not_there_is_said(server: Server, collection: Collection, tmp_path: Path) -> None:
    server.is_gone = True
    with pytest.raises(CorpusError, match="404"):
        download(collection, tmp_path)


def test_unknown_names_get_a_suggestion() -> None:
    with pytest.raises(UnknownNameError, match="maestro"):
        find_collection("maestra")


def test_every_collection_can_be_checked_and_says_its_licence() -> None:
    assert len({collection.file for collection in COLLECTIONS.values()}) == len(COLLECTIONS)
    for collection in COLLECTIONS.values():
        assert collection.licence
        assert len(collection.sha256 or "") in (0, 64)
        assert len(collection.commit or "") in (0, 40)
    with pytest.raises(ValueError, match="nothing to be checked by"):
        replace(COLLECTIONS["jsb"], sha256=None)


class TestCommands:
    @pytest.fixture(autouse=True)
    def known(self, collection: Collection, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setitem(catalogue.COLLECTIONS, "songs", collection)
        monkeypatch.chdir(tmp_path)

    def test_the_licence_is_shown_and_must_be_accepted(self, server: Server) -> None:
        refused = CliRunner().invoke(app, ["download", "songs"], input="n\n")
        assert isinstance(refused.exception, ConfigError)
        assert "CC0 1.0" in refused.stderr
        assert server.ranges == []
        accepted = CliRunner().invoke(app, ["download", "songs", "--quiet"], input="y\n")
        assert accepted.exit_code == 0
        assert Path("downloads/songs.zip").exists()
        assert "aurl prepare downloads/songs.zip" in accepted.stdout

    def test_no_answer_is_no(self) -> None:
        assert isinstance(CliRunner().invoke(app, ["download", "songs"], input="").exception, ConfigError)

    def test_a_script_accepts_by_option(self, server: Server) -> None:
        done = CliRunner().invoke(app, ["download", "songs", "--accept-licence", "--json", "--quiet", "-o", "here"])
        assert '"checked_by": "checksum"' in done.stdout
        assert Path("here/songs.zip").read_bytes() == server.content

    @pytest.mark.parametrize("option", [[], ["--json"]])
    def test_the_list_names_every_collection_and_licence(self, option: list[str]) -> None:
        listed = CliRunner().invoke(app, ["data", "list", *option]).stdout
        for collection in COLLECTIONS.values():
            assert collection.name in listed
            assert collection.licence in listed
