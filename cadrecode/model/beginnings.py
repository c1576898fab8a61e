"""Adapters that begin as a part of the base's weights: PiSSA (Meng et al. 2024), OLoRA (Büyükakyüz 2024), LoftQ (Li et
al. 2023).

PiSSA and OLoRA take a part A0, B0 out of the base and train it; LoftQ begins with what rounding to 4 bits lost. Such an
adapter fits the changed base alone. It is saved as its difference from the beginning, [A; A0] and [B, -B0] of twice
the rank, which fits the unchanged base, merges into it, and holds what a resumed training needs.
"""

from __future__ import annotations

import copy
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel
from peft.utils import get_peft_model_state_dict, set_peft_model_state_dict
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from cadrecode.adapters import WEIGHTS_FILE
from cadrecode.model.weights import Weights

PEFT_WORDS = {"gaussian": "gaussian", "pissa": "pissa_niter_16", "olora": "olora"}  # a whole SVD would take minutes
PARTS_OF_BASE = ("pissa", "olora", "loftq")  # LoftQ is ours: PEFT's wants a base in full precision, without a scale
LORA_A, LORA_B = ".lora_A.", ".lora_B."
ATTRIBUTE = "beginning"  # of the PeftModel


def layers_of(model: PeftModel) -> dict[str, nn.Module]:
    """The layers that have LoRA, by their name in an adapter's file."""
    name = model.active_adapter
    return {key: module for key, module in model.named_modules() if name in getattr(module, "lora_A", ())}


@torch.no_grad()
def begin_with_what_is_lost(model: PeftModel, weights: Weights) -> None:
    """LoftQ, one step: the best update of each 4-bit layer's rank for the difference to the weights on disk."""
    import bitsandbytes as bnb

    name = model.active_adapter
    for key, layer in layers_of(model).items():
        stored = f"{key.removeprefix('base_model.model.')}.weight"
        with safe_open(weights.files[stored], framework="pt") as file:
            exact = file.get_tensor(stored).float()
        held = layer.get_base_layer().weight
        lost = exact.to(held.device) - bnb.functional.dequantize_4bit(held.data, held.quant_state).float()
        left, sizes, right = torch.svd_lowrank(lost, layer.r[name], niter=16)
        root = (sizes / layer.scaling[name]).sqrt()
        layer.lora_A[name].weight.copy_(root[:, None] * right.T)
        layer.lora_B[name].weight.copy_(left * root)


def note_beginning(model: PeftModel) -> None:
    """Remember how the adapter begins; from here on it is saved as the difference."""
    state = get_peft_model_state_dict(model, save_embedding_layers=False)
    setattr(model, ATTRIBUTE, {key: value.cpu().clone() for key, value in state.items() if ".lora_" in key})


def begins_as_part(model: PeftModel) -> bool:
    """Whether the adapter is saved as a difference."""
    return hasattr(model, ATTRIBUTE)


def difference(model: PeftModel, state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The tensors to save; `state` itself for an adapter that begins as nothing."""
    begun = getattr(model, ATTRIBUTE, None)
    if begun is None:
        return state
    doubled = {}
    for key, value in state.items():
        if LORA_A in key:
            value = torch.cat((value, begun[key].to(value)))
        elif LORA_B in key:
            value = torch.cat((value, -begun[key].to(value)), dim=1)
        doubled[key] = value.contiguous()
    return doubled


def write_difference(model: PeftModel, state: dict[str, torch.Tensor], folder: Path) -> None:
    """Write what `difference` gave, with the settings of an ordinary adapter of twice the rank."""
    config: LoraConfig = copy.deepcopy(model.peft_config[model.active_adapter])
    config.init_lora_weights, config.inference_mode = True, True
    config.r, config.lora_alpha = 2 * config.r, 2 * config.lora_alpha
    config.rank_pattern = {key: 2 * rank for key, rank in config.rank_pattern.items()}
    folder.mkdir(parents=True, exist_ok=True)
    config.save_pretrained(str(folder))
    save_file({key: value.cpu() for key, value in state.items()}, folder / WEIGHTS_FILE, {"format": "pt"})


@torch.no_grad()
def load_difference(model: PeftModel, saved: dict[str, torch.Tensor]) -> None:
    """Go on from a saved difference: its first half was trained, its second is the beginning that the base lacks."""
    name, drawn = model.active_adapter, getattr(model, ATTRIBUTE)
    first, begun = {}, {}
    for key, value in saved.items():
        if LORA_A in key:
            first[key], begun[key] = (half.clone() for half in value.split(len(value) // 2))
        elif LORA_B in key:
            first[key], minus = (half.clone() for half in value.split(value.shape[1] // 2, dim=1))
            begun[key] = -minus
        else:
            first[key] = value
    set_peft_model_state_dict(model, first, adapter_name=name)
    for layer_name, layer in layers_of(model).items():
        base = layer.get_base_layer().weight
        if layer.get_base_layer().__class__ is nn.Linear:  # what was drawn anew is not quite what was drawn then
            keys = f"{layer_name}{LORA_A}weight", f"{layer_name}{LORA_B}weight"
            again, then = (parts[keys[1]].float() @ parts[keys[0]].float() for parts in (drawn, begun))
            base += (layer.scaling[name] * (again - then)).to(base)
    setattr(model, ATTRIBUTE, begun)
