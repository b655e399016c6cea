"""Work handed to processes, its results in order, with no more in flight than memory allows.

Processes come from a fork server where the system has one, else they are spawned: never forked from a process that may
have threads. They ignore Ctrl-C, which is the parent's to handle, and end with the parent even when that is killed.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import forkserver
from multiprocessing.context import BaseContext
from typing import Any, Generic, TypeVar

from aurl.utils.errors import AurlError

T = TypeVar("T")
F = TypeVar("F")
JOBS_PER_WORKER = 3
BYTES_IN_FLIGHT = 64 << 20
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""A process gets one thread: with one a core, more cost twice the time, and would differ from what Ray sets."""


class WorkerDiedError(AurlError):
    """A process ended before its call did."""


@dataclass(frozen=True)
class Job(Generic[T]):
    """A call to make in another process (None: nothing to do), and what to give back once it is done."""

    call: Callable[[], Any] | None
    bytes: int
    """What it weighs while it waits."""
    result: T
    keep: Callable[[Any], object] | None = None
    """Called with what the call returned, in this process, before the result is given back."""


def available_cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_in_order(jobs: Iterable[Job[T]], workers: int, *, preload: str) -> Iterator[T]:
    """Make the calls in `workers` processes (1: in this one); yield each job's result when it and all before are done.

    `preload` is the module that the processes need. An exception of a call is raised here; a process that dies raises
    AurlError.
    """
    if workers == 1:
        for job in jobs:
            yield _finish(job, None if job.call is None else job.call())
        return
    pool = ProcessPoolExecutor(workers, mp_context=_context(preload), initializer=_start_worker)
    try:
        yield from in_order(jobs, pool.submit, Future.result, workers * JOBS_PER_WORKER, BYTES_IN_FLIGHT)
    except BrokenProcessPool:
        raise worker_died() from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def in_order(
    jobs: Iterable[Job[T]],
    submit: Callable[[Callable[[], Any]], F],
    wait: Callable[[F], Any],
    most_jobs: int,
    most_bytes: int,
) -> Iterator[T]:
    """Hand calls to `submit` ahead of the one that `wait` waits for, but no more than the limits allow."""
    waiting: deque[tuple[Job[T], F | None]] = deque()
    in_flight = 0

    def finish_first() -> T:
        nonlocal in_flight
        job, future = waiting.popleft()
        in_flight -= job.bytes
        return _finish(job, None if future is None else wait(future))

    for job in jobs:
        waiting.append((job, None if job.call is None else submit(job.call)))
        in_flight += job.bytes
        while waiting and (len(waiting) >= most_jobs or in_flight > most_bytes):
            yield finish_first()
    while waiting:
        yield finish_first()


def worker_died() -> WorkerDiedError:
    """The error for a process that ended before its call did."""
    return WorkerDiedError(
        "a worker process died",
        found="killed, out of memory, or crashed by a file it read",
        hint="run the same command again to continue; with one worker if it happens again",
    )


def _finish(job: Job[T], returned: Any) -> T:
    if job.keep is not None and job.call is not None:
        job.keep(returned)
    return job.result


def _context(preload: str) -> BaseContext:
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([preload])  # imported once, shared by all workers
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))
    try:
        forkserver.ensure_running()
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
    return context


def _start_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
