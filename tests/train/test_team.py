"""Two processes, started as the guide does, train as one with the same global batch."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from cadrecode.model.adapters import read_adapter
from cadrecode.runs import Run, State, checkpoint_problems

ROOT = Path(__file__).resolve().parents[2]
LAUNCH = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"]  # gloo, on a CPU
CURVE = ("step", "loss", "learning_rate", "grad_norm")


def launched(config, *words: str) -> str:
    path = Path(config.model_save_path).with_suffix(".yaml")
    path.write_text(config.to_yaml())
    command = [*LAUNCH, "--main_process_port", "0", "train_cad_recode_lora.py", "--config", str(path), *words]
    told = subprocess.run(command, capture_output=True, text=True, timeout=240, cwd=ROOT)
    assert told.returncode == 0, told.stdout + told.stderr
    return told.stdout


def curve(run: Run) -> list[list[float]]:
    return [[row[name] for name in CURVE] for row in run.metrics() if "loss" in row]


def evaluated(run: Run) -> dict[int, float]:
    return {row["step"]: row["eval_loss"] for row in run.metrics() if "eval_loss" in row}


def test_two_processes_have_the_curve_of_one_and_resume_on_it(settings, trained, tmp_path):
    common = {"max_steps": 4, "save_steps": 2, "lora_dropout": 0.0, "auto_merge_final": False, "learning_rate": 5e-4}
    common |= {"do_eval": True, "eval_steps": 2}
    one = trained(settings(model_save_path=str(tmp_path / "one"), per_device_train_batch_size=4, **common))
    config = settings(model_save_path=str(tmp_path / "two"), per_device_train_batch_size=2, **common)
    said = launched(config)
    two = Run(tmp_path / "two")
    assert two.state == State.DONE
    assert said.count("step 1 of 4") == 1  # the first process alone speaks, and writes
    assert len(curve(two)) == 4
    for ours, wanted in zip(curve(two), curve(one)):
        assert ours == pytest.approx(wanted, rel=1e-4)
    assert evaluated(two) == pytest.approx(evaluated(one), rel=1e-4)
    assert [entry["step"] for entry in two.samples()] == [0, 2, 4]
    for key, value in read_adapter(one.folder).items():
        torch.testing.assert_close(read_adapter(two.folder)[key], value, atol=1e-4, rtol=1e-2, msg=key)

    before = curve(two)
    shutil.rmtree(two.folder / "checkpoint-4")
    assert checkpoint_problems(two.folder / "checkpoint-2") == []
    assert {path.name for path in (two.folder / "checkpoint-2").glob("rng_*")} == {"rng_state_0.pth", "rng_state_1.pth"}
    launched(config, "--resume_from_checkpoint", "last", "--auto_merge_final", "true")
    assert (two.folder / "merged_model" / "model.safetensors").is_file()
    assert two.state == State.DONE
    assert [row["step"] for row in two.metrics() if "loss" in row] == [1, 2, 3, 4]
    for ours, wanted in zip(curve(two), before):
        assert ours == pytest.approx(wanted, rel=1e-6)
