"""Ray itself is started in tests/integration/test_cluster.py; here a stand-in shows how it is used."""

import sys
from functools import partial
from types import SimpleNamespace

import pytest

from aurl.data.engines import run_jobs
from aurl.data.pool import JOBS_PER_WORKER, Job
from aurl.utils.errors import AurlError, MidiError, MissingExtraError


class TaskError(Exception):
    def __init__(self, cause):
        self.cause = cause


class StandIn:
    """A Ray that makes each call when its result is asked for."""

    exceptions = SimpleNamespace(RayTaskError=TaskError, RayError=InterruptedError)

    def __init__(self, *, joined=False, reachable=True):
        self.joined, self.reachable, self.started, self.most = joined, reachable, [], 0
        self.waiting = 0

    def is_initialized(self):
        return self.joined

    def init(self, **options):
        if not self.reachable:
            raise ConnectionError("nobody answers")
        self.started.append(options)
        self.joined = True

    def shutdown(self):
        self.joined = False

    def cluster_resources(self):
        return {"CPU": 2.0}

    def remote(self, **options):
        assert options == {"num_cpus": 1, "max_retries": 3}
        return lambda function: SimpleNamespace(remote=partial(self.submit, function))

    def submit(self, function, call):
        self.waiting += 1
        self.most = max(self.most, self.waiting)
        return partial(function, call)

    def get(self, future):
        self.waiting -= 1
        try:
            return future()
        except (MidiError, ValueError) as error:
            raise TaskError(error) from None


@pytest.fixture
def ray(monkeypatch):
    """Puts a stand-in in the place of Ray."""

    def put(stand_in):
        monkeypatch.setitem(sys.modules, "ray", stand_in)
        return stand_in

    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    return put


def jobs(kept, count=20):
    return [*(Job(partial(pow, n, 2), 1, n, kept.append) for n in range(count)), Job(None, 0, "nothing to do")]


def run(engine, work, workers=1):
    return list(run_jobs(engine, work, workers, preload="aurl.data.pool"))


def test_both_engines_give_the_same_in_the_same_order(ray):
    stand_in = ray(StandIn())
    local, remote = [], []
    assert run("ray", jobs(remote)) == run("local", jobs(local)) == [*range(20), "nothing to do"]
    assert remote == local == [n * n for n in range(20)]
    assert stand_in.most <= 2 * JOBS_PER_WORKER
    assert not stand_in.joined


def test_a_cluster_is_started_for_the_jobs_unless_there_is_one(ray, monkeypatch):
    own = ray(StandIn())
    run("ray", jobs([]), workers=3)
    assert (own.started[0]["address"], own.started[0]["num_cpus"]) == ("local", 3)
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    there = ray(StandIn())
    run("ray", jobs([]))
    assert (there.started[0]["address"], "num_cpus" in there.started[0]) == ("10.0.0.1:6379", False)


def test_a_cluster_that_was_joined_before_is_left_running(ray):
    stand_in = ray(StandIn(joined=True))
    run("ray", jobs([]))
    assert stand_in.joined
    assert stand_in.started == []


def test_leaving_early_lets_go_of_the_cluster(ray):
    stand_in = ray(StandIn())
    results = run_jobs("ray", jobs([]), 1, preload="")
    next(results)
    assert stand_in.joined
    results.close()
    assert not stand_in.joined


def test_an_error_of_a_call_is_raised_as_it_was(ray):
    def fail():
        raise MidiError("is not a MIDI file", found="junk")

    stand_in = ray(StandIn())
    with pytest.raises(MidiError, match="is not a MIDI file; found: junk"):
        run("ray", [Job(fail, 1, 0)])
    assert not stand_in.joined


def test_workers_that_keep_dying_are_an_error(ray):
    def die():
        raise InterruptedError

    ray(StandIn())
    with pytest.raises(AurlError, match="a worker process died"):
        run("ray", [Job(die, 1, 0)])


def test_a_cluster_that_cannot_be_reached_is_an_error(ray, monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    ray(StandIn(reachable=False))
    with pytest.raises(AurlError, match=r"cannot reach the Ray cluster at 10\.0\.0\.1:6379; found: nobody answers"):
        run("ray", [])


def test_without_ray_the_extra_is_named(ray):
    ray(None)
    with pytest.raises(MissingExtraError, match=r"aurl\[cluster\]"):
        run("ray", [])
