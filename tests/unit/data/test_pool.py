import multiprocessing
import os
import signal
import threading
import time
from functools import partial

import pytest

from aurl.data import pool
from aurl.data.pool import Job, available_cores, run_in_order
from aurl.music.midi import read_midi
from aurl.utils.errors import AurlError, MidiError


def run(jobs, workers=2):
    return run_in_order(jobs, workers, preload="aurl.data.pool")


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_order_whatever_finishes_first(workers):
    waits = [0.1, 0, 0.05, 0, 0]
    jobs = [Job(partial(time.sleep, wait), 1, number) for number, wait in enumerate(waits)]
    assert list(run([*jobs, Job(None, 0, "nothing to do")], workers)) == [0, 1, 2, 3, 4, "nothing to do"]


def test_work_is_done_in_other_processes(tmp_path):
    path = tmp_path / "made"
    assert list(run([Job(partial(path.touch), 1, path)])) == [path]
    assert path.exists()
    assert multiprocessing.active_children() == []


def test_an_error_of_the_work_is_raised_here():
    with pytest.raises(FileNotFoundError):
        list(run([Job(partial(os.stat, "/no/such/file"), 1, 0)]))


def test_a_typed_error_crosses_processes():
    with pytest.raises(MidiError, match="is not a MIDI file; found: it starts with b'junk'; expected"):
        list(run([Job(partial(read_midi, b"junk"), 1, 0)]))


def test_a_worker_that_dies_is_an_error_and_not_a_hang():
    results = run([Job(partial(time.sleep, 0.01), 1, number) for number in range(200)])
    next(results)
    for child in multiprocessing.active_children():
        os.kill(child.pid, signal.SIGKILL)
    with pytest.raises(AurlError, match="a worker process died"):
        list(results)


def test_no_more_is_in_flight_than_the_limits_allow(monkeypatch):
    monkeypatch.setattr(pool, "BYTES_IN_FLIGHT", 100)
    taken = 0

    def jobs(size):
        nonlocal taken
        for number in range(30):
            taken += 1
            yield Job(partial(time.sleep, 0), size, number)

    for size, limit in [(1, 2 * pool.JOBS_PER_WORKER), (60, 2), (1000, 1)]:
        taken = 0
        for number in run(jobs(size)):
            assert taken - number <= limit


def test_leaving_early_stops_the_workers():
    results = run([Job(partial(time.sleep, 0.01), 1, number) for number in range(50)])
    assert next(results) == 0
    results.close()
    assert multiprocessing.active_children() == []


def test_where_there_is_no_fork_server_processes_are_spawned(monkeypatch):
    monkeypatch.setattr(multiprocessing, "get_all_start_methods", lambda: ["spawn"])
    assert pool._context("aurl.data.pool").get_start_method() == "spawn"


def test_workers_start_with_one_thread_each_and_this_process_keeps_its_own(monkeypatch):
    seen = []
    monkeypatch.setattr("multiprocessing.forkserver.ensure_running", lambda: seen.append(dict(os.environ)))
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    before = dict(os.environ)
    assert pool._context("aurl.data.pool").get_start_method() == "forkserver"
    assert {seen[0][name] for name in pool.THREAD_VARIABLES} == {"1"}
    assert dict(os.environ) == before


def test_a_worker_leaves_ctrl_c_to_its_parent_and_ends_with_it(monkeypatch):
    ended = threading.Event()

    class Parent:
        def join(self):
            pass

    monkeypatch.setattr(multiprocessing, "parent_process", Parent)
    monkeypatch.setattr(os, "_exit", lambda code: ended.set())
    before = signal.getsignal(signal.SIGINT)
    try:
        pool._start_worker()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        assert ended.wait(5)
    finally:
        signal.signal(signal.SIGINT, before)


def test_there_is_a_core():
    assert 1 <= available_cores() <= os.cpu_count()
