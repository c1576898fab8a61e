"""Fold adapters into a base: one, or several with weights. Nothing is left behind that was not compared before.

Tensor by tensor, from the base's files into new ones, so that the model is never in memory as a whole. Never into the
model that trained the adapter: that empties every adapter it saves later. Never into 4-bit layers: the sum would be
rounded away.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import torch
from peft import PeftModel
from peft.tuners.lora import LoraLayer
from torch import nn
from transformers import PreTrainedModel

from cadrecode.errors import Message, ModelError
from cadrecode.merging.lazy import Stored, empty_network, own_tensors, rows_of
from cadrecode.merging.write import write_tensors
from cadrecode.model.adapters import AdapterCounts, adapter_base, count_tensors, load_adapter, read_adapter
from cadrecode.model.load import read_base
from cadrecode.model.weights import ENCODER_PREFIX, SINGLE_FILE
from cadrecode.shipped import IMPORT_ROOT

log = logging.getLogger(__name__)

Adapters = Path | str | Mapping[str | Path, float]  # a folder; or several, and the weight of each


@dataclass(frozen=True)
class MergeCheck:
    """What was seen when adapters were merged.

    Args:
        base: the base's name. base_dtype: the precision its folder stores it in, and the merged model is stored in.
        adapter: what went in, all adapters together.
        tensors: tensors of the merged model, as many as the base has (tied ones are one).
        max_logit_difference: over the words after seeded clouds, between base with adapters and the exact sum, in
            float32; largest_logit gives the scale.
        rounding: the same difference for the model as it is stored: what base_dtype's digits cost.
    """

    base: str
    base_dtype: torch.dtype
    adapter: AdapterCounts
    tensors: int
    max_logit_difference: float
    largest_logit: float
    rounding: float


class Sums:
    """The tensors of a base with adapters folded in, each computed when it is asked for, in float32.

    Attributes:
        base: what the adapters are folded into. network: it, without weights, and the adapters in it, with theirs.
        shapes: the names and shapes of the merged model's tensors.
    Raises: ModelError: an adapter does not fit; or fewer than two with weights, of different bases, or with DoRA.
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
        """A tensor of the merged model. Those that no adapter changes are the base's, in its own precision.

        Raises: ModelError: the sum is not finite.
        """
        if key.startswith(ENCODER_PREFIX):
            return self.encoder[key.removeprefix(ENCODER_PREFIX)]
        if not self._is_changed(key):
            return self._stored(key)
        layer = key.removesuffix(".weight")
        plain = self._stored(key).float()
        if len(self._names) == 1:
            return self._folded(layer, self._names[0], plain)
        names = [name for name in self._names if name in self._layers[layer].lora_A]
        return plain + sum(self._folded(layer, name, plain) - plain for name in names)

    def pieces(self, key: str) -> Iterator[torch.Tensor]:
        """The same, a few rows at a time."""
        if not self._is_changed(key):
            yield from self._stored.pieces(key)
        else:
            yield from self(key).split(rows_of(self.shapes[key]))

    def working(self) -> PreTrainedModel:
        """The base with its adapters at work, and not folded in: what the sum is held against. See lazy.run_from."""
        self._wrapped.base_model.set_adapter(self._names, inference_mode=True)
        self.network.eval()  # PEFT's dropout comes in training mode
        return self.network

    def write_words(self, folder: Path, dtype: torch.dtype) -> None:
        """Everything of the merged model but its numbers: config, generation_config, tokenizer."""
        config = deepcopy(self._config)
        config.architectures, config.dtype = [type(self.network).__name__], dtype
        config.save_pretrained(folder)
        self._generation.save_pretrained(folder)
        self.base.tokenizer.save_pretrained(folder)

    def _is_changed(self, key: str) -> bool:
        return key.startswith(ENCODER_PREFIX) or key.removesuffix(".weight") in self._layers

    def _folded(self, layer: str, name: str, plain: torch.Tensor) -> torch.Tensor:
        """PEFT's own sum, which knows rsLoRA, DoRA and whatever comes; `plain` stays as it is."""
        module = self._layers[layer]
        below = module.get_base_layer()
        empty, below._parameters["weight"] = below._parameters["weight"], nn.Parameter(plain, requires_grad=False)
        try:
            module.merge(safe_merge=True, adapter_names=[name])  # safe: into a copy, and only if all of it is finite
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
        """The adapter's own point encoder; of several, the base's and the weighted sum of what each of them changes.

        PEFT cannot add modules that were trained whole, so the sum takes their place. A base that has none counts as
        one of zeros: the encoder that it draws when it is loaded is another each time.
        """
        if len(encoders) == 1:
            return encoders[0]
        total = {}
        for key in encoders[0]:
            whole = ENCODER_PREFIX + key
            fresh = torch.zeros_like(encoders[0][key]) if self.base.fresh else self._stored(whole).float()
            parts = zip(self.weights.values(), encoders)
            total[key] = fresh + sum(weight * (encoder[key] - fresh) for weight, encoder in parts)
        self.network.point_encoder = self.network.point_encoder.original_module
        self.network.point_encoder.load_state_dict(total, assign=True)
        return total


def merge_adapters(
    base_name: str | Path | None,
    adapter: Adapters,
    folder: Path,
    *,
    on_verified: Callable[[], None] = lambda: None,
) -> MergeCheck:
    """Fold adapters into a base that is read for this alone, and write the model in the place of what `folder` holds.

    What was written is compared, in a process of its own, with base and adapters; whoever looks for the model finds
    all of it or none.

    Args:    on_verified: called before the model takes its place.
    Raises:  ModelError: an adapter does not fit, or the merged model answers otherwise than base and adapters; `folder`
        is then as it was.
    """
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        sums = Sums(base_name, adapter)
        dtype = sums.base.weights.main_dtype()
        partial.mkdir(parents=True)
        write_tensors(partial / SINGLE_FILE, sums.shapes, stored_dtypes(sums), sums)
        sums.write_words(partial, dtype)
        seen = _proved(base_name, adapter, partial)
        on_verified()
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return MergeCheck(sums.base.name, dtype, sums.counts, len(sums.shapes), *seen)


def stored_dtypes(sums: Sums) -> dict[str, torch.dtype]:
    """What the merged model's tensors are stored in: the base's precision; the point encoder in float32."""
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
    """What `cadrecode.merging.proof` saw, in a fresh process. Raises: ModelError: the merged model is not equal."""
    parts = (
        {str(folder): weight for folder, weight in adapter.items()} if isinstance(adapter, Mapping) else str(adapter)
    )
    asked = {"base": None if base_name is None else str(base_name), "adapter": parts, "merged": str(merged)}
    seen = _ask_fresh_process(asked)
    if refusal := seen.get("refusal"):
        raise ModelError(Message.from_json(refusal))
    return seen["difference"], seen["largest"], seen["rounding"]


def _ask_fresh_process(asked: dict) -> dict:
    """`proof.answer_to` in a process of its own. Raises: ModelError: it ended without an answer."""
    paths = [str(IMPORT_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONUTF8": "1"}
    with tempfile.TemporaryDirectory(prefix="merge-") as name:
        question, answer = Path(name, "asked.json"), Path(name, "seen.json")
        question.write_text(json.dumps(asked), encoding="utf-8")
        command = [sys.executable, "-m", "cadrecode.merging.proof", str(question), str(answer)]
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, encoding="utf-8", errors="replace"
        )
        if done.returncode or not answer.is_file():
            log.error("%s", done.stderr)
            last = (done.stderr.strip().splitlines() or ["no word"])[-1]
            raise ModelError(
                "The merged model could not be verified ({reason}; exit {code}). Nothing is written.",
                reason=last,
                code=done.returncode,
            )
        return json.loads(answer.read_text(encoding="utf-8"))
