import gzip
import io
import logging
import os
import tarfile
import zipfile
from pathlib import Path

import pytest

from aurl.data import archives, sources
from aurl.data.sources import DAMAGED_ARCHIVE, Found, clean_name, list_inputs, read_entries
from aurl.utils.errors import CorpusError


def read(*paths):
    """Names and contents of all entries, what else was found, and the last position."""
    found = Found()
    inputs = list_inputs(paths, found)
    entries = list(read_entries(inputs.files, found))
    if entries:
        assert [entry.position for entry in entries] == sorted(entry.position for entry in entries)
        assert entries[-1].position <= sum(file.size for file in inputs.files)
    return [(entry.name, entry.content) for entry in entries], found


def tar_of(path, files, mode="w:gz"):
    with tarfile.open(path, mode) as archive:
        for name, content in files:
            member = tarfile.TarInfo(name)
            member.type = tarfile.DIRTYPE if name.endswith("/") else tarfile.REGTYPE
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def plain_tar_of(path, files):
    return tar_of(path, files, "w")


def zip_of(path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files:
            archive.writestr(name, content)
    return path


FILES = [
    ("set/", b""),
    ("set/b.mid", b"B"),
    ("set/a.MIDI", b"A"),
    ("set/notes.txt", b"T"),
    ("set/c.kar", b"C"),
    ("set/manifest.csv", b"M"),
]


def test_a_folder_is_walked_in_the_order_of_names(folder):
    path = folder({"b/2.mid": b"2", "b/1.MID": b"1", "a.midi": b"a", "c.kar": b"c", "b/x.txt": b"", "README": b""})
    entries, found = read(path)
    assert entries == [("music/a.midi", b"a"), ("music/b/1.MID", b"1"), ("music/b/2.mid", b"2"), ("music/c.kar", b"c")]
    assert found.ignored == {".txt": 1, "no suffix": 1}


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("x.tar.gz", tar_of),
        ("x.tgz", tar_of),
        ("x.tar", plain_tar_of),
        ("x.zip", zip_of),
    ],
)
def test_archives_are_read_in_their_order_without_unpacking(tmp_path, name, make):
    path = make(tmp_path / name, FILES)
    entries, found = read(path)
    assert entries == [(f"{name}/set/b.mid", b"B"), (f"{name}/set/a.MIDI", b"A"), (f"{name}/set/c.kar", b"C")]
    assert found.ignored == {".txt": 1}
    assert found.manifests == {f"{name}/set": b"M"}
    assert [*tmp_path.iterdir()] == [path]


def test_archives_inside_a_folder_are_read_too(folder):
    path = folder({"a.mid": b"a", "z.mid": b"z"})
    tar_of(path / "m.tgz", FILES[:2])
    assert read(path)[0] == [("music/a.mid", b"a"), ("music/m.tgz/set/b.mid", b"B"), ("music/z.mid", b"z")]


def test_manifests_are_taken_from_the_top_two_levels_only(folder):
    path = folder({"manifest.csv": b"0", "a/manifest.csv": b"1", "a/b/manifest.csv": b"2"})
    _, found = read(path)
    assert found.manifests == {"music": b"0", "music/a": b"1"}
    assert found.ignored == {".csv": 1}


def test_names_do_not_depend_on_where_the_input_lies(folder, tmp_path, monkeypatch):
    path = folder({"a.mid": b"a"})
    monkeypatch.chdir(path)
    assert read(".") == read(path) == read(f"../{path.name}/")
    assert read("a.mid")[0] == [("a.mid", b"a")]


def test_inputs_of_the_same_name_are_told_apart_and_one_given_twice_is_read_once(folder):
    one, two = folder({"a.mid": b"1"}, "x/midi"), folder({"a.mid": b"2"}, "y/midi")
    assert read(one, two, one)[0] == [("midi/a.mid", b"1"), ("2/midi/a.mid", b"2")]


def test_a_path_that_does_not_exist_is_an_error(tmp_path):
    with pytest.raises(CorpusError, match="does not exist; give folders"):
        read(tmp_path / "none")


@pytest.mark.parametrize(("name", "make"), [("x.tar.gz", tar_of), ("x.zip", zip_of), ("x.tar", plain_tar_of)])
@pytest.mark.parametrize("keep", [0.0, 0.3, 0.7, 0.8])
def test_an_archive_cut_short_gives_what_it_has_and_says_so(tmp_path, name, make, keep):
    path = make(tmp_path / name, [(f"{n}.mid", os.urandom(3000)) for n in range(20)])
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])
    entries, _ = read(path)
    assert entries[-1] == (name, DAMAGED_ARCHIVE)
    assert len(entries) <= 20


@pytest.mark.parametrize(
    ("name", "make", "member"),
    [("x.tar.gz", tar_of, "2.mid"), ("x.tar", plain_tar_of, "2.mid"), ("x.zip", zip_of, "2 \u00e9.mid")],
)
def test_a_damaged_header_is_not_taken_for_the_end(tmp_path, name, make, member):
    path = make(tmp_path / name, [(each, b"x" * 3000) for each in ["1.mid", member, "3.mid"]])
    data = gzip.decompress(path.read_bytes()) if name.endswith("gz") else path.read_bytes()
    where = data.rindex(member.encode())
    damaged = data[:where] + b"\xff\xff\xff" + data[where + 3 :]
    path.write_bytes(gzip.compress(damaged) if name.endswith("gz") else damaged)
    assert read(path)[0][-1] == (name, DAMAGED_ARCHIVE)


def test_a_wrong_checksum_of_a_gzip_is_found(tmp_path):
    path = tar_of(tmp_path / "x.tgz", FILES)
    data = bytearray(path.read_bytes())
    data[-6] ^= 1
    path.write_bytes(data)
    assert read(path)[0][-1] == ("x.tgz", DAMAGED_ARCHIVE)


def test_a_damaged_byte_in_a_zip_costs_one_file(tmp_path):
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:  # stored
        archive.writestr("a.mid", b"first file")
        archive.writestr("b.mid", b"second")
    path.write_bytes(path.read_bytes().replace(b"first file", b"fIrst file", 1))
    assert read(path)[0] == [("x.zip/a.mid", "it cannot be unpacked"), ("x.zip/b.mid", b"second")]


def test_a_zip_member_with_a_password_is_listed(tmp_path):
    path = zip_of(tmp_path / "x.zip", [("a.mid", b"secret")])
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\1\2") + 8] |= 1  # the flag in the central directory
    path.write_bytes(data)
    assert read(path)[0] == [("x.zip/a.mid", "it needs a password")]


def test_a_file_too_large_is_never_read(tmp_path, folder, monkeypatch):
    monkeypatch.setattr(sources, "LARGEST_FILE", 1 << 20)
    large = bytes((1 << 20) + 1)
    paths = [
        folder({"big.mid": large}),
        tar_of(tmp_path / "x.tgz", [("big.mid", large), ("a.mid", b"a")]),
        zip_of(tmp_path / "x.zip", [("big.mid", large), ("a.mid", b"a")]),
    ]
    assert [content for _, content in read(*paths)[0]] == ["larger than 1 MB"] * 2 + [b"a", "larger than 1 MB", b"a"]


def test_links_in_archives_and_paths_that_climb_are_harmless(tmp_path):
    path = tmp_path / "in" / "x.tar"
    path.parent.mkdir()
    with tarfile.open(path, "w") as archive:
        link = tarfile.TarInfo("link.mid")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
        climbing = tarfile.TarInfo("../../evil.mid")
        climbing.size = 4
        archive.addfile(climbing, io.BytesIO(b"evil"))
        archive.addfile(tarfile.TarInfo("/"), None)
    assert read(path)[0] == [("x.tar/link.mid", "a link inside an archive"), ("x.tar/../../evil.mid", b"evil")]
    assert sorted(tmp_path.rglob("*")) == [path.parent, path]


def test_a_zip_member_with_a_zero_byte_in_its_name_costs_one_file(tmp_path):
    path = zip_of(tmp_path / "x.zip", [("?a.mid", b"a"), ("b.mid", b"b"), ("?", b"")])
    path.write_bytes(path.read_bytes().replace(b"?", b"\0"))
    entries, found = read(path)
    assert entries == [("x.zip/\ufffda.mid", "its name holds a zero byte"), ("x.zip/b.mid", b"b")]
    assert found.ignored == {"no suffix": 1}


def test_a_tar_of_headers_without_members_stops_nothing(tmp_path, folder):
    name = tarfile.TarInfo("././@LongLink")
    name.type, name.size = tarfile.GNUTYPE_LONGNAME, 2
    header = name.tobuf(tarfile.GNU_FORMAT) + b"a\0".ljust(512, b"\0")
    (tmp_path / "x.tar").write_bytes(header * 1500 + bytes(1024))
    assert read(tmp_path / "x.tar", folder({"b.mid": b"b"}))[0] == [("x.tar", DAMAGED_ARCHIVE), ("music/b.mid", b"b")]


def test_links_to_themselves_are_listed(folder):
    path = folder({"b.mid": b"b"})
    for name in ("a.mid", "loop"):
        (path / name).symlink_to(path / name)
    entries, found = read(path)
    assert entries == [("music/a.mid", "not a regular file, or a link that leads nowhere"), ("music/b.mid", b"b")]
    assert found.ignored == {"no suffix": 1}


def test_files_in_a_folder_that_may_not_be_entered_are_listed(folder, tmp_path, monkeypatch):
    path = folder({"a.mid": b"a", "closed/b.mid": b"b"})
    look = Path.stat

    def refuse(self, **options):
        if self.parent.name == "closed":
            raise PermissionError(13, "Permission denied")
        return look(self, **options)

    monkeypatch.setattr(Path, "stat", refuse)
    assert read(path)[0] == [("music/a.mid", b"a"), ("music/closed/b.mid", "cannot read the file: Permission denied")]
    with pytest.raises(CorpusError, match=r"cannot read .*b\.mid; found: Permission denied"):
        read(path / "closed" / "b.mid")


def test_links_that_lead_nowhere_or_to_folders_are_listed(folder, tmp_path):
    path = folder({"a.mid": b"a"})
    (path / "gone.mid").symlink_to(tmp_path / "nowhere")
    (path / "loop").symlink_to(path)
    os.mkfifo(path / "pipe.mid")
    odd = "not a regular file, or a link that leads nowhere"
    assert read(path)[0] == [
        ("music/a.mid", b"a"),
        ("music/gone.mid", odd),
        ("music/loop", "a link to a folder is not followed"),
        ("music/pipe.mid", odd),
    ]


def test_files_and_folders_that_may_not_be_read_are_listed(folder, monkeypatch):
    path = folder({"a.mid": b"a", "z/b.mid": b"b"})

    def refuse(self):
        raise PermissionError(13, "Permission denied")

    scan = os.scandir
    monkeypatch.setattr(Path, "read_bytes", refuse)
    monkeypatch.setattr(os, "scandir", lambda where: refuse(where) if str(where).endswith("z") else scan(where))
    assert read(path)[0] == [
        ("music/a.mid", "cannot read the file: Permission denied"),
        ("music/z/", "cannot list the folder: Permission denied"),
    ]


def test_what_macos_leaves_beside_files_is_ignored(tmp_path):
    path = zip_of(tmp_path / "x.zip", [("a.mid", b"a"), ("__MACOSX/._a.mid", b"?")])
    entries, found = read(path)
    assert entries == [("x.zip/a.mid", b"a")]
    assert found.ignored == {"._*": 1}


def test_names_are_text_written_one_way():
    assert clean_name("./a\\b.mid") == "a/b.mid"
    assert clean_name("Andre\u0301.mid") == "Andr\u00e9.mid"
    assert clean_name(os.fsdecode(b"\xff.mid")) == "\ufffd.mid"


def test_a_gzip_with_other_content_is_a_damaged_archive(tmp_path):
    path = tmp_path / "x.tgz"
    path.write_bytes(gzip.compress(b"not a tar" * 1000))
    assert read(path)[0] == [("x.tgz", DAMAGED_ARCHIVE)]


LABELLED = [
    ("set/a.chords.json", b"chords of a"),
    ("set/a.mid", b"A"),
    ("set/a.cl.mid", b"A.CL"),
    ("set/a.STRUCT1.txt", b"sections of a"),
    ("set/b.mid", b"B"),
    ("set/ab.chords.json", b"of nothing"),
    ("a.rn.txt", b"of another folder"),
]
LABELS_OF_A = {".chords.json": b"chords of a", ".struct1.txt": b"sections of a"}


def companions(*paths):
    """The labels of each piece by its name inside the first folder or archive, and what was ignored."""
    found = Found()
    entries = read_entries(list_inputs(paths, found).files, found)
    return {entry.name.partition("/")[2]: entry.companions for entry in entries}, found.ignored


@pytest.mark.parametrize(("name", "make"), [("x.tgz", tar_of), ("x.zip", zip_of), ("x.tar", plain_tar_of), ("", None)])
@pytest.mark.parametrize("turn", [1, -1])
def test_labels_lie_beside_their_piece_wherever_they_stand(tmp_path, folder, name, make, turn):
    path = make(tmp_path / name, LABELLED[::turn]) if make else folder(dict(LABELLED))
    expected = {"set/a.mid": LABELS_OF_A, "set/a.cl.mid": {}, "set/b.mid": {}}
    assert companions(path) == (expected, {})


def test_a_file_given_by_itself_has_its_labels(folder):
    """As `aurl prepare songs/*.mid` gives them."""
    path = folder(
        {"a.b.mid": b"A", "a.b.chords.json": b"1", "a.chords.json": b"2", "c/a.b.mid": b"B", "c/a.b.rn.txt": b"3"}
    )
    found = Found()
    entries = list(read_entries(list_inputs([path / "a.b.mid", path / "c" / "a.b.mid"], found).files, found))
    assert [(entry.name, entry.companions) for entry in entries] == [
        ("a.b.mid", {".chords.json": b"1"}), ("2/a.b.mid", {".rn.txt": b"3"}),
    ]  # fmt: skip


@pytest.mark.parametrize(("name", "make"), [("x.tgz", tar_of), ("x.zip", zip_of)])
def test_labels_of_an_archive_do_not_fill_the_memory(tmp_path, name, make, monkeypatch):
    spooled = []
    monkeypatch.setattr(archives, "SPOOLED_BYTES", 1)
    temporary = archives.tempfile.SpooledTemporaryFile
    monkeypatch.setattr(archives.tempfile, "SpooledTemporaryFile", lambda size: spooled.append(size) or temporary(size))
    path = make(tmp_path / name, LABELLED)
    assert companions(path)[0]["set/a.mid"] == LABELS_OF_A
    assert spooled == ([1] if make is tar_of else [])


@pytest.mark.parametrize(("name", "make"), [("x.tgz", tar_of), ("x.zip", zip_of), ("", None)])
def test_a_label_too_large_is_left_out(tmp_path, folder, name, make, monkeypatch, caplog):
    monkeypatch.setattr(sources, "LARGEST_LABEL", 11)
    path = make(tmp_path / name, LABELLED) if make else folder(dict(LABELLED))
    with caplog.at_level(logging.WARNING):
        assert companions(path)[0]["set/a.mid"] == {".chords.json": b"chords of a"}
    assert "a.STRUCT1.txt are left out: larger than" in caplog.text


def test_a_label_that_is_no_file_stops_nothing(folder, caplog):
    path = folder({"a.mid": b"A"})
    os.mkfifo(path / "a.chords.json")
    assert companions(path) == ({"a.mid": {}}, {})
    assert "not a regular file" in caplog.text


def test_a_label_that_changes_changes_the_inputs(folder):
    def listed():
        return [(file.name, file.size) for file in list_inputs([path], Found()).files]

    path = folder({"a.mid": b"A", "a.chords.json": b"one"})
    before = listed()
    folder({"a.chords.json": b"another"})
    assert listed() != before


def test_labels_count_towards_the_size_of_a_chunk(folder):
    path = folder({"a.mid": b"A", "a.chords.json": b"12345"})
    (entry,) = read_entries(list_inputs([path], Found()).files, Found())
    assert entry.size == 6


@pytest.mark.parametrize("suffix", [".mid", ".kar", ".musicxml", ".mxl", ".abc", ".krn"])
def test_every_format_that_can_be_read_is_music(folder, suffix):
    assert read(folder({f"a{suffix}": b"A"}))[0] == [(f"music/a{suffix}", b"A")]
