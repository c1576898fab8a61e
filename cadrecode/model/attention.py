"""Attention for training in bfloat16 on a CPU, whose rows are short.

torch's kernel for CPUs never holds the scores of a whole row, which long rows need; for short rows plain matrix
products are about twice as fast (`python -m benchmarks.training attention`). This holds the scores of one layer at a
time, forward and again backward; between the two it keeps what torch's kernel keeps.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

SHORT_ROWS = "short_rows"  # its name in transformers
MOST_SCORES = 2**22  # batch x heads x positions^2; with more, torch's kernel is as fast


def attend_short_rows(model: PreTrainedModel) -> None:
    """Give a bfloat16 model on a CPU this attention; any other model stays as it is."""
    if model.device.type == "cpu" and model.dtype == torch.bfloat16 and model.config._attn_implementation == "sdpa":
        model.set_attn_implementation(SHORT_ROWS)


def short_rows(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """An attention of transformers: query (B, H, T, D), key and value (B, G, S, D) -> (B, T, H, D), None.

    torch's kernel does the work where there is a mask, a cache or dropout, no gradient, or more than MOST_SCORES.
    """
    rows, heads, length, _ = query.shape
    suits = (
        attention_mask is None
        and length == key.shape[2]
        and query.dtype == torch.bfloat16
        and dropout == 0
        and query.requires_grad
        and rows * heads * length**2 <= MOST_SCORES
    )
    if not suits:
        return sdpa_attention_forward(module, query, key, value, attention_mask, dropout, scaling, **kwargs)
    attended = CausalAttention.apply(query, key, value, scaling if scaling is not None else query.shape[-1] ** -0.5)
    return attended.transpose(1, 2).contiguous(), None


class CausalAttention(torch.autograd.Function):
    """Every position attends to itself and those before it; heads come in groups that share a key and a value.

    The R heads of a group are a matrix of R x T rows, so that there is a product for each group and nothing is copied.
    """

    @staticmethod
    def forward(ctx: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float) -> torch.Tensor:
        """(B, H, T, D), (B, G, T, D), (B, G, T, D) -> (B, H, T, D); H a multiple of G."""
        with torch.autocast(query.device.type, enabled=False):
            weights = _weights(query, key, scale)
            out = (weights @ value).view_as(query)
        ctx.save_for_backward(query, key, value, out)
        ctx.scale = scale
        return out

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, None]:
        query, key, value, out = ctx.saved_tensors
        with torch.autocast(query.device.type, enabled=False):
            weights = _weights(query, key, ctx.scale)
            shift = (grad.float() * out.float()).sum(-1, keepdim=True)  # (B, H, T, 1), of the softmax's gradient
            grad = _grouped(grad, key)
            scores = grad @ value.transpose(2, 3)  # (B, G, R * T, T)
            scores = (scores - _grouped(shift.to(scores.dtype), key)).mul_(weights)
            by_query = (scores @ key).mul_(ctx.scale).view_as(query)
            by_key = (scores.transpose(2, 3) @ _grouped(query, key)).mul_(ctx.scale)
            by_value = weights.transpose(2, 3) @ grad
        return by_query, by_key, by_value, None


def _weights(query: torch.Tensor, key: torch.Tensor, scale: float) -> torch.Tensor:
    """(B, H, T, D), (B, G, T, D) -> (B, G, R * T, T), each row of sum 1."""
    length = query.shape[2]
    scores = (_grouped(query, key) @ key.transpose(2, 3)).mul_(scale)  # (B, G, R * T, T)
    later = torch.full((length, length), -torch.inf, dtype=scores.dtype, device=scores.device).triu(1)
    by_head = scores.view(len(query), -1, length, length).add_(later)
    return by_head.softmax(-1).view_as(scores)


def _grouped(values: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
    """(B, H, T, X) -> (B, G, R * T, X)."""
    return values.reshape(len(values), key.shape[1], -1, values.shape[-1])


AttentionInterface.register(SHORT_ROWS, short_rows)
AttentionMaskInterface.register(SHORT_ROWS, sdpa_mask)
