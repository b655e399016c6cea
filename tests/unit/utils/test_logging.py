from __future__ import annotations

import gzip
import logging
import re
import sys

import pytest

from aurl.utils.errors import ConfigError, StorageError
from aurl.utils.logging import LoggingConfig, configure_logging

LINE = re.compile(r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}\] \[([A-Z]+)\] \[([\w.]+)\] (.*)")


@pytest.fixture(autouse=True)
def clean():
    yield
    configure_logging(LoggingConfig(console=False))
    logging.getLogger("aurl").setLevel(logging.NOTSET)


def test_lines_have_the_documented_form_on_stderr(capsys):
    configure_logging(LoggingConfig())
    logging.getLogger("aurl.some.part").info("loss %.2f", 0.5)
    out, err = capsys.readouterr()
    match = LINE.fullmatch(err.rstrip("\n"))
    assert match is not None
    assert match.groups() == ("INFO", "aurl.some.part", "loss 0.50")
    assert out == ""


def test_level_hides_what_is_less_severe(capsys):
    configure_logging(LoggingConfig(level="warning"))
    logger = logging.getLogger("aurl.x")
    logger.info("hidden")
    logger.warning("seen")
    assert [LINE.fullmatch(line)[3] for line in capsys.readouterr().err.splitlines()] == ["seen"]


def test_other_libraries_are_left_alone(capsys):
    configure_logging(LoggingConfig())
    logging.getLogger("elsewhere").info("hidden")
    assert capsys.readouterr().err == ""


def test_file_in_the_directory_has_the_same_lines(tmp_path, capsys):
    configure_logging(LoggingConfig(console=False), tmp_path / "run")
    logging.getLogger("aurl.x").error("é")
    assert LINE.fullmatch((tmp_path / "run/aurl.log").read_text(encoding="utf-8").rstrip("\n"))[3] == "é"
    assert capsys.readouterr().err == ""


def test_configuring_again_replaces_the_handlers(capsys):
    configure_logging(LoggingConfig())
    configure_logging(LoggingConfig())
    logging.getLogger("aurl.x").info("once")
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_console_follows_stderr_when_it_is_replaced(monkeypatch, tmp_path):
    configure_logging(LoggingConfig())
    with (tmp_path / "err").open("w") as other:
        monkeypatch.setattr(sys, "stderr", other)
        logging.getLogger("aurl.x").info("there")
    assert "there" in (tmp_path / "err").read_text()


def test_full_files_are_gzipped_and_the_oldest_dropped(tmp_path):
    configure_logging(LoggingConfig(console=False, file_megabytes=0.0002, backups=2), tmp_path)
    for number in range(20):
        logging.getLogger("aurl.x").info("message %02d %s", number, "x" * 40)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["aurl.log", "aurl.log.1.gz", "aurl.log.2.gz"]
    texts = [gzip.decompress((tmp_path / f"aurl.log.{n}.gz").read_bytes()).decode() for n in (2, 1)]
    numbers = [int(n) for n in re.findall(r"message (\d\d)", "".join(texts) + (tmp_path / "aurl.log").read_text())]
    assert numbers == list(range(numbers[0], 20))


def test_unwritable_directory_is_a_storage_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot write a log in"):
        configure_logging(LoggingConfig(console=False), tmp_path / "file")


def test_unknown_level_is_refused():
    with pytest.raises(ConfigError, match="level"):
        LoggingConfig.parse({"level": "loud"})


@pytest.mark.parametrize("size", [0, float("inf"), float("nan")])
def test_a_size_that_no_file_can_have_is_refused(size):
    with pytest.raises(ConfigError, match="file_megabytes"):
        LoggingConfig.parse({"file_megabytes": size})
