"""Several adapters merged into one base, each by its weight."""

import json

import pytest
import torch

from cadrecode.cli import merge_main
from cadrecode.errors import ModelError
from cadrecode.merge import merge
from cadrecode.model.adapters import CONFIG_FILE, attach_lora, save_adapter
from cadrecode.model.load import load_model, save_model
from cadrecode.model.merging import merge_into_fresh_base

from .tiny import PATCH, learn, make_batch, make_model

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
    wrapped = attach_lora(model, dropout=0.0, **shape)
    learn(wrapped, make_batch(model, tokenizer, [text]), steps=5)
    save_adapter(wrapped, tokenizer, folder)
    return folder


@pytest.fixture(scope="module")
def adapters(base, tokenizer, tmp_path_factory):
    texts = ["r=w.box(1,2,3)", "r=w.sphere(5)"]
    return [train(base, tokenizer, tmp_path_factory.mktemp("a"), text, **shape) for text, shape in zip(texts, SHAPES)]


def test_the_merged_model_is_the_base_and_the_weighted_sum_of_what_each_adapter_changes(base, adapters):
    weights = (0.7, -0.3)
    plain = load_model(base, device="cpu")[0].state_dict()
    alone = [merge_into_fresh_base(base, folder)[0].state_dict() for folder in adapters]
    merged, _, check = merge_into_fresh_base(base, dict(zip(adapters, weights)))
    assert merged.state_dict().keys() == plain.keys()
    changed = 0
    for name, value in merged.state_dict().items():
        wanted = plain[name] + sum(w * (one[name] - plain[name]) for w, one in zip(weights, alone))
        torch.testing.assert_close(value, wanted, msg=name)
        changed += not torch.equal(value, plain[name])
    assert changed > 2 * 7  # every layer, and the point encoder
    assert check.adapter.lora_tensors == 2 * 2 * (7 + 2)


def test_the_command(base, adapters, tmp_path, capsys):
    words = ["--base_model", str(base), "--output_path", str(tmp_path / "merged")]
    chosen = ["--adapters", *map(str, adapters)]
    assert merge_main([*words, *chosen, "--weights", "0.7", "0.3"]) == 0
    assert "with the adapters" in capsys.readouterr().out
    wanted = merge_into_fresh_base(base, dict(zip(adapters, (0.7, 0.3))))[0].state_dict()
    written = load_model(tmp_path / "merged", device="cpu")[0].state_dict()
    for name, value in wanted.items():
        torch.testing.assert_close(written[name], value, msg=name)
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
