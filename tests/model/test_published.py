"""CAD-Recode's own class, its arithmetic written afresh: its models answer the same here, ours the same there."""

import copy
import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import Qwen2Config, Qwen2ForCausalLM

from cadrecode.config import TrainConfig
from cadrecode.errors import ConfigError, ModelError
from cadrecode.merging.plan import merge_adapters
from cadrecode.model.adapters import attach_lora, save_adapter
from cadrecode.model.decode import generate
from cadrecode.model.load import load_model
from cadrecode.model.team import Team
from cadrecode.runs import Run
from cadrecode.training.reading import read_programs

from .tiny import SIZES, learn

N_POINTS = 256  # as published, and in no config


class PublishedEncoder(torch.nn.Module):
    """v1.5 has 51 inputs; v1 has 54, of which the last three are normals."""

    def __init__(self, hidden_size: int, inputs: int):
        super().__init__()
        self.projection = torch.nn.Linear(inputs, hidden_size)

    def forward(self, points: torch.Tensor) -> torch.Tensor:
        frequencies = 2.0 ** torch.arange(8, dtype=torch.float32)
        xyz, normals = points[..., :3], points[..., 3:]
        phases = (xyz.unsqueeze(-1) * frequencies).view(*xyz.shape[:-1], -1)
        return self.projection(torch.cat((xyz, phases.sin(), phases.cos(), normals), dim=-1))


class PublishedV15(Qwen2ForCausalLM):
    """Points are written over the embeddings where the mask says -1, and count as ordinary positions."""

    inputs = 51

    def __init__(self, config):
        super().__init__(config)
        self.point_encoder = PublishedEncoder(config.hidden_size, self.inputs)

    def answers(self, ids: torch.Tensor, mask: torch.Tensor, cloud: torch.Tensor) -> torch.Tensor:
        embeds = self.model.embed_tokens(ids)
        embeds[mask == -1] = self.point_encoder(cloud).reshape(-1, embeds.shape[-1])
        hidden = self.model(inputs_embeds=embeds, attention_mask=mask.abs()).last_hidden_state
        return self.lm_head(hidden)


class PublishedV1(PublishedV15):
    inputs = 54


@pytest.fixture(params=[PublishedV15, PublishedV1])
def published(request, tokenizer, tmp_path):
    """(class, model, folder): a checkpoint as its authors' class saves it, with our tokenizer."""
    torch.manual_seed(0)
    config = Qwen2Config(**{**SIZES, "max_position_embeddings": 512}, vocab_size=len(tokenizer))
    model = request.param(config).eval()
    model.save_pretrained(tmp_path / "published")
    tokenizer.save_pretrained(tmp_path / "published")
    return request.param, model, tmp_path / "published"


def prompt(tokenizer, columns: int) -> dict[str, torch.Tensor]:
    """256 point slots, START, some words; two rows."""
    generator = torch.Generator().manual_seed(1)
    words = torch.randint(3, len(tokenizer), (2, 9), generator=generator)
    start = torch.full((2, 1), tokenizer.bos_token_id)
    ids = torch.cat((torch.zeros(2, N_POINTS, dtype=torch.long), start, words), dim=1)
    slots = torch.zeros_like(ids, dtype=torch.bool)
    slots[:, :N_POINTS] = True
    cloud = torch.rand(2, N_POINTS, columns, generator=generator) * 2 - 1
    return {"input_ids": ids, "point_mask": slots, "point_cloud": cloud}


def theirs(model, batch) -> torch.Tensor:
    mask = torch.where(batch["point_mask"], -1, 1)
    with torch.no_grad():
        return model.answers(batch["input_ids"], mask, batch["point_cloud"])


def ours(model, batch) -> torch.Tensor:
    with torch.no_grad():
        return model(**batch).logits


def test_the_published_layout_loads_here_with_equal_logits(published, tokenizer):
    kind, model, folder = published
    here, _ = load_model(folder, device="cpu")
    assert not here.fresh_encoder
    batch = prompt(tokenizer, kind.inputs - 48)
    torch.testing.assert_close(ours(here, batch), theirs(model, batch))


@pytest.mark.usefixtures("proof_here")
def test_what_is_merged_here_loads_in_the_published_class(published, tokenizer, tmp_path):
    kind, model, folder = published
    base, _ = load_model(folder, device="cpu")
    wrapped = attach_lora(base, r=4, alpha=8, dropout=0.0)
    batch = prompt(tokenizer, kind.inputs - 48)
    before = theirs(model, batch)
    learn(wrapped, {**batch, "labels": batch["input_ids"].masked_fill(batch["point_mask"], -100)}, steps=3)
    save_adapter(wrapped, tokenizer, tmp_path / "adapter")
    merge_adapters(folder, tmp_path / "adapter", tmp_path / "merged")
    there, done = kind.from_pretrained(tmp_path / "merged", output_loading_info=True)
    assert not done["missing_keys"]
    assert not done["unexpected_keys"]
    after = theirs(there.eval(), batch)
    torch.testing.assert_close(after, ours(wrapped.eval(), batch), atol=1e-4, rtol=1e-4)
    assert (after - before).abs().max() > 0.01  # and it has learned


def chat_template() -> str:
    return (
        "{% for message in messages %}<|im_start|>{{ message.content }}<|im_end|>{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>w{% endif %}"
    )


class PublishedWays(torch.nn.Module):
    """CADReasoner's encoder: six columns, with pi."""

    def __init__(self, hidden_size: int):
        super().__init__()
        self.projection = torch.nn.Linear(102, hidden_size)

    def forward(self, points: torch.Tensor) -> torch.Tensor:
        phases = (points.unsqueeze(-1) * (torch.pi * 2.0 ** torch.arange(8))).view(*points.shape[:-1], -1)
        return self.projection(torch.cat((points, phases.sin(), phases.cos()), dim=-1))


@pytest.fixture
def cadreasoner(tokenizer, tmp_path):
    """(model, encoder, folder): as transformers below 4.52 saved its class, a Qwen2-VL with an encoder of points."""
    from transformers import Qwen2VLConfig, Qwen2VLForConditionalGeneration

    torch.manual_seed(0)
    sizes = {**SIZES, "max_position_embeddings": 512, "vocab_size": len(tokenizer), "tie_word_embeddings": True}
    rope = {"rope_type": "default", "type": "mrope", "mrope_section": [2, 3, 3]}
    eyes = {"depth": 1, "embed_dim": 16, "hidden_size": SIZES["hidden_size"], "num_heads": 2, "mlp_ratio": 2}
    config = Qwen2VLConfig(
        text_config={**sizes, "rope_parameters": {**rope, "rope_theta": 1e6}},
        vision_config=eyes,
        tie_word_embeddings=True,
    )
    model = Qwen2VLForConditionalGeneration(config).eval()
    encoder = PublishedWays(SIZES["hidden_size"])
    names = {"model.language_model.": "model.", "model.visual.": "visual."}
    tensors = {f"point_encoder.{key}": value for key, value in encoder.state_dict().items()}
    for key, value in model.state_dict().items():
        old = next((old + key.removeprefix(new) for new, old in names.items() if key.startswith(new)), key)
        if key != "lm_head.weight":  # it is that of the embeddings
            tensors[old] = value.clone()
    folder = tmp_path / "cadreasoner"
    tokenizer = copy.deepcopy(tokenizer)
    tokenizer.chat_template = chat_template()
    tokenizer.save_pretrained(folder)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    values = {"model_type": "qwen2_vl", "architectures": ["Cadrille"], **sizes, "vision_config": eyes}
    (folder / "config.json").write_text(json.dumps({**values, "rope_theta": 1e6, "rope_scaling": rope}))
    return model, encoder, folder


def test_cadreasoner_answers_the_same_here(cadreasoner, tokenizer, caplog):
    """Its first round, with a chat after the points and positions of three numbers; the eyes are left out."""
    theirs, encoder, folder = cadreasoner
    model, words = load_model(folder, device="cpu")
    cloud = torch.rand(2, N_POINTS, 3) * 2 - 1
    chat = tokenizer("<|im_start|>import cadquery as cq\n<|im_end|><|im_start|>w")["input_ids"]
    half, zero = N_POINTS // 2, torch.zeros(2, N_POINTS // 2, 3)
    ways = torch.cat(
        (torch.cat((cloud[:, :half], -cloud[:, :half]), -1), torch.cat((zero, cloud[:, half:]), -1)), dim=1
    )
    with torch.no_grad():
        written = theirs.get_input_embeddings()(torch.tensor([chat, chat]))
        embeds = torch.cat((encoder(ways), written), dim=1)
        wanted = theirs(inputs_embeds=embeds, attention_mask=torch.ones(embeds.shape[:2])).logits
        ours = model.prompt_embeds(cloud, words.bos_token_id)
        torch.testing.assert_close(ours, embeds)
        torch.testing.assert_close(model(inputs_embeds=ours).logits, wanted, atol=1e-5, rtol=1e-4)
    assert "tensors belong to nothing here and stay unused, visual." in caplog.text
    assert words.eos_token == "<|im_end|>"
    assert model.config.eos_token_id == words.eos_token_id
    assert model.point_settings.columns == 3
    assert len(generate(model, words, cloud, max_new_tokens=3)) == 2


def test_what_cadreasoner_lacks_is_named(cadreasoner, tmp_path):
    _, _, folder = cadreasoner
    config = TrainConfig(base_model_name=str(folder), train_data_path="invent:general:2", model_save_path=str(tmp_path))
    with pytest.raises(ConfigError, match="was trained in a chat, to improve programs"):
        read_programs(config, Run(tmp_path / "run"), Team())
    (folder / "chat_template.jinja").unlink()
    with pytest.raises(ModelError, match="the tokenizer has no chat_template"):
        load_model(folder, device="cpu")
    tensors = load_file(folder / "model.safetensors")
    save_file({k: v for k, v in tensors.items() if "point" not in k}, folder / "model.safetensors")
    with pytest.raises(ModelError, match="is a model of images: it has no point encoder"):
        load_model(folder, device="cpu")
