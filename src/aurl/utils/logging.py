"""Log lines `[YYYY-MM-DD HH:MM:SS.mmm] [LEVEL] [MODULE] message`, to the console and to files that rotate.

Modules say `logger = logging.getLogger(__name__)` and pass `%s` arguments; only a program calls `configure_logging`.
Times are local. Files past their size are gzipped: `aurl.log`, `aurl.log.1.gz` (the last one before), ...
"""

from __future__ import annotations

import gzip
import logging
import shutil
import sys
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Literal, TextIO

from pydantic import Field

from aurl.utils.config import Config
from aurl.utils.errors import StorageError


class LoggingConfig(Config):
    """What is logged, and where."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severe level that is logged."""
    console: bool = True
    """Log to stderr as well."""
    file: str = Field("aurl.log", min_length=1)
    """Name of the log file in the folder of the run."""
    file_megabytes: float = Field(10.0, gt=0, allow_inf_nan=False)
    """Size at which a log file is gzipped and a new one begun."""
    backups: int = Field(5, ge=1)
    """Number of gzipped files that are kept."""


def configure_logging(config: LoggingConfig, directory: Path | None = None) -> None:
    """Send the lines of every `aurl` logger to the console and, with a `directory`, to a file in it.

    Replaces what an earlier call set up.
    """
    logger = logging.getLogger("aurl")
    for handler in logger.handlers[:]:
        logger.removeHandler(handler)
        handler.close()
    logger.setLevel(config.level.upper())
    if config.console:
        _attach(logger, _StderrHandler())
    if directory is not None:
        _attach(logger, _file_handler(config, directory))


def _attach(logger: logging.Logger, handler: logging.Handler) -> None:
    line = "[%(asctime)s.%(msecs)03d] [%(levelname)s] [%(name)s] %(message)s"
    handler.setFormatter(logging.Formatter(line, datefmt="%Y-%m-%d %H:%M:%S"))
    logger.addHandler(handler)


class _StderrHandler(logging.StreamHandler[TextIO]):
    """Writes to whatever sys.stderr is now: while a progress bar is shown, rich puts the lines above it."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


def _file_handler(config: LoggingConfig, directory: Path) -> RotatingFileHandler:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        handler = RotatingFileHandler(
            directory / config.file,
            maxBytes=max(1, round(config.file_megabytes * 1e6)),
            backupCount=config.backups,
            encoding="utf-8",
        )
    except OSError as error:
        raise StorageError(f"cannot write a log in {directory}", found=error.strerror) from None
    handler.namer = _gzip_name
    handler.rotator = _gzip_file
    return handler


def _gzip_name(name: str) -> str:
    return f"{name}.gz"


def _gzip_file(source: str, target: str) -> None:
    with Path(source).open("rb") as plain, gzip.open(target, "wb") as packed:
        shutil.copyfileobj(plain, packed)
    Path(source).unlink()
