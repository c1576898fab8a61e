"""A merge, tensor by tensor, is that of the whole model; and several adapters in one base, each by its weight."""

import json
import shutil
import weakref

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import Qwen3ForCausalLM

from cadrecode.cli import merge_main
from cadrecode.errors import ModelError
from cadrecode.merging import asking, lazy
from cadrecode.merging import plan as merging
from cadrecode.merging.lazy import Stored, empty_network
from cadrecode.merging.merge import merge
from cadrecode.merging.plan import merge_adapters
from cadrecode.merging.proof import probe
from cadrecode.model.adapters import CONFIG_FILE, attach_lora, load_adapter, save_adapter
from cadrecode.model.load import load_model, read_base, save_model
from cadrecode.model.weights import SINGLE_FILE, read_weights

from .tiny import FOURIER, PATCH, learn, make_batch, make_model

SHAPES = [
    {"r": 8, "alpha": 16},
    {"r": 3, "alpha": 4, "use_rslora": True, "target_modules": ("q_proj", "down_proj")},
]  # of unlike rank, scale and layers


@pytest.fixture(scope="module")
def base(tokenizer, tmp_path_factory):
    torch.manual_seed(0)
    return save_model(make_model(tokenizer, encoder=PATCH), tokenizer, tmp_path_factory.mktemp("base"))


def train(base, tokenizer, folder, text, **shape):
    model, _ = load_model(base, device="cpu")
    wrapped = attach_lora(model, dropout=0.1, **shape)
    learn(wrapped, make_batch(model, tokenizer, [text]), steps=5)
    save_adapter(wrapped, tokenizer, folder)
    return folder


@pytest.fixture(scope="module")
def adapters(base, tokenizer, tmp_path_factory):
    texts = ["r=w.box(1,2,3)", "r=w.sphere(5)"]
    return [train(base, tokenizer, tmp_path_factory.mktemp("a"), text, **shape) for text, shape in zip(texts, SHAPES)]


def merged(base, adapter, folder):
    """The tensors of a merged model, and what was seen."""
    check = merge_adapters(base, adapter, folder)
    return load_model(folder, device="cpu")[0].state_dict(), check


@pytest.mark.usefixtures("proof_here")
def test_the_merged_model_is_the_base_and_the_weighted_sum_of_what_each_adapter_changes(base, adapters, tmp_path):
    weights = (0.7, -0.3)
    plain = load_model(base, device="cpu")[0].state_dict()
    alone = [merged(base, folder, tmp_path / folder.name)[0] for folder in adapters]
    both, check = merged(base, dict(zip(adapters, weights)), tmp_path / "both")
    assert both.keys() == plain.keys()
    changed = 0
    for name, value in both.items():
        wanted = plain[name] + sum(w * (adapted[name] - plain[name]) for w, adapted in zip(weights, alone))
        torch.testing.assert_close(value, wanted, msg=name)
        changed += not torch.equal(value, plain[name])
    assert changed > 2 * 7  # every layer, and the point encoder
    assert check.adapter.lora_tensors == 2 * 2 * (7 + 2)


def of_peft(base, folder) -> dict[str, torch.Tensor]:
    """What PEFT makes of base and adapter with all of the model in memory."""
    return load_adapter(load_model(base, device="cpu")[0], folder).merge_and_unload(safe_merge=True).state_dict()


@pytest.mark.usefixtures("proof_here")
@pytest.mark.parametrize("shape", [{"r": 2}, {"r": 3, "use_rslora": True}, {"r": 2, "use_dora": True}], ids=str)
@pytest.mark.parametrize("kind", ["qwen2", "qwen3"])  # Qwen2's layers have biases
def test_tensor_by_tensor_it_is_the_merge_of_peft(kind, shape, tokenizer, tmp_path):
    untied = {"tie_word_embeddings": kind == "qwen3"}
    base = save_model(make_model(tokenizer, kind, encoder=FOURIER, **untied), tokenizer, tmp_path / "base")
    folder = train(base, tokenizer, tmp_path / "adapter", "r=w.box(1,2,3)", **{"alpha": 4, **shape})
    wanted, plain = of_peft(base, folder), load_model(base, device="cpu")[0].state_dict()
    written, _ = merged(base, folder, tmp_path / "merged")
    assert written.keys() == wanted.keys()
    assert all(torch.equal(value, wanted[name]) for name, value in written.items())
    assert sum(not torch.equal(value, plain[name]) for name, value in written.items()) == 2 * 7 + 2


@pytest.mark.usefixtures("proof_here")
def test_files_are_those_of_a_model_that_was_saved_whole(base, adapters, tokenizer, tmp_path):
    model = load_adapter(load_model(base, device="cpu")[0], adapters[0]).merge_and_unload()
    save_model(model, tokenizer, tmp_path / "whole", dtype=torch.float32)
    merge_adapters(base, adapters[0], tmp_path / "merged")
    names = {path.name for path in (tmp_path / "whole").iterdir()}
    assert {path.name for path in (tmp_path / "merged").iterdir()} == names
    for name in names - {"model.safetensors", "tokenizer_config.json"}:
        assert (tmp_path / "merged" / name).read_text() == (tmp_path / "whole" / name).read_text(), name


@pytest.mark.usefixtures("proof_here")
def test_in_16_bits_it_is_the_rounded_sum(base, adapters, tokenizer, tmp_path):
    half = save_model(load_model(base, device="cpu")[0], tokenizer, tmp_path / "half", dtype=torch.bfloat16)
    written, check = merged(half, adapters[0], tmp_path / "merged")
    assert check.base_dtype == torch.bfloat16
    assert check.max_logit_difference < 1e-4 * check.largest_logit  # the sum before it is rounded
    assert check.max_logit_difference < check.rounding < 0.1 * check.largest_logit
    stored_as = read_weights(tmp_path / "merged", "merged").dtypes
    assert {kind for key, kind in stored_as.items() if not key.startswith("point_encoder")} == {"BF16"}
    assert {kind for key, kind in stored_as.items() if key.startswith("point_encoder")} == {"F32"}
    for name, value in of_peft(half, adapters[0]).items():
        assert torch.equal(written[name], value if "point_encoder" in name else value.bfloat16().float()), name


@pytest.mark.usefixtures("proof_here")
def test_it_is_one_file_that_transformers_own_class_loads(base, adapters, tmp_path):
    tensors, _ = merged(base, adapters[0], tmp_path / "merged")
    assert [path.name for path in (tmp_path / "merged").glob("*.safetensors*")] == [SINGLE_FILE]
    plain = Qwen3ForCausalLM.from_pretrained(tmp_path / "merged").state_dict()
    for name, value in tensors.items():
        assert "point_encoder" in name or torch.equal(plain[name], value), name


@pytest.mark.usefixtures("proof_here")
def test_the_model_is_never_in_memory_as_a_whole(base, adapters, tmp_path, monkeypatch):
    """Of the base's tensors one lives at a time while they are written, and one layer's while they compute."""
    alive, most = weakref.WeakSet(), []

    class Counted(Stored):
        def note(self, key, value):
            if not key.startswith("point_encoder"):  # which is small, and stays
                alive.add(value)
                most.append(len(alive))
            return value

        def __call__(self, key):
            return self.note(key, super().__call__(key))

        def pieces(self, key):
            for value in super().pieces(key):
                yield self.note(key, value)

    monkeypatch.setattr(lazy, "PIECE_NUMBERS", 100)  # 3 rows of this vocabulary
    monkeypatch.setattr(merging, "Stored", Counted)
    merge_adapters(base, adapters[0], tmp_path / "merged")
    assert len(most) > 20
    assert max(most) <= 2
    most.clear()
    network = empty_network(read_base(base))
    probe(network, Counted(read_base(base).weights))
    assert len(most) > 20
    assert max(most) <= 3
    assert not any(not value.is_meta for name, value in network.named_parameters() if "point_encoder" not in name)


def test_a_quantised_base_is_refused(base, adapters, tmp_path):
    shutil.copytree(base, tmp_path / "base")
    path = tmp_path / "base" / "model.safetensors"
    state = load_file(path)
    key = "model.layers.0.self_attn.q_proj.weight"
    save_file({**state, key: state[key].to(torch.int8)}, path, {"format": "pt"})
    with pytest.raises(ModelError, match="nothing can be merged into a quantised base"):
        merge_adapters(tmp_path / "base", adapters[0], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_sum_that_is_not_finite_is_refused(base, adapters, tmp_path):
    shutil.copytree(adapters[0], tmp_path / "adapter")
    path = tmp_path / "adapter" / "adapter_model.safetensors"
    state = {key: value * (1e30 if "lora_" in key else 1) for key, value in load_file(path).items()}
    save_file(state, path, {"format": "pt"})
    with pytest.raises(ModelError, match="have no finite sum in"):
        merge_adapters(base, tmp_path / "adapter", tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["adapter"]


def test_a_proof_that_ends_without_an_answer_is_no_proof(base, adapters, tmp_path, monkeypatch):
    monkeypatch.setattr(asking.sys, "executable", shutil.which("false"))
    with pytest.raises(ModelError, match=r"could not be verified \(no word; exit 1\). Nothing is written"):
        merge_adapters(base, adapters[0], tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_one_process_proves_all_merges_of_a_training_and_ends_with_it(base, adapters, tmp_path, monkeypatch):
    start, started = asking.ProofProcess._start, []
    monkeypatch.setattr(asking.ProofProcess, "_start", lambda self: (start(self), started.append(self.process)))
    with asking.kept_process():
        for number in range(3):
            assert merge_adapters(base, adapters[0], tmp_path / str(number)).max_logit_difference < 1e-3
        question = {"base": str(base), "adapter": "nowhere", "merged": "x"}
        assert "nowhere" in json.dumps(asking.ask_process(question)["refusal"]), "a refusal is an answer"
        [process] = started
        assert process.poll() is None
    assert process.poll() == 0


@pytest.mark.usefixtures("proof_here")
def test_the_command(base, adapters, tmp_path, capsys):
    words = ["--base_model", str(base), "--output_path", str(tmp_path / "merged")]
    chosen = ["--adapters", *map(str, adapters)]
    assert merge_main([*words, *chosen, "--weights", "0.7", "0.3"]) == 0
    assert "with the adapters" in capsys.readouterr().out
    wanted, _ = merged(base, dict(zip(adapters, (0.7, 0.3))), tmp_path / "wanted")
    written = load_model(tmp_path / "merged", device="cpu")[0].state_dict()
    for name, value in wanted.items():
        assert torch.equal(written[name], value), name
    for wrong in (["--weights", "0.7"], [], ["--weights", "nan", "1"]):
        with pytest.raises(SystemExit):
            merge_main([*words, *chosen, *wrong])


def test_what_cannot_be_added_is_said(base, adapters, tokenizer, tmp_path):
    with pytest.raises(ModelError, match="two adapters or more"):
        merge(base, {adapters[0]: 1.0}, tmp_path / "out")
    dora = train(base, tokenizer, tmp_path / "dora", "r=w.box(9,9,9)", r=2, alpha=4, use_dora=True)
    with pytest.raises(ModelError, match="DoRA"):
        merge(base, {adapters[0]: 0.5, dora: 0.5}, tmp_path / "out")
    values = json.loads((dora / CONFIG_FILE).read_text())
    (dora / CONFIG_FILE).write_text(json.dumps({**values, "base_model_name_or_path": "another/base"}))
    with pytest.raises(ModelError, match="different bases"):
        merge(base, {adapters[0]: 0.5, dora: 0.5}, tmp_path / "out")
    assert not (tmp_path / "out").exists()
