"""Attention over short rows: what torch's gives, without keeping its scores, and only where it is meant."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from cadrecode.model import attention
from cadrecode.model.attention import CausalAttention, attend_short_rows
from cadrecode.model.decode import generate

from .tiny import make_model

LENGTH, HEADS, GROUPS, WIDTH = 9, 6, 3, 8


def drawn(dtype=torch.float64):
    sizes = ((2, HEADS, LENGTH, WIDTH), (2, GROUPS, LENGTH, WIDTH), (2, GROUPS, LENGTH, WIDTH))
    return [torch.randn(size, dtype=dtype, requires_grad=True) for size in sizes]


def by_torch(query, key, value):
    return functional.scaled_dot_product_attention(query, key, value, is_causal=True, enable_gqa=True)


def by_ours(query, key, value):
    return CausalAttention.apply(query, key, value, WIDTH**-0.5)


def test_values_and_gradients_are_torchs():
    inputs, grad = drawn(), torch.randn(2, HEADS, LENGTH, WIDTH, dtype=torch.float64)
    results = []
    for attend in (by_torch, by_ours):
        out = attend(*inputs)
        results.append((out, *torch.autograd.grad(out, inputs, grad)))
    for theirs, ours in zip(*results):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)


def test_no_scores_are_kept_until_backward():
    remaining = []
    with torch.autograd.graph.saved_tensors_hooks(
        lambda tensor: remaining.append(tensor.numel()) or tensor, lambda tensor: tensor
    ):
        by_ours(*drawn())
    assert max(remaining) == 2 * HEADS * LENGTH * WIDTH


@pytest.fixture
def counted(monkeypatch):
    """How often it was used."""
    calls, apply = [], CausalAttention.apply
    monkeypatch.setattr(CausalAttention, "apply", lambda *args: calls.append(1) or apply(*args))
    return calls


def batch_of(model, rows=3, length=10):
    tokens = torch.randint(5, 9, (rows, length), generator=torch.Generator().manual_seed(3))
    return {"input_ids": tokens, "labels": tokens}


def gradients(model, **batch) -> torch.Tensor:
    model.zero_grad()
    model.train()(**batch).loss.backward()
    return torch.cat([weight.grad.float().flatten() for weight in model.parameters() if weight.grad is not None])


def test_a_step_in_bfloat16_learns_the_same(tokenizer, counted):
    model = make_model(tokenizer).to(torch.bfloat16)
    theirs = gradients(model, **batch_of(model))
    assert not counted
    attend_short_rows(model)
    ours = gradients(model, **batch_of(model))
    assert len(counted) == model.config.num_hidden_layers
    assert functional.cosine_similarity(ours, theirs, dim=0) > 0.999


def test_torchs_is_used_where_ours_does_not_suit(tokenizer, counted, monkeypatch):
    model = make_model(tokenizer).to(torch.bfloat16)
    attend_short_rows(model)
    batch = batch_of(model)
    masked = torch.ones_like(batch["input_ids"])
    masked[0, 7:] = 0
    gradients(model, **batch, attention_mask=masked)
    with torch.no_grad():
        model(**batch)
    monkeypatch.setattr(attention, "MOST_SCORES", 10)
    gradients(model, **batch)
    assert not counted


def test_only_bfloat16_on_a_cpu_attends_so(tokenizer):
    plain, eager = make_model(tokenizer), make_model(tokenizer).to(torch.bfloat16)
    eager.set_attn_implementation("eager")
    for model, kind in ((plain, "sdpa"), (eager, "eager")):
        attend_short_rows(model)
        assert model.config._attn_implementation == kind


def test_answers_stay_the_same(tokenizer):
    model = make_model(tokenizer).to(torch.bfloat16)
    clouds = torch.rand(2, 12, 3)
    before = generate(model, tokenizer, clouds, max_new_tokens=12)
    attend_short_rows(model)
    assert generate(model, tokenizer, clouds, max_new_tokens=12) == before
