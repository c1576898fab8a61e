"""From a name or a folder to a model and its tokenizer, ready to use.

Three kinds of base, told apart by what lies in the folder: a plain Qwen2 / Qwen3 language model (its point encoder is
fresh and must be trained), a CAD-Recode checkpoint (`point_encoder.projection` among its weights), and ours (the
config says which encoder). Safetensors only: a .bin file is a pickle, which can run anything.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import safe_open
from transformers import (
    AutoTokenizer,
    BitsAndBytesConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen3Config,
)

from cadrecode.errors import ModelError
from cadrecode.model.hub import Tell, bars_for
from cadrecode.model.network import NETWORKS
from cadrecode.model.tokens import END, PAD, START
from cadrecode.shipped import EMBEDDED, EMBEDDED_FOLDER

logger = logging.getLogger(__name__)

CONFIGS = {"qwen2": Qwen2Config, "qwen3": Qwen3Config}
HOME_OF_TOKENIZER = {"qwen2": "Qwen/Qwen2-1.5B", "qwen3": "Qwen/Qwen3-1.7B-Base"}  # CAD-Recode ships none of its own
ENCODER_PREFIX = "point_encoder."
KEPT_WHOLE = ["point_encoder", "lm_head"]  # never quantised
WANTED_FILES = ["*.json", "*.safetensors", "*.txt", "*.model", "*.jinja"]
HUB_SECONDS = 10.0  # one attempt to reach the hub; its own client tries for half a minute
FINGERPRINT_BYTES = 2**20
SHARD = "1000GB"  # one model.safetensors, whatever the size, as the guide promises


class Weights(NamedTuple):
    """What a folder's safetensors hold, read from their headers alone: a shape, a dtype and a file a tensor."""

    shapes: dict[str, tuple[int, ...]]
    dtypes: dict[str, str]
    files: dict[str, Path]

    def main_dtype(self) -> torch.dtype:
        """The dtype of the largest tensor, the encoder aside: the precision the base was published in."""
        words = [key for key in self.shapes if not key.startswith(ENCODER_PREFIX)]
        name = max(words, key=lambda key: torch.Size(self.shapes[key]).numel())
        known = {"F32": torch.float32, "BF16": torch.bfloat16, "F16": torch.float16}
        return known.get(self.dtypes[name], torch.float32)


class BaseFolder(NamedTuple):
    """A base that was found and looked at, its weights not yet read. fresh: they hold no point encoder."""

    name: str
    folder: Path
    config: Qwen2Config | Qwen3Config
    weights: Weights
    fresh: bool
    tokenizer: PreTrainedTokenizerBase

    def introduce(self, model: PreTrainedModel) -> None:
        """Tell a model its name and the tokens that frame a program."""
        # What adapters will name as their base: the name as given, not the folder of a cache.
        model.name_or_path = model.config._name_or_path = self.name
        for words in (model.config, model.generation_config):
            words.bos_token_id = self.tokenizer.convert_tokens_to_ids(START)
            words.eos_token_id = self.tokenizer.convert_tokens_to_ids(END)
            words.pad_token_id = self.tokenizer.convert_tokens_to_ids(PAD)
        model.fresh_encoder = self.fresh


def load_model(
    name_or_path: str | Path | None = None,
    *,
    device: str | torch.device = "auto",
    dtype: str | torch.dtype | None = None,
    quantization: str | None = None,
    quant_type: str = "nf4",
    double_quant: bool = True,
    attn: str | None = None,
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Load a base (or a merged model), in eval mode.

    Args:
        name_or_path: a folder, a name on the Hugging Face hub, or "embedded" (also None) for the base that ships.
        device: "auto" is CUDA, then Apple's MPS, then the CPU.
        dtype: by default bfloat16 on a GPU that has it, float16 on one that has not, float32 elsewhere. The point
            encoder is float32 always. With quantization it is the dtype of computation and of all that stays whole.
        quantization: None, "4bit" or "8bit" (bitsandbytes; 4 bit also runs on a CPU).
        quant_type, double_quant: 4 bit only: "nf4" or "fp4"; quantise the scales too.
        attn: attention implementation ("sdpa", "eager", ...), transformers' choice by default.
    Returns: the model and its tokenizer. `model.fresh_encoder` is True where the point encoder has never been trained.
    Raises: ModelError: not found, not reachable, not safetensors, not Qwen2 or Qwen3, incomplete, or without the
        tokens that CAD-Recode's prompt needs.
    """
    name, folder, config, _, fresh, _ = base = read_base(name_or_path)
    device = pick_device(device)
    dtype = pick_dtype(dtype, device)
    options = {"config": config, "dtype": dtype, "use_safetensors": True, "local_files_only": True}
    if attn is not None:
        options["attn_implementation"] = attn
    if quantization is not None:
        options["quantization_config"] = _quantization(quantization, dtype, quant_type, double_quant)
        options["device_map"] = {"": device}
    network = NETWORKS[config.model_type]
    model, report = network.from_pretrained(folder, output_loading_info=True, **options)
    lost = [key for key in report["missing_keys"] if not (fresh and key.startswith(ENCODER_PREFIX))]
    if lost:
        raise ModelError(f"{name}: its files lack {len(lost)} of the model's tensors, {min(lost)} for one.")
    if report["unexpected_keys"]:
        unused = sorted(report["unexpected_keys"])
        logger.warning("%s: %d tensors belong to nothing here and stay unused, %s first.", name, len(unused), unused[0])
    if quantization is None:
        model.to(device)
    elif device.type == "cpu":  # what stays whole may be a view of the file, and hold all of it in memory
        for parameter in model.parameters():
            if type(parameter) is torch.nn.Parameter:
                parameter.data = parameter.data.clone()
    base.introduce(model)
    if fresh:
        logger.warning("%s has no point encoder, so it starts with a fresh one: train it before use.", name)
    return model.eval(), base.tokenizer


def read_base(name_or_path: str | Path | None) -> BaseFolder:
    """Find a base and look at all of it but its numbers.

    Raises: ModelError: as load_model.
    """
    name = EMBEDDED if name_or_path is None else str(name_or_path)
    folder = find_folder(name)
    values = read_config(folder, name)
    weights = read_weights(folder, name)
    config = CONFIGS[values["model_type"]].from_pretrained(folder, local_files_only=True)
    config.point_encoder, fresh = _encoder_settings(values, weights, name)
    tokenizer = load_tokenizer(folder, values["model_type"], name)
    if len(tokenizer) > config.vocab_size:
        raise ModelError(
            f"{name}: the tokenizer knows {len(tokenizer)} words and the model {config.vocab_size}; "
            "they do not belong together."
        )
    return BaseFolder(name, folder, config, weights, fresh, tokenizer)


def save_model(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path | str, *, dtype: torch.dtype | None = None
) -> Path:
    """Write a whole model in CAD-Recode's layout: config.json, model.safetensors, tokenizer, generation_config.json.

    Args:    dtype: store in this precision; the point encoder stays float32. As it is by default.
    Returns: the folder, made if need be.
    Raises:  ModelError: what was written does not hold every tensor.
    """
    folder = Path(folder)
    # One copy of tied weights: converted, they would be told apart and be stored twice.
    state = {key: value for key, value in model.state_dict().items() if key not in model.all_tied_weights_keys}
    if dtype is not None:
        kept = {key for key, value in state.items() if key.startswith(ENCODER_PREFIX) or not value.is_floating_point()}
        state = {key: value if key in kept else value.to(dtype) for key, value in state.items()}
    model.save_pretrained(folder, state_dict=state, max_shard_size=SHARD)
    if dtype is not None:
        path = folder / "config.json"
        values = json.loads(path.read_text(encoding="utf-8"))
        values["dtype"] = str(dtype).removeprefix("torch.")
        path.write_text(json.dumps(values, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    tokenizer.save_pretrained(folder)
    lost = set(state) - set(read_weights(folder, str(folder)).shapes)
    if lost:
        raise ModelError(f"{folder} lacks {len(lost)} tensors after saving, {min(lost)} for one.")
    return folder


def find_folder(name: str, tell: Tell | None = None, *, config_alone: bool = False) -> Path:
    """The folder of a base: the embedded one, a local one, or the hub's copy in the cache (downloaded if need be).

    Args:
        tell: hears how far a download is, from the threads that download.
        config_alone: config.json is enough, which is there at once.
    Raises: ModelError: there is none, or the hub cannot be reached.
    """
    if name == EMBEDDED:
        if not (EMBEDDED_FOLDER / "config.json").is_file():
            raise ModelError(
                "The embedded base model is not in this checkout (assets/base). Fetch it with the repository, or make "
                "it: python -m cadrecode pretrain --config configs/pretrain_base.yaml"
            )
        return EMBEDDED_FOLDER
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder
    if folder.exists():
        raise ModelError(f"{name} is a file; a model is a folder with config.json and .safetensors.")
    if not re.fullmatch(r"[\w-][\w.-]*/[\w.-]+", name):
        raise ModelError(f"There is no folder {name}, and it is not a name on the hub either (owner/model).")
    return _hub_folder(name, ["config.json"] if config_alone else WANTED_FILES, tell)


def _hub_folder(name: str, patterns: list[str], tell: Tell | None = None, needed: str = "config.json") -> Path:
    """The cached copy of a hub model, or a fresh download. needed: the file without which a copy is none."""
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, LocalEntryNotFoundError, RepositoryNotFoundError

    try:
        folder = Path(snapshot_download(name, allow_patterns=patterns, local_files_only=True))
        if (folder / needed).is_file() and ("*.safetensors" not in patterns or _has_weights(folder)):
            return folder
    except LocalEntryNotFoundError:
        logger.info("%s is not in the cache.", name)
    try:
        HfApi().model_info(name, timeout=HUB_SECONDS)  # one attempt, so that no network is known at once
        shown = {"tqdm_class": bars_for(tell)} if tell is not None else {}
        return Path(snapshot_download(name, allow_patterns=patterns, **shown))
    except GatedRepoError as error:
        raise ModelError(
            f"{name} is gated: accept its terms on huggingface.co and log in with `hf auth login`."
        ) from error
    except RepositoryNotFoundError as error:
        raise ModelError(f"There is no model {name} on the hub, and no folder of that name here.") from error
    except (OSError, HfHubHTTPError, LocalEntryNotFoundError) as error:
        raise _unreachable(name, error) from error
    except Exception as error:  # the hub client's transport errors share no base with OSError, and changed library once
        if "Connect" not in type(error).__name__ and "Timeout" not in type(error).__name__:
            raise
        raise _unreachable(name, error) from error


def _unreachable(name: str, error: Exception) -> ModelError:
    return ModelError(
        f"{name} is neither a folder here nor in the Hugging Face cache, and the hub cannot be reached "
        f"({type(error).__name__}). Connect once to download it, give the path of a folder that holds it, or use "
        f"the base that ships ({EMBEDDED})."
    )


def _has_weights(folder: Path) -> bool:
    """All of them, in a cached copy that is to be used without the network; a cache may hold some shards alone."""
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        shards = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        return all((folder / shard).is_file() for shard in shards)
    return any(folder.glob("*.safetensors"))


def read_config(folder: Path, name: str) -> dict:
    """A folder's config.json, checked for an architecture that we can load.

    Raises: ModelError: no config, an adapter in place of a base, or another architecture.
    """
    path = folder / "config.json"
    if not path.is_file():
        if (folder / "adapter_config.json").is_file():
            raise ModelError(f"{name} holds an adapter, not a base model: give it as the adapter (--lora_path).")
        raise ModelError(f"{name} has no config.json, so it is not a model folder.")
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ModelError(f"{name}: config.json cannot be read ({error}).") from error
    kind = values.get("model_type")
    if kind not in NETWORKS:
        raise ModelError(f"{name} is a {kind!r} model; the point encoder fits {' and '.join(sorted(NETWORKS))}.")
    return values


def read_weights(folder: Path, name: str) -> Weights:
    """The names, shapes and dtypes of a folder's tensors.

    Raises: ModelError: no safetensors, or a damaged or missing file among them.
    """
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        files = sorted({folder / file for file in json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()})
    else:
        files = [path for path in [folder / "model.safetensors"] if path.is_file()]
    if not files:
        pickles = sorted(path.name for pattern in ("*.bin", "*.pt", "*.pth") for path in folder.glob(pattern))
        if pickles:
            raise ModelError(
                f"{name} holds its weights in {pickles[0]}, a pickle, which can run any code when it is opened. "
                "Only safetensors are loaded: get or make a model.safetensors."
            )
        raise ModelError(f"{name} has no model.safetensors.")
    shapes, dtypes, homes = {}, {}, {}
    for path in files:
        if not path.is_file():
            raise ModelError(f"{name} lacks {path.name}, which its index names.")
        try:
            with safe_open(path, framework="pt") as tensors:
                for key in tensors.keys():  # noqa: SIM118  (safe_open is no mapping)
                    part = tensors.get_slice(key)
                    shapes[key], dtypes[key], homes[key] = tuple(part.get_shape()), part.get_dtype(), path
        except Exception as error:  # safetensors raises its own class, which is an Exception and no more
            raise ModelError(f"{name}: {path.name} is damaged or cut short ({error}).") from error
    return Weights(shapes, dtypes, homes)


def weights_fingerprint(name: str) -> str:
    """A short sum that two bases share when their weights are the same: of each file's size, header and ends.

    Raises: ModelError: there is no such base.
    """
    summed = hashlib.sha256()
    for path in sorted(find_folder(name).glob("*.safetensors")):
        size = path.stat().st_size
        summed.update(f"{path.name} {size} ".encode())
        with path.open("rb") as file:
            summed.update(file.read(FINGERPRINT_BYTES))
            file.seek(max(0, size - FINGERPRINT_BYTES))
            summed.update(file.read(FINGERPRINT_BYTES))
    return summed.hexdigest()[:16]


def _encoder_settings(values: dict, weights: Weights, name: str) -> tuple[dict, bool]:
    """The encoder a base has, or should be given; and whether it is a fresh one."""
    settings = values.get("point_encoder")
    trained = any(key.startswith(ENCODER_PREFIX) for key in weights.shapes)
    if settings is not None:
        if not trained:
            raise ModelError(f"{name}: the config names a point encoder, but the weights hold none.")
        return settings, False
    if not trained:
        return {"kind": "fourier"}, True
    shape = weights.shapes.get(ENCODER_PREFIX + "projection.weight")
    if shape is None:
        raise ModelError(f"{name} has a point encoder of a kind that its config does not describe.")
    return {"kind": "fourier", "inputs": shape[1]}, False


def load_tokenizer(folder: Path, model_type: str, name: str) -> PreTrainedTokenizerBase:
    """The folder's tokenizer, or Qwen's where a CAD-Recode checkpoint brings none.

    Raises: ModelError: no tokenizer, or one without START, END and PAD: nothing is added in silence.
    """
    if not any((folder / file).is_file() for file in ("tokenizer.json", "tokenizer_config.json", "vocab.json")):
        home = HOME_OF_TOKENIZER[model_type]
        try:
            folder = _hub_folder(
                home, ["tokenizer*", "vocab.json", "merges.txt", "config.json"], needed="tokenizer_config.json"
            )
        except ModelError as error:
            raise ModelError(
                f"{name} brings no tokenizer; it is that of {home}. Copy tokenizer.json and tokenizer_config.json "
                f"from there into the folder. ({error})"
            ) from error
    # tokenizer.json is the whole truth. AutoTokenizer would put Qwen's way of splitting text in place of what it says,
    # for every model of type qwen2, whatever the tokenizer.
    loader = PreTrainedTokenizerFast if (folder / "tokenizer.json").is_file() else AutoTokenizer
    try:
        tokenizer = loader.from_pretrained(folder, local_files_only=True, padding_side="left")
    except (OSError, ValueError) as error:
        raise ModelError(f"{name}: the tokenizer cannot be loaded ({error}).") from error
    known = tokenizer.get_vocab()
    lacking = [token for token in (START, END, PAD) if token not in known]
    if lacking:
        raise ModelError(f"{name}: the tokenizer lacks {' and '.join(lacking)}, which frame a program.")
    tokenizer.pad_token, tokenizer.eos_token = PAD, END
    tokenizer.clean_up_tokenization_spaces = False  # it would take spaces out of programs
    return tokenizer


def pick_device(device: str | torch.device = "auto") -> torch.device:
    """ "auto" -> the best there is; anything else as it is."""
    if str(device) != "auto":
        return torch.device(device)
    if torch.cuda.is_available():
        return torch.device("cuda", torch.cuda.current_device())
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def cpu_training_dtype(mixed_precision: str, quantization: str | None) -> torch.dtype:
    """bf16 where asked for, and the processor multiplies in it (AVX-512 BF16, AMX); float32 else, and in 4 bits."""
    skills = torch.cpu.get_capabilities()
    has_bf16 = skills.get("avx512_bf16") or skills.get("amx_bf16")
    return torch.bfloat16 if mixed_precision == "bf16" and quantization is None and has_bf16 else torch.float32


def pick_dtype(dtype: str | torch.dtype | None, device: torch.device) -> torch.dtype:
    """A dtype by name or by what the device is good at.

    Raises: ModelError: not a floating dtype's name.
    """
    if isinstance(dtype, str) and dtype != "auto":
        dtype = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}.get(dtype, dtype)
        found = getattr(torch, dtype, None)
        if not isinstance(found, torch.dtype) or not found.is_floating_point:
            raise ModelError(f"{dtype!r} is not a dtype; use float32, bfloat16 or float16.")
        return found
    if isinstance(dtype, torch.dtype):
        return dtype
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    return torch.float32


def _quantization(bits: str, dtype: torch.dtype, quant_type: str, double_quant: bool) -> BitsAndBytesConfig:
    if bits == "4bit":
        return BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type=quant_type,
            bnb_4bit_use_double_quant=double_quant,
            bnb_4bit_compute_dtype=dtype,
            llm_int8_skip_modules=KEPT_WHOLE,
        )
    if bits == "8bit":
        return BitsAndBytesConfig(load_in_8bit=True, llm_int8_skip_modules=KEPT_WHOLE)
    raise ModelError(f"quantization is {bits!r}; it can be '4bit' or '8bit'.")
