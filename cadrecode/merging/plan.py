"""Merge an adapter, or several with weights, into a base. Only a model that was compared is left behind.

Tensors go one by one from the base's files into a new file, so that the model is never in memory as a whole. The base
is never the model that trained the adapter, because that would empty every adapter it saves later; nor one in 4 bits,
because the sum would be rounded away.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import torch
from peft import PeftModel
from peft.tuners.lora import LoraLayer
from torch import nn
from transformers import PreTrainedModel

from cadrecode.adapters import MERGED_FROM, adapter_fingerprint
from cadrecode.errors import Message, ModelError
from cadrecode.merging.asking import ask_process
from cadrecode.merging.lazy import Stored, empty_network, own_tensors, rows_of
from cadrecode.merging.write import write_tensors
from cadrecode.model.adapters import AdapterCounts, adapter_base, count_tensors, load_adapter, read_adapter
from cadrecode.model.load import read_base
from cadrecode.model.weights import ENCODER_PREFIX, SINGLE_FILE

log = logging.getLogger(__name__)

Adapters = Path | str | Mapping[str | Path, float]  # a folder; or several folders with a weight each


@dataclass(frozen=True)
class MergeCheck:
    """How a merged model compares with base and adapters.

    Args:
        base: the base's name.
        base_dtype: the dtype in which the base is stored, and the merged model.
        adapter: counts over all adapters together.
        tensors: tensors of the merged model, as many as of the base (tied tensors count once).
        max_logit_difference: between base with adapters and the exact sum, over the tokens after seeded clouds, in
            float32.
        largest_logit: the scale of the differences.
        rounding: the same difference for the stored model: what rounding to base_dtype costs.
    """

    base: str
    base_dtype: torch.dtype
    adapter: AdapterCounts
    tensors: int
    max_logit_difference: float
    largest_logit: float
    rounding: float


class Sums:
    """The tensors of a base with merged adapters, computed in float32 when they are needed.

    Attributes:
        base: the base.
        network: the base without its weights, and with the adapters and theirs.
        shapes: the names and shapes of the merged model's tensors.
    Raises: ModelError: an adapter belongs to another base; or, of several, there are fewer than two, or one with DoRA.
    """

    def __init__(self, base_name: str | Path | None, adapter: Adapters):
        self.weights = {str(folder): weight for folder, weight in _weighted(adapter).items()}
        counts = [count_tensors(read_adapter(folder)) for folder in self.weights]
        self.counts = AdapterCounts(*(sum(getattr(c, f) for c in counts) for f in AdapterCounts.__dataclass_fields__))
        self.base = read_base(base_name)
        self._stored = Stored(self.base.weights)
        model = empty_network(self.base)
        self.shapes = own_tensors(model)
        self._config, self._generation = deepcopy(model.config), model.generation_config
        self._names = [f"part{number}" for number in range(len(self.weights))]
        encoders = []
        for name, folder in zip(self._names, self.weights):
            model = load_adapter(model, folder, name)
            if isinstance(adapter, Mapping) and model.peft_config[name].use_dora:
                raise ModelError(
                    "{name} was trained with DoRA, which cannot be added to others. Merge it alone.", name=folder
                )
            own = model.get_base_model().point_encoder.modules_to_save[name].state_dict()
            encoders.append({key: value.clone().float() for key, value in own.items()})
        self._wrapped: PeftModel = model
        self.network: PreTrainedModel = model.get_base_model()
        self.encoder = self._summed_encoder(encoders)
        self._layers = {name: m for name, m in self.network.named_modules() if isinstance(m, LoraLayer)}
        for layer in self._layers.values():
            for name, weight in zip(self._names, self.weights.values()):
                if name in layer.scaling:
                    layer.scaling[name] *= weight

    def __call__(self, key: str) -> torch.Tensor:
        """A tensor of the merged model. A tensor that no adapter changes is the base's, in its own precision.

        Raises: ModelError: the sum is not finite.
        """
        if key.startswith(ENCODER_PREFIX):
            return self.encoder[key.removeprefix(ENCODER_PREFIX)]
        if not self._is_changed(key):
            return self._stored(key)
        layer = key.removesuffix(".weight")
        plain = self._stored(key).float()
        if len(self._names) == 1:
            return self._merged(layer, self._names[0], plain)
        names = [name for name in self._names if name in self._layers[layer].lora_A]
        return plain + sum(self._merged(layer, name, plain) - plain for name in names)

    def pieces(self, key: str) -> Iterator[torch.Tensor]:
        """A tensor, a few rows at a time."""
        if not self._is_changed(key):
            yield from self._stored.pieces(key)
        else:
            yield from self(key).split(rows_of(self.shapes[key]))

    def working(self) -> PreTrainedModel:
        """The base with active adapters that are not merged, to compare the sum with. See lazy.run_from."""
        self._wrapped.base_model.set_adapter(self._names, inference_mode=True)
        self.network.eval()  # else PEFT's dropout is active
        return self.network

    def write_configs(self, folder: Path, dtype: torch.dtype) -> None:
        """Write everything of the merged model but its weights: config, generation_config, tokenizer."""
        config = deepcopy(self._config)
        config.architectures, config.dtype = [type(self.network).__name__], dtype
        config.save_pretrained(folder)
        self._generation.save_pretrained(folder)
        self.base.tokenizer.save_pretrained(folder)

    def _is_changed(self, key: str) -> bool:
        return key.startswith(ENCODER_PREFIX) or key.removesuffix(".weight") in self._layers

    def _merged(self, layer: str, name: str, plain: torch.Tensor) -> torch.Tensor:
        """The sum that PEFT computes, which supports rsLoRA and DoRA; `plain` stays as it is."""
        module = self._layers[layer]
        below = module.get_base_layer()
        empty, below._parameters["weight"] = below._parameters["weight"], nn.Parameter(plain, requires_grad=False)
        try:
            module.merge(safe_merge=True, adapter_names=[name])  # safe_merge: into a copy, and only if it is finite
            return below._parameters["weight"].data
        except ValueError as error:
            raise ModelError(
                "{base} and its adapter have no finite sum in {name}. Nothing is written.",
                base=self.base.name,
                name=layer,
            ) from error
        finally:
            below._parameters["weight"] = empty
            module.merged_adapters.clear()

    def _summed_encoder(self, encoders: list[dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
        """The adapter's point encoder; of several, the base's plus the weighted sum of their changes.

        PEFT cannot add modules that were trained whole, so the sum replaces them. A base without an encoder counts as
        having one of zeros, because its fresh encoder is another at each load.
        """
        if len(encoders) == 1:
            return encoders[0]
        total = {}
        for key in encoders[0]:
            zeros = torch.zeros_like(encoders[0][key])
            start = zeros if self.base.fresh else self._stored(ENCODER_PREFIX + key).float()
            parts = zip(self.weights.values(), encoders)
            total[key] = start + sum(weight * (encoder[key] - start) for weight, encoder in parts)
        self.network.point_encoder = self.network.point_encoder.original_module
        self.network.point_encoder.load_state_dict(total, assign=True)
        return total


def merge_adapters(
    base_name: str | Path | None, adapter: Adapters, folder: Path, *, on_verified: Callable[[], None] = lambda: None
) -> MergeCheck:
    """Merge adapters into a fresh base, and replace what `folder` holds by the model.

    The written model is compared with base and adapters in a process of its own, and moved into its place as a whole.

    Args:
        on_verified: called before the model is moved into its place.
    Raises: ModelError: an adapter belongs to another base, or the merged model answers differently; `folder` is then
        as it was.
    """
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        sums = Sums(base_name, adapter)
        dtype = sums.base.weights.main_dtype()
        partial.mkdir(parents=True)
        origin = {MERGED_FROM: " ".join(map(adapter_fingerprint, sums.weights))}
        write_tensors(partial / SINGLE_FILE, sums.shapes, stored_dtypes(sums), sums, origin)
        sums.write_configs(partial, dtype)
        figures = _proved(base_name, adapter, partial)
        on_verified()
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return MergeCheck(sums.base.name, dtype, sums.counts, len(sums.shapes), *figures)


def stored_dtypes(sums: Sums) -> dict[str, torch.dtype]:
    """The dtypes of the merged model's tensors: the base's; float32 for the point encoder."""
    dtype = sums.base.weights.main_dtype()
    return {key: torch.float32 if key.startswith(ENCODER_PREFIX) else dtype for key in sums.shapes}


def _weighted(adapter: Adapters) -> dict[str | Path, float]:
    """The folders and their weights. Raises: ModelError: of several, fewer than two, or of different bases."""
    if not isinstance(adapter, Mapping):
        return {adapter: 1.0}
    if len(adapter) < 2:
        raise ModelError("A weighted merge needs two adapters or more, each in a folder of its own.")
    bases = {adapter_base(folder): folder for folder in adapter}
    if len(bases) > 1:
        named = ", ".join(f"{folder} on {base}" for base, folder in bases.items())
        raise ModelError("The adapters were trained on different bases ({names}): they cannot be added.", names=named)
    return dict(adapter)


def _proved(base_name: str | Path | None, adapter: Adapters, merged: Path) -> tuple[float, float, float]:
    """The figures of `merging.proof`, in a process of its own. Raises: ModelError: the merged model differs."""
    parts = (
        {str(folder): weight for folder, weight in adapter.items()} if isinstance(adapter, Mapping) else str(adapter)
    )
    question = {"base": None if base_name is None else str(base_name), "adapter": parts, "merged": str(merged)}
    answer = ask_process(question)
    if refusal := answer.get("refusal"):
        raise ModelError(Message.from_json(refusal))
    return answer["difference"], answer["largest"], answer["rounding"]
