"""The layers of a Qwen model for a single new position of each row: one token further.

A small model, and a large one on a GPU too, spends most of a token's time in Python and in launching dozens of tiny
operations, not in arithmetic. `FastDecoder` computes what transformers' layers compute, in the same order and with the
same rounding, in half of the operations: queries and keys are normed and rotated together, the cache is written in
place and grows in blocks, and modules that only hold weights are not called.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional
from transformers import DynamicCache, PreTrainedModel

from cadrecode.model.attention import SHORT_ROWS

GROWTH = 64  # positions by which the cache grows

Apply = Callable[[torch.Tensor], torch.Tensor]


def decoder_of(network: PreTrainedModel, cache: DynamicCache) -> FastDecoder | PlainDecoder:
    """The decoder that continues a prompt, whose keys and values are in `cache`.

    `PlainDecoder` for what is unusual: a sliding window, scaled positions, other attention than sdpa, hooks.
    """
    config, layers = network.config, network.model.layers
    usual = (
        config._attn_implementation in ("sdpa", SHORT_ROWS)
        and set(config.layer_types) == {"full_attention"}
        and network.model.rotary_emb.rope_type == "default"
        and not any(_hooked(module) for layer in layers for module in (layer, layer.self_attn, layer.mlp))
    )
    return FastDecoder(network, cache) if usual else PlainDecoder(network, cache)


class PlainDecoder:
    """Decoding with transformers' own layers."""

    def __init__(self, network: PreTrainedModel, cache: DynamicCache):
        self.network, self.cache = network, cache

    def __call__(self, embeds: torch.Tensor) -> torch.Tensor:
        """(B, 1, hidden) of the new tokens -> (B, V) logits of the tokens after them."""
        return self.network(inputs_embeds=embeds, cache=self.cache, use_cache=True, logits_to_keep=1).logits[:, -1]

    def keep(self, rows: torch.Tensor) -> None:
        """Drop all rows of the batch but these, (K,) int64."""
        self.cache.batch_select_indices(rows)


@dataclass(frozen=True)
class _Layer:
    """The parts of a layer, ready to be called.

    Args:
        before, after: weights of the norms before attention and before the MLP, (hidden,).
        heads: weights of the norms of queries and keys, (heads + key heads, head_dim); None for Qwen2.
    """

    before: torch.Tensor
    after: torch.Tensor
    heads: torch.Tensor | None
    query: Apply
    key: Apply
    value: Apply
    out: Apply
    gate: Apply
    up: Apply
    down: Apply
    activation: Apply

    @classmethod
    def of(cls, layer: nn.Module, n_heads: int, n_key_heads: int) -> _Layer:
        attention, mlp, heads = layer.self_attn, layer.mlp, None
        if hasattr(attention, "q_norm"):
            norms = (attention.q_norm.weight.expand(n_heads, -1), attention.k_norm.weight.expand(n_key_heads, -1))
            heads = torch.cat(norms)
        projections: tuple[nn.Module, ...] = (attention.q_proj, attention.k_proj, attention.v_proj, attention.o_proj)
        projections += (mlp.gate_proj, mlp.up_proj, mlp.down_proj)
        before, after = layer.input_layernorm.weight, layer.post_attention_layernorm.weight
        return cls(before, after, heads, *map(_direct, projections), activation=mlp.act_fn)


class FastDecoder:
    """Decoding with the weights of the network, and a cache of its own."""

    def __init__(self, network: PreTrainedModel, cache: DynamicCache):
        config = network.config
        self.n_heads, self.n_key_heads = config.num_attention_heads, config.num_key_value_heads
        self.layers = [_Layer.of(layer, self.n_heads, self.n_key_heads) for layer in network.model.layers]
        self.last, self.eps, self.head = network.model.norm.weight, config.rms_norm_eps, _direct(network.lm_head)
        self.scale = network.model.layers[0].self_attn.scaling
        self.length = cache.get_seq_length()
        # (layers, 2, B, key heads, positions, head_dim): keys and values
        self.cache = torch.stack([torch.stack((layer.keys, layer.values)) for layer in cache.layers])
        self.rotary = network.model.rotary_emb
        self._grow()

    def __call__(self, embeds: torch.Tensor) -> torch.Tensor:
        """(B, 1, hidden) of the new tokens -> (B, V) logits of the tokens after them."""
        if self.length == self.cache.shape[4]:
            self._grow()
        place, self.length = self.length, self.length + 1
        cos, sin = self.cos[place], self.sin[place]  # (head_dim,)
        hidden = embeds
        for layer, (keys, values) in zip(self.layers, self.views):
            normed = self._norm(hidden) * layer.before
            hidden = hidden + layer.out(self._attend(layer, normed, keys, values, cos, sin))
            normed = self._norm(hidden) * layer.after
            hidden = hidden + layer.down(layer.activation(layer.gate(normed)) * layer.up(normed))
        return self.head(self._norm(hidden) * self.last)[:, 0]

    def keep(self, rows: torch.Tensor) -> None:
        """Drop all rows of the batch but these, (K,) int64."""
        self.cache = self.cache.index_select(2, rows)
        self.views = [layer.unbind() for layer in self.cache]

    def _attend(
        self,
        layer: _Layer,
        hidden: torch.Tensor,
        keys: torch.Tensor,
        values: torch.Tensor,
        cos: torch.Tensor,
        sin: torch.Tensor,
    ) -> torch.Tensor:
        """(B, 1, hidden) -> (B, 1, heads * head_dim), with the new position written into keys and values."""
        rows, place = len(hidden), self.length - 1
        both = torch.cat((layer.query(hidden), layer.key(hidden)), dim=-1).view(rows, -1, len(cos))
        if layer.heads is not None:
            both = layer.heads * self._norm(both)
        both = both * cos + both.roll(len(cos) // 2, -1) * sin  # (B, heads + key heads, head_dim)
        keys[:, :, place] = both[:, self.n_heads :]
        values[:, :, place] = layer.value(hidden).view(rows, -1, len(cos))
        out = functional.scaled_dot_product_attention(
            both[:, : self.n_heads].unsqueeze(2),
            keys[:, :, : self.length],
            values[:, :, : self.length],
            scale=self.scale,
            enable_gqa=self.n_heads != self.n_key_heads,
        )
        return out.reshape(rows, 1, -1)

    def _norm(self, values: torch.Tensor) -> torch.Tensor:
        """Divide by the root mean square over the last dimension, in float32 as transformers does it."""
        if values.dtype == torch.float32:
            return functional.rms_norm(values, values.shape[-1:], eps=self.eps)
        return functional.rms_norm(values.float(), values.shape[-1:], eps=self.eps).to(values.dtype)

    def _grow(self) -> None:
        """Make room for the next positions, and compute the rotation at each of them."""
        self.cache = functional.pad(self.cache, (0, 0, 0, GROWTH))
        self.views = [layer.unbind() for layer in self.cache]
        places = torch.arange(self.cache.shape[4], device=self.cache.device).unsqueeze(0)
        cos, sin = self.rotary(self.cache, places)  # (1, positions, head_dim)
        self.cos, half = cos[0], sin.shape[-1] // 2
        # transformers turns (x1, x2) into (-x2, x1). Rolling gives (x2, x1), so the sine takes the sign.
        self.sin = torch.cat((-sin[0, :, :half], sin[0, :, half:]), dim=-1)


def _hooked(module: nn.Module) -> bool:
    """Whether torch or accelerate (which moves weights between devices) has put a hook on a module."""
    return bool(module._forward_hooks or module._forward_pre_hooks or hasattr(module, "_hf_hook"))


def _direct(module: nn.Module) -> Apply:
    """A plain linear layer as a single operation; adapted, quantised and hooked layers as they are."""
    if type(module) is not nn.Linear or _hooked(module):
        return module
    return functools.partial(functional.linear, weight=module.weight, bias=module.bias)
