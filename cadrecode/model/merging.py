"""Fold adapters into a base: one, or several with weights. Nothing is returned that was not compared before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from peft import PeftModel
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from cadrecode.errors import ModelError
from cadrecode.model.adapters import (
    AdapterCounts,
    adapter_base,
    count_tensors,
    load_adapter,
    read_adapter,
    same,
    set_adapter,
)
from cadrecode.model.load import find_folder, load_model, read_weights

MERGE_TOLERANCE = 1e-3  # largest logit difference, relative to the largest logit; float32 rounding makes about 1e-6
PROBED = 17  # positions whose logits are compared: START and 16 words
SUM = "sum"  # the name of what several adapters become


@dataclass(frozen=True)
class MergeCheck:
    """What was seen when adapters were merged.

    Args:
        base: the base's name. base_dtype: the precision its folder stores it in.
        adapter: what went in, all adapters together.
        tensors: tensors of the merged model, as many as the base has.
        max_logit_difference: over the words after seeded clouds, before and after; largest_logit gives the scale.
    """

    base: str
    base_dtype: torch.dtype
    adapter: AdapterCounts
    tensors: int
    max_logit_difference: float
    largest_logit: float


def merge_into_fresh_base(
    base_name: str | Path | None,
    adapter: Path | str | Mapping[str | Path, float],
    *,
    device: str = "cpu",
    dtype: torch.dtype = torch.float32,
    seed: int = 0,
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase, MergeCheck]:
    """Fold an adapter into a base that is loaded for this alone, and prove that nothing changed.

    Never into the model that trained it: that empties every adapter it saves later. Never into 4-bit layers: the sum
    would be rounded away.

    Args:    adapter: its folder; or several folders, and the weight of each.
             dtype: precision of the sum; store the result in check.base_dtype with load.save_model.
    Returns: the merged model (no trace of PEFT), its tokenizer, and what was seen.
    Raises:  ModelError: an adapter does not fit, or the merged model answers otherwise than base and adapter.
    """
    folders = list(adapter) if isinstance(adapter, Mapping) else [adapter]
    counts = [count_tensors(read_adapter(folder)) for folder in folders]
    base, tokenizer = load_model(base_name, device=device, dtype=dtype)
    tensors = set(base.state_dict())
    wrapped = load_weighted(base, adapter) if isinstance(adapter, Mapping) else load_adapter(base, adapter)
    wrapped.eval()
    before = _probe(wrapped.get_base_model(), seed)
    encoder = _encoder_state(base)
    merged = wrapped.merge_and_unload(safe_merge=True)
    after = _probe(merged, seed)
    if set(merged.state_dict()) != tensors:
        astray = sorted(set(merged.state_dict()) ^ tensors)
        raise ModelError(f"The merged model's tensors are not the base's: {len(astray)} differ, {astray[0]} for one.")
    if not all(same(value, encoder[key]) for key, value in merged.point_encoder.state_dict().items()):
        raise ModelError("The merged model does not have the adapter's point encoder.")
    difference, largest = (before - after).abs().max().item(), before.abs().max().item()
    tolerance = MERGE_TOLERANCE * (1 if dtype == torch.float32 else 100)  # bf16 keeps 3 digits
    if not difference <= tolerance * max(1.0, largest):
        raise ModelError(
            f"The merged model does not answer as base and adapter do: logits differ by {difference:.3g} "
            f"(the largest is {largest:.3g}). Nothing is written."
        )
    merged.fresh_encoder = False
    stored = read_weights(find_folder(merged.name_or_path), merged.name_or_path)
    check = MergeCheck(
        base=merged.name_or_path,
        base_dtype=stored.main_dtype(),
        adapter=AdapterCounts(
            lora_tensors=sum(count.lora_tensors for count in counts),
            encoder_tensors=sum(count.encoder_tensors for count in counts),
            parameters=sum(count.parameters for count in counts),
        ),
        tensors=len(tensors),
        max_logit_difference=difference,
        largest_logit=largest,
    )
    return merged, tokenizer, check


def load_weighted(model: PreTrainedModel, weighted: Mapping[str | Path, float]) -> PeftModel:
    """Load adapters of one base as one: the base, and the weighted sum of what each of them changes.

    The sum of the LoRA layers is exact (PEFT's `cat`: its rank is the sum of the ranks). PEFT cannot add modules that
    were trained whole, so the point encoders' changes are added here, by the same weights.

    Returns: the wrapped model, to be merged or asked; the adapter in it is called SUM.
    Raises:  ModelError: fewer than two, of different bases, one that does not fit, or one with DoRA.
    """
    if len(weighted) < 2:
        raise ModelError("A weighted merge needs two adapters or more, each in a folder of its own.")
    bases = {adapter_base(folder): folder for folder in weighted}
    if len(bases) > 1:
        named = ", ".join(f"{folder} on {base}" for base, folder in bases.items())
        raise ModelError(f"The adapters were trained on different bases ({named}): they cannot be added.")
    fresh = {key: value.clone() for key, value in model.point_encoder.state_dict().items()}
    total = {key: value.clone() for key, value in fresh.items()}
    names = [f"part{number}" for number in range(len(weighted))]
    for name, (folder, weight) in zip(names, weighted.items()):
        model = load_adapter(model, folder, name)
        if model.peft_config[name].use_dora:
            raise ModelError(f"{folder} was trained with DoRA, which has no sum with others. Merge it alone.")
        for key, value in _encoder_state(model.get_base_model()).items():
            if value.is_floating_point():
                total[key] += weight * (value - fresh[key])
    network = model.get_base_model()
    network.point_encoder = network.point_encoder.original_module
    network.point_encoder.load_state_dict(total)
    model.add_weighted_adapter(names, list(weighted.values()), SUM, combination_type="cat")
    set_adapter(model, SUM)
    return model


def _encoder_state(network: PreTrainedModel) -> dict[str, torch.Tensor]:
    """A copy of the point encoder that works now: the active adapter's, or the network's own."""
    encoder = network.point_encoder
    if hasattr(encoder, "modules_to_save"):
        encoder = encoder.modules_to_save[encoder.active_adapters[0]]
    return {key: value.clone() for key, value in encoder.state_dict().items()}


@torch.inference_mode()
def _probe(network: PreTrainedModel, seed: int) -> torch.Tensor:
    """(2, PROBED, V) float32 logits after seeded clouds, each seen by every word that is asked."""
    settings, generator = network.point_settings, torch.Generator().manual_seed(seed)
    clouds = torch.rand(2, settings.n_points, settings.columns, generator=generator) * 2 - 1
    words = torch.randint(network.config.vocab_size, (2, PROBED - 1), generator=generator)
    prompt = network.prompt_embeds(clouds, network.config.bos_token_id)
    embeds = torch.cat((prompt, network.get_input_embeddings()(words.to(network.device)).to(prompt.dtype)), dim=1)
    # of the points' own positions no logits: at 151,936 words they would be as large as many layers
    return network(inputs_embeds=embeds, use_cache=False, logits_to_keep=PROBED).logits.float()
