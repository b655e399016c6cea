"""Where the jobs of a preparation run: in processes of this machine, or as tasks of a Ray cluster.

The same jobs in the same order give the same results, so the corpus does not tell which engine made it. A call returns
what it made instead of writing it, so the machines need no disk in common: `Job.keep` writes it here.

Ray's tasks, not Ray Data: this process reads the archives as streams, and Ray Data takes its input whole or reads it
by itself; tasks give what is needed of it, which is bounded memory, order, and another try for a worker that died.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, Literal, TypeVar

from aurl.data.pool import JOBS_PER_WORKER, Job, in_order, run_in_order, worker_died
from aurl.utils.errors import AurlError, MissingExtraError

T = TypeVar("T")
Engine = Literal["local", "ray"]
BYTES_PER_CORE = 32 << 20
"""Most that waits in Ray's object store for each core of the cluster."""
TRIES_AGAIN = 3
"""How often Ray makes a call anew whose worker or machine died."""


def run_jobs(engine: Engine, jobs: Iterable[Job[T]], workers: int, *, preload: str) -> Iterator[T]:
    """Make the calls of `jobs` on an engine; yield each job's result, in order, when it and all before are done.

    `local` takes `workers` processes (see `aurl.data.pool.run_in_order`). `ray` takes the cluster at RAY_ADDRESS, or
    starts one of `workers` processes on this machine for as long as the jobs run; one that the program has joined
    already is used and left running. Raises MissingExtraError, and AurlError for workers that keep dying.
    """
    match engine:
        case "local":
            return run_in_order(jobs, workers, preload=preload)
        case "ray":
            return _run_on_ray(jobs, workers)


def _run_on_ray(jobs: Iterable[Job[T]], workers: int) -> Iterator[T]:
    ray = _import_ray()
    joined = ray.is_initialized()
    if not joined:
        _join(ray, workers)
    task = ray.remote(num_cpus=1, max_retries=TRIES_AGAIN)(_make)
    try:
        cores = max(1, int(ray.cluster_resources().get("CPU", 1)))
        yield from in_order(jobs, task.remote, partial(_wait, ray), cores * JOBS_PER_WORKER, cores * BYTES_PER_CORE)
    finally:
        if not joined:
            ray.shutdown()


def _import_ray() -> Any:
    try:
        import ray
    except ImportError:
        raise MissingExtraError.of("ray", "cluster") from None
    return ray


def _join(ray: Any, workers: int) -> None:
    """Join the cluster at RAY_ADDRESS, or start one of `workers` processes here."""
    quiet = {"configure_logging": False, "log_to_driver": False}
    address = os.environ.get("RAY_ADDRESS")
    if not address:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        ray.init(address="local", num_cpus=workers, include_dashboard=False, **quiet)
        return
    try:
        ray.init(address=address, **quiet)
    except ConnectionError as error:
        raise AurlError(f"cannot reach the Ray cluster at {address}", found=error) from None


def _make(call: Callable[[], Any]) -> Any:
    return call()


def _wait(ray: Any, future: Any) -> Any:
    try:
        return ray.get(future)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None  # what the call raised
    except ray.exceptions.RayError:  # its workers died
        raise worker_died() from None
