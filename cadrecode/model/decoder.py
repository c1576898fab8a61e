"""One token further: the layers of a Qwen model for a single new position of each row.

A model this small, and a large one on a GPU too, spends most of each token's time in Python and in launching dozens of
tiny operations, not in arithmetic. `Step` does what transformers' layers do, in the same order and with the same
rounding, in half of the operations: norms of queries and keys and their rotation are done together, the cache is
written in place and grows now and then, and modules that only hold weights are not called.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional
from transformers import DynamicCache

from cadrecode.model.attention import SHORT_ROWS

GROWTH = 64  # positions by which the cache grows

Apply = Callable[[torch.Tensor], torch.Tensor]


def step_of(network, cache: DynamicCache) -> Step | PlainStep:
    """What goes on from a prompt, whose keys and values are in `cache`.

    `PlainStep` where something is unusual: a sliding window, scaled positions, other attention than sdpa, hooks.
    """
    config, layers = network.config, network.model.layers
    usual = (
        config._attn_implementation in ("sdpa", SHORT_ROWS)
        and set(config.layer_types) == {"full_attention"}
        and network.model.rotary_emb.rope_type == "default"
        and not any(_hooked(module) for layer in layers for module in (layer, layer.self_attn, layer.mlp))
    )
    return Step(network, cache) if usual else PlainStep(network, cache)


class PlainStep:
    """By transformers' own layers."""

    def __init__(self, network, cache: DynamicCache):
        self.network, self.cache = network, cache

    def __call__(self, embeds: torch.Tensor) -> torch.Tensor:
        """(B, 1, hidden) the new words -> (B, V) logits of those after them."""
        return self.network(inputs_embeds=embeds, cache=self.cache, use_cache=True, logits_to_keep=1).logits[:, -1]

    def keep(self, rows: torch.Tensor) -> None:
        """Go on with these rows of the batch alone, (K,) int64."""
        self.cache.batch_select_indices(rows)


@dataclass(frozen=True)
class _Layer:
    """What a layer is made of, ready to be called.

    Args:
        before, after: weights of the norms, (hidden,). heads: of the norms of queries and keys,
            (heads + key heads, head_dim), or None (Qwen2).
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
        projections = (attention.q_proj, attention.k_proj, attention.v_proj, attention.o_proj)
        projections += (mlp.gate_proj, mlp.up_proj, mlp.down_proj)
        before, after = layer.input_layernorm.weight, layer.post_attention_layernorm.weight
        return cls(before, after, heads, *map(_direct, projections), mlp.act_fn)


class Step:
    """By the weights of the network, and a cache of its own."""

    def __init__(self, network, cache: DynamicCache):
        config = network.config
        self.n_heads, self.n_key_heads = config.num_attention_heads, config.num_key_value_heads
        self.layers = [_Layer.of(layer, self.n_heads, self.n_key_heads) for layer in network.model.layers]
        self.last, self.eps, self.head = network.model.norm.weight, config.rms_norm_eps, _direct(network.lm_head)
        self.scale = network.model.layers[0].self_attn.scaling
        self.length = cache.get_seq_length()
        # (layers, 2, B, key heads, positions, head_dim): keys and values
        self.held = torch.stack([torch.stack((layer.keys, layer.values)) for layer in cache.layers])
        self.rotary = network.model.rotary_emb
        self._grow()

    def __call__(self, embeds: torch.Tensor) -> torch.Tensor:
        """(B, 1, hidden) the new words -> (B, V) logits of those after them."""
        if self.length == self.held.shape[4]:
            self._grow()
        place, self.length = self.length, self.length + 1
        cos, sin = self.cos[place], self.sin[place]  # (head_dim,)
        hidden = embeds
        for layer, (keys, values) in zip(self.layers, self.views):
            hidden = hidden + layer.out(self._attend(layer, self._norm(hidden) * layer.before, keys, values, cos, sin))
            seen = self._norm(hidden) * layer.after
            hidden = hidden + layer.down(layer.activation(layer.gate(seen)) * layer.up(seen))
        return self.head(self._norm(hidden) * self.last)[:, 0]

    def keep(self, rows: torch.Tensor) -> None:
        """Go on with these rows of the batch alone, (K,) int64."""
        self.held = self.held.index_select(2, rows)
        self.views = [layer.unbind() for layer in self.held]

    def _attend(self, layer: _Layer, seen, keys, values, cos, sin) -> torch.Tensor:
        """(B, 1, hidden) -> (B, 1, heads * head_dim), with the new position written into keys and values."""
        rows, place = len(seen), self.length - 1
        both = torch.cat((layer.query(seen), layer.key(seen)), dim=-1).view(rows, -1, len(cos))
        if layer.heads is not None:
            both = layer.heads * self._norm(both)
        both = both * cos + both.roll(len(cos) // 2, -1) * sin  # (B, heads + key heads, head_dim)
        keys[:, :, place] = both[:, self.n_heads :]
        values[:, :, place] = layer.value(seen).view(rows, -1, len(cos))
        out = functional.scaled_dot_product_attention(
            both[:, : self.n_heads].unsqueeze(2),
            keys[:, :, : self.length],
            values[:, :, : self.length],
            scale=self.scale,
            enable_gqa=self.n_heads != self.n_key_heads,
        )
        return out.reshape(rows, 1, -1)

    def _norm(self, values: torch.Tensor) -> torch.Tensor:
        """Divided by their root mean square over the last dimension, in float32 as transformers does it."""
        if values.dtype == torch.float32:
            return functional.rms_norm(values, values.shape[-1:], eps=self.eps)
        return functional.rms_norm(values.float(), values.shape[-1:], eps=self.eps).to(values.dtype)

    def _grow(self) -> None:
        """Room for the next positions, and the rotation at each of them."""
        self.held = functional.pad(self.held, (0, 0, 0, GROWTH))
        self.views = [layer.unbind() for layer in self.held]
        places = torch.arange(self.held.shape[4], device=self.held.device).unsqueeze(0)
        cos, sin = self.rotary(self.held, places)  # (1, positions, head_dim)
        self.cos, half = cos[0], sin.shape[-1] // 2
        # transformers turns (x1, x2) into (-x2, x1); rolled, it is (x2, x1), and the sign is the sine's
        self.sin = torch.cat((-sin[0, :, :half], sin[0, :, half:]), dim=-1)


def _hooked(module: nn.Module) -> bool:
    """By torch, or by accelerate, which moves weights that do not fit from device to device."""
    return bool(module._forward_hooks or module._forward_pre_hooks or hasattr(module, "_hf_hook"))


def _direct(module: nn.Module) -> Apply:
    """A plain linear layer as the one operation that it is; others, adapted or quantised ones, as they are."""
    if type(module) is not nn.Linear or _hooked(module):
        return module
    return functools.partial(functional.linear, weight=module.weight, bias=module.bias)
