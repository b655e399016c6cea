"""The command line: one short file a command; what is heavy is imported inside the command.

Exit codes are those of `aurl.utils.errors`: 0 success, 1 training diverged, 2 configuration or usage, 3 a music file,
4 a corpus, 5 a checkpoint, 6 the disk, 7 generation, 130 interrupted.
"""

from aurl.cli.main import app, main

__all__ = ["app", "main"]
