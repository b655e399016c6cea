"""A stopped run goes on as if it had never stopped; the best is kept; what goes wrong is said."""

import errno
import logging
import math
import os
import signal
import subprocess
import sys
import threading

import pytest
import torch

from aurl.training import Callback
from aurl.utils.errors import AurlError, CheckpointError, ConfigError, Interrupted, StorageError
from aurl.utils.folders import MANIFEST, read_manifest


class Stop(Callback):
    """Does something once, after the record of one step."""

    def __init__(self, step, action):
        self.step, self.action = step, action

    def recorded(self, record):
        if record["step"] == self.step:
            self.action()


def stopped(run, step, **config):
    """Train a run named `run` and break off without warning after `step`."""

    def crash():
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        run(callbacks=[Stop(step, crash)], **config).trainer.train()


def test_the_model_learns(run):
    done = run(steps=100, log_every=25, optimizer={"name": "adamw", "learning_rate": 0.05})
    done.trainer.train()
    losses = [record["loss"] for record in done.records()]
    assert losses[-1] < losses[0] / 2


def test_resumed_equals_never_stopped_to_the_last_bit(run):
    whole = run("whole")
    whole.trainer.train()
    stopped(run, 3)  # before the first checkpoint
    stopped(run, 8)  # between checkpoints
    resumed = run()
    state = resumed.trainer.train()
    assert len(whole.losses()) == 12
    assert resumed.losses() == whole.losses()
    assert resumed.weights() == whole.weights()
    assert state.tokens == whole.trainer.state.tokens
    assert resumed.checkpoints() == ["step-000000010", "step-000000012"]


def test_dropout_is_on_so_that_the_random_state_matters(run):
    first, second = run("a"), run("b")
    torch.rand(1)  # one number drawn more than in the first run
    second.trainer.train()
    first.trainer.train()
    assert first.losses()[1] != second.losses()[1]


@pytest.mark.slow
def test_workers_give_the_same_losses_and_resume(run):
    whole = run("whole")
    whole.trainer.train()
    stopped(run, 8, workers=2)
    resumed = run(workers=2)
    resumed.trainer.train()
    assert resumed.losses() == whole.losses()


def test_the_metrics_of_replayed_steps_stand_once(run):
    stopped(run, 8)
    with (run().folder / "metrics.jsonl").open("a") as stream:
        stream.write('{"step": 9, "lo')
    resumed = run()
    resumed.trainer.train()
    assert [record["step"] for record in resumed.records()] == list(range(1, 13))


def test_a_finished_run_is_left_alone(run):
    run().trainer.train()
    again = run()
    before = (again.folder / "metrics.jsonl").read_text()
    assert again.trainer.train().step == 12
    assert (again.folder / "metrics.jsonl").read_text() == before


def test_a_finished_run_goes_on_when_it_is_given_more_steps(run, caplog):
    run(schedule={"kind": "constant"}).trainer.train()
    with caplog.at_level(logging.WARNING):
        longer = run(schedule={"kind": "constant"}, steps=14)
        longer.trainer.train()
    assert "going on with another training.steps: 14, before 12" in caplog.text
    assert [record["step"] for record in longer.records()] == list(range(1, 15))


@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.safetensors", "state.json", "config.yaml", MANIFEST])
def test_a_damaged_checkpoint_is_skipped_for_the_one_before(run, caplog, name):
    whole = run("whole")
    whole.trainer.train()
    stopped(run, 11)
    damaged = run().folder / "checkpoints" / "step-000000010" / name
    content = bytearray(damaged.read_bytes())
    content[len(content) // 2] ^= 1
    damaged.write_bytes(content)
    resumed = run()
    resumed.trainer.train()
    assert "skipped a checkpoint" in caplog.text
    assert name in caplog.text
    assert resumed.losses() == whole.losses()
    assert resumed.checkpoints() == ["step-000000010", "step-000000012"]  # step 10 was written anew


def test_damage_never_pushes_out_a_whole_checkpoint(run):
    stopped(run, 11, keep_checkpoints=1)
    ahead = run().folder / "checkpoints" / "step-000000099"
    ahead.mkdir()
    resumed = run(keep_checkpoints=1)
    resumed.trainer.train()
    assert resumed.checkpoints() == ["step-000000012", "step-000000099"]


def test_if_every_checkpoint_is_damaged_nothing_is_overwritten(run):
    stopped(run, 6)
    only = run().folder / "checkpoints" / "step-000000005"
    (only / "state.json").unlink()
    with pytest.raises(CheckpointError, match="delete the run's folder to start anew"):
        run().trainer.train()
    assert len(run().records()) == 6


def test_another_model_is_refused_by_name(run):
    stopped(run, 6)
    with pytest.raises(ConfigError, match=r"another model\.width; found: 16, not 8"):
        run(experiment={"model": {"width": 16}}).trainer.train()


def test_ctrl_c_finishes_the_update_saves_and_resumes(run):
    whole = run("whole")
    whole.trainer.train()
    before = signal.getsignal(signal.SIGINT)
    interrupted = run(callbacks=[Stop(7, lambda: os.kill(os.getpid(), signal.SIGINT))])
    with pytest.raises(Interrupted, match="stopped after step 7; the same command goes on there"):
        interrupted.trainer.train()
    assert interrupted.checkpoints() == ["step-000000005", "step-000000007"]
    assert signal.getsignal(signal.SIGINT) is before
    resumed = run()
    resumed.trainer.train()
    assert resumed.losses() == whole.losses()


def test_sigterm_saves_too(run):
    interrupted = run(callbacks=[Stop(3, lambda: os.kill(os.getpid(), signal.SIGTERM))])
    with pytest.raises(Interrupted):
        interrupted.trainer.train()
    assert interrupted.checkpoints() == ["step-000000003"]


def test_a_second_ctrl_c_stops_at_once(run):
    def twice():
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    interrupted = run(callbacks=[Stop(7, twice)])
    with pytest.raises(KeyboardInterrupt):
        interrupted.trainer.train()
    assert interrupted.checkpoints() == ["step-000000005"]


def test_a_thread_can_train_though_it_cannot_handle_signals(run):
    done = run(steps=2)
    thread = threading.Thread(target=done.trainer.train)
    thread.start()
    thread.join()
    assert done.checkpoints() == ["step-000000002"]


def test_a_full_disk_leaves_the_earlier_checkpoint_and_the_run_goes_on_later(run, monkeypatch):
    whole = run("whole")
    whole.trainer.train()
    sync, calls = os.fsync, []

    def fill_up(descriptor):
        calls.append(descriptor)
        if len(calls) > 18:  # after 5 records, 7 of the first checkpoint, 5 records and one file of the second
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", fill_up)
    full = run()
    with pytest.raises(StorageError, match=r"step-000000010.*intact.*run the same command again"):
        full.trainer.train()
    monkeypatch.undo()
    assert full.checkpoints() == ["step-000000005"]
    resumed = run()
    resumed.trainer.train()
    assert resumed.losses() == whole.losses()


def test_a_run_that_cannot_be_written_is_refused_at_the_start(run, tmp_path):
    (tmp_path / "run").mkdir(mode=0o500)
    if os.access(tmp_path / "run", os.W_OK):
        pytest.skip("root may write anywhere")
    with pytest.raises(StorageError):
        run()


def test_the_best_checkpoint_is_kept_besides_the_newest(run):
    scores = iter([3.0, 1.0, 2.0, 2.5, 4.0, 5.0])
    done = run(validate=lambda _: {"bits_per_note": next(scores)}, validate_every=2, checkpoint_every=1)
    done.trainer.train()
    assert done.checkpoints() == ["step-000000004", "step-000000011", "step-000000012"]
    metadata = read_manifest(done.folder / "checkpoints" / "step-000000004")["metadata"]
    assert metadata == {"step": 4, "bits_per_note": 1.0, "scored_on": {}}
    validations = [r["validation_bits_per_note"] for r in done.records() if "validation_bits_per_note" in r]
    assert validations == [3.0, 1.0, 2.0, 2.5, 4.0, 5.0]


def test_the_best_score_survives_a_stop(run):
    scores = iter([1.0, 3.0, 2.0, 2.0, 2.0])
    config = {"validate": lambda _: {"bits_per_note": next(scores)}, "validate_every": 4, "checkpoint_every": 3}
    stopped(run, 8, **config)
    resumed = run(**config)
    assert resumed.trainer.train().best_score == 1.0
    assert "step-000000004" in resumed.checkpoints()


def test_validation_sees_a_model_without_dropout_and_training_one_with(run):
    modes = []
    done = run(validate=lambda m: modes.append((m.training, torch.is_grad_enabled())) or {"bits_per_note": math.nan})
    done.trainer.train()
    assert modes == [(False, False)]
    assert done.model.training
    assert done.trainer.state.best_score is None
    assert done.records()[-1]["validation_bits_per_note"] is None  # JSON has no nan


def test_records_hold_what_one_wants_to_plot(run):
    done = run(log_every=5)
    done.trainer.train()
    records = done.records()
    assert [record["step"] for record in records] == [5, 10, 12]
    assert records[1].keys() == {
        "step", "epoch", "loss", "bits_per_token", "bits_per_note", "learning_rate", "gradient_norm",
        "tokens_per_second", "memory_mb",
    }  # fmt: skip
    assert records[1]["epoch"] == 1  # update 10 ends with batch 19, and ten batches are an epoch
    assert records[1]["loss"] == pytest.approx(records[1]["bits_per_token"] * math.log(2))


def test_the_schedule_multiplies_the_learning_rate_of_the_optimiser(run):
    schedule = {"kind": "linear", "start": 1.0, "end": 0.0, "warmup_steps": 0}
    done = run(steps=5, schedule=schedule, optimizer={"name": "adamw", "learning_rate": 0.1})
    done.trainer.train()
    assert [record["learning_rate"] for record in done.records()] == pytest.approx([0.1, 0.075, 0.05, 0.025, 0.0])


def test_time_runs_out_and_what_was_learned_is_saved(run):
    done = run(max_minutes=1e-9)
    assert done.trainer.train().step == 1
    assert done.checkpoints() == ["step-000000001"]
    again = run(max_minutes=1e-9)
    assert again.trainer.train().step == 1


class Broken:
    """Losses that are not numbers in calls `good` to `bad`."""

    def __init__(self, good, bad=1000):
        self.bad, self.call = range(good, bad), -1

    def loss(self, model, batch):
        self.call += 1
        loss = model.head.weight.sum() * (math.nan if self.call in self.bad else 1.0)
        return loss, {}


def test_a_gradient_that_is_not_finite_is_left_out_and_many_in_a_row_end_the_run(run):
    done = run(steps=50, step=Broken(good=4), checkpoint_every=1)
    with pytest.raises(AurlError, match=r"diverged at step 12; found: .* in the last 10 .*; earlier .* intact"):
        done.trainer.train()
    assert done.checkpoints() == ["step-000000001", "step-000000002"]
    assert all(bool(value.isfinite().all()) for value in done.model.state_dict().values())
    assert done.records()[-1]["loss"] is None


def test_few_bad_gradients_do_not_end_the_run(run):
    done = run(step=Broken(good=4, bad=20))
    assert done.trainer.train().skipped_in_a_row == 0
    assert [r["step"] for r in done.records() if r["loss"] is None] == list(range(3, 11))


def test_a_run_that_ends_before_patience_does_has_diverged_too(run):
    with pytest.raises(AurlError, match=r"diverged at step 3; .* in the last 3 .*learning_rate$") as caught:
        run(steps=3, step=Broken(good=0)).trainer.train()
    assert caught.value.exit_code == 1


HOLD = "import fcntl, sys; f = open(sys.argv[1], 'ab'); fcntl.lockf(f, fcntl.LOCK_EX); print(flush=True); input()"


def test_a_run_that_another_process_trains_is_refused_until_that_is_killed(run):
    second = run()
    command = [sys.executable, "-c", HOLD, str(second.folder / "train.lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as first:
        first.stdout.readline()
        with pytest.raises(StorageError, match=r"another process trains in .*run"):
            second.trainer.train()
        first.kill()
    assert not (second.folder / "metrics.jsonl").exists()
    assert second.trainer.train().step == 12
