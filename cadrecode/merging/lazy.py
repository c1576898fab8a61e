"""Networks whose weights stay on disk: built without weights, and run in float32 with a layer in memory at a time.

So a merge needs the memory of the largest layer, and never that of the whole model.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any, Protocol

import torch
from accelerate import init_empty_weights
from peft.tuners.lora import LoraLayer
from safetensors import safe_open
from torch import nn
from torch.nn import functional
from transformers import PreTrainedModel

from cadrecode.errors import ModelError
from cadrecode.model.load import BaseFolder
from cadrecode.model.network import NETWORKS
from cadrecode.model.weights import ENCODER_PREFIX, Weights

WHOLE = {"F32", "BF16", "F16"}  # anything else is quantised, or not a weight
PIECE_NUMBERS = 2**24  # numbers of a tensor in memory at once: the vocabulary's matrix is as large as many layers


class Tensors(Protocol):
    """The tensors of a network by their names, in any precision."""

    def __call__(self, key: str) -> torch.Tensor: ...

    def pieces(self, key: str) -> Iterator[torch.Tensor]:
        """A tensor, `rows_of` rows at a time."""


class Stored:
    """The tensors in a folder's files. Each is a view of its file, which is mapped as long as the tensor lives."""

    def __init__(self, weights: Weights):
        self._weights = weights

    def __call__(self, key: str) -> torch.Tensor:
        with safe_open(self._weights.files[key], framework="pt") as tensors:
            return tensors.get_tensor(key)

    def pieces(self, key: str) -> Iterator[torch.Tensor]:
        """Each piece has a map of its own: the pages read of a map count as memory until it is closed."""
        shape = self._weights.shapes[key]
        for first in range(0, shape[0], rows_of(shape)):
            with safe_open(self._weights.files[key], framework="pt") as tensors:
                yield tensors.get_slice(key)[first : first + rows_of(shape)]


def rows_of(shape: tuple[int, ...]) -> int:
    """The number of rows in a piece of a tensor."""
    return max(1, PIECE_NUMBERS // prod(shape[1:]))


def empty_network(base: BaseFolder) -> PreTrainedModel:
    """The network of a base in eval mode, with its weights on the meta device and real buffers.

    Raises: ModelError: a tensor is missing in the base's files, or has another shape, or less than 16 bits.
    """
    with init_empty_weights(include_buffers=False):
        network = NETWORKS[base.config.model_type](base.config)
    base.introduce(network)
    expected = own_tensors(network)
    lost = [key for key in expected if key not in base.weights.shapes]
    lost = [key for key in lost if not (base.fresh and key.startswith(ENCODER_PREFIX))]
    if lost:
        raise ModelError(
            "{name}: its files lack {n} of the model's tensors, for example {tensor}.",
            name=base.name,
            n=len(lost),
            tensor=min(lost),
        )
    for key in expected.keys() & base.weights.shapes.keys():
        if base.weights.dtypes[key] not in WHOLE or base.weights.shapes[key] != expected[key]:
            raise ModelError(
                "{base} holds {name} as {kind} {shape}, the model needs {wanted} in full precision: nothing "
                "can be merged into a quantised base.",
                base=base.name,
                name=key,
                kind=base.weights.dtypes[key],
                shape=base.weights.shapes[key],
                wanted=expected[key],
            )
    return network.eval()


def own_tensors(network: PreTrainedModel) -> dict[str, tuple[int, ...]]:
    """The names and shapes of the tensors in a file of the network; of tied tensors, the first."""
    tied = network.all_tied_weights_keys
    return {key: tuple(value.shape) for key, value in network.state_dict().items() if key not in tied}


def run_from(network: PreTrainedModel, fetch: Tensors) -> None:
    """Make a network without weights compute in float32: a layer fetches its weights for each call, and drops them.

    The point encoder is small and keeps its weights; an adapter's encoder has them already.
    """
    encoder = network.point_encoder
    if not hasattr(encoder, "modules_to_save") and any(value.is_meta for value in encoder.parameters()):
        state = {key: fetch(ENCODER_PREFIX + key).float() for key in encoder.state_dict()}
        encoder.load_state_dict(state, assign=True)
    for name, module in list(network.named_modules()):
        if name.startswith(ENCODER_PREFIX.rstrip(".")):
            continue
        if isinstance(module, LoraLayer):
            _fill_when_called(module, module.get_base_layer(), name, fetch)
        elif name.endswith(".base_layer") or not list(module.parameters(recurse=False)):
            continue
        elif ".lora_" not in name:
            key = network.all_tied_weights_keys.get(f"{name}.weight", f"{name}.weight")
            if isinstance(module, nn.Embedding):
                module.forward = lambda ids, key=key: functional.embedding(ids, fetch(key)).float()
            elif module is network.get_output_embeddings():
                module.forward = lambda hidden, key=key: _logits(hidden, fetch.pieces(key))
            else:
                _fill_when_called(module, module, name, fetch)


def _fill_when_called(called: nn.Module, holder: nn.Module, name: str, fetch: Tensors) -> None:
    """Give `holder` its weights while `called` computes: DoRA reads the weights of the layer that it wraps."""
    empty = dict(holder._parameters)

    def fill(*_: Any) -> None:
        for part, value in empty.items():
            if value is not None:
                holder._parameters[part] = nn.Parameter(fetch(f"{name}.{part}").float(), requires_grad=False)

    def drop(*_: Any) -> None:
        holder._parameters.update(empty)

    called.register_forward_pre_hook(fill)
    called.register_forward_hook(drop, always_call=True)


def _logits(hidden: torch.Tensor, pieces: Iterator[torch.Tensor]) -> torch.Tensor:
    """(B, T, hidden) float32 and some rows of (V, hidden) at a time -> (B, T, V) float32."""
    return torch.cat([functional.linear(hidden, piece.float()) for piece in pieces], dim=-1)
