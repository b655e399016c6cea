from __future__ import annotations

import io
import logging
import sys

import pytest

from aurl.utils import progress as module
from aurl.utils.progress import progress_bar


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


@pytest.fixture
def terminal(monkeypatch):
    """Puts a terminal in place of stderr; a function, because pytest puts its own stderr back before each test."""

    def replace() -> Terminal:
        monkeypatch.setenv("COLUMNS", "120")
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setattr(sys, "stderr", Terminal())
        return sys.stderr

    return replace


@pytest.fixture
def lines(caplog):
    caplog.set_level(logging.INFO, "aurl.utils.progress")
    return lambda: [record.getMessage() for record in caplog.records]


def test_summary_tells_count_rate_time_left_and_fields(clock):
    with progress_bar("work", 1000, "files", quiet=True) as bar:
        assert bar.summary() == "0/1,000 files"
        clock.now += 2
        bar.advance(100, failed=3, loss=0.123456)
        assert bar.summary() == "100/1,000 files, 50 files/s, 0:00:18 left, failed 3, loss 0.1235"
        bar.advance(900, failed=1234)
        assert bar.summary() == "1,000/1,000 files, 500 files/s, failed 1,234, loss 0.1235"


def test_unknown_total_has_no_time_left(clock):
    with progress_bar("work", None, "tokens", quiet=True) as bar:
        clock.now += 1
        bar.advance(5000, split="train")
        assert bar.summary() == "5,000 tokens, 5,000 tokens/s, split train"


def test_count_and_total_can_be_set_as_they_become_known(clock):
    with progress_bar("work", None, "files", quiet=True) as bar:
        bar.update(3, 10, failed=1)
        clock.now += 1
        bar.update(5)
        assert bar.summary() == "5/10 files, 5 files/s, 0:00:01 left, failed 1"


def test_work_done_earlier_counts_but_not_as_speed(clock):
    with progress_bar("work", 100, "steps", done=50, quiet=True) as bar:
        clock.now += 5
        bar.advance(10)
        assert bar.summary() == "60/100 steps, 2 steps/s, 0:00:20 left"


def test_rate_forgets_a_slow_start(clock):
    with progress_bar("work", None, "steps", quiet=True) as bar:
        clock.now += 1000
        bar.advance(1)
        for _ in range(70):
            clock.now += 1
            bar.advance(3)
        assert bar.rate == pytest.approx(3)


def test_away_from_a_terminal_it_logs_every_ten_seconds_and_at_the_end(clock, lines):
    with progress_bar("prepare", 100, "files") as bar:
        for _ in range(25):
            clock.now += 1
            bar.advance(4)
    assert lines() == [
        "prepare: 40/100 files, 4 files/s, 0:00:15 left",
        "prepare: 80/100 files, 4 files/s, 0:00:05 left",
        "prepare: 100/100 files, 4 files/s",
    ]


def test_work_that_fails_does_not_log_an_end(clock, lines):
    with pytest.raises(KeyError), progress_bar("prepare", 100, "files"):
        raise KeyError
    assert lines() == []


def test_quiet_shows_and_logs_nothing(clock, lines, terminal):
    screen = terminal()
    with progress_bar("prepare", 100, "files", quiet=True) as bar:
        clock.now += 100
        bar.advance(100)
    assert lines() == []
    assert screen.getvalue() == ""


def test_terminal_shows_a_bar_with_fields(terminal):
    screen = terminal()
    with progress_bar("[prepare]", 10, "files") as bar:
        bar.advance(10, failed=2)
    assert "[prepare]" in screen.getvalue()
    assert "10/10 files" in screen.getvalue()
    assert "failed 2" in screen.getvalue()


def test_log_lines_pass_above_the_bar(terminal):
    screen = terminal()
    with progress_bar("train", 10, "steps"):
        logging.StreamHandler(sys.stderr).emit(logging.makeLogRecord({"msg": "a [line] of the log"}))
    assert "a [line] of the log\n" in screen.getvalue().replace("\r", "")


def test_inner_bar_is_shown_with_the_outer_and_goes_when_done(terminal):
    screen = terminal()
    with progress_bar("outer", 2, "epochs") as outer:
        with progress_bar("inner", 5, "pieces") as inner:
            inner.advance(5)
        outer.advance(2)
    shown = screen.getvalue()
    last = shown[shown.rindex("outer") :]
    assert "inner" in shown
    assert "inner" not in last
    assert "2/2 epochs" in last
