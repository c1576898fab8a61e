"""The three kinds of base, and what is refused in words."""

import json
import sys
import time
from pathlib import Path

import pytest
import torch
from huggingface_hub.errors import LocalEntryNotFoundError
from safetensors.torch import load_file, save_file
from transformers import Qwen2Config, Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM

from cadrecode.errors import ModelError
from cadrecode.model import hub
from cadrecode.model.footprint import base_config
from cadrecode.model.load import load_model, save_model
from cadrecode.model.weights import read_weights

from .tiny import FOURIER, PATCH, SIZES, make_batch, make_model

TEXTS = ["r=w.box(1,2,3)", "r=w.cylinder(10,20)"]


def logits_of(model, tokenizer) -> torch.Tensor:
    batch = make_batch(model, tokenizer, TEXTS)
    batch.pop("labels")
    with torch.no_grad():
        return model(**batch).logits


def edit_config(folder, **values) -> None:
    """Change config.json; None takes an entry out."""
    path = folder / "config.json"
    config = {**json.loads(path.read_text()), **values}
    path.write_text(json.dumps({key: value for key, value in config.items() if value is not None}))


@pytest.fixture
def saved(tokenizer, tmp_path):
    """A sound model folder of ours, to be broken."""
    return save_model(make_model(tokenizer, "qwen3", PATCH), tokenizer, tmp_path / "model")


@pytest.mark.parametrize(
    ("kind", "encoder", "tied"), [("qwen2", FOURIER, False), ("qwen3", FOURIER, True), ("qwen3", PATCH, True)]
)
def test_save_and_load_change_nothing(tokenizer, tmp_path, kind, encoder, tied):
    model = make_model(tokenizer, kind, encoder, tie_word_embeddings=tied)
    folder = save_model(model, tokenizer, tmp_path)
    assert {"config.json", "model.safetensors", "tokenizer_config.json", "generation_config.json"} <= {
        path.name for path in folder.iterdir()
    }
    again, words = load_model(folder, device="cpu")
    assert torch.equal(logits_of(again, tokenizer), logits_of(model, tokenizer))
    assert not again.fresh_encoder
    assert not again.training
    assert again.name_or_path == str(folder)
    assert words("r=w.box(1,2,3)")["input_ids"] == tokenizer("r=w.box(1,2,3)")["input_ids"]
    assert words.decode(words("a , b")["input_ids"]) == "a , b"


def test_stored_in_half_precision_but_for_the_encoder(tokenizer, tmp_path):
    model = make_model(tokenizer, "qwen3", PATCH)
    save_model(model, tokenizer, tmp_path, dtype=torch.bfloat16)
    tensors = load_file(tmp_path / "model.safetensors")
    kinds = {name: value.dtype for name, value in tensors.items()}
    assert kinds["model.embed_tokens.weight"] == torch.bfloat16
    assert all(kind == torch.float32 for name, kind in kinds.items() if name.startswith("point_encoder."))
    assert json.loads((tmp_path / "config.json").read_text())["dtype"] == "bfloat16"
    assert read_weights(tmp_path, "it").main_dtype() == torch.bfloat16
    again, _ = load_model(tmp_path, device="cpu")
    assert again.lm_head.weight.dtype == torch.float32  # the CPU's
    torch.testing.assert_close(logits_of(again, tokenizer), logits_of(model, tokenizer), rtol=0.05, atol=0.02)


@pytest.mark.parametrize("inputs", [51, 54])
@pytest.mark.parametrize("architecture", ["CADRecode", "CADRecode v1.5"])
def test_a_cad_recode_checkpoint(tokenizer, tmp_path, inputs, architecture):
    """A flat Qwen2 config that says nothing of an encoder, and `point_encoder.projection` among the weights."""
    points = {**FOURIER, "n_points": 256, "inputs": inputs}
    model = make_model(tokenizer, "qwen2", points, max_position_embeddings=512)
    save_model(model, tokenizer, tmp_path)
    edit_config(tmp_path, point_encoder=None, architectures=[architecture])
    again, _ = load_model(tmp_path, device="cpu")
    assert again.config.point_encoder["inputs"] == inputs
    assert again.n_point_tokens == 256
    assert not again.fresh_encoder
    cloud = torch.rand(1, 256, inputs - 48)
    assert torch.equal(again.prompt_embeds(cloud, 1), model.prompt_embeds(cloud, 1))


@pytest.mark.parametrize(
    ("config", "plain"), [(Qwen2Config, Qwen2ForCausalLM), (Qwen3Config, Qwen3ForCausalLM)], ids=["qwen2", "qwen3"]
)
def test_a_plain_language_model_says_that_its_encoder_is_fresh(tokenizer, tmp_path, caplog, capfd, config, plain):
    base = plain(config(**SIZES, vocab_size=len(tokenizer)))
    base.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    capfd.readouterr()
    with caplog.at_level("WARNING", logger="cadrecode.model.load"):
        model, _ = load_model(tmp_path, device="cpu")
    assert model.fresh_encoder
    assert "fresh one" in caplog.text
    assert model.config.point_encoder["kind"] == "fourier"
    assert model.point_encoder.projection.weight.std().item() == pytest.approx(0.02, rel=0.15)
    ids = torch.tensor([[1, 5, 6, 7]])
    torch.testing.assert_close(model(input_ids=ids).logits, base.eval()(input_ids=ids).logits)
    again, _ = load_model(save_model(model, tokenizer, tmp_path / "ours"), device="cpu")
    assert not again.fresh_encoder
    assert not [line for line in capfd.readouterr().err.splitlines() if "fresh one" not in line], "bars, LOAD REPORT"


@pytest.mark.parametrize("bits", ["4bit", "8bit"])
def test_quantised_on_this_machine(tokenizer, tmp_path, bits):
    wide = {"hidden_size": 64, "intermediate_size": 128, "head_dim": 32}
    save_model(make_model(tokenizer, "qwen3", PATCH, **wide), tokenizer, tmp_path)
    whole, _ = load_model(tmp_path, device="cpu")
    model, _ = load_model(tmp_path, device="cpu", quantization=bits)
    kinds = {type(module).__name__ for name, module in model.named_modules() if name.endswith("_proj")}
    assert kinds == {"Linear4bit" if bits == "4bit" else "Linear8bitLt"}
    assert type(model.lm_head) is torch.nn.Linear
    for (name, value), (_, want) in zip(
        model.point_encoder.named_parameters(), whole.point_encoder.named_parameters(), strict=True
    ):
        assert value.dtype == torch.float32
        assert torch.equal(value, want), name
    assert (logits_of(model, tokenizer) - logits_of(whole, tokenizer)).abs().max() < 0.25


def test_a_pickle_is_refused(saved):
    torch.save(load_file(saved / "model.safetensors"), saved / "pytorch_model.bin")
    (saved / "model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"pytorch_model.bin, a pickle"):
        load_model(saved)


def test_another_architecture_is_named(saved):
    edit_config(saved, model_type="llama")
    with pytest.raises(ModelError, match="'llama' model; the point encoder works with qwen2 and qwen3"):
        load_model(saved)


def test_an_adapter_is_no_base(saved):
    (saved / "config.json").rename(saved / "adapter_config.json")
    with pytest.raises(ModelError, match="holds an adapter, not a base"):
        load_model(saved)


def test_incomplete_weights(saved):
    path = saved / "model.safetensors"
    tensors = load_file(path)
    lost = dict(tensors)
    del lost["model.norm.weight"]
    save_file(lost, path, {"format": "pt"})
    with pytest.raises(ModelError, match=r"lack 1 of the model's tensors, for example model\.norm\.weight"):
        load_model(saved)
    save_file({k: v for k, v in tensors.items() if not k.startswith("point_encoder")}, path, {"format": "pt"})
    with pytest.raises(ModelError, match="config names a point encoder, but the weights hold none"):
        load_model(saved)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(ModelError, match="damaged or cut short"):
        load_model(saved)


def test_a_missing_shard_is_named(saved):
    index = {"weight_map": {"model.norm.weight": "model-00001-of-00002.safetensors"}}
    (saved / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(ModelError, match=r"lacks model-00001-of-00002\.safetensors"):
        load_model(saved)


def test_a_tokenizer_without_the_marks(saved):
    path = saved / "tokenizer.json"
    path.write_text(path.read_text().replace("<|im_end|>", "<|stop|>"))
    config = saved / "tokenizer_config.json"
    config.write_text(config.read_text().replace("<|im_end|>", "<|stop|>"))
    with pytest.raises(ModelError, match=r"the tokenizer lacks <\|im_end\|>"):
        load_model(saved)


def test_a_tokenizer_of_another_model(tokenizer, saved):
    path = saved / "model.safetensors"
    tensors = load_file(path)
    tensors["model.embed_tokens.weight"] = tensors["model.embed_tokens.weight"][:40].clone()
    save_file(tensors, path, {"format": "pt"})
    edit_config(saved, vocab_size=40)
    with pytest.raises(ModelError, match=f"knows {len(tokenizer)} words and the model 40"):
        load_model(saved)


def test_no_such_folder(tmp_path):
    with pytest.raises(ModelError, match=r"no folder .*not a name on the hub"):
        load_model(tmp_path / "nowhere")
    (tmp_path / "file").touch()
    with pytest.raises(ModelError, match="is a file"):
        load_model(tmp_path / "file")


def test_without_a_network_it_says_so_at_once(monkeypatch):
    def unreachable(*args, **kwargs):
        raise ConnectionError("Name or service not known")

    monkeypatch.setattr("huggingface_hub.HfApi.model_info", unreachable)
    started = time.monotonic()
    with pytest.raises(ModelError, match=r"cadrecode-tests/nothing is neither .*hub cannot be reached"):
        load_model("cadrecode-tests/nothing")
    assert time.monotonic() - started < 30


def test_a_cached_hub_model_needs_no_network(tokenizer, tmp_path, monkeypatch):
    def forbidden(*args, **kwargs):
        raise AssertionError("the hub was asked")

    revision = tmp_path / "models--owner--part" / "snapshots" / ("a" * 40)
    save_model(make_model(tokenizer), tokenizer, revision)
    (tmp_path / "models--owner--part" / "refs").mkdir()
    (tmp_path / "models--owner--part" / "refs" / "main").write_text("a" * 40)
    monkeypatch.setattr("huggingface_hub._snapshot_download.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.HfApi.model_info", forbidden)
    model, _ = load_model("owner/part", device="cpu")
    assert model.name_or_path == "owner/part"  # and not the cache's folder: adapters name their base by it
    (revision / "model.safetensors").unlink()
    with pytest.raises(AssertionError, match="the hub was asked"):  # half a cache is no model
        load_model("owner/part")
    assert base_config("owner/part").point_encoder["kind"] == "fourier"  # an estimate asks for no weights


def test_an_estimate_of_a_hub_model_downloads_its_config_alone(tokenizer, tmp_path, monkeypatch):
    requested = []

    def snapshot_download(name, *, allow_patterns, local_files_only=False, tqdm_class=None):
        if local_files_only:
            raise LocalEntryNotFoundError("not here")
        requested.append(allow_patterns)
        save_model(make_model(tokenizer), tokenizer, tmp_path / "part")
        return str(tmp_path / "part")

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    monkeypatch.setattr("huggingface_hub.HfApi.model_info", lambda *_, **__: None)
    base_config("owner/part")
    assert requested == [["config.json"]]


def test_a_checkpoint_without_tokenizer_names_where_it_is(saved, monkeypatch):
    def unreachable(*args, **kwargs):
        raise ConnectionError("Name or service not known")

    for name in ("tokenizer.json", "tokenizer_config.json"):
        (saved / name).unlink()
    monkeypatch.setattr("huggingface_hub.HfApi.model_info", unreachable)
    monkeypatch.setattr("huggingface_hub._snapshot_download.constants.HF_HUB_CACHE", str(saved / "cache"))
    with pytest.raises(ModelError, match=r"brings no tokenizer; it is that of Qwen/Qwen3-1\.7B-Base\. Copy"):
        load_model(saved)


def test_the_embedded_base_is_missed_in_words(tmp_path, monkeypatch):
    monkeypatch.setattr(hub, "EMBEDDED_FOLDER", tmp_path)
    with pytest.raises(ModelError, match=r"embedded base model is not in this checkout.*pretrain"):
        load_model()


def test_impossible_wishes(saved):
    with pytest.raises(ModelError, match="'int8' is not a dtype"):
        load_model(saved, dtype="int8")
    with pytest.raises(ModelError, match="'2bit'"):
        load_model(saved, quantization="2bit")


def test_importing_the_room_imports_no_torch():
    import subprocess
    import sys

    code = "import sys, cadrecode.model; sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells what is mapped")
def test_a_base_in_4_bits_lets_go_of_its_file(tokenizer, tmp_path):
    folder = save_model(make_model(tokenizer), tokenizer, tmp_path / "base")
    model, _ = load_model(folder, device="cpu", dtype=torch.float32, quantization="4bit")
    assert [line for line in Path("/proc/self/maps").read_text().splitlines() if str(folder) in line] == []
    assert model.get_input_embeddings().weight.isfinite().all()
