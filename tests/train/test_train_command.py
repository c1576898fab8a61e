"""The train command, in this process and as the app's queue starts it."""

import logging
import signal
import time

import pytest

from cadrecode import cli
from cadrecode.config import TrainConfig
from cadrecode.jobs import queue
from cadrecode.runs import Run, State


@pytest.fixture(autouse=True)
def _own_process():
    """The command line sets up logging and signals for its process; give pytest's back."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    answers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for number, answer in answers.items():
        signal.signal(number, answer)


@pytest.fixture
def config_file(settings, tmp_path):
    path = tmp_path / "settings.yaml"
    path.write_text(settings(auto_merge_final=False).to_yaml())
    return path


@pytest.mark.slow
def test_any_setting_on_the_command_line(config_file, tmp_path, capsys):
    words = [
        "--config",
        str(config_file),
        "--max_steps",
        "2",
        "--lora_r=2",
        "--batch_size",
        "3",
        "--use_qlora",
        "--save_steps",
        "1",
    ]
    assert cli.train_main(words) == 0
    run = Run(tmp_path / "run")
    saved = TrainConfig.load(run.folder / "config.yaml")
    assert (saved.max_steps, saved.lora_r, saved.per_device_train_batch_size, saved.use_qlora) == (2, 2, 3, True)
    assert f"done: {run.folder}" in capsys.readouterr().out
    assert "step 2 of 2" in run.log_tail()

    capsys.readouterr()
    words = ["--config", str(config_file), "--max_steps", "3", "--lora_r", "2", "--batch_size", "3", "--use_qlora"]
    assert cli.train_main([*words, "--resume_from_checkpoint", str(run.folder / "checkpoint-2")]) == 0
    assert [entry["step"] for entry in run.metrics()] == [1, 2, 3]
    assert TrainConfig.load(run.folder / "config.yaml").resume_from_checkpoint is None


def test_what_is_wrong_is_said_before_anything_loads(config_file, tmp_path, capsys):
    assert cli.train_main(["--config", str(config_file), "--lora_rank", "8", "--seed", "x", "--do_evall"]) == 1
    printed = capsys.readouterr().err
    assert "unknown setting 'lora_rank'. Did you mean 'lora_r'?" in printed
    assert "unknown setting 'do_evall'. Did you mean 'do_eval'?" in printed
    assert "seed should be" in printed
    assert not (tmp_path / "run").exists()


def test_missing_data_is_said_before_anything_loads(config_file, tmp_path, capsys):
    assert cli.train_main(["--config", str(config_file), "--train_data_path", "data/train"]) == 1
    assert "no training data at data/train. Give a folder of .py programs" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_help_explains_every_setting(capsys):
    with pytest.raises(SystemExit):
        cli.train_main(["--help"])
    printed = capsys.readouterr().out
    assert all(f"--{name} " in printed for name in TrainConfig.spellings())


def test_main_sends_words_to_verbs(config_file, capsys):
    assert cli.main(["merge", "--lora_path", "nowhere", "--output_path", "x"]) == 1
    with pytest.raises(SystemExit):
        cli.main(["fly"])
    assert "train" in capsys.readouterr().err


@pytest.mark.slow
def test_a_queued_run_is_stopped_and_saved_by_a_real_child(settings, tmp_path):
    config = settings(max_steps=5000, save_steps=5000, auto_merge_final=False)
    run = queue.start(config, tmp_path / "runs", "parts")
    deadline = time.monotonic() + 120
    while run.state != State.TRAINING or not run.status().get("step"):
        assert not run.state.final, run.log_tail()
        assert time.monotonic() < deadline, run.log_tail()
        time.sleep(0.1)
    queue.stop(run)
    while run.alive():
        assert time.monotonic() < deadline, run.log_tail()
        time.sleep(0.1)
    assert run.state == State.STOPPED, run.log_tail()
    assert run.status()["error"] is None
    assert len(run.checkpoints()) == 1
    assert "Stopped. Go on with" in run.log_tail()


@pytest.mark.slow
@pytest.mark.parametrize("changes", [{"use_qlora": True, "gradient_checkpointing": True}, {}], ids=str)
def test_the_log_holds_our_words_alone(changes, settings, bases, tmp_path):
    """A plain base has no encoder, which transformers reports as a table, with bars and warnings around it."""
    config = settings(base_model_name=str(bases["plain"]), n_points=256, max_seq_length=1024, do_eval=True, max_steps=2,
                      eval_steps=2, save_steps=2, auto_merge_lora=True, **changes)  # fmt: skip
    run = queue.start(config, tmp_path / "runs", "plain")
    deadline = time.monotonic() + 300
    while not run.state.final or run.alive():
        assert time.monotonic() < deadline, run.log_tail()
        time.sleep(0.1)
    assert run.state == State.DONE, run.log_tail()
    lines = run.log_tail(1000).splitlines()
    strange = [line for line in lines if any(word in line for word in ("LOAD REPORT", "Warning", "%|", "it/s", "\r"))]
    assert not strange
    assert any("has no point encoder, so it starts with a fresh one" in line for line in lines)
