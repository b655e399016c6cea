"""Every error a user can meet, in one tree, each with the exit code the CLI returns for it.

    AurlError                  1   anything below
    |- ConfigError             2   a configuration or an option that cannot be used
    |  |- UnknownNameError     2   a key or a registered name that does not exist
    |  `- MissingExtraError    2   an optional package that is not installed
    |- MidiError               3   a music file that cannot be read or written
    |- CorpusError             4   a corpus that is missing, damaged or of another version
    |- CheckpointError         5   a checkpoint that is missing, cut short or altered
    |- StorageError            6   a disk that is full or refuses to be written
    |- GenerationError         7   a request that no sequence of tokens can fulfil
    `- Interrupted           130   the user pressed Ctrl-C; what was done is saved

A message says what was wrong, what was found, and what to do about it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import ClassVar


class AurlError(Exception):
    """Base of all errors that are the user's to solve; anything else is a defect of Aurl."""

    exit_code: ClassVar[int] = 1

    def __init__(self, problem: str, *, found: object = None, hint: str | None = None) -> None:
        self.problem, self.found, self.hint = problem, found, hint
        super().__init__(problem, found, hint)

    def __reduce__(self) -> tuple[object, ...]:
        """Keep the keyword arguments when the error crosses a process boundary."""
        return (_rebuild, (type(self), self.problem, self.found, self.hint))

    def __str__(self) -> str:
        parts = [self.problem]
        if self.found is not None:
            parts.append(f"found: {self.found}")
        if self.hint:
            parts.append(self.hint)
        return "; ".join(parts)


def _rebuild(kind: type[AurlError], problem: str, found: object, hint: str | None) -> AurlError:
    return kind(problem, found=found, hint=hint)


class ConfigError(AurlError):
    """A configuration or an option that cannot be used."""

    exit_code = 2


class UnknownNameError(ConfigError):
    """A configuration key or a registered name that does not exist."""

    @classmethod
    def among(cls, what: str, name: str, known: Iterable[str]) -> UnknownNameError:
        """Build the error for `name`, which is none of `known`, with the closest one suggested."""
        names = sorted(known)
        close = difflib.get_close_matches(name, names, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(names) or 'none'}"
        return cls(f"unknown {what}", found=repr(name), hint=hint)


class MissingExtraError(ConfigError):
    """An optional package is not installed."""

    @classmethod
    def of(cls, package: str, extra: str) -> MissingExtraError:
        """Name the pip line that adds `package`."""
        return cls(f"{package} is not installed", hint=f'run: pip install "aurl[{extra}]"')


class MidiError(AurlError):
    """A music file that cannot be read or written."""

    exit_code = 3


class CorpusError(AurlError):
    """A corpus that is missing, damaged, or written by another version."""

    exit_code = 4


class CheckpointError(AurlError):
    """A checkpoint that is missing, cut short, or altered."""

    exit_code = 5


class StorageError(AurlError):
    """The disk is full or refuses to be written."""

    exit_code = 6


class GenerationError(AurlError):
    """A generation request that no sequence of tokens can fulfil."""

    exit_code = 7


class Interrupted(AurlError):  # noqa: N818 -- a wish of the user, not an error
    """The user asked to stop; everything finished so far is saved."""

    exit_code = 130
