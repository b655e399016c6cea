import io
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aurl.data import chunks, corpus, pieces
from aurl.data.corpus import PrepareConfig, build_corpus
from aurl.data.pool import WorkerDiedError
from aurl.data.store import Corpus
from aurl.music.midi import midi_bytes, read_midi
from aurl.music.score import Notes, Score, Tempos, Texts, Track
from aurl.utils.errors import ConfigError, CorpusError, Interrupted, StorageError

ANY_TUNE = {"min_notes": 1, "min_seconds": 0, "min_distinct_pitches": 1}
INLINE = PrepareConfig.parse({"workers": 1, "labels": [], "quality": ANY_TUNE})


def prepare(paths, out, config=INLINE, **options):
    return build_corpus([paths] if isinstance(paths, Path) else paths, out, config, **options)


def contents(out):
    return {path.relative_to(out): path.read_bytes() for path in out.rglob("*") if path.is_file()}


def interrupt_after(files):
    """A watcher of the progress that presses Ctrl-C once so many files are done."""

    def watch(progress):
        if progress.files >= files:
            raise KeyboardInterrupt

    return watch


@pytest.fixture
def small_chunks(monkeypatch):
    """Chunks of two files, so that a handful of files is many chunks."""
    monkeypatch.setattr(chunks, "CHUNK_FILES", 2)
    monkeypatch.setattr(corpus, "CHUNK_FILES", 2)


@pytest.fixture
def music(folder):
    """A dozen tunes, two broken files and some of other kinds."""
    files = {f"tune {chr(97 + n)}.mid": n for n in range(12)}
    return folder(files | {"broken.mid": b"MThd", "empty.mid": b"", "read me.txt": b"", "x.pdf": b"", "y.pdf": b""})


def test_the_report_counts_everything(music, tmp_path):
    seen = []
    report = prepare(music, tmp_path / "out", on_progress=seen.append)
    assert (report.pieces, report.compositions, report.notes, report.files) == (12, 12, 60, 14)
    assert report.hours == pytest.approx(12 * (4 * 240 + 200) / 960 / 3600)
    assert sum(report.failures.values()) == 2
    assert report.ignored == {".pdf": 2, ".txt": 1}
    assert report.splits["train"] + report.splits["valid"] == 12
    assert report.input_bytes == sum(path.stat().st_size for path in music.glob("*.mid"))
    assert report.corpus_bytes == sum(path.stat().st_size for path in (tmp_path / "out" / "shards").iterdir())
    assert (report.resumed, report.unchanged) == (False, False)
    assert json.loads(json.dumps(report.to_dict()))["pieces"] == 12
    assert (seen[-1].files, seen[-1].failed, seen[-1].bytes) == (14, 2, seen[-1].total_bytes)


def test_each_file_that_is_left_out_is_listed_with_its_reason(music, tmp_path):
    prepare(music, tmp_path / "out")
    failures = Corpus.open(tmp_path / "out").failures
    assert [failure.source for failure in failures] == ["music/broken.mid", "music/empty.mid"]
    assert all(failure.reason for failure in failures)
    assert not (tmp_path / "out" / ".partial").exists()


def test_the_same_files_in_a_folder_and_in_an_archive_are_the_same_music(music, tmp_path):
    with tarfile.open(tmp_path / "music.tar.gz", "w:gz") as archive:
        for path in sorted(music.iterdir()):
            archive.add(path, f"music/{path.name}")
    prepare(music, tmp_path / "one")
    prepare(tmp_path / "music.tar.gz", tmp_path / "two")
    one, two = Corpus.open(tmp_path / "one"), Corpus.open(tmp_path / "two")
    assert one.fingerprint == two.fingerprint
    assert all(one.score(index) == two.score(index) for index in range(12))


def test_two_processes_write_the_same_bytes_as_one(music, tmp_path, small_chunks):
    prepare(music, tmp_path / "one")
    prepare(music, tmp_path / "two", INLINE.merged({"workers": 2}))
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


@settings(max_examples=8)
@given(stops=st.lists(st.integers(1, 14), max_size=3))
def test_an_interrupted_run_ends_in_the_same_bytes(stops, tmp_path_factory, tune):
    tmp_path = tmp_path_factory.mktemp("resume")
    music = tmp_path / "music"
    music.mkdir()
    for number in range(14):
        (music / f"{number}.mid").write_bytes(tune(number))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunks, "CHUNK_FILES", 2)
        prepare(music, tmp_path / "whole")
        for stop in stops:
            with pytest.raises(Interrupted, match="run the same command again"):
                prepare(music, tmp_path / "pieces", on_progress=interrupt_after(stop))
        report = prepare(music, tmp_path / "pieces")
    assert report.resumed == bool(stops)
    assert contents(tmp_path / "whole") == contents(tmp_path / "pieces")


KILLED = """
import os, signal, sys
from aurl.data import chunks
from aurl.data.corpus import PrepareConfig, build_corpus

chunks.CHUNK_FILES = 2

quality = {"min_notes": 1, "min_seconds": 0, "min_distinct_pitches": 1}
CONFIG = PrepareConfig.parse({"workers": 1, "labels": [], "quality": quality})


def watch(progress):
    if progress.files >= 6:
        os.kill(os.getpid(), signal.SIGKILL)

build_corpus([sys.argv[1]], sys.argv[2], CONFIG, on_progress=watch)
"""


def test_a_killed_run_is_no_corpus_and_is_continued(music, tmp_path, small_chunks):
    out = tmp_path / "out"
    process = subprocess.run([sys.executable, "-c", KILLED, music, out], check=False, timeout=120)
    assert process.returncode == -signal.SIGKILL
    with pytest.raises(CorpusError, match="is not a finished corpus"):
        Corpus.open(out)
    finished = {path: path.stat().st_mtime_ns for path in (out / ".partial").glob("chunk-*")}
    assert len(finished) == 3
    with pytest.raises(Interrupted):
        prepare(music, out, on_progress=interrupt_after(14))
    assert all(path.stat().st_mtime_ns == modified for path, modified in finished.items())
    assert prepare(music, out).resumed
    prepare(music, tmp_path / "whole")
    assert contents(out) == contents(tmp_path / "whole")


def test_an_unfinished_run_that_never_began_is_begun(music, tmp_path):
    (tmp_path / "out" / ".partial").mkdir(parents=True)
    assert not prepare(music, tmp_path / "out").resumed


def test_nothing_half_written_is_left_of_a_run_that_was_killed(music, tmp_path):
    prepare(music, tmp_path / "never killed")
    with pytest.raises(Interrupted):
        prepare(music, tmp_path / "out", on_progress=interrupt_after(1))
    (tmp_path / "out" / ".tmp-failures.jsonl-0a1b2c3d").write_text("{")
    prepare(music, tmp_path / "out")
    assert contents(tmp_path / "out") == contents(tmp_path / "never killed")


def test_a_finished_corpus_is_left_alone(music, tmp_path):
    first = prepare(music, tmp_path / "out")
    before = contents(tmp_path / "out")
    again = prepare(music, tmp_path / "out", INLINE.merged({"workers": 2}))
    assert again.unchanged
    assert (again.pieces, again.splits, again.failures) == (first.pieces, first.splits, first.failures)
    assert contents(tmp_path / "out") == before


def test_a_damaged_corpus_is_made_again(music, tmp_path):
    prepare(music, tmp_path / "out")
    (tmp_path / "out" / "shards" / "00000.parquet").unlink()
    assert not prepare(music, tmp_path / "out").unchanged
    Corpus.open(tmp_path / "out").verify()


@pytest.mark.parametrize("change", ["seed", "file"])
def test_a_corpus_of_something_else_is_kept_unless_told(music, tmp_path, tune, change):
    prepare(music, tmp_path / "out")
    Corpus.open(tmp_path / "out").score(0)
    config = INLINE.merged({"seed": 1}) if change == "seed" else INLINE
    if change == "file":
        (music / "tune a.mid").write_bytes(tune(99))
    with pytest.raises(CorpusError, match="made of other inputs or with other settings"):
        prepare(music, tmp_path / "out", config)
    assert not prepare(music, tmp_path / "out", config, overwrite=True).unchanged
    assert prepare(music, tmp_path / "out", config).unchanged


def test_overwriting_leaves_the_old_corpus_until_the_new_one_is_done(music, tmp_path):
    prepare(music, tmp_path / "out")
    other = INLINE.merged({"quality": {"min_notes": 2}})
    with pytest.raises(Interrupted):
        prepare(music, tmp_path / "out", other, overwrite=True, on_progress=interrupt_after(1))
    Corpus.open(tmp_path / "out").verify()
    assert prepare(music, tmp_path / "out", other, overwrite=True).resumed


def test_an_unfinished_run_with_other_settings_is_kept_unless_told(music, tmp_path, small_chunks):
    with pytest.raises(Interrupted):
        prepare(music, tmp_path / "out", on_progress=interrupt_after(2))
    other = INLINE.merged({"seed": 5})
    with pytest.raises(CorpusError, match="unfinished preparation of other inputs"):
        prepare(music, tmp_path / "out", other)
    assert not prepare(music, tmp_path / "out", other, overwrite=True).resumed


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_of_something_else_is_never_touched(music, tmp_path, overwrite):
    (tmp_path / "out" / "shards").mkdir(parents=True)
    (tmp_path / "out" / "shards" / "precious.txt").write_text("mine")
    with pytest.raises(CorpusError, match="is not empty and holds no corpus"):
        prepare(music, tmp_path / "out", overwrite=overwrite)
    with pytest.raises(CorpusError, match="is a file"):
        prepare(music, tmp_path / "out" / "shards" / "precious.txt", overwrite=overwrite)
    assert contents(tmp_path / "out") == {Path("shards/precious.txt"): b"mine"}


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("text", ["[]", "{", '{"format": 1}', '{"fingerprint": "x"}'])
def test_a_corpus_json_of_something_else_is_never_touched(music, tmp_path, overwrite, text):
    (tmp_path / "out" / "shards").mkdir(parents=True)
    (tmp_path / "out" / "corpus.json").write_text(text)
    before = contents(tmp_path / "out")
    with pytest.raises(CorpusError, match="holds no corpus; choose another folder"):
        prepare(music, tmp_path / "out", overwrite=overwrite)
    assert contents(tmp_path / "out") == before


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_corpus_among_files_of_others_is_never_touched(music, tmp_path, overwrite):
    prepare(music, tmp_path / "out")
    (tmp_path / "out" / ".tmp-corpus.json-1").touch()  # left by a kill
    assert prepare(music, tmp_path / "out").unchanged
    (tmp_path / "out" / "thesis.txt").write_text("mine")
    before = contents(tmp_path / "out")
    with pytest.raises(CorpusError, match=r"is not of a corpus; found: thesis\.txt; choose another folder"):
        prepare(music, tmp_path / "out", INLINE.merged({"seed": 1}), overwrite=overwrite)
    assert contents(tmp_path / "out") == before


def test_a_manifest_in_another_folder_lists_other_files(folder, tmp_path):
    manifest = b"path,split\na.mid,test\n"
    music = folder({"a.mid": 1, "d/a.mid": 2, "list.csv": manifest, "d/list.csv": manifest})
    top, low = (INLINE.merged({"manifest": str(music / name)}) for name in ("list.csv", "d/list.csv"))
    prepare(music, tmp_path / "out", top)
    assert prepare(music, tmp_path / "out", top).unchanged
    with pytest.raises(CorpusError, match="made of other inputs"):
        prepare(music, tmp_path / "out", low)


@pytest.mark.parametrize("files", [{"a.txt": b"x"}, {"a.zip": b"PK\5\6" + bytes(18)}])
def test_an_input_without_music_is_an_error(folder, tmp_path, files):
    with pytest.raises(CorpusError, match="no music in"):
        prepare(folder(files), tmp_path / "out")


def test_nothing_but_broken_files_is_an_error_that_says_why(folder, tmp_path):
    with pytest.raises(CorpusError, match=r"none of the 2 files can be used; found: .*not a MIDI file.*\(2 of them\)"):
        prepare(folder({"a.mid": b"?", "b.mid": b"!"}), tmp_path / "out")


def test_a_manifest_in_an_archive_may_come_last(tmp_path, tune):
    path = tmp_path / "x.tar"
    manifest = b"path,split,piece_key,composer\n1.mid,valid,one,Bach\n2.mid,train,two,\n"
    files = {"set/1.mid": tune(1), "set/1.cl.mid": tune(11), "set/2.mid": tune(2), "set/3.mid": tune(1)}
    with tarfile.open(path, "w") as archive:
        for name, content in {**files, "set/manifest.csv": manifest}.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    prepare(path, tmp_path / "out", INLINE.merged({"valid_fraction": 0}))
    made = Corpus.open(tmp_path / "out")
    assert made.splits == {"train": 1, "valid": 3, "test": 0}
    assert [made.metadata(index)["piece_key"] for index in range(4)] == ["one", "one", "two", "one"]
    assert made.metadata(0)["composer"] == "Bach"


def test_a_manifest_given_by_hand_is_used(music, tmp_path):
    manifest = tmp_path / "list.csv"
    manifest.write_text("path,split,genre\nmusic/tune a.mid,test,folk\n")
    config = INLINE.merged({"manifest": str(manifest)})
    prepare(music, tmp_path / "out", config)
    made = Corpus.open(tmp_path / "out")
    assert [made.metadata(index)["genre"] for index in made.indices("test")] == ["folk"]
    manifest.write_text("path\nelsewhere.mid\n")
    with pytest.raises(CorpusError, match="lists none of the files"):
        prepare(music, tmp_path / "other", config)


def test_a_manifest_that_is_none_is_listed_and_stops_nothing(music, tmp_path):
    (music / "manifest.csv").write_text("file,split\n")
    report = prepare(music, tmp_path / "out")
    assert report.failures["a manifest needs the column path"] == 1


def test_the_seed_decides_what_is_held_out(music, tmp_path):
    held_out = set()
    for seed in range(3):
        prepare(music, tmp_path / str(seed), INLINE.merged({"seed": seed, "valid_fraction": 0.3}))
        held_out.add(tuple(Corpus.open(tmp_path / str(seed)).indices("valid")))
    assert len(held_out) > 1


def test_a_full_disk_is_a_storage_error(music, tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="No space left"):
        prepare(music, tmp_path / "out")


def test_fractions_must_leave_something_to_train_on():
    with pytest.raises(ConfigError, match="nothing to train on"):
        PrepareConfig.parse({"valid_fraction": 0.5, "test_fraction": 0.5})


def test_no_more_processes_are_started_than_there_is_work_for(music, tmp_path, monkeypatch):
    monkeypatch.setattr("aurl.data.pool.ProcessPoolExecutor", None)
    assert prepare(music, tmp_path / "out", INLINE.merged({"workers": 8})).pieces == 12


def long_tune(number, *, transposed=0, tempo=500_000):
    """The bytes of a wandering melody of its own over a bass, as MIDI."""
    steps = np.random.default_rng(number).integers(-4, 5, 200)
    pitch = 66 + transposed + np.cumsum(steps) % 13
    onset = np.arange(200) * 240
    duration, velocity, track = (np.full(200, value) for value in (200, 80, 0))
    voices = [Notes(onset, duration, line, velocity, track) for line in (pitch, pitch % 12 + 36)]
    notes = Notes.join(voices)
    return midi_bytes(Score(notes=notes, tracks=(Track(),), tempos=Tempos([0], [tempo])))


def test_a_transposed_copy_is_never_in_another_split_even_if_a_manifest_says_so(folder, tmp_path):
    files = {f"{name}.mid": long_tune(number) for number, name in enumerate(("alpha", "beta", "gamma"))}
    manifest = b"path,split\nalpha.mid,train\nbeta.mid,train\ngamma.mid,valid\ndelta.mid,test\n"
    music = folder({**files, "delta.mid": long_tune(0, transposed=3, tempo=400_000), "manifest.csv": manifest})
    report = prepare(music, tmp_path / "out")
    assert (report.pieces, report.compositions, report.duplicates) == (4, 3, 1)
    made = Corpus.open(tmp_path / "out")
    about = [made.metadata(index) for index in range(4)]
    splits = {Path(each["source"]).stem: each["split"] for each in about}
    assert splits == {"alpha": "test", "beta": "train", "gamma": "valid", "delta": "test"}


def test_the_report_and_the_corpus_tell_of_repairs_labels_and_formats(folder, tmp_path):
    labelled = midi_bytes(read_midi(long_tune(2)).replace(texts=Texts([0], [-1], ["chord"], ["Am7"])))
    music = folder({
        "a.mid": long_tune(1), "b.mid": labelled, "c.mid": long_tune(3)[:-30], "c.chords.json": b"{", "d.mid": b"?",
    })  # fmt: skip
    report = prepare(music, tmp_path / "out", PrepareConfig(workers=1))
    assert report.formats == {"midi": 3}
    assert report.labels["chord"]["given"] == 1
    assert report.labels["key"] == {"detected": 3}
    assert report.repaired == 1
    assert report.repairs["label"] == 1
    made = Corpus.open(tmp_path / "out")
    (repair,) = made.repairs
    assert repair.source == "music/c.mid"
    assert {fault.kind for fault in repair.faults} == set(report.repairs)
    description = made.description
    assert (description.labels, description.repaired) == (report.labels, report.repaired)
    assert made.metadata(1)["labels.chord"] == "given: the file"
    assert made.score(1).texts.of("chord").text.tolist() == ["Am7"]
    table = pq.read_table(tmp_path / "out" / "shards").to_pylist()
    assert [(row["format"], row["repaired"], row["cluster"]) for row in table] == [
        ("midi", False, 0), ("midi", False, 1), ("midi", True, 2),
    ]  # fmt: skip


@pytest.mark.parametrize("change", [{"transforms": ["quantise"]}, {"labels": ["keys"]}, {"quality": {"min_notes": 2}}])
def test_whatever_changes_pieces_changes_the_plan(music, tmp_path, change):
    prepare(music, tmp_path / "out")
    with pytest.raises(CorpusError, match="with other settings"):
        prepare(music, tmp_path / "out", INLINE.merged(change))


def test_the_fingerprint_is_of_all_that_training_sees_and_of_no_path(folder, tmp_path):
    def made(name, manifest=b"", **settings):
        files = {"alpha.mid": long_tune(1), "beta.mid": long_tune(2)}
        music = folder(files | ({"manifest.csv": manifest} if manifest else {}), name)
        prepare(music, tmp_path / f"{name} corpus", INLINE.merged(settings))
        return Corpus.open(tmp_path / f"{name} corpus").fingerprint

    plain = made("plain")
    assert made("elsewhere") == plain
    others = [
        made("composed", b"path,composer\nalpha.mid,Bach\n"),
        made("by another", b"path,composer\nalpha.mid,Satie\n"),
        made("mood", b"path,mood\nalpha.mid,calm\n"),
        made("labelled", labels=["keys"]),
    ]
    assert len({plain, *others}) == 5


def test_other_code_is_another_plan(music, tmp_path, monkeypatch):
    prepare(music, tmp_path / "out")
    monkeypatch.setattr("aurl.data.plan.code_fingerprint", lambda: "newer")
    with pytest.raises(CorpusError, match="with other settings"):
        prepare(music, tmp_path / "out")


LOCKER = """
import sys, time
from pathlib import Path
from aurl.utils.folders import locked
with locked(Path(sys.argv[1]), work="prepares"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_two_preparations_never_write_one_folder(music, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(Interrupted):
        prepare(music, out, on_progress=interrupt_after(1))
    with subprocess.Popen([sys.executable, "-c", LOCKER, out / ".lock"], stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(StorageError, match="another process prepares in"):
            prepare(music, out)
        other.kill()
    assert prepare(music, out).resumed
    assert not (out / ".lock").exists()


@pytest.fixture
def deadly(tmp_path, monkeypatch):
    """`deadly("c.mid", times=1)`: every process that reads the file dies of it, so often."""
    monkeypatch.setattr("aurl.data.pool._context", lambda _: multiprocessing.get_context("fork"))  # it has the patch
    read, deaths = pieces.read_all, tmp_path / "deaths"

    def make(name, times):
        deaths.mkdir(exist_ok=True)

        def die(content, source):
            if source.endswith(name) and len(list(deaths.iterdir())) < times:
                (deaths / str(os.getpid())).touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return read(content, source)

        monkeypatch.setattr(pieces, "read_all", die)

    return make


TWO_WORKERS = INLINE.merged({"workers": 2})


def test_a_file_that_kills_its_process_once_is_read_all_the_same(music, tmp_path, small_chunks, deadly):
    prepare(music, tmp_path / "never killed")
    deadly("tune c.mid", times=1)
    assert prepare(music, tmp_path / "out", TWO_WORKERS).pieces == 12
    assert contents(tmp_path / "out") == contents(tmp_path / "never killed")


def test_a_file_that_kills_its_process_again_is_left_out_and_no_other(music, tmp_path, small_chunks, deadly):
    deadly("tune c.mid", times=99)
    report = prepare(music, tmp_path / "out", TWO_WORKERS)
    assert report.pieces == 11
    assert report.ignored == {".pdf": 2, ".txt": 1}
    failures = {failure.source: failure.reason for failure in Corpus.open(tmp_path / "out").failures}
    assert failures["music/tune c.mid"] == "it crashed the process that read it"
    assert len(failures) == 3
    assert len(list((tmp_path / "deaths").iterdir())) == 2


def test_deaths_are_counted_from_one_run_to_the_next_and_too_many_end_it(
    music, tmp_path, small_chunks, deadly, monkeypatch
):
    monkeypatch.setattr(corpus, "CRASHES_OF_A_RUN", 1)
    deadly("tune c.mid", times=99)
    for _ in range(2):
        with pytest.raises(WorkerDiedError, match=r"died; found: while reading music/tune c\.mid; "):
            prepare(music, tmp_path / "out", TWO_WORKERS)
    assert prepare(music, tmp_path / "out", TWO_WORKERS).pieces == 11


def test_ctrl_c_is_no_fault_of_the_file_that_was_being_read(music, tmp_path, monkeypatch):
    def interrupt(content, name):
        raise KeyboardInterrupt

    monkeypatch.setattr(pieces, "read_all", interrupt)
    for _ in range(3):
        with pytest.raises(Interrupted):
            prepare(music, tmp_path / "out")
    monkeypatch.undo()
    assert prepare(music, tmp_path / "out").pieces == 12


def test_a_process_that_dies_without_reading_anything_ends_the_run(music, tmp_path, monkeypatch):
    def die(*_, **__):
        raise WorkerDiedError("a worker process died", hint="again")
        yield

    monkeypatch.setattr(corpus, "run_jobs", die)
    with pytest.raises(WorkerDiedError, match=r"before it read anything; in a script of your own, .* __name__"):
        prepare(music, tmp_path / "out")
