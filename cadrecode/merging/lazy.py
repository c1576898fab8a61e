"""Networks whose weights stay on disk: built without memory, and run in float32 with one layer read at a time.

So a merge of any model needs the memory of its largest layer, and never the model as a whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Protocol

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

WHOLE = {"F32", "BF16", "F16"}  # anything else is quantised, or no weight
PIECE_NUMBERS = 2**24  # in memory at once of the vocabulary's matrix; whole, it is as large as many layers


class Tensors(Protocol):
    """The tensors of a network by their names, in whatever precision."""

    def __call__(self, key: str) -> torch.Tensor: ...

    def pieces(self, key: str) -> Iterator[torch.Tensor]:
        """The same, a few rows at a time: as many as `rows_of` says."""


class Stored:
    """Those in a folder's files. Each is a view of its file, which is mapped for as long as the tensor lives."""

    def __init__(self, weights: Weights):
        self._weights = weights

    def __call__(self, key: str) -> torch.Tensor:
        with safe_open(self._weights.files[key], framework="pt") as tensors:
            return tensors.get_tensor(key)

    def pieces(self, key: str) -> Iterator[torch.Tensor]:
        """Each mapped anew: what was read of a mapped file counts as memory until the map is gone."""
        shape = self._weights.shapes[key]
        for first in range(0, shape[0], rows_of(shape)):
            with safe_open(self._weights.files[key], framework="pt") as tensors:
                yield tensors.get_slice(key)[first : first + rows_of(shape)]


def rows_of(shape: tuple[int, ...]) -> int:
    """How many rows of a tensor make a piece."""
    return max(1, PIECE_NUMBERS // prod(shape[1:]))


def empty_network(base: BaseFolder) -> PreTrainedModel:
    """The network of a base, in eval mode, its weights without memory (on the meta device); its buffers are real.

    Raises: ModelError: the base's files lack some of it, hold it in another shape, or in less than 16 bits.
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
    """The names and shapes of the tensors that a file of the network holds: of tied ones, the first."""
    tied = network.all_tied_weights_keys
    return {key: tuple(value.shape) for key, value in network.state_dict().items() if key not in tied}


def run_from(network: PreTrainedModel, fetch: Tensors) -> None:
    """Let an empty network compute in float32, each layer's weights fetched when it is called and dropped after.

    The point encoder is small and stays; one that has its weights already (an adapter's) keeps them.
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
    """Give `holder` its weights for as long as `called` computes: DoRA looks at those of the layer below it."""
    empty = dict(holder._parameters)

    def fill(*_) -> None:
        for part, value in empty.items():
            if value is not None:
                holder._parameters[part] = nn.Parameter(fetch(f"{name}.{part}").float(), requires_grad=False)

    def drop(*_) -> None:
        holder._parameters.update(empty)

    called.register_forward_pre_hook(fill)
    called.register_forward_hook(drop, always_call=True)


def _logits(hidden: torch.Tensor, words: Iterator[torch.Tensor]) -> torch.Tensor:
    """(B, T, hidden) float32, some rows of (V, hidden) at a time -> (B, T, V) float32."""
    return torch.cat([functional.linear(hidden, some.float()) for some in words], dim=-1)
