"""The Adapters tab's handlers: what is listed, packed, merged and removed."""

import json
import os
import pickle
import zipfile

import numpy as np
import pytest
from safetensors.numpy import save_file

from cadrecode.adapters import find_adapter
from cadrecode.config import TrainConfig
from cadrecode.errors import CadrecodeError, ModelError, RunError
from cadrecode.jobs import queue
from cadrecode.runs import Kind, Run, State
from cadrecode.ui import models
from cadrecode.ui.adapters import actions, incoming, views
from cadrecode.ui.words.text import Words
from tests.ui.zips import LORA, packed, weights

EN = Words("en")


@pytest.fixture
def adapter(services):
    """A finished run with an adapter, as far as files go."""
    config = TrainConfig(base_model_name="embedded", train_data_path="invent:brackets:500")
    run = Run.create(services.runs_dir / "brackets", config.to_yaml())
    run.claim(os.getpid(), step=300, total=300)
    run.log_metrics(0, median_iou=0.84)
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
    save_file({"weight": np.zeros(8928, np.uint8)}, folder / "merged_model" / "model.safetensors")


def test_a_card_says_base_data_rank_steps_scores_and_sizes(services, adapter):
    (card,) = views.cards(services, EN)
    facts = dict(card.facts)
    assert facts == {
        "Base": "embedded base", "Data": "brackets:500", "r / alpha": "16 / 32", "Steps": "300", "IoU": "0.84 → 0.91",
        "Size": "5.0 kB", "Merged": "not yet",
    }  # fmt: skip
    merge_by_hand(adapter)
    assert dict(views.cards(services, EN)[0].facts)["Merged"] == "9.0 kB"
    merged = adapter / "merged_model" / "model.safetensors"
    assert views.cards(services, EN)[0].merged_bytes == merged.stat().st_size + len("{}")
    shown = views.cards_html(views.cards(services, EN), "brackets", EN)
    assert 'data-name="brackets"' in shown
    assert 'aria-selected="true"' in shown
    assert '<span class="cr-pill done">+0.07 IoU on such parts</span>' in shown
    merged.write_bytes(merged.read_bytes()[:-1])  # cut short
    assert dict(views.cards(services, EN)[0].facts)["Merged"] == "not yet"


def test_the_adapters_zip_holds_the_adapter_alone(services, adapter):
    merge_by_hand(adapter)
    (path,) = actions.pack_adapter("brackets", services)
    with zipfile.ZipFile(path) as archive:
        assert set(archive.namelist()) == {"adapter_config.json", "adapter_model.safetensors", "config.yaml"}
        assert archive.read("adapter_model.safetensors") == b"w" * 5000


def test_the_merged_zip_is_made_once_and_again_after_a_new_merge(services, adapter):
    with pytest.raises(ModelError, match="press Merge first"):
        actions.offer_merged("brackets", services)
    merge_by_hand(adapter)
    (path,) = actions.offer_merged("brackets", services)
    made = path.stat().st_mtime_ns
    assert zipfile.ZipFile(path).namelist() == ["config.json", "model.safetensors"]
    assert actions.offer_merged("brackets", services)[0].stat().st_mtime_ns == made
    later = path.stat().st_mtime + 10
    os.utime(adapter / "merged_model" / "model.safetensors", (later, later))
    assert actions.offer_merged("brackets", services)[0].stat().st_mtime_ns != made


def test_a_large_merged_model_is_offered_file_by_file_and_not_copied(services, adapter, monkeypatch):
    monkeypatch.setattr(actions, "ONE_FILE_BYTES", 1000)
    merge_by_hand(adapter)
    for _ in range(2):  # a second time, too
        paths = actions.offer_merged("brackets", services)
        assert [path.name for path in paths] == ["config.json", "model.safetensors"]
    assert os.path.samefile(paths[1], adapter / "merged_model" / "model.safetensors")
    actions.delete("brackets", services)
    assert not paths[1].exists()


def test_deleting_takes_the_run_and_its_zips_along(services, adapter):
    (packed,) = actions.pack_adapter("brackets", services)
    actions.delete("brackets", services)
    assert not adapter.exists()
    assert not packed.exists()
    with pytest.raises(ModelError, match="no adapter named brackets"):
        actions.delete("brackets", services)


def test_a_run_at_work_is_not_deleted(services, adapter):
    Run(adapter).claim(os.getpid())
    with pytest.raises(RunError, match="Stop it first"):
        actions.delete("brackets", services)
    assert adapter.exists()


@pytest.mark.parametrize("name", [None, "", "../brackets", "absent"])
def test_only_listed_adapters_can_be_named(services, adapter, name):
    with pytest.raises(ModelError):
        find_adapter(services.runs_dir, name)


def test_what_answers_is_said(services):
    assert "No model is loaded" in views.answering(services, EN)
    assert models.use(services, None, None) == "embedded"
    assert "embedded base" in views.answering(services, EN)
    assert models.in_use(services) == ("embedded", models.PLAIN)


def test_a_merge_is_followed_from_the_queue_to_its_end(services, adapter, monkeypatch):
    monkeypatch.setattr(queue, "watch", lambda runs_dir: None)  # this test is the queue and the child process
    assert views.merge_look("brackets", services, EN) is None
    run = actions.merge("brackets", services)
    look = views.merge_look("brackets", services, EN)
    assert (look.run, look.busy) == (run.name, True)
    assert "queued #1" in look.html
    assert queue.list_runs(services.runs_dir) == [Run(adapter.resolve())]  # the list of trainings does not show it
    with pytest.raises(RunError, match="is being merged already"):
        actions.merge("brackets", services)
    with pytest.raises(RunError, match="is being merged"):
        actions.delete("brackets", services)
    run.claim(os.getpid())
    run.set_status(State.MERGING, step=1)
    assert "1 / 3 · merging the weights" in views.merge_look("brackets", services, EN).html
    run.set_status(State.DONE, tensors=12, max_logit_difference=1e-6)
    look = views.merge_look("brackets", services, EN)
    assert not look.busy
    assert "verified: 12 tensors, logits equal to 1.0e-06" in look.html
    again = actions.merge("brackets", services)
    again.set_status(State.FAILED, error="The base is gone.")
    assert "The base is gone." in views.merge_look("brackets", services, EN).html
    actions.delete("brackets", services)
    assert queue.list_runs(services.runs_dir, Kind.MERGE) == []


# --- a zip from somebody else


def test_what_was_packed_here_can_be_taken_in_again(services, adapter):
    (adapter / "adapter_model.safetensors").write_bytes(weights())
    (adapter / "adapter_config.json").write_text(json.dumps(LORA))
    (path,) = actions.pack_adapter("brackets", services)
    assert incoming.take_in(path, services) == "brackets-2"
    assert (services.runs_dir / "brackets-2" / "adapter_model.safetensors").read_bytes() == weights()
    assert {card.name for card in views.cards(services, EN)} == {"brackets", "brackets-2"}
    assert list((services.runs_dir / incoming.INCOMING).iterdir()) == []


def test_a_folder_in_the_zip_and_what_systems_add_do_not_matter(services, tmp_path):
    path = packed(tmp_path)
    with zipfile.ZipFile(path, "a") as added:
        added.writestr("__MACOSX/given/._adapter_config.json", "x")
    assert incoming.take_in(path, services) == "given"
    assert find_adapter(services.runs_dir, "given").r == 4


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"pytorch_model.bin": pickle.dumps([1])}, "can run code"),
        ({"evil.py": "print()"}, "evil.py, which is no file of an adapter"),
        ({"../../outside.json": "{}"}, "leads out of its folder"),
        ({"a\\b.json": "{}"}, "leads out of its folder"),
        ({"adapter_model.safetensors": None}, "no adapter_model.safetensors"),
        ({"adapter_config.json": "no json"}, "no JSON object"),
        ({"adapter_config.json": '{"peft_type": "IA3"}'}, "no LoRA adapter"),
        ({"adapter_model.safetensors": pickle.dumps({"w": 1})}, "damaged or cut short"),
        ({"adapter_model.safetensors": weights()[:-8]}, "cut short"),
        ({"adapter_model.safetensors": weights(names=("a.lora_A.weight",))}, "without it an adapter cannot be used"),
        ({"more/adapter_config.json": json.dumps(LORA)}, "twice"),
    ],
)
def test_an_unsound_zip_is_refused_and_leaves_nothing(services, tmp_path, files, message):
    with pytest.raises(ModelError, match=message):
        incoming.take_in(packed(tmp_path, **files), services)
    assert [p for p in services.runs_dir.iterdir() if p.name != incoming.INCOMING] == []
    assert not (tmp_path / "outside.json").exists()


def test_links_and_things_that_are_no_zip_are_refused(services, tmp_path):
    path = packed(tmp_path)
    link = zipfile.ZipInfo("given/tokenizer.json")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(path, "a") as added:
        added.writestr(link, "/etc/passwd")
    with pytest.raises(ModelError, match="a link to another place"):
        incoming.take_in(path, services)
    (tmp_path / "no.zip").write_bytes(b"no zip at all")
    with pytest.raises(CadrecodeError, match="not a zip file"):
        incoming.take_in(tmp_path / "no.zip", services)


def test_a_zip_that_would_fill_the_disk_is_refused(services, tmp_path, monkeypatch):
    monkeypatch.setitem(incoming.MOST_BYTES, "adapter_model.safetensors", 50)
    with pytest.raises(ModelError, match="unpacks to"):
        incoming.take_in(packed(tmp_path), services)
