"""Two processes, started as the guide does, train as one with the same global batch."""

import json
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file

from cadrecode.cli.verbs import train_main
from cadrecode.errors import ConfigError, ModelError, RunError
from cadrecode.jobs import queue
from cadrecode.model import sharding
from cadrecode.model.adapters import read_adapter
from cadrecode.model.team import Team, own_device
from cadrecode.runs import ORIGIN, Run, State, checkpoint_problems, process_start
from cadrecode.training import trainer as training_loop
from cadrecode.training.checkpoints import refuse_strangers
from tests.together import run_together

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
LAUNCH = [sys.executable, "-m", "accelerate.commands.launch"]  # over gloo, on a CPU
FSDP = ["--config_file", "configs/accelerate_fsdp.yaml", "--num_processes", "2", "--main_process_port", "0"]
CURVE = ("step", "loss", "learning_rate", "grad_norm")


def launch(config, how: list[str]) -> subprocess.Popen:
    path = Path(config.model_save_path).with_suffix(".yaml")
    path.write_text(config.to_yaml())
    command = [*LAUNCH, *how, "train_cad_recode_lora.py", "--config", str(path)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT)


def printed_by(*launchers: subprocess.Popen) -> list[str]:
    """What each launcher printed, after all have succeeded."""
    printed = [launcher.communicate(timeout=240)[0] for launcher in launchers]
    assert [launcher.returncode for launcher in launchers] == [0] * len(launchers), "\n".join(printed)
    return printed


def launched_on_two_nodes(config) -> list[str]:
    """A process on each of two machines, as docs/scaling.md does it; here both are this machine."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    how = ["--config_file", "configs/accelerate_two_nodes.yaml", "--num_processes", "2", "--main_process_port", port]
    how += ["--main_process_ip", "127.0.0.1", "--machine_rank"]
    return printed_by(*(launch(config, [*how, rank]) for rank in ("0", "1")))


def resume(config, processes, *words: str, **environment: str) -> None:
    """The two processes go on from the last checkpoint."""
    path = Path(config.model_save_path).with_suffix(".yaml")
    words = ("--config", str(path), "--resume_from_checkpoint", "last", *words)
    run_together(processes, train_main, words, **environment)


def curve(run: Run) -> list[list[float]]:
    return [[row[name] for name in CURVE] for row in run.metrics() if "loss" in row]


def evaluated(run: Run) -> dict[int, float]:
    return {row["step"]: row["eval_loss"] for row in run.metrics() if "eval_loss" in row}


def test_two_nodes_have_the_curve_of_one_process_and_resume_on_it(settings, trained, processes, tmp_path):
    common = {"max_steps": 4, "save_steps": 2, "lora_dropout": 0.0, "auto_merge_final": False, "learning_rate": 5e-4}
    common |= {"do_eval": True, "eval_steps": 2, "warped_copies": 1, "height_steps": 2}  # which they make together
    alone = trained(settings(model_save_path=str(tmp_path / "one"), per_device_train_batch_size=4, **common))
    config = settings(model_save_path=str(tmp_path / "two"), per_device_train_batch_size=2, **common)
    first, second = launched_on_two_nodes(config)
    together = Run(tmp_path / "two")
    assert together.state == State.DONE
    assert first.count("step 1 of 4") == 1
    assert "step 1 of 4" not in second  # the first process alone speaks, and writes
    assert len(curve(together)) == 4
    for ours, wanted in zip(curve(together), curve(alone)):
        assert ours == pytest.approx(wanted, rel=1e-4)
    assert evaluated(together) == pytest.approx(evaluated(alone), rel=1e-3)  # a mean over batches, which are others
    assert [entry["step"] for entry in together.samples()] == [0, 2, 4]
    for key, value in read_adapter(alone.folder).items():
        torch.testing.assert_close(read_adapter(together.folder)[key], value, atol=1e-4, rtol=1e-2, msg=key)

    before = curve(together)
    shutil.rmtree(together.folder / "checkpoint-4")
    assert checkpoint_problems(together.folder / "checkpoint-2") == []
    assert {path.name for path in (together.folder / "checkpoint-2").glob("rng_*")} == {
        "rng_state_0.pth",
        "rng_state_1.pth",
    }
    resume(config, processes, "--auto_merge_final", "true")
    assert (together.folder / "merged_model" / "model.safetensors").is_file()
    assert together.state == State.DONE
    assert [row["step"] for row in together.metrics() if "loss" in row] == [1, 2, 3, 4]
    for ours, wanted in zip(curve(together), before):
        assert ours == pytest.approx(wanted, rel=1e-6)


def test_a_base_that_is_shared_out_has_the_same_curve_and_leaves_a_whole_adapter(
    settings, trained, bases, processes, tmp_path
):
    common = {"max_steps": 4, "save_steps": 2, "lora_dropout": 0.0, "learning_rate": 5e-4, "do_eval": True}
    common |= {"eval_steps": 2, "gradient_accumulation_steps": 2, "gradient_checkpointing": True}
    alone = trained(settings(model_save_path=str(tmp_path / "one"), per_device_train_batch_size=4, **common))
    config = settings(model_save_path=str(tmp_path / "two"), per_device_train_batch_size=2, **common)
    [printed] = printed_by(launch(config, FSDP))
    together = Run(tmp_path / "two")
    assert together.state == State.DONE
    sizes = {key: 4 * value.numel() for key, value in load_file(bases["ours"] / "model.safetensors").items()}
    cut = sum(size for key, size in sizes.items() if key.startswith(("model.layers.", "model.norm.")))
    held = (sum(sizes.values()) - cut / 2) / 2**20
    assert f"The base is shared out: {held:.1f} MB of it in each of 2 processes." in printed
    assert "Checked: the saved adapter on a fresh base has the live model's loss" in printed
    for ours, wanted in zip(curve(together), curve(alone), strict=True):
        assert ours == pytest.approx(wanted, rel=1e-4)
    assert evaluated(together) == pytest.approx(evaluated(alone), rel=1e-3)  # a mean over batches, which are others
    ours, wanted = read_adapter(together.folder), read_adapter(alone.folder)
    assert ours.keys() == wanted.keys()
    for key, value in wanted.items():
        torch.testing.assert_close(ours[key], value, atol=1e-4, rtol=1e-2, msg=key)
    assert (together.folder / "merged_model" / "model.safetensors").is_file()

    before = curve(together)
    shutil.rmtree(together.folder / "checkpoint-4")
    resume(config, processes, ACCELERATE_USE_FSDP="true")
    assert [row["step"] for row in together.metrics() if "loss" in row] == [1, 2, 3, 4]
    for ours, wanted in zip(curve(together), before, strict=True):
        assert ours == pytest.approx(wanted, rel=1e-6)


def test_the_queue_starts_stops_resumes_and_kills_both(settings, tmp_path):
    """As the app does it; the run goes on as two processes, and after a kill nothing of it is left."""
    config = settings(max_steps=5000, save_steps=5000, per_device_train_batch_size=2, auto_merge_final=False)
    deadline = time.monotonic() + 300

    def until(condition) -> None:
        while not condition():
            assert time.monotonic() < deadline, run.log_tail()
            assert run.alive() or run.state in (State.QUEUED, State.STOPPED), run.log_tail()
            time.sleep(0.1)

    run = queue.start(config, tmp_path / "runs", "parts", processes=2)
    until(lambda: run.state == State.TRAINING and run.status().get("step", 0) > 1)
    queue.stop(run)
    until(lambda: run.state == State.STOPPED)
    assert run.status()["error"] is None
    [checkpoint] = run.checkpoints()
    assert {path.name for path in checkpoint.glob("rng_*")} == {"rng_state_0.pth", "rng_state_1.pth"}
    step = run.status()["step"]
    until(lambda: process_start(run.status()["launcher"]) is None)  # both have left

    queue.resume(run)
    until(lambda: run.state == State.TRAINING and run.status().get("step", 0) > step)
    everyone = queue._processes(run.status())
    assert len(everyone) == 3  # the launcher and two trainings
    queue.kill(run)
    assert [process_start(pid) for pid in everyone] == [None] * 3
    assert run.status()["error"] == "Killed on request."
    steps = [row["step"] for row in run.metrics()]
    assert steps == list(range(1, len(steps) + 1))  # no step twice, none left out


@pytest.mark.parametrize("first", [True, False])
def test_the_adapter_of_a_checkpoint_is_written_by_the_first_process_alone(first, monkeypatch, tmp_path):
    written = []
    monkeypatch.setattr(training_loop, "save_adapter", lambda model, tokenizer, folder: written.append(folder))
    trainer = SimpleNamespace(args=SimpleNamespace(should_save=first), model=torch.nn.Module(), processing_class=None)
    training_loop.AdapterTrainer._save(trainer, str(tmp_path))  # which the Trainer calls in every process
    assert written == [str(tmp_path)] * first


def test_another_number_of_processes_than_the_checkpoints_is_named(settings, trained, caplog):
    run = trained(settings(max_steps=1, save_steps=1, auto_merge_final=False))
    checkpoint = run.folder / "checkpoint-1"
    origin = json.loads((checkpoint / ORIGIN).read_text())
    refuse_strangers(checkpoint, origin)
    assert "Other settings" not in caplog.text
    refuse_strangers(checkpoint, origin | {"processes": 2})
    assert "Other settings than the checkpoint's, so another curve from here on: processes 1 -> 2." in caplog.text


def test_what_cannot_be_shared_out_is_refused_before_anything_loads(settings, trained, tmp_path, monkeypatch):
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    with pytest.raises(ConfigError, match=r"asks for FSDP, and a base in 4 bits cannot be cut up. Turn use_qlora"):
        trained(settings(use_qlora=True))
    monkeypatch.setenv("FSDP_OFFLOAD_PARAMS", "true")
    with pytest.raises(ConfigError, match=r"fsdp_offload_params is true .* Set it false"):
        trained(settings(model_save_path=str(tmp_path / "other")))
    layer = torch.nn.Linear(4, 4)
    layer.weight = torch.nn.Parameter(torch.zeros(4, 2, dtype=torch.uint8), requires_grad=False)
    decoder = SimpleNamespace(layers=[layer], embed_tokens=torch.nn.Embedding(2, 2))
    model = SimpleNamespace(get_base_model=lambda: SimpleNamespace(model=decoder), parameters=layer.parameters)
    with pytest.raises(ModelError, match="this base has layers in uint8"):
        sharding.share_out(model, torch.device("cpu"))


def test_accelerate_does_not_hear_of_fsdp(monkeypatch):
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    assert Team.join(torch.device("cpu")) == Team()  # one process: nothing to share out
    assert not sharding.requested()


def test_each_process_takes_a_gpu_of_its_own(monkeypatch):
    taken = []
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.setattr("torch.cuda.set_device", taken.append)
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    assert own_device(torch.device("cuda")) == torch.device("cuda", 1)
    assert taken == [torch.device("cuda", 1)]
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    with pytest.raises(RunError, match=r"4 processes were started, .* 2 can be seen here. Start 2"):
        own_device(torch.device("cuda"))
    assert own_device(torch.device("cpu")) == torch.device("cpu")
