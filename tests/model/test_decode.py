"""Decoding against transformers' own `generate`, and what ours does besides."""

import pytest
import torch

from cadrecode.model.adapters import attach_lora
from cadrecode.model.decode import generate

from .tiny import FOURIER, PATCH, learn, make_batch, make_model

TEXTS = ["r=w.box(1, 2,3)", "r=w.cylinder(10,20).cut(w.box(3,3,3))"]


@pytest.fixture(scope="module", params=[FOURIER, PATCH], ids=["fourier", "patch"])
def taught(request, tokenizer):
    """A model that has learnt two programs by heart, and the clouds they belong to."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    model = make_model(tokenizer, encoder=request.param)
    batch = make_batch(model, tokenizer, TEXTS)
    assert learn(model, batch, steps=80) < 0.02
    return model, batch


def test_greedy_is_the_program_of_the_cloud(tokenizer, taught):
    """Rows of unequal length that end at their own END, with spaces only where they were written."""
    model, batch = taught
    assert generate(model, tokenizer, batch["point_cloud"]) == TEXTS
    assert generate(model, tokenizer, batch["point_cloud"].flip(0).numpy()) == TEXTS[::-1]
    assert generate(model, tokenizer, batch["point_cloud"][1:]) == TEXTS[1:]


@torch.inference_mode()
def test_left_padding_changes_no_program(tokenizer, taught):
    """Trap 1 in decoding: transformers' generate on left-padded prompts writes what ours writes without padding."""
    model, batch = taught
    prompt = model.prompt_embeds(batch["point_cloud"], tokenizer.bos_token_id)
    padding = model.get_input_embeddings()(torch.zeros(2, 5, dtype=torch.long))
    mask = torch.ones(2, prompt.shape[1] + 5, dtype=torch.long)
    mask[:, :5] = 0
    out = model.generate(
        inputs_embeds=torch.cat((padding, prompt), dim=1), attention_mask=mask, max_new_tokens=60, do_sample=False
    )
    assert tokenizer.batch_decode(out, skip_special_tokens=True) == TEXTS


@torch.inference_mode()
def test_untaught_rows_agree_with_transformers(tokenizer):
    model = make_model(tokenizer)
    clouds = torch.rand(5, 12, 3) * 2 - 1
    prompt = model.prompt_embeds(clouds, tokenizer.bos_token_id)
    theirs = model.generate(
        inputs_embeds=prompt,
        attention_mask=torch.ones(prompt.shape[:2], dtype=torch.long),
        max_new_tokens=30,
        do_sample=False,
        eos_token_id=2,
        pad_token_id=0,
    )
    ours = generate(model, tokenizer, clouds, max_new_tokens=30)
    assert ours == tokenizer.batch_decode(theirs, skip_special_tokens=True)


@pytest.mark.parametrize("top_p", [1.0, 0.9])
def test_sampling_is_seeded(tokenizer, top_p):
    model = make_model(tokenizer)
    clouds = torch.rand(1, 12, 3).expand(6, -1, -1)
    options = {"temperature": 1.0, "top_p": top_p, "max_new_tokens": 20}
    one = generate(model, tokenizer, clouds, seed=1, **options)
    torch.manual_seed(99)
    torch.rand(7)  # the global generator has no say
    assert generate(model, tokenizer, clouds, seed=1, **options) == one
    assert generate(model, tokenizer, clouds, seed=2, **options) != one
    assert len(set(one)) > 1


def test_sampling_follows_the_distribution(tokenizer):
    """First tokens of many draws against the softmax; with top_p only its nucleus is drawn."""
    model = make_model(tokenizer, initializer_range=0.5)
    cloud = torch.rand(1, 12, 3) * 2 - 1
    with torch.inference_mode():
        logits = model(inputs_embeds=model.prompt_embeds(cloud, tokenizer.bos_token_id)).logits[0, -1]
    chances = (logits / 2.0).softmax(-1)
    many = cloud.expand(4000, -1, -1)
    drawn = generate(model, tokenizer, many, temperature=2.0, max_new_tokens=1)
    counts = torch.zeros(len(tokenizer))
    for text in drawn:
        counts[tokenizer.convert_tokens_to_ids(text) if text else 0] += 1
    ordinary = torch.arange(4, len(tokenizer))  # the marks are left out of texts
    torch.testing.assert_close((counts / 4000)[ordinary], chances[ordinary], rtol=0, atol=0.03)
    order = chances.sort(descending=True)
    nucleus = set(order.indices[: int((order.values.cumsum(0) < 0.5).sum()) + 1].tolist())
    kept = generate(model, tokenizer, many[:500], temperature=2.0, top_p=0.5, max_new_tokens=1)
    assert {tokenizer.convert_tokens_to_ids(text) for text in kept if text} <= nucleus


def test_it_stops_when_told_and_counts(tokenizer, taught):
    model, batch = taught
    seen = []
    texts = generate(
        model,
        tokenizer,
        batch["point_cloud"],
        stop=lambda: len(seen) == 4,
        on_token=lambda count, rows: seen.append((count, rows)),
    )
    assert texts == [text[:4] for text in TEXTS]
    assert seen == [(1, 2), (2, 2), (3, 2), (4, 2)]
    seen.clear()
    generate(model, tokenizer, batch["point_cloud"], on_token=lambda count, rows: seen.append((count, rows)))
    assert seen[len(TEXTS[0])] == (len(TEXTS[0]) + 1, 1)  # the shorter program's row is gone
    assert seen[-1] == (len(TEXTS[1]) + 1, 0)


def test_it_ends_where_the_positions_end(tokenizer):
    model = make_model(tokenizer, max_position_embeddings=20)
    counts = []
    generate(model, tokenizer, torch.rand(1, 12, 3), on_token=lambda count, rows: counts.append(count))
    assert counts[-1] <= 20 - 13


def test_under_peft_and_in_the_middle_of_training(tokenizer, taught):
    model, batch = taught
    wrapped = attach_lora(make_copy(model), r=4, dropout=0.5)
    wrapped.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    wrapped.train()
    assert generate(wrapped, tokenizer, batch["point_cloud"]) == TEXTS  # B is zero: the adapter says nothing yet
    assert wrapped.training


def make_copy(model):
    import copy

    return copy.deepcopy(model)
