"""What a training will take, before it is started."""

import subprocess
import sys

import pytest

from cadrecode.cli import main
from cadrecode.config import TrainConfig
from cadrecode.errors import ModelError
from cadrecode.estimate import estimate, recommended
from cadrecode.figures import GIB

GUIDE = TrainConfig.load(
    "configs/train_config_lora.yaml", {"device": "cpu", "mixed_precision": "no"}
)  # on every processor


def test_parameters_are_those_of_the_model_and_not_of_a_table():
    """DESIGN section 4, trap 9: 17.4 M at rank 16, and 0.1 M of the point encoder."""
    at_16 = estimate(GUIDE.changed(lora_r=16))
    assert at_16.trainable == 17_432_576 + 51 * 2048 + 2048
    assert at_16.adapter_bytes == 4 * at_16.trainable
    assert set(at_16.parts) == {"weights", "adapters", "optimizer", "activations", "logits", "framework"}
    assert at_16.peak_bytes == sum(at_16.parts.values())


def test_each_saving_saves_what_it_is_for():
    plain = estimate(GUIDE).parts
    four = estimate(GUIDE.changed(use_qlora=True)).parts
    again = estimate(GUIDE.changed(gradient_checkpointing=True)).parts
    assert four["weights"] < plain["weights"] / 3
    assert again["activations"] < plain["activations"] / 5
    assert again["weights"] == plain["weights"]


def test_the_verdict_and_an_advice_that_makes_it_fit():
    needed = estimate(GUIDE).peak_bytes
    assert estimate(GUIDE, available_bytes=2 * needed).verdict == "enough"
    assert estimate(GUIDE, available_bytes=2 * needed).advice is None
    assert estimate(GUIDE, available_bytes=int(1.05 * needed)).verdict == "tight"
    short = estimate(GUIDE, available_bytes=24 * GIB)
    assert short.verdict == "not_enough"
    assert short.advice.startswith("Set gradient_checkpointing true")
    assert estimate(GUIDE.changed(**short.changes), available_bytes=24 * GIB).verdict == "enough"
    nothing = estimate(GUIDE, available_bytes=GIB // 2)
    assert "smaller base" in nothing.advice
    assert nothing.changes == {}


def test_the_guides_choice_by_memory():
    assert recommended(24 * GIB) == {"use_qlora": False, "lora_r": 16, "lora_alpha": 32}
    assert recommended(13 * GIB) == {"use_qlora": True, "lora_r": 16, "lora_alpha": 32}
    small = recommended(8 * GIB)
    assert (small["use_qlora"], small["lora_r"], small["per_device_train_batch_size"]) == (True, 8, 4)
    GUIDE.changed(**small)  # settings that there are
    assert estimate(GUIDE, available_bytes=13 * GIB).recommended == recommended(13 * GIB)


def test_a_base_that_is_nowhere_is_said():
    with pytest.raises(ModelError, match="no/such/base"):
        estimate(GUIDE.changed(base_model_name="no/such/base"))


def test_opening_the_module_imports_no_torch():
    code = "import sys, cadrecode.estimate; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "False"


def test_the_command(capsys):
    words = ["estimate", "--config", "configs/train_config_lora.yaml", "--device", "cpu", "--gigabytes", "24"]
    words += ["--mixed_precision", "no"]  # the same on every processor
    assert main(words) == 0
    printed = capsys.readouterr().out
    assert "34,971,648 of" in printed
    assert "of 24.0 GB free: not enough" in printed
    assert "Set gradient_checkpointing true" in printed
    assert "recommended --use_qlora false --lora_r 16 --lora_alpha 32" in printed


def test_free_memory_is_looked_at_anew(monkeypatch):
    for free, verdict in ((400 * GIB, "enough"), (2 * GIB, "not_enough")):
        monkeypatch.setattr("cadrecode.estimate.available_memory", lambda device, free=free: free)
        result = estimate(GUIDE)
        assert (result.available_bytes, result.verdict) == (free, verdict)
