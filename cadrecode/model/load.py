"""From a name or a folder to a model and its tokenizer, ready to use.

There are four kinds of base, told apart by the files in the folder: a plain Qwen2 or Qwen3 language model (its point
encoder is fresh and must be trained), a CAD-Recode checkpoint (`point_encoder.projection` is among its weights), ours
(the config describes the encoder), and CADReasoner's of point clouds (a Qwen2-VL with a `point_encoder.projection`,
whose images are left out). Only safetensors are read: a .bin file is a pickle, which can run any code.
"""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import torch
from transformers import (
    AutoTokenizer,
    BitsAndBytesConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2VLConfig,
    Qwen3Config,
)
from transformers.utils import logging as transformers_logging

from cadrecode.errors import ModelError
from cadrecode.model.devices import pick_device, pick_dtype
from cadrecode.model.hub import find_folder, hub_folder
from cadrecode.model.network import NETWORKS
from cadrecode.model.tokens import END, PAD, START
from cadrecode.model.weights import ENCODER_PREFIX, Weights, read_weights
from cadrecode.shipped import EMBEDDED

log = logging.getLogger(__name__)

CONFIGS = {"qwen2": Qwen2Config, "qwen3": Qwen3Config}
HOME_OF_TOKENIZER = {  # CAD-Recode ships none of its own
    "qwen2": "Qwen/Qwen2-1.5B", "qwen3": "Qwen/Qwen3-1.7B-Base", "qwen2_vl": "Qwen/Qwen2-VL-2B-Instruct"
}  # fmt: skip
CHAT = "qwen2_vl"  # a base that was trained in a chat
BEGUN = "import cadquery as cq\n"  # what CADReasoner is shown in place of a program, as long as there is none
NEVER_QUANTISED = ["point_encoder", "lm_head"]
ONE_FILE = "1000GB"  # transformers would write several files of 50 GB each


class BaseFolder(NamedTuple):
    """A base of which everything but the numbers has been read.

    Args:
        fresh: Its weights hold no point encoder.
        after_points: See the network.
    """

    name: str
    folder: Path
    config: Qwen2Config | Qwen3Config
    weights: Weights
    fresh: bool
    tokenizer: PreTrainedTokenizerBase
    after_points: list[int]

    def introduce(self, model: PreTrainedModel) -> None:
        """Give a model its name and the tokens that frame a program."""
        # Adapters will name this as their base: the name as it was given, not the folder of a cache.
        model.name_or_path = model.config._name_or_path = self.name
        for config in (model.config, model.generation_config):
            config.bos_token_id = self.tokenizer.convert_tokens_to_ids(START)
            config.eos_token_id = self.tokenizer.eos_token_id
            config.pad_token_id = self.tokenizer.pad_token_id
        model.fresh_encoder = self.fresh
        model.after_points = self.after_points


def load_model(
    name_or_path: str | Path | None = None,
    *,
    device: str | torch.device = "auto",
    dtype: str | torch.dtype | None = None,
    quantization: str | None = None,
    quant_type: str = "nf4",
    double_quant: bool = True,
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Load a base (or a merged model), in eval mode.

    Args:
        name_or_path: a folder, a name on the Hugging Face hub, or "embedded" (also None) for the base that ships.
        device: "auto" is CUDA, then Apple's MPS, then the CPU.
        dtype: by default bfloat16 on a GPU that has it, float16 on other GPUs, float32 elsewhere. The point encoder is
            always float32. With quantization: the dtype of computation and of everything that is not quantised.
        quantization: None, "4bit" or "8bit" (bitsandbytes; 4 bit also runs on a CPU).
        quant_type, double_quant: 4 bit only: "nf4" or "fp4"; quantise the scales too.
    Returns: the model and its tokenizer. `model.fresh_encoder` is True where the point encoder has never been trained.
    Raises: ModelError: not found, not reachable, not safetensors, not Qwen2 or Qwen3, incomplete, or without the
        tokens that CAD-Recode's prompt needs.
    """
    base = read_base(name_or_path)
    name, folder, config, fresh = base.name, base.folder, base.config, base.fresh
    device = pick_device(device)
    dtype = pick_dtype(dtype, device)
    options = {"config": config, "dtype": dtype, "use_safetensors": True, "local_files_only": True}
    if quantization is not None:
        options["quantization_config"] = _quantization(quantization, dtype, quant_type, double_quant)
        options["device_map"] = {"": device}
    network = NETWORKS[config.model_type]
    with _our_words_alone():
        model, loading = network.from_pretrained(folder, output_loading_info=True, **options)
    lost = [key for key in loading["missing_keys"] if not (fresh and key.startswith(ENCODER_PREFIX))]
    if lost:
        raise ModelError(
            "{name}: its files lack {n} of the model's tensors, for example {tensor}.",
            name=name,
            n=len(lost),
            tensor=min(lost),
        )
    if loading["unexpected_keys"]:
        unused = sorted(loading["unexpected_keys"])
        log.warning("%s: %d tensors belong to nothing here and stay unused, %s first.", name, len(unused), unused[0])
    if quantization is None:
        model.to(device)
    elif device.type == "cpu":  # what is not quantised may be a view of the file, and keep all of it in memory
        for parameter in model.parameters():
            if type(parameter) is torch.nn.Parameter:
                parameter.data = parameter.data.clone()
    base.introduce(model)
    if fresh:
        log.warning("%s has no point encoder, so it starts with a fresh one: train it before use.", name)
    return model.eval(), base.tokenizer


@contextlib.contextmanager
def _our_words_alone() -> Iterator[None]:
    """Without transformers' bars and its LOAD REPORT, which a log file cannot show: what matters is logged here."""
    level, bars = transformers_logging.get_verbosity(), transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(level)
        if bars:
            transformers_logging.enable_progress_bar()


def read_base(name_or_path: str | Path | None) -> BaseFolder:
    """Find a base and read everything but its numbers.

    Raises: ModelError: as load_model.
    """
    name = EMBEDDED if name_or_path is None else str(name_or_path)
    folder = find_folder(name)
    values = read_config(folder, name)
    weights = read_weights(folder, name)
    config = config_of(values)
    config.point_encoder, fresh = _encoder_settings(values, weights, name)
    tokenizer = load_tokenizer(folder, values["model_type"], name)
    after_points = _chat(tokenizer, name) if values["model_type"] == CHAT else []
    if len(tokenizer) > config.vocab_size:
        raise ModelError(
            "{name}: the tokenizer knows {n} words and the model {vocab_size}; they do not belong together.",
            name=name,
            n=len(tokenizer),
            vocab_size=config.vocab_size,
        )
    return BaseFolder(name, folder, config, weights, fresh, tokenizer, after_points)


def save_model(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path | str, *, dtype: torch.dtype | None = None
) -> Path:
    """Write a whole model in CAD-Recode's layout: config.json, model.safetensors, tokenizer, generation_config.json.

    Args:
        dtype: store in this precision; the model's own by default. The point encoder stays float32.
    Returns: the folder, made if need be.
    Raises: ModelError: what was written does not hold every tensor.
    """
    folder = Path(folder)
    # A single copy of tied weights: once converted, they are no longer tied and would be stored twice.
    state = {key: value for key, value in model.state_dict().items() if key not in model.all_tied_weights_keys}
    if dtype is not None:
        as_is = {key for key, value in state.items() if key.startswith(ENCODER_PREFIX) or not value.is_floating_point()}
        state = {key: value if key in as_is else value.to(dtype) for key, value in state.items()}
    with _our_words_alone():
        model.save_pretrained(folder, state_dict=state, max_shard_size=ONE_FILE)
    if dtype is not None:
        path = folder / "config.json"
        values = json.loads(path.read_text(encoding="utf-8"))
        values["dtype"] = str(dtype).removeprefix("torch.")
        path.write_text(json.dumps(values, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    tokenizer.save_pretrained(folder)
    lost = set(state) - set(read_weights(folder, str(folder)).shapes)
    if lost:
        raise ModelError(
            "{folder} lacks {n} tensors after saving, for example {tensor}.",
            folder=folder,
            n=len(lost),
            tensor=min(lost),
        )
    return folder


def read_config(folder: Path, name: str) -> dict:
    """A folder's config.json, checked for an architecture that we can load.

    Raises: ModelError: no config, an adapter in place of a base, or another architecture.
    """
    path = folder / "config.json"
    if not path.is_file():
        if (folder / "adapter_config.json").is_file():
            raise ModelError(
                "{name} holds an adapter, not a base model: give it as the adapter (--lora_path).", name=name
            )
        raise ModelError("{name} has no config.json, so it is not a model folder.", name=name)
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ModelError("{name}: config.json cannot be read ({error}).", name=name, error=error) from error
    kind = values.get("model_type")
    if kind not in (*NETWORKS, CHAT):
        raise ModelError(
            "{name} is a {kind!r} model; the point encoder works with {kinds}.",
            name=name,
            kind=kind,
            kinds=" and ".join(sorted(NETWORKS)),
        )
    return values


def config_of(values: dict) -> Qwen2Config | Qwen3Config:
    """The config of a language model, from what `read_config` read.

    Without images the three positions of each token of a Qwen2-VL are one and the same, as in a Qwen2.
    """
    if values["model_type"] != CHAT:
        return CONFIGS[values["model_type"]].from_dict(values)
    whole = Qwen2VLConfig.from_dict(values)
    text = whole.text_config.to_dict()
    rope = {"rope_type": "default", "rope_theta": text["rope_parameters"]["rope_theta"]}
    own = {"model_type": "qwen2", "rope_parameters": rope, "tie_word_embeddings": whole.tie_word_embeddings}
    return Qwen2Config.from_dict(text | own)


def _chat(tokenizer: PreTrainedTokenizerBase, name: str) -> list[int]:
    """The tokens between the points and the program. Raises: ModelError: the tokenizer has no template of chats."""
    if not tokenizer.chat_template:
        raise ModelError("{name}: the tokenizer has no chat_template, in which this base was trained.", name=name)
    message = [{"role": "user", "content": BEGUN}]
    text = tokenizer.apply_chat_template(message, tokenize=False, add_generation_prompt=True)
    return tokenizer(text, add_special_tokens=False)["input_ids"]


def _encoder_settings(values: dict, weights: Weights, name: str) -> tuple[dict, bool]:
    """The settings of a base's encoder, and whether the encoder is fresh."""
    settings = values.get("point_encoder")
    trained = any(key.startswith(ENCODER_PREFIX) for key in weights.shapes)
    if settings is not None:
        if not trained:
            raise ModelError("{name}: the config names a point encoder, but the weights hold none.", name=name)
        return settings, False
    if not trained and values["model_type"] == CHAT:
        raise ModelError("{name} is a model of images: it has no point encoder.", name=name)
    if not trained:
        return {"kind": "fourier"}, True
    shape = weights.shapes.get(ENCODER_PREFIX + "projection.weight")
    if shape is None:
        raise ModelError("{name} has a point encoder of a kind that its config does not describe.", name=name)
    return {"kind": "fourier", "inputs": shape[1]}, False


def load_tokenizer(folder: Path, model_type: str, name: str) -> PreTrainedTokenizerBase:
    """The folder's tokenizer, or Qwen's where a CAD-Recode checkpoint brings none.

    Raises: ModelError: no tokenizer, or a tokenizer without START, END and PAD, which are not added in silence.
    """
    if not any((folder / file).is_file() for file in ("tokenizer.json", "tokenizer_config.json", "vocab.json")):
        home = HOME_OF_TOKENIZER[model_type]
        try:
            folder = hub_folder(
                home, ["tokenizer*", "vocab.json", "merges.txt", "config.json"], needed="tokenizer_config.json"
            )
        except ModelError as error:
            raise ModelError(
                "{name} brings no tokenizer; it is that of {home}. Copy tokenizer.json and "
                "tokenizer_config.json from there into the folder. ({error})",
                name=name,
                home=home,
                error=error,
            ) from error
    # AutoTokenizer would split text in Qwen's way for every model of type qwen2, whatever tokenizer.json says.
    loader = PreTrainedTokenizerFast if (folder / "tokenizer.json").is_file() else AutoTokenizer
    try:
        tokenizer = loader.from_pretrained(folder, local_files_only=True, padding_side="left")
    except (OSError, ValueError) as error:
        raise ModelError("{name}: the tokenizer cannot be loaded ({error}).", name=name, error=error) from error
    vocabulary = tokenizer.get_vocab()
    lacking = [token for token in (START, END, PAD) if token not in vocabulary]
    if lacking:
        raise ModelError(
            "{name}: the tokenizer lacks {tokens}, which frame a program.", name=name, tokens=" and ".join(lacking)
        )
    tokenizer.pad_token, tokenizer.eos_token = (END, PAD) if model_type == CHAT else (PAD, END)
    tokenizer.clean_up_tokenization_spaces = False  # it would remove spaces from programs
    return tokenizer


def _quantization(bits: str, dtype: torch.dtype, quant_type: str, double_quant: bool) -> BitsAndBytesConfig:
    if bits == "4bit":
        return BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type=quant_type,
            bnb_4bit_use_double_quant=double_quant,
            bnb_4bit_compute_dtype=dtype,
            llm_int8_skip_modules=NEVER_QUANTISED,
        )
    if bits == "8bit":
        return BitsAndBytesConfig(load_in_8bit=True, llm_int8_skip_modules=NEVER_QUANTISED)
    raise ModelError("quantization is {name!r}; it can be '4bit' or '8bit'.", name=bits)
