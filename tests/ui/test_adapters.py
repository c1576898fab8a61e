"""The Adapters tab's handlers: what is listed, packed, merged and removed."""

import json
import os
import zipfile

import pytest

from cadrecode.config import TrainConfig
from cadrecode.errors import ModelError, RunError
from cadrecode.runs import Run, State
from cadrecode.ui import models
from cadrecode.ui.tabs import adapters as tab
from cadrecode.ui.text import Words

EN = Words("en")


@pytest.fixture
def adapter(services):
    """A finished run with an adapter, as far as files go."""
    config = TrainConfig(base_model_name="embedded", train_data_path="invent:brackets:500")
    run = Run.create(services.runs_dir / "brackets", config.to_yaml())
    run.claim(os.getpid(), step=300, total=300)
    run.log_metrics(300, median_iou=0.91)
    run.set_status(State.DONE, pid=None)
    description = {"base_model_name_or_path": "embedded", "r": 16, "lora_alpha": 32}
    (run.folder / "adapter_config.json").write_text(json.dumps(description))
    (run.folder / "adapter_model.safetensors").write_bytes(b"w" * 5000)
    (run.folder / "log.txt").write_text("log")
    return run.folder


def merge_by_hand(folder):
    (folder / "merged_model").mkdir()
    (folder / "merged_model" / "config.json").write_text("{}")
    (folder / "merged_model" / "model.safetensors").write_bytes(b"m" * 9000)


def test_the_list_says_base_data_rank_steps_score_and_sizes(services, adapter):
    row = ["brackets", "embedded", "brackets:500", "16 / 32", "300", "0.91", "5.0 kB", "–"]
    assert tab.rows(services, EN) == [row]
    merge_by_hand(adapter)
    assert tab.rows(services, EN)[0][-1] == "9.0 kB"


def test_the_adapters_zip_holds_the_adapter_alone(services, adapter):
    merge_by_hand(adapter)
    path = tab.pack_adapter("brackets", services)
    with zipfile.ZipFile(path) as archive:
        assert set(archive.namelist()) == {"adapter_config.json", "adapter_model.safetensors", "config.yaml"}
        assert archive.read("adapter_model.safetensors") == b"w" * 5000


def test_the_merged_zip_is_made_once_and_again_after_a_new_merge(services, adapter):
    with pytest.raises(ModelError, match="press Merge first"):
        tab.pack_merged("brackets", services)
    merge_by_hand(adapter)
    path = tab.pack_merged("brackets", services)
    made = path.stat().st_mtime_ns
    assert zipfile.ZipFile(path).namelist() == ["config.json", "model.safetensors"]
    assert tab.pack_merged("brackets", services).stat().st_mtime_ns == made
    later = path.stat().st_mtime + 10
    os.utime(adapter / "merged_model" / "model.safetensors", (later, later))
    assert tab.pack_merged("brackets", services).stat().st_mtime_ns != made


def test_deleting_takes_the_run_and_its_zips_along(services, adapter):
    packed = tab.pack_adapter("brackets", services)
    tab.delete("brackets", services)
    assert not adapter.exists()
    assert not packed.exists()
    with pytest.raises(ModelError, match="no adapter named brackets"):
        tab.delete("brackets", services)


def test_a_run_at_work_is_not_deleted(services, adapter):
    Run(adapter).claim(os.getpid())
    with pytest.raises(RunError, match="Stop it first"):
        tab.delete("brackets", services)
    assert adapter.exists()


@pytest.mark.parametrize("name", [None, "", "../brackets", "absent"])
def test_only_listed_adapters_can_be_named(services, adapter, name):
    with pytest.raises(ModelError):
        models.find(services, name)


def test_what_answers_is_said(services):
    assert "No model is loaded" in tab.answering(services, EN)
    assert models.use(services, None, None) == "embedded"
    assert "embedded base" in tab.answering(services, EN)
    assert models.in_use(services) == ("embedded", models.PLAIN)


def test_what_was_in_use_is_in_use_again(services):
    models.use(services, None, None)
    with pytest.raises(ModelError), models.kept(services):
        models.use(services, None, "absent")
    assert models.in_use(services) == ("embedded", models.PLAIN)
