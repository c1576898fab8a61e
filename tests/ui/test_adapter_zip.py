"""What an uploaded adapter may bring: the names, keys and sizes on a list, and nothing else, whatever it tries."""

import json
import zipfile

import pytest

from cadrecode.adapters import find_adapter
from cadrecode.errors import CadrecodeError, ModelError
from cadrecode.jobs import queue
from cadrecode.shipped import EMBEDDED
from cadrecode.ui import archive
from cadrecode.ui.adapters import incoming
from tests.ui.zips import LORA, packed, weights

TRAINING = "train_data_path: invent:brackets:50\nmodel_save_path: {outside}\nbase_model_name: evil/model\n"


def taken(services):
    """The folders that an upload has left below the runs folder."""
    return [path for path in services.runs_dir.iterdir() if path.is_dir() and path.name != incoming.INCOMING]


@pytest.mark.parametrize("state", ["queued", "training", "exploded"])
@pytest.mark.parametrize(
    ("name", "is_of_a_run"),
    [("status.json", True), ("Status.JSON", False), ("sub/status.json", False)],
)
def test_a_zip_starts_no_training_and_stops_no_queue(services, tmp_path, monkeypatch, state, name, is_of_a_run):
    monkeypatch.setattr(queue, "watch", lambda runs_dir: None)
    status = json.dumps({"kind": "training", "state": state, "created_at": 1.0, "queued_at": 1.0})
    outside = tmp_path / "outside"
    path = packed(tmp_path, **{name: status, "config.yaml": TRAINING.format(outside=outside)})
    if is_of_a_run:
        kept = services.runs_dir / incoming.take_in(path, services)
        assert {file.name for file in kept.iterdir()} == {"adapter_config.json", "adapter_model.safetensors"}
    else:
        with pytest.raises(ModelError, match="holds"):
            incoming.take_in(path, services)
        assert taken(services) == []
    assert queue.tick(services.runs_dir) == []
    assert not outside.exists()


@pytest.mark.parametrize(
    "name",
    ["complete.json", "b/checkpoint-1/complete.json", "x/metrics.jsonl.json", "origin.json", "stop", "x.json",
     "x.safetensors", "pytorch_model.bin.json", "merged/config.json", "config.json", "sample/samples.json"],
)  # fmt: skip
def test_a_file_that_is_not_on_the_list_is_refused_by_name(services, tmp_path, name):
    with pytest.raises(ModelError, match=name.rsplit("/", 1)[-1]):
        incoming.take_in(packed(tmp_path, **{name: "{}"}), services)
    assert taken(services) == []


def test_of_a_runs_whole_folder_the_adapter_alone_is_unpacked(services, tmp_path):
    beside = {
        "log.txt": "log", "metrics.jsonl": "{}", "data.json": "{}", "checkpoint-8/optimizer.pt": "pickle",
        "checkpoint-8/adapter_config.json": "{}", "merged_model/model.safetensors": "-", "samples/0/target.npz": "-",
    }  # fmt: skip
    name = incoming.take_in(packed(tmp_path, **beside), services)
    kept = {path.name for path in (services.runs_dir / name).iterdir()}
    assert kept == {"adapter_config.json", "adapter_model.safetensors"}


def test_what_an_adapter_may_have_beside_it_is_not_unpacked(services, tmp_path):
    beside = {"tokenizer.json": "{}", "chat_template.jinja": "{{ x }}", "config.yaml": TRAINING, "README.md": "# a\n"}
    name = incoming.take_in(packed(tmp_path, **beside), services)
    folder = services.runs_dir / name
    assert {path.name for path in folder.iterdir()} == {"adapter_config.json", "adapter_model.safetensors", "README.md"}
    assert queue.list_runs(services.runs_dir) == []


@pytest.mark.parametrize("base", ["/etc", "evil/model", "../..", "file:///etc/passwd", "C:\\models", ["embedded"], 7])
def test_a_base_model_never_comes_from_a_zip(services, tmp_path, base):
    with pytest.raises(ModelError, match="base"):
        incoming.take_in(packed(tmp_path, {**LORA, "base_model_name_or_path": base}), services)
    assert taken(services) == []


@pytest.mark.parametrize("base", [None, "", "embedded", "Qwen/Qwen3-1.7B-Base"])
def test_the_base_is_one_that_the_app_offers(services, tmp_path, base):
    name = incoming.take_in(packed(tmp_path, {**LORA, "base_model_name_or_path": base}), services)
    assert find_adapter(services.runs_dir, name).base == (base or EMBEDDED)


@pytest.mark.parametrize(
    "more",
    [
        {"auto_mapping": {"base_model_class": "x", "parent_library": "os"}},
        {"loftq_config": {"loftq_bits": 4}},
        {"init_lora_weights": "eva"},
        {"runtime_config": {"ephemeral_gpu_offload": True}},
        {"target_modules": "(a+)+$"},
        {"target_modules": ["(a+)+$"]},
        {"rank_pattern": {"(a+)+$": 3}},
        {"modules_to_save": ["point_encoder", "lm_head"]},
        {"layer_replication": [[0, 900]]},
        {"megatron_config": {"a": 1}},
        {"trainable_token_indices": [1]},
        {"r": 10**6},
        {"r": -1},
        {"r": True},
        {"r": "4"},
        {"lora_alpha": 1e400},
        {"lora_alpha": "x"},
        {"_custom": {"a": 1}},
        {"revision": "main"},
    ],
)
def test_a_key_that_is_not_on_the_list_is_refused_by_name(services, tmp_path, more):
    with pytest.raises(ModelError, match=next(iter(more))):
        incoming.take_in(packed(tmp_path, {**LORA, **more}), services)
    assert taken(services) == []


def test_keys_that_set_nothing_are_left_out(services, tmp_path):
    idle = {"auto_mapping": None, "loftq_config": {}, "init_lora_weights": True, "eva_config": None, "revision": None,
            "layers_to_transform": None, "rank_pattern": {}, "use_qalora": False, "bias": "none",
            "inference_mode": True, "peft_version": "0.21.0", "qalora_group_size": 16}  # fmt: skip
    name = incoming.take_in(packed(tmp_path, {**LORA, **idle}), services)
    written = json.loads((services.runs_dir / name / "adapter_config.json").read_text())
    assert set(written) <= set(incoming.CONFIG_KEYS)
    assert (written["r"], written["target_modules"]) == (4, ["q_proj"])


@pytest.mark.parametrize(
    "config", [b"\xff", b"[" * 100_000, b"[]", b"7", b"", b'{"r": 1e999}', b'{"r": ' + b"9" * 5000 + b"}"]
)
def test_a_broken_description_is_refused_in_words(services, tmp_path, config):
    path = packed(tmp_path, **{"adapter_config.json": config})
    with pytest.raises(ModelError):
        incoming.take_in(path, services)
    assert taken(services) == []


@pytest.mark.parametrize("name", ["adapter_config.json", "README.md"])
def test_sizes_are_checked_before_anything_is_read(services, tmp_path, monkeypatch, name):
    path = packed(tmp_path, **{name: b" " * 50_000_000})
    monkeypatch.setattr(zipfile.ZipFile, "open", lambda *given, **options: pytest.fail("it was read"))
    with pytest.raises(ModelError, match=name):
        incoming.take_in(path, services)
    assert taken(services) == []


def test_a_zip_with_a_very_long_list_of_files_is_not_listed(services, tmp_path, monkeypatch):
    path = packed(tmp_path)
    with zipfile.ZipFile(path, "a") as made:
        for number in range(archive.MOST_FILES + 1):
            made.writestr(f"given/{number}" + "x" * 10_000, "")
    monkeypatch.setattr(zipfile.ZipFile, "infolist", lambda *given: pytest.fail("it was listed"))
    with pytest.raises(CadrecodeError, match="files"):
        incoming.take_in(path, services)


def test_a_name_of_300_letters_becomes_a_folder(services, tmp_path):
    path = packed(tmp_path)
    long = path.rename(tmp_path / ("n" * 200 + ".zip"))
    assert len(incoming.take_in(long, services)) <= 100


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_methods_of_packing_are_refused(services, tmp_path, method):
    path = tmp_path / "given.zip"
    with zipfile.ZipFile(path, "w", method) as made:
        made.writestr("adapter_config.json", json.dumps(LORA))
        made.writestr("adapter_model.safetensors", weights())
    with pytest.raises(CadrecodeError, match="deflate"):
        incoming.take_in(path, services)


@pytest.mark.parametrize("tensor", ["base_model.model.model.layers.0.q_proj.base_layer.weight", "lm_head.weight", ""])
def test_weights_of_a_base_never_come_from_a_zip(services, tmp_path, tensor):
    names = ("a.q_proj.lora_A.weight", "a.point_encoder.weight", tensor)
    listed = {name: {"dtype": "F32", "shape": [2, 2], "data_offsets": [16 * i, 16 * (i + 1)]}
              for i, name in enumerate(names)}  # fmt: skip
    header = json.dumps(listed).encode()
    content = len(header).to_bytes(8, "little") + header + bytes(48)
    with pytest.raises(ModelError, match="no weight of an adapter"):
        incoming.take_in(packed(tmp_path, **{"adapter_model.safetensors": content}), services)
    assert taken(services) == []
