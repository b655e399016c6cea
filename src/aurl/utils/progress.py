"""Progress of long work: a bar on a terminal, a log line every ten seconds anywhere else.

    with progress_bar("preparing", total=len(files), unit="files") as progress:
        for file in files:
            progress.advance(failed=failures)

Rates and the time left are taken over about the last minute, so a slow start is forgotten. Bars may be nested.
"""

from __future__ import annotations

import logging
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

logger = logging.getLogger(__name__)
LOG_SECONDS = 10.0
"""Least time between two log lines of one task."""
RATE_SAMPLES = 60
"""Seconds over which the rate is taken."""


class ProgressBar:
    """Counts what is done and says how fast; shows nothing by itself, which is what `quiet` asks for."""

    def __init__(self, description: str, total: int | None, unit: str, *, done: int = 0) -> None:
        self.description, self.total, self.unit, self.done = description, total, unit, done
        self.fields: dict[str, object] = {}
        self._samples = deque([(time.monotonic(), done)], maxlen=RATE_SAMPLES)

    def advance(self, n: int = 1, **fields: object) -> None:
        """Count `n` more units done, and show `fields` (loss, failures ...) from now on."""
        self.update(self.done + n, None, **fields)

    def update(self, done: int, total: int | None = None, **fields: object) -> None:
        """Say how many units are done in all, of how many when that is now known."""
        self.done = done
        self.total = self.total if total is None else total
        self.fields.update(fields)
        now = time.monotonic()
        if now - self._samples[-1][0] >= 1.0:
            self._samples.append((now, self.done))

    @property
    def rate(self) -> float:
        """Units per second lately; 0 before there is anything to tell."""
        since, done = self._samples[0]
        elapsed = time.monotonic() - since
        return (self.done - done) / elapsed if elapsed > 0 else 0.0

    def summary(self) -> str:
        """Such as `120/1,000 files, 31.5 files/s, 0:00:28 left, failed 2`."""
        parts = [f"{self.done:,}{'' if self.total is None else f'/{self.total:,}'} {self.unit}"]
        rate = self.rate
        if rate > 0:
            parts.append(f"{_number(rate)} {self.unit}/s")
            if self.total is not None and self.total > self.done:
                parts.append(f"{timedelta(seconds=round((self.total - self.done) / rate))} left")
        return ", ".join([*parts, *(f"{name} {_number(value)}" for name, value in self.fields.items())])


class _LoggedBar(ProgressBar):
    """Logs a line every LOG_SECONDS."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._logged = time.monotonic()

    def update(self, done: int, total: int | None = None, **fields: object) -> None:
        super().update(done, total, **fields)
        if time.monotonic() - self._logged >= LOG_SECONDS:
            self._logged = time.monotonic()
            self.log()

    def log(self) -> None:
        """Write the line now."""
        logger.info("%s: %s", self.description, self.summary())


class _ScreenBar(ProgressBar):
    """One line of the bars on the terminal."""

    def __init__(self, screen: Progress, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._screen = screen
        self.task: TaskID = screen.add_task(
            self.description, total=self.total, completed=self.done, summary=self.summary()
        )

    def update(self, done: int, total: int | None = None, **fields: object) -> None:
        super().update(done, total, **fields)
        self._screen.update(self.task, completed=self.done, total=self.total, summary=self.summary())


@contextmanager
def progress_bar(
    description: str, total: int | None, unit: str, *, done: int = 0, quiet: bool = False
) -> Iterator[ProgressBar]:
    """Show the progress of a task of `total` `unit`s (None: unknown), `done` of them earlier, until the block ends."""
    if quiet:
        yield ProgressBar(description, total, unit, done=done)
    elif sys.stderr.isatty():
        with _screen() as screen:
            bar = _ScreenBar(screen, description, total, unit, done=done)
            try:
                yield bar
            finally:
                if len(screen.tasks) > 1:
                    screen.remove_task(bar.task)
    else:
        logged = _LoggedBar(description, total, unit, done=done)
        yield logged
        logged.log()


_SCREEN: ContextVar[Progress | None] = ContextVar("_SCREEN", default=None)


@contextmanager
def _screen() -> Iterator[Progress]:
    """The bars on the terminal: those already shown, or new ones."""
    shown = _SCREEN.get()
    if shown is not None:
        yield shown
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[summary]}", markup=False),
    )
    with Progress(*columns, console=Console(stderr=True), refresh_per_second=4) as screen:
        token = _SCREEN.set(screen)
        try:
            yield screen
        finally:
            _SCREEN.reset(token)


def _number(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else str(value)
