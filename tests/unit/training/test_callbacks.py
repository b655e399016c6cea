"""The metrics file is JSON lines, cut where a run goes on; the log has a line a record."""

import json
import logging
import os

import pytest

from aurl.training.callbacks import LogLines, MetricsFile
from aurl.utils.errors import StorageError


def test_each_record_is_a_line_exact_to_the_last_bit(tmp_path):
    metrics = MetricsFile(tmp_path)
    metrics.started(0)
    metrics.recorded({"step": 1, "epoch": 0, "loss": 0.1 + 0.2})
    metrics.recorded({"step": 2, "epoch": 0, "loss": float("inf")})
    lines = [json.loads(line) for line in metrics.path.read_text().splitlines()]
    assert lines == [{"step": 1, "epoch": 0, "loss": 0.1 + 0.2}, {"step": 2, "epoch": 0, "loss": None}]


def test_going_on_cuts_later_and_half_written_lines(tmp_path):
    metrics = MetricsFile(tmp_path)
    for step in (1, 2, 2, 3):
        metrics.recorded({"step": step, "epoch": 0})
    with metrics.path.open("a") as stream:
        stream.write('{"step": 1')
    metrics.started(2)
    assert [json.loads(line)["step"] for line in metrics.path.read_text().splitlines()] == [1, 2, 2]


@pytest.mark.parametrize("torn", ["\n", '{"step": 1, "lo\n', "\0\0\n"])
def test_a_line_that_is_no_record_is_taken_out_when_going_on(tmp_path, torn):
    metrics = MetricsFile(tmp_path)
    metrics.path.write_text(f'{{"step": 1}}\n{torn}{{"step": 2}}\n{{"step": 3}}\n')
    metrics.started(2)
    assert metrics.path.read_text() == '{"step": 1}\n{"step": 2}\n'


def test_a_folder_in_the_place_of_the_file_is_a_storage_error(tmp_path):
    (tmp_path / "metrics.jsonl").mkdir()
    with pytest.raises(StorageError, match=r"metrics\.jsonl; found: Is a directory"):
        MetricsFile(tmp_path).started(0)


def test_a_disk_that_refuses_is_a_storage_error(tmp_path, monkeypatch):
    def refuse(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(StorageError, match=r"metrics\.jsonl"):
        MetricsFile(tmp_path).recorded({"step": 1, "epoch": 0})


def test_a_log_line_names_step_and_epoch_first(caplog):
    with caplog.at_level(logging.INFO):
        LogLines().recorded({"step": 12, "epoch": 3, "loss": 1.234567, "bits_per_note": 9.0})
    assert caplog.messages == ["step 12 epoch 3 loss=1.2346 bits_per_note=9"]
