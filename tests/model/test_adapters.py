"""Adapters: what is saved is all there, what is merged answers the same, and the base survives."""

import json
import re

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import Qwen3Config, Qwen3ForCausalLM

from cadrecode.errors import ModelError
from cadrecode.merging import plan as merging
from cadrecode.merging import proof
from cadrecode.merging.plan import merge_adapters
from cadrecode.model import adapters
from cadrecode.model.adapters import (
    adapter_base,
    attach_lora,
    count_parameters,
    load_adapter,
    prepare_for_kbit,
    save_adapter,
    set_adapter,
    unload_adapter,
)
from cadrecode.model.decode import generate
from cadrecode.model.load import load_model, save_model
from cadrecode.model.network import Qwen3WithPoints

from .tiny import FOURIER, PATCH, SIZES, learn, make_batch, make_model

TEXTS = ["r=w.box(1,2,3)", "r=w.cylinder(10,20)"]
BEFORE = ["r=w.box(7,5,6)", "w=r.sphere(10)", "r=w.cylinder(4,2)", "r=w.box(12,30,8)"]
HEARD = re.compile(r"\.(spectrum|levels)_")  # layers of the encoder that came later
OTHER = ["r=w.sphere(5)", "r=w.box(9,9,9)"]


def logits_of(model, batch: dict) -> torch.Tensor:
    model.eval()
    with torch.no_grad():
        return model(**{key: value for key, value in batch.items() if key != "labels"}).logits


@pytest.fixture(scope="module")
def base(tokenizer, tmp_path_factory):
    """The folder of a base that knows other programs: an adapter alone can teach little to random words."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    return make_base(tokenizer, tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def trained(tokenizer, base, tmp_path_factory):
    """An adapter folder that has learnt TEXTS, the batch, and its logits as they were when it was saved."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    return train_one(tokenizer, base, TEXTS, tmp_path_factory.mktemp("adapter"))


def make_base(tokenizer, folder, **more):
    model = make_model(tokenizer, encoder=PATCH, **more)
    learn(model, make_batch(model, tokenizer, BEFORE, seed=7), steps=60)
    return save_model(model, tokenizer, folder)


def train_one(tokenizer, base, texts, folder):
    model, _ = load_model(base, device="cpu")
    wrapped = attach_lora(model, r=8, alpha=32, dropout=0.0)
    batch = make_batch(model, tokenizer, texts)
    learn(wrapped, batch, steps=80)
    counts = save_adapter(wrapped, tokenizer, folder)
    assert counts.lora_tensors == 2 * 7 * 2
    return folder, batch, logits_of(wrapped, batch)


def test_an_adapter_carries_its_encoder(tokenizer, base, trained):
    """Trap 5: without the encoder the loss was 0.02 when saved and 9 when loaded."""
    folder, batch, wanted = trained
    assert adapter_base(folder) == str(base)
    assert (folder / "tokenizer_config.json").is_file()
    model, _ = load_model(base, device="cpu")
    fresh = logits_of(model, batch)
    loaded = load_adapter(model, folder)
    torch.testing.assert_close(logits_of(loaded, batch), wanted)
    assert (wanted - fresh).abs().max() > 1
    assert generate(loaded, tokenizer, batch["point_cloud"]) == TEXTS
    assert not any(parameter.requires_grad for parameter in loaded.parameters())


def test_only_adapter_and_encoder_learn(tokenizer, base):
    model, _ = load_model(base, device="cpu")
    before = {name: value.clone() for name, value in model.state_dict().items()}
    wrapped = attach_lora(model, r=2)
    names = {name for name, parameter in wrapped.named_parameters() if parameter.requires_grad}
    assert all(".lora_" in name or "point_encoder.modules_to_save" in name for name in names)
    learn(wrapped, make_batch(model, tokenizer, TEXTS), steps=3)
    set_adapter(wrapped, None)
    batch = make_batch(model, tokenizer, TEXTS)
    plain, _ = load_model(base, device="cpu")
    torch.testing.assert_close(logits_of(wrapped, batch), logits_of(plain, batch))
    assert before.keys() == plain.state_dict().keys()


def test_several_adapters_on_one_base(tokenizer, base, trained, tmp_path):
    first, batch, first_logits = trained
    second, _, second_logits = train_one(tokenizer, base, OTHER, tmp_path)
    model, _ = load_model(base, device="cpu")
    plain = logits_of(model, batch)
    model = load_adapter(model, first, "first")
    model = load_adapter(model, second, "second")
    other = make_batch(model, tokenizer, OTHER)
    torch.testing.assert_close(logits_of(model, other), second_logits)
    for name, row, wanted in [
        ("first", batch, first_logits),
        (None, batch, plain),
        ("second", other, second_logits),
        ("first", batch, first_logits),
    ]:
        set_adapter(model, name)
        torch.testing.assert_close(logits_of(model, row), wanted)
    unload_adapter(model, "first")
    torch.testing.assert_close(logits_of(model, batch), plain)
    set_adapter(model, "second")
    torch.testing.assert_close(logits_of(model, other), second_logits)
    model = unload_adapter(model, "second")  # the last one: the network is unwrapped
    assert type(model) is Qwen3WithPoints
    torch.testing.assert_close(logits_of(model, batch), plain)
    model = load_adapter(model, first, "again")
    torch.testing.assert_close(logits_of(model, batch), first_logits)
    with pytest.raises(ModelError, match=r"No adapter 'first'.*again"):
        set_adapter(model, "first")


def test_a_name_in_use_is_replaced(tokenizer, base, trained, tmp_path):
    first, batch, first_logits = trained
    second, _, _ = train_one(tokenizer, base, OTHER, tmp_path)
    model, _ = load_model(base, device="cpu")
    model = load_adapter(load_adapter(model, second, "task"), first, "task")
    torch.testing.assert_close(logits_of(model, batch), first_logits)
    assert list(model.peft_config) == ["task"]


@pytest.mark.usefixtures("proof_here")  # a fresh process: test_a_wrong_merge_is_caught
def test_a_merge_answers_the_same_and_touches_nobody(tokenizer, base, trained, tmp_path):
    folder, batch, wanted = trained
    live, _ = load_model(base, device="cpu")
    live = load_adapter(live, folder)
    check = merge_adapters(base, folder, tmp_path / "merged")
    merged, _ = load_model(tmp_path / "merged", device="cpu")
    assert check.max_logit_difference < 1e-3
    assert check.rounding < 1e-3  # float32 is stored as it is
    assert check.tensors == len(set(merged.state_dict()) - set(merged.all_tied_weights_keys))
    assert check.adapter.lora_tensors == 28
    assert check.base_dtype == torch.float32
    assert type(merged) is Qwen3WithPoints
    assert not [name for name, _ in merged.named_modules() if "lora" in name or "modules_to_save" in name]
    torch.testing.assert_close(logits_of(merged, batch), wanted, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(logits_of(live, batch), wanted)
    assert save_adapter(live, tokenizer, tmp_path / "after").lora_tensors == 28
    assert set(load_file(tmp_path / "merged" / "model.safetensors")) == set(load_file(base / "model.safetensors"))


@pytest.mark.usefixtures("proof_here")
def test_an_adapter_of_a_plain_language_model_merges(tokenizer, tmp_path):
    """Its base draws a new encoder at each load; the adapter's own is what counts."""
    Qwen3ForCausalLM(Qwen3Config(**SIZES, vocab_size=len(tokenizer))).save_pretrained(tmp_path / "plain")
    edited = json.loads((tmp_path / "plain" / "config.json").read_text())
    edited["max_position_embeddings"] = 512
    (tmp_path / "plain" / "config.json").write_text(json.dumps(edited))
    tokenizer.save_pretrained(tmp_path / "plain")
    model, _ = load_model(tmp_path / "plain", device="cpu")
    wrapped = attach_lora(model, r=4, dropout=0.0)
    batch = make_batch(model, tokenizer, TEXTS)
    learn(wrapped, batch, steps=5)
    wanted = logits_of(wrapped, batch)
    save_adapter(wrapped, tokenizer, tmp_path / "adapter")
    merge_adapters(tmp_path / "plain", tmp_path / "adapter", tmp_path / "merged")
    merged, _ = load_model(tmp_path / "merged", device="cpu")
    torch.testing.assert_close(logits_of(merged, batch), wanted, rtol=1e-3, atol=1e-3)
    assert not merged.fresh_encoder
    assert merged.config.point_encoder["kind"] == "fourier"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("spoilt", "words"),
    [(3.0, r"does not answer as base and adapter do.*Nothing is written"), (1.0001, "does not hold the sum")],
)
def test_a_wrong_merge_is_caught(base, trained, monkeypatch, tmp_path, spoilt, words):
    """By its logits, and by its numbers where the logits do not show it. What lay there before stays."""
    right = merging.Sums.__call__

    def wrong(self, key):
        return right(self, key) * (spoilt if key == "model.layers.0.self_attn.v_proj.weight" else 1)

    with monkeypatch.context() as quick:
        quick.setattr(merging, "ask_process", proof.answer_to)
        merge_adapters(base, trained[0], tmp_path / "merged")
    before = (tmp_path / "merged" / "model.safetensors").read_bytes()
    monkeypatch.setattr(merging.Sums, "__call__", wrong)
    with pytest.raises(ModelError, match=words):
        merge_adapters(base, trained[0], tmp_path / "merged")
    assert (tmp_path / "merged" / "model.safetensors").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["merged"]


def test_an_empty_adapter_is_not_saved(tokenizer, base, tmp_path):
    """Trap 4: merging into the live model left every later save empty, and the run still reported success."""
    model, _ = load_model(base, device="cpu")
    wrapped = attach_lora(model, r=2)
    wrapped.merge_and_unload()
    with pytest.raises(ModelError, match="nothing was saved"):
        save_adapter(wrapped, tokenizer, tmp_path)
    assert not (tmp_path / "adapter_model.safetensors").exists()


def test_an_adapter_with_nan_or_without_encoder_is_not_saved(tokenizer, base, tmp_path):
    from peft import LoraConfig, get_peft_model

    model, _ = load_model(base, device="cpu")
    blind = get_peft_model(model, LoraConfig(r=2, target_modules=["q_proj"]))
    with pytest.raises(ModelError, match="does not hold the point encoder"):
        save_adapter(blind, tokenizer, tmp_path)
    model, _ = load_model(base, device="cpu")
    wrapped = attach_lora(model, r=2)
    next(p for p in wrapped.parameters() if p.requires_grad).data[0] = torch.nan
    with pytest.raises(ModelError, match="NaN"):
        save_adapter(wrapped, tokenizer, tmp_path)


def broken(folder, tmp_path, change) -> str:
    """A copy of an adapter folder with its tensors changed."""
    tensors = change(load_file(folder / "adapter_model.safetensors"))
    (tmp_path / "adapter_config.json").write_text((folder / "adapter_config.json").read_text())
    save_file(tensors, tmp_path / "adapter_model.safetensors", {"format": "pt"})
    return tmp_path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: {k: v for k, v in t.items() if "lora_" in k}, "does not hold the point encoder"),
        (lambda t: {k: v for k, v in t.items() if "lora_" not in k}, "no LoRA tensors"),
        (lambda t: dict(list(t.items())[1:]), "it lacks model.layers"),
        (
            lambda t: {k: torch.cat((v, v), 1) if "lora_A" in k else v for k, v in t.items()},
            r"for a size of \(96,\), the model has \(48,\)",
        ),
        (lambda t: {k: torch.cat((v, v), 0) if "lora_A" in k else v for k, v in t.items()}, "do not belong together"),
    ],
    ids=["no encoder", "no lora", "one lost", "another width", "another rank"],
)
def test_an_unsound_adapter_is_refused_and_the_base_lives(tokenizer, base, trained, tmp_path, change, message):
    folder, batch, _ = trained
    model, _ = load_model(base, device="cpu")
    plain = logits_of(model, batch)
    with pytest.raises(ModelError, match=message):
        load_adapter(model, broken(folder, tmp_path, change))
    torch.testing.assert_close(logits_of(model, batch), plain)
    with pytest.raises(ModelError, match="is not an adapter folder"):
        load_adapter(model, tmp_path / "nowhere")
    model = load_adapter(model, folder)  # and a sound one can still be put on it
    assert generate(model, tokenizer, batch["point_cloud"]) == TEXTS


def test_an_adapter_of_another_encoder_is_refused(tokenizer, trained, tmp_path):
    save_model(make_model(tokenizer, encoder=FOURIER), tokenizer, tmp_path)
    model, _ = load_model(tmp_path, device="cpu")
    with pytest.raises(ModelError, match="does not belong to"):
        load_adapter(model, trained[0])


def test_impossible_names_and_targets(base, trained):
    model, _ = load_model(base, device="cpu")
    with pytest.raises(ModelError, match=r"'v1\.5' cannot name"):
        load_adapter(model, trained[0], "v1.5")
    with pytest.raises(ModelError, match=r"cannot target 'query'.*q_proj"):
        attach_lora(model, target_modules=["query"])


@pytest.mark.usefixtures("proof_here")
@pytest.mark.parametrize("bits", ["4bit", pytest.param("8bit", marks=pytest.mark.slow)])
def test_qlora_learns_and_merges_into_whole_numbers(tokenizer, tmp_path, bits):
    """Trap 7: nothing is turned into float32 behind our back, and checkpointing is not reentrant."""
    wide = {"hidden_size": 64, "intermediate_size": 128, "head_dim": 32}
    base = make_base(tokenizer, tmp_path / "base", **wide)
    model, _ = load_model(base, device="cpu", quantization=bits, dtype="bfloat16")
    whole = count_parameters(load_model(base, device="cpu")[0])[1]
    assert count_parameters(model)[1] == whole  # packed two to a byte, but counted as what they stand for
    prepare_for_kbit(model)
    assert model.get_input_embeddings().weight.dtype == torch.bfloat16
    assert model.is_gradient_checkpointing
    assert not any(parameter.requires_grad for parameter in model.parameters())
    wrapped = attach_lora(model, r=8, dropout=0.0)
    batch = make_batch(model, tokenizer, TEXTS)
    before = wrapped.train()(**batch).loss.item()
    assert learn(wrapped, batch, steps=25) < before / 3
    save_adapter(wrapped, tokenizer, tmp_path / "adapter")
    check = merge_adapters(base, tmp_path / "adapter", tmp_path / "merged")
    merged, _ = load_model(tmp_path / "merged", device="cpu")
    assert check.max_logit_difference < 1e-3
    with torch.no_grad():
        assert merged(**batch).loss.item() < before / 2


@pytest.mark.parametrize(("r", "millions"), [(8, 8.7), (16, 17.4), (32, 34.9), (64, 69.7)])
def test_measured_counts_of_qwen3_1_7b(r, millions):
    """Trap 9: guides print 0.8 M; this is what the seven projections of the real shape make. No memory is used."""
    config = Qwen3Config(
        vocab_size=151936,
        hidden_size=2048,
        intermediate_size=6144,
        num_hidden_layers=28,
        num_attention_heads=16,
        num_key_value_heads=8,
        head_dim=128,
        tie_word_embeddings=True,
    )
    with torch.device("meta"):
        wrapped = attach_lora(Qwen3WithPoints(config), r=r)
    trainable, total = count_parameters(wrapped)
    encoder = 51 * 2048 + 2048
    assert (trainable - encoder) / 1e6 == pytest.approx(millions, abs=0.06)
    assert total - trainable == pytest.approx(1.72e9, rel=0.01)


def test_a_further_round_of_training(tokenizer, base, trained):
    folder = trained[0]
    model, _ = load_model(base, device="cpu")
    wrapped = load_adapter(model, folder, trainable=True)
    assert count_parameters(wrapped)[0] == adapters.save_adapter(wrapped, tokenizer, folder).parameters
    assert learn(wrapped, make_batch(model, tokenizer, TEXTS), steps=2, lr=1e-4) < 0.1


def test_an_adapter_from_before_spectra_hears_none(tokenizer, base, trained, tmp_path):
    """Its base has a spectrum by now; the adapter was trained without, so its own stays silent."""
    folder, batch, _ = trained

    def older(tensors: dict) -> dict:
        return {key: value for key, value in tensors.items() if not HEARD.search(key)}

    model, _ = load_model(base, device="cpu")
    model = load_adapter(model, broken(folder, tmp_path, older))
    encoder = model.get_base_model().point_encoder.modules_to_save["default"]
    assert not any(value.any() for name, value in encoder.named_parameters() if HEARD.search(name))
    silent = load_file(folder / "adapter_model.safetensors")
    silent = {key: torch.zeros_like(value) if HEARD.search(key) else value for key, value in silent.items()}
    (tmp_path / "silent").mkdir()
    expected = load_adapter(load_model(base, device="cpu")[0], broken(folder, tmp_path / "silent", lambda _: silent))
    torch.testing.assert_close(logits_of(model, batch), logits_of(expected, batch))
