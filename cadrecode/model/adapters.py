"""LoRA adapters: attach, save, load, switch. Everything is counted before it is reported as done.

An adapter carries the point encoder with it (`modules_to_save`). Without it an adapter is worthless, because its layers
were trained on the tokens of that encoder.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from peft import LoraConfig, PeftConfig, PeftModel, get_peft_model
from peft.utils import get_peft_model_state_dict
from safetensors.torch import load_file
from torch import nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from cadrecode.adapters import CONFIG_FILE, WEIGHTS_FILE, adapter_base
from cadrecode.errors import Message, ModelError
from cadrecode.model.beginnings import (
    PARTS_OF_BASE,
    PEFT_WORDS,
    begin_with_what_is_lost,
    difference,
    note_beginning,
    write_difference,
)
from cadrecode.model.load import read_base

logger = logging.getLogger(__name__)

warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing.*")  # PEFT uses its old name
TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
ENCODER = "point_encoder"
PREFIX = "base_model.model."  # before every name in an adapter's file
DORA_LENGTHS = ".lora_magnitude_vector"


@dataclass(frozen=True)
class AdapterCounts:
    """The tensors of LoRA and of the point encoder in an adapter, and its parameters in all."""

    lora_tensors: int
    encoder_tensors: int
    parameters: int


def attach_lora(
    model: PreTrainedModel,
    *,
    r: int = 16,
    alpha: int = 32,
    dropout: float = 0.1,
    target_modules: Sequence[str] = TARGETS,
    use_rslora: bool = False,
    use_dora: bool = False,
    ranks: Mapping[str, int] | None = None,
    init: str = "default",
) -> PeftModel:
    """Freeze the model and give it a fresh adapter, together with its point encoder.

    Args:
        r: width of the update.
        alpha: scale of the update, divided by r, or by sqrt(r) with use_rslora.
        dropout: share of the update's inputs that is dropped in training.
        use_dora: learn the length of each weight row apart from its direction.
        ranks: layers with an r of their own.
        init: how it begins: default, gaussian, pissa, olora or loftq; see `model.beginnings`.
    Returns: the wrapped model, of which the adapter (float32) and the encoder are trainable.
    Raises: ModelError: the model has no layer of a target's name.
    """
    linear = [name for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    layers = {name.rpartition(".")[2] for name in linear if not name.startswith(ENCODER)}
    unknown = [target for target in target_modules if target not in layers]
    if unknown:
        raise ModelError(
            "LoRA cannot target {name!r}: the model's linear layers are {names}.",
            name=unknown[0],
            names=", ".join(sorted(layers)),
        )
    config = LoraConfig(
        r=r,
        lora_alpha=alpha,
        lora_dropout=dropout,
        rank_pattern=dict(ranks or {}),
        init_lora_weights=PEFT_WORDS.get(init, True),
        target_modules=sorted(target_modules),
        use_rslora=use_rslora,
        use_dora=use_dora,
        modules_to_save=[ENCODER],
        bias="none",
        task_type="CAUSAL_LM",
    )
    wrapped = get_peft_model(model, config)
    if init == "loftq":
        begin_with_what_is_lost(wrapped, read_base(model.config._name_or_path).weights)
    if init in PARTS_OF_BASE:
        note_beginning(wrapped)
    return wrapped


def prepare_for_kbit(model: PreTrainedModel, *, gradient_checkpointing: bool = True) -> PreTrainedModel:
    """Make a 4-bit or 8-bit model ready for an adapter: freeze it, and turn on checkpointing.

    PEFT's own function also turns everything that is not quantised into float32, embeddings included (1.2 GB for
    Qwen3-1.7B), and checkpoints in the reentrant way. Neither is needed: Qwen's norms compute in float32 whatever the
    dtype of their weights, and the loss computes in float32.
    """
    model.requires_grad_(False)
    if gradient_checkpointing:
        model.activation_checkpointing_enable(activation_checkpointing_kwargs={"use_reentrant": False})
    return model


def save_adapter(model: PeftModel, tokenizer: PreTrainedTokenizerBase, folder: Path | str) -> AdapterCounts:
    """Write the active adapter and the tokenizer, read the adapter back, and count its tensors.

    Raises: ModelError: the adapter is empty (as every adapter is after merge_and_unload on its model), lacks the
        encoder, holds NaN, or was not written whole.
    """
    folder = Path(folder)
    name = model.active_adapter
    state = get_peft_model_state_dict(model, adapter_name=name, save_embedding_layers=False)
    per_layer = 3 if model.peft_config[name].use_dora else 2  # tensors: A, B, and DoRA's lengths
    expected = per_layer * sum(name in getattr(module, "lora_A", ()) for module in model.modules())
    counts = count_tensors(state)
    if counts.lora_tensors == 0 or counts.lora_tensors != expected:
        raise ModelError(
            "The adapter holds {lora_tensors} LoRA tensors of {expected}: nothing was saved.",
            lora_tensors=counts.lora_tensors,
            expected=expected,
        )
    if counts.encoder_tensors == 0:
        raise ModelError("The adapter does not hold the point encoder, without which it cannot be used: not saved.")
    broken = [key for key, value in state.items() if not value.isfinite().all()]
    if broken:
        raise ModelError("The adapter holds NaN or infinite numbers, for example in {name}: not saved.", name=broken[0])
    if (doubled := difference(model, state)) is not state:
        state = doubled
        write_difference(model, state, folder)
    else:
        _write(model, name, folder)
    tokenizer.save_pretrained(folder)
    written = read_adapter(folder)
    differing = [key for key, value in state.items() if not same(written.get(key), value)]
    if differing or len(written) != len(state):
        raise ModelError(
            "{folder} does not hold the adapter after saving ({n} of {total} differ).",
            folder=folder,
            n=len(differing),
            total=len(state),
        )
    return counts


def _write(model: PeftModel, name: str, folder: Path) -> None:
    model.save_pretrained(folder, selected_adapters=[name], save_embedding_layers=False)
    if name != "default":  # PEFT puts any other name into a folder of its own
        for path in (folder / name).iterdir():
            path.replace(folder / path.name)
        (folder / name).rmdir()


def read_adapter(folder: Path | str) -> dict[str, torch.Tensor]:
    """The tensors of an adapter folder, on the CPU.

    Raises: ModelError: not an adapter, not safetensors, damaged, without LoRA or without the point encoder.
    """
    folder = Path(folder)
    adapter_base(folder)
    path = folder / WEIGHTS_FILE
    if not path.is_file():
        pickled = (folder / "adapter_model.bin").is_file()
        reason = Message(" (adapter_model.bin is a pickle, which is not opened)") if pickled else ""
        raise ModelError("{folder} has no {weights}{reason}.", folder=folder, weights=WEIGHTS_FILE, reason=reason)
    try:
        state = load_file(path)
    except Exception as error:  # safetensors raises its own class, which is an Exception and no more
        raise ModelError("{path} is damaged or cut short ({error}).", path=path, error=error) from error
    counts = count_tensors(state)
    if counts.lora_tensors == 0:
        raise ModelError("{path} holds no LoRA tensors. The run that wrote it saved an empty adapter.", path=path)
    if counts.encoder_tensors == 0:
        raise ModelError("{path} does not hold the point encoder, without which the adapter cannot be used.", path=path)
    return state


def load_adapter(
    model: PreTrainedModel | PeftModel, folder: Path | str, name: str = "default", *, trainable: bool = False
) -> PeftModel:
    """Load an adapter beside those already loaded, and make it the active adapter. A name in use is replaced.

    Returns: the wrapped model. Use it in place of `model`, whose layers are now inside it.
    Raises: ModelError: the adapter is broken, or belongs to a model of another shape.
    """
    if not name or "." in name or name == "base":
        raise ModelError("{name!r} cannot name an adapter: use letters, digits, - and _ (and not 'base').", name=name)
    state = read_adapter(folder)
    base, own = adapter_base(folder), getattr(model.config, "_name_or_path", "")
    if base and base != own:
        logger.warning("%s was trained on %s; it is loaded on %s.", folder, base, own)
    config = PeftConfig.from_pretrained(str(folder))
    config.inference_mode = not trainable
    silent = _without_spectrum(_network_of(model), state)
    state |= silent
    mismatch = _mismatch(model, state, config)  # before anything is changed
    if mismatch:
        raise ModelError(
            "{folder} does not belong to {own}: it was trained on {base} ({why}).",
            folder=folder,
            own=own,
            base=base or Message("another model"),
            why=mismatch,
        )
    if isinstance(model, PeftModel) and name in model.peft_config:
        model = unload_adapter(model, name)
    if not isinstance(model, PeftModel):
        model = get_peft_model(model, config, adapter_name=name)
    try:
        is_empty = any(parameter.is_meta for parameter in model.parameters())
        if is_empty or silent:
            _load_by_name(model, config, state, name, assign=is_empty)
        else:
            model.load_adapter(str(folder), adapter_name=name, is_trainable=trainable)
    except (RuntimeError, ValueError, TypeError) as error:
        unload_adapter(model, name)
        reason = str(error).strip().splitlines()[-1].strip()
        raise ModelError(
            "{folder}: {config} and {weights} do not belong together ({why}).",
            folder=folder,
            config=CONFIG_FILE,
            weights=WEIGHTS_FILE,
            why=reason,
        ) from error
    set_adapter(model, name, trainable=trainable)
    loaded = get_peft_model_state_dict(model, adapter_name=name, save_embedding_layers=False)
    astray = sorted(key for key in set(loaded) | set(state) if not same(loaded.get(key), state.get(key)))
    if astray:
        unload_adapter(model, name)
        raise ModelError(
            "{folder} was not loaded completely: {n} tensors differ, for example {tensor}.",
            folder=folder,
            n=len(astray),
            tensor=astray[0],
        )
    return model


def set_adapter(model: PeftModel, name: str | None, *, trainable: bool = False) -> None:
    """Make a loaded adapter the active one. With None the base works alone, with its own point encoder.

    Raises: ModelError: no adapter of that name.
    """
    if name is None:
        model.base_model.disable_adapter_layers()
        return
    _require_loaded(model, name)
    model.base_model.enable_adapter_layers()
    model.set_adapter(name, inference_mode=not trainable)


def unload_adapter(model: PeftModel, name: str) -> PreTrainedModel | PeftModel:
    """Unload an adapter. If it was active, the base works alone until another adapter is set.

    Returns: the model to use from now on: the unwrapped base after the last adapter, as PEFT needs at least one.
    Raises: ModelError: no adapter of that name.
    """
    _require_loaded(model, name)
    others = [other for other in model.peft_config if other != name]
    was_active = name in model.active_adapters
    if others and was_active:
        model.set_adapter(others[0], inference_mode=True)
    model.delete_adapter(name)
    if not others:
        return model.unload()
    if was_active:
        set_adapter(model, None)
    return model


def _require_loaded(model: PeftModel, name: str) -> None:
    if name not in model.peft_config:
        raise ModelError(
            "No adapter {name!r} is loaded; there are {names}.",
            name=name,
            names=", ".join(model.peft_config) or Message("none"),
        )


def count_parameters(model: nn.Module) -> tuple[int, int]:
    """Trainable parameters and all parameters of a model. A packed 4-bit weight counts as the weights in it."""
    trainable = total = 0
    for parameter in model.parameters():
        count = parameter.numel()
        if type(parameter).__name__ == "Params4bit":
            count *= 2 * parameter.element_size()
        total += count
        trainable += count if parameter.requires_grad else 0
    return trainable, total


def count_tensors(state: dict[str, torch.Tensor]) -> AdapterCounts:
    return AdapterCounts(
        lora_tensors=sum(".lora_" in key for key in state),
        encoder_tensors=sum(f".{ENCODER}." in key for key in state),
        parameters=sum(value.numel() for value in state.values()),
    )


def same(a: torch.Tensor | None, b: torch.Tensor | None) -> bool:
    """Whether two tensors have the same shape and numbers, on any device and in any precision."""
    if a is None or b is None or a.shape != b.shape:
        return False
    return torch.equal(a.detach().cpu().float(), b.detach().cpu().float())


def _load_by_name(
    model: PeftModel, config: PeftConfig, state: dict[str, torch.Tensor], name: str, *, assign: bool
) -> None:
    """Load tensors that are not those of the adapter's file, or onto a base without weights in memory
    (merging/lazy.py), where PEFT would leave the adapter empty, too.

    Args:
        assign: Use these tensors themselves, in place of copies of their numbers.
    Raises: ValueError: PEFT made no place for a tensor.
    """
    if name not in model.peft_config:
        model.add_adapter(name, config)
    tensors = {}
    for key, value in state.items():
        layer, lora, part = key.partition(".lora_")
        if lora:
            kind = part.removesuffix(".weight")
            key = f"{layer}.lora_{kind}.{name}.weight"
        else:
            key = key.replace(f"{PREFIX}{ENCODER}.", f"{PREFIX}{ENCODER}.modules_to_save.{name}.")
        tensors[key] = value.float()
    unknown = model.load_state_dict(tensors, strict=False, assign=assign).unexpected_keys
    if unknown:
        raise ValueError(unknown[0])


def _network_of(model: PreTrainedModel | PeftModel) -> PreTrainedModel:
    return model.get_base_model() if isinstance(model, PeftModel) else model


def _encoder_shapes(network: PreTrainedModel) -> dict[str, torch.Size]:
    """The tensors of the base's own point encoder, by their names in the network."""
    encoder = getattr(network.point_encoder, "original_module", network.point_encoder)
    return {f"{ENCODER}.{key}": value.shape for key, value in encoder.state_dict().items()}


def _without_spectrum(network: PreTrainedModel, state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Zeros for the layers of spectrum and levels, where an adapter was trained before its base had them."""
    layers = f"{ENCODER}.spectrum_", f"{ENCODER}.levels_"
    shapes = _encoder_shapes(network).items()
    silent = {PREFIX + key: torch.zeros(shape) for key, shape in shapes if key.startswith(layers)}
    return {} if silent.keys() & state.keys() else silent


def _mismatch(model: PreTrainedModel | PeftModel, state: dict[str, torch.Tensor], config: PeftConfig) -> str | None:
    """The reason why the model cannot take an adapter, in words; None where every tensor has its place."""
    if config.peft_type != "LORA":
        return Message("it is of the kind {kind}, and only LORA is known here", kind=config.peft_type)
    network = _network_of(model)
    expected: dict[str, Sequence[int]] = dict(_encoder_shapes(network))
    lacking = [name for name in expected if PREFIX + name not in state]
    for name, module in network.named_modules():
        if hasattr(module, "in_features") and hasattr(module, "out_features"):
            expected[name + ".lora_A.weight"] = (module.in_features,)
            expected[name + ".lora_B.weight"] = (module.out_features,)
            expected[name + DORA_LENGTHS] = (module.out_features,)
    for key, value in state.items():
        place = key.removeprefix(PREFIX)
        if place not in expected:
            return Message("the model has no place for {name}", name=place)
        sizes = tuple(value.shape)
        if ".lora_" in place and not place.endswith(DORA_LENGTHS):  # a side is the rank, the other the layer's
            sizes = sizes[1:] if ".lora_A." in place else sizes[:1]
            other = key.replace(".lora_A.", ".lora_*.").replace(".lora_B.", ".lora_A.").replace(".lora_*.", ".lora_B.")
            if other not in state:
                lacking.append(other.removeprefix(PREFIX))
        if sizes != tuple(expected[place]):
            return Message(
                "{name} is for a size of {sizes}, the model has {actual}",
                name=place,
                sizes=sizes,
                actual=tuple(expected[place]),
            )
    return Message("it lacks {name}", name=lacking[0]) if lacking else None
