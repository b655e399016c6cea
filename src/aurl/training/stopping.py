"""Ctrl-C and SIGTERM as a wish to stop after the update in progress; a second one stops at once."""

from __future__ import annotations

import logging
import signal
import threading
from types import FrameType
from typing import Any, Self

logger = logging.getLogger(__name__)


class StopSignals:
    """Within its block the first signal only sets `requested`; after it, and outside, signals do what they did."""

    def __init__(self) -> None:
        self.requested = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():  # Python lets no other thread handle signals
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._request)
        return self

    def __exit__(self, *error: object) -> None:
        self._restore()

    def _request(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 -- a handler's signature
        logger.warning("finishing the update and saving a checkpoint; press Ctrl-C again to stop at once")
        self.requested = True
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
