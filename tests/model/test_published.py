"""CAD-Recode's own class, its arithmetic written afresh: its models answer the same here, ours the same there."""

import pytest
import torch
from transformers import Qwen2Config, Qwen2ForCausalLM

from cadrecode.merging.plan import merge_adapters
from cadrecode.model.adapters import attach_lora, save_adapter
from cadrecode.model.load import load_model

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
