"""How much memory a training needs, measured on a model on the meta device: shapes without numbers.

What a forward pass keeps for its backward pass is counted, not computed by a formula: hooks of autograd sum up what it
saves for a layer, and all layers are alike. Formulas give only the sizes of 4-bit weights and of the loss's working
space.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import AttentionInterface, PretrainedConfig, Qwen2Config, Qwen3Config

from cadrecode.model import adapters
from cadrecode.model.encoder import PointEncoderSettings, build_point_encoder
from cadrecode.model.hub import find_folder
from cadrecode.model.load import NEVER_QUANTISED, config_of, read_config
from cadrecode.model.network import LOGITS_BYTES, NETWORKS
from cadrecode.shipped import EMBEDDED, EMBEDDED_FOLDER

COUNTED_LAYERS = 2  # the difference of two layers and one layer is the need of a layer
NF4_BLOCK, DOUBLE_BLOCK = 64, 256  # weights that share a scale, and scales that share a second scale
MOMENT_BYTES = {  # of a parameter, beside its gradient; paged ones may leave the GPU, and count all the same
    "adamw_torch_fused": 8, "adamw_torch": 8, "paged_adamw_32bit": 8, "adamw_8bit": 2, "paged_adamw_8bit": 2,
    "adafactor": 1, "lion_8bit": 1, "sgd": 0,
}  # fmt: skip
MEASURED = "measured"  # the name of an attention that keeps what the real kernels keep
NO_MASK = {"full_attention": None, "sliding_attention": None}  # training pads on the right and needs no mask
# Sizes of the bases that the guide names, so that their need is known before the download. They are written down from
# memory of each config.json, and were not compared with the hub.
KNOWN = {
    "Qwen/Qwen3-1.7B-Base": ("qwen3", 2048, 6144, 28, 16, 8, 128, 151_936, True),
    "Qwen/Qwen2.5-3B": ("qwen2", 2048, 11008, 36, 16, 2, 128, 151_936, True),
    "Qwen/Qwen2-7B": ("qwen2", 3584, 18944, 28, 28, 4, 128, 152_064, False),
    "Qwen/Qwen2-1.5B": ("qwen2", 1536, 8960, 28, 12, 2, 128, 151_936, True),
    "filapro/cad-recode": ("qwen2", 1536, 8960, 28, 12, 2, 128, 151_936, True),
    "filapro/cad-recode-v1.5": ("qwen2", 1536, 8960, 28, 12, 2, 128, 151_936, True),
}
KNOWN_FIELDS = (
    "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "head_dim",
    "vocab_size", "tie_word_embeddings",
)  # fmt: skip


@dataclass(frozen=True)
class Adapter:
    """The settings of an adapter that decide its size."""

    r: int
    alpha: int
    dropout: float
    targets: tuple[str, ...]
    ranks: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Footprint:
    """Bytes of a training's parts, and counts of parameters.

    Args:
        weights: the frozen base.
        adapter: trainable parameters, float32.
        optimizer: gradients of the trainable parameters, and the optimizer's moments.
        activations: tensors saved for the backward pass, and a layer's working space.
        logits: working space of the loss.
        adapter_file: the adapter on disk.
        trainable, total: numbers of parameters.
    """

    weights: int
    adapter: int
    optimizer: int
    activations: int
    logits: int
    adapter_file: int
    trainable: int
    total: int


def base_config(name: str) -> PretrainedConfig:
    """The configuration of a base: of a folder, the embedded one, a known name, or any on the hub, whose weights are
    not downloaded for it.

    Raises: ModelError: there is no such base, or the hub cannot be reached.
    """
    if name in KNOWN and not Path(name).is_dir():
        kind, *sizes = KNOWN[name]
        config = {"qwen2": Qwen2Config, "qwen3": Qwen3Config}[kind](**dict(zip(KNOWN_FIELDS, sizes)))
        config.max_position_embeddings = 32_768
        config.point_encoder = PointEncoderSettings(inputs=54 if name == "filapro/cad-recode" else 51).to_dict()
        return config
    folder = EMBEDDED_FOLDER if name == EMBEDDED else find_folder(name, config_alone=True)
    values = read_config(folder, name)
    config = config_of(values)
    config.point_encoder = PointEncoderSettings.of(values.get("point_encoder")).to_dict()
    return config


def footprint(
    config: PretrainedConfig,
    adapter: Adapter,
    *,
    batch: int,
    tokens: int,
    dtype: torch.dtype,
    quantization: str | None = None,
    double_quant: bool = True,
    checkpointing: bool = False,
    optim: str = "adamw_torch_fused",
) -> Footprint:
    """Memory of training an adapter on a base of this configuration.

    Args:
        batch: programs in a forward pass.
        tokens: tokens of each program, without the slots of the points.
        dtype: the number type of the base and of its computation.
        quantization: "4bit", "8bit" or None.
        optim: the optimizer, as the settings name it.
    Raises: ModelError: the model has no layer of a target's name.
    """
    model = _on_meta(config, config.num_hidden_layers, adapter, dtype)
    parameters = dict(model.named_parameters())
    trainable = sum(p.numel() for p in parameters.values() if p.requires_grad)
    weights = sum(
        _held(model, name, p, quantization, double_quant) for name, p in parameters.items() if not p.requires_grad
    )
    encoder = PointEncoderSettings.of(config.point_encoder)
    length = encoder.n_tokens + tokens
    single, double = (_kept(config, n, adapter, dtype, batch, length) for n in (1, COUNTED_LAYERS))
    layer, rest = double - single, 2 * single - double
    hidden = batch * length * config.hidden_size * dtype.itemsize
    layers = config.num_hidden_layers
    if checkpointing:  # the input of each layer, and a layer that is computed again
        saved = rest + layers * hidden + layer
    else:
        saved = rest + layers * layer
    # The backward pass of an MLP holds gradients of its three inner products at once.
    working = 3 * batch * length * config.intermediate_size * dtype.itemsize
    if quantization is not None:  # the largest weight of a layer, unpacked
        working += config.intermediate_size * config.hidden_size * dtype.itemsize
    logits = _logits(config, batch * (tokens - 1), dtype)
    return Footprint(
        weights=weights,
        adapter=4 * trainable,
        optimizer=(4 + MOMENT_BYTES[optim]) * trainable,
        activations=saved + _encoder_kept(encoder, config.hidden_size, batch) + max(0, working - logits),
        logits=logits,
        adapter_file=4 * trainable,
        trainable=trainable,
        total=sum(p.numel() for p in parameters.values()),
    )


def _on_meta(config: PretrainedConfig, layers: int, adapter: Adapter, dtype: torch.dtype) -> nn.Module:
    """Base and adapter as `attach_lora` joins them, on the meta device."""
    fewer = copy.deepcopy(config)
    fewer.num_hidden_layers = layers
    if getattr(fewer, "layer_types", None):
        fewer.layer_types = fewer.layer_types[:layers]
    with torch.device("meta"):
        model = NETWORKS[config.model_type]._from_config(fewer, dtype=dtype)
        return adapters.attach_lora(
            model,
            r=adapter.r,
            alpha=adapter.alpha,
            dropout=adapter.dropout,
            target_modules=adapter.targets,
            ranks=dict(adapter.ranks),
        )


def _held(model: nn.Module, name: str, parameter: nn.Parameter, quantization: str | None, double_quant: bool) -> int:
    """Bytes of memory of a frozen parameter."""
    count = parameter.numel()
    linear = isinstance(model.get_submodule(name.rpartition(".")[0]), nn.Linear) and name.endswith("weight")
    if quantization is None or not linear or any(whole in name for whole in NEVER_QUANTISED):
        return parameter.nbytes
    if quantization == "8bit":
        return count + 4 * parameter.shape[0]
    blocks = -(-count // NF4_BLOCK)
    return count // 2 + (blocks + 4 * -(-blocks // DOUBLE_BLOCK) if double_quant else 4 * blocks)


def _logits(config: PretrainedConfig, labelled: int, dtype: torch.dtype) -> int:
    """Working space of the loss: labelled rows of the last layer, and the logits that exist at the same time."""
    rows = min(labelled, max(1, LOGITS_BYTES // (4 * config.vocab_size)))
    # log-softmax in float32, its gradient from the loss, and the logits' own.
    return rows * config.vocab_size * 12 + labelled * config.hidden_size * dtype.itemsize * 2


class _Attention(torch.autograd.Function):
    """Keeps what the fused kernels keep: queries, keys, values, the result, and a number for each row and head."""

    @staticmethod
    def forward(ctx: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        result = torch.empty_like(query)
        ctx.save_for_backward(query, key, value, result, query.new_empty(query.shape[:3], dtype=torch.float32))
        return result


def _measured_attention(
    module: nn.Module, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, attention_mask: None, **kwargs: Any
) -> tuple[torch.Tensor, None]:
    return _Attention.apply(query, key, value).transpose(1, 2).contiguous(), None


@contextlib.contextmanager
def _saved_storages(module: nn.Module) -> Iterator[dict[int, torch.UntypedStorage]]:
    """Collect the storages that autograd saves in the block, without the module's parameters."""
    ignored = {parameter.untyped_storage()._cdata for parameter in module.parameters()}
    storages: dict[int, torch.UntypedStorage] = {}  # kept alive, so that no address is used twice

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in ignored:
            storages[storage._cdata] = storage
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        yield storages


def _kept(config: PretrainedConfig, layers: int, adapter: Adapter, dtype: torch.dtype, batch: int, length: int) -> int:
    """Bytes that a forward pass of `layers` layers keeps for its backward pass."""
    AttentionInterface.register(MEASURED, _measured_attention)
    # Under autocast the adapter computes in the base's dtype, whatever the dtype of its weights.
    model = _on_meta(config, layers, adapter, dtype).to(dtype).train()
    network = model.get_base_model()
    network.set_attn_implementation(MEASURED)
    embeds = torch.empty(batch, length, config.hidden_size, dtype=dtype, device="meta", requires_grad=True)
    positions = torch.arange(length, device="meta").unsqueeze(0)
    with _saved_storages(model) as storages:
        network.model(inputs_embeds=embeds, position_ids=positions, attention_mask=NO_MASK, use_cache=False)
    return sum(storage.nbytes() for storage in storages.values())


def _encoder_kept(settings: PointEncoderSettings, hidden_size: int, batch: int) -> int:
    """Bytes that the point encoder keeps: it is small, so a cloud is put through a real encoder."""
    encoder = build_point_encoder(settings, hidden_size)
    with _saved_storages(encoder) as storages:
        encoder(torch.rand(1, settings.n_points, settings.columns))
    return batch * sum(storage.nbytes() for storage in storages.values())
