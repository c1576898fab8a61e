"""What the training benchmarks share: networks with random weights, batches, and the two sides that are compared.

Both sides train the same network, adapter and pairs with the same optimizer. `ours` is what `cadrecode.training` runs.
`plain` is what one writes by the manuals of PEFT and transformers: programs padded to max_seq_length, the default
collator, logits of every position, PEFT's own preparation of 4-bit bases. Only the order of its batches is ours, so
that losses can be compared; where all rows are of one length, its time is that of any order.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from peft import LoraConfig, get_peft_model, prepare_model_for_kbit_training
from torch.utils.data import DataLoader
from transformers import (
    BitsAndBytesConfig,
    Qwen3Config,
    Qwen3ForCausalLM,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)

from cadrecode.config import TrainConfig
from cadrecode.data.batches import Collate, EncodedPair, LikeLengths, Views
from cadrecode.data.pairs import Pair
from cadrecode.model.footprint import Adapter, footprint
from cadrecode.model.load import save_model
from cadrecode.model.network import Qwen3WithPoints
from cadrecode.model.tokens import build_tokenizer
from cadrecode.runs import Run
from cadrecode.training.base import Precision
from cadrecode.training.live import attach
from cadrecode.training.trainer import AdapterTrainer, training_arguments

FRAMEWORK_BYTES = 460 * 2**20  # of a process of these benchmarks; a training imports more
SEED = 0
POINTS = 256


@dataclass(frozen=True)
class Shape:
    """A language model's sizes, as its config.json gives them."""

    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int
    vocab_size: int


SHAPES = {
    "qwen3-1.7b": Shape(2048, 6144, 28, 16, 8, 128, 151_936),
    "embedded": Shape(320, 960, 8, 10, 5, 32, 829),
    "tiny": Shape(64, 128, 2, 4, 2, 16, 2048),
    "narrow": Shape(512, 1536, 8, 8, 4, 64, 8192),
    "deep": Shape(256, 1024, 24, 4, 2, 64, 2048),
    "wide": Shape(1024, 4096, 4, 16, 16, 64, 4096),
    "wordy": Shape(256, 768, 4, 8, 8, 32, 151_936),
}


class StockQwen3ForCausalLM(Qwen3WithPoints):
    """Our network with transformers' own forward: the logits of every position, and its own loss."""

    def forward(self, input_ids=None, attention_mask=None, point_cloud=None, point_mask=None, labels=None, **kwargs):
        if kwargs.get("inputs_embeds") is None and point_cloud is not None:
            kwargs["inputs_embeds"] = self._embed(input_ids, point_cloud, point_mask)
            input_ids = None
        return Qwen3ForCausalLM.forward(
            self, input_ids=input_ids, attention_mask=attention_mask, labels=labels, **kwargs
        )


def network(stock: bool) -> type[Qwen3WithPoints]:
    """Our network, or the same with transformers' own forward."""
    return StockQwen3ForCausalLM if stock else Qwen3WithPoints


def network_config(name: str, layers: int = 0) -> Qwen3Config:
    """The public config of Qwen3-1.7B-Base with the sizes of a shape, and our point encoder; 0 layers are all."""
    encoder = {"kind": "patch", "n_points": POINTS, "n_tokens": 64, "neighbours": 16, "width": 256, "layers": 3}
    config = Qwen3Config(
        **asdict(SHAPES[name]),
        max_position_embeddings=32_768,
        rms_norm_eps=1e-6,
        rope_parameters={"rope_type": "default", "rope_theta": 1_000_000.0},
        tie_word_embeddings=True,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
        point_encoder=encoder if name == "embedded" else {"kind": "fourier", "n_points": POINTS},
    )
    if layers:
        config.num_hidden_layers, config.layer_types = layers, config.layer_types[:layers]
    return config


def random_model(
    name: str, layers: int, device: torch.device, dtype: torch.dtype, *, stock: bool = False
) -> Qwen3WithPoints:
    """A network with random weights, made where it is used: drawing each weight takes a CPU minutes."""
    with torch.device(device):
        return network(stock)._from_config(network_config(name, layers), dtype=dtype)


def saved_model(folder: Path, name: str, layers: int, precision: Precision) -> Path:
    """The random model as a folder, because quantising is a part of loading. Made by the first row that needs it."""
    base = folder / "base"
    if not (base / "tokenizer.json").exists():  # what save_model writes last
        save_model(random_model(name, layers, precision.device, precision.dtype), build_tokenizer([]), base)
        gc.collect()
    return base


def expected_bytes(config: TrainConfig, precision: Precision, name: str, layers: int, longest: int) -> int:
    """What `cadrecode estimate` would say for our side of a training."""
    parts = footprint(
        network_config(name, layers),
        Adapter(config.lora_r, config.lora_alpha, config.lora_dropout, config.lora_target_modules),
        batch=config.per_device_train_batch_size,
        tokens=longest,
        dtype=precision.dtype,
        quantization=config.quantization,
        checkpointing=config.gradient_checkpointing,
    )
    allocated = parts.weights + parts.adapter + parts.optimizer + parts.activations + parts.logits
    # A GPU's peak is what torch allocates, without CUDA's context.
    return allocated + (0 if precision.device.type == "cuda" else FRAMEWORK_BYTES)


class SamePairs(Views):
    """Pairs that look the same in every epoch, as they do to a script that prepares its rows once."""

    def __getitem__(self, item: int) -> dict:
        return super().__getitem__(item % len(self.encoded))


def random_pairs(lengths: tuple[int, ...], vocab_size: int) -> SamePairs:
    """A batch of random clouds and random words, with `lengths` tokens for each program, START and END among them."""
    rng = np.random.default_rng(SEED)
    pairs = []
    for number, length in enumerate(lengths):
        points = rng.uniform(-1, 1, (POINTS, 3)).astype(np.float16)
        words = rng.integers(3, vocab_size, length - 2).tolist()
        pairs.append(EncodedPair(Pair(f"pair {number}", "", points), [1, *words, 2]))
    return SamePairs(pairs, POINTS, seed=SEED)


def our_trainer(
    config: TrainConfig, precision: Precision, model: Qwen3WithPoints, views: Views, folder: Path
) -> Trainer:
    """The trainer that `cadrecode.training` builds."""
    model = attach(config, model)
    return AdapterTrainer(
        origin={},
        model=model,
        args=training_arguments(config, Run(folder), precision, evaluate_first=False),
        data_collator=Collate(model.get_base_model().config.pad_token_id, model.get_base_model().n_point_tokens),
        train_dataset=views,
    )


def plain_trainer(
    config: TrainConfig, precision: Precision, model: Qwen3WithPoints, views: Views, folder: Path
) -> Trainer:
    """What one writes by the manuals of PEFT and transformers, with the settings of `our_trainer`."""
    if config.use_qlora:
        model = prepare_model_for_kbit_training(model)
    lora = LoraConfig(
        r=config.lora_r,
        lora_alpha=config.lora_alpha,
        lora_dropout=config.lora_dropout,
        target_modules=sorted(config.lora_target_modules),
        modules_to_save=["point_encoder"],
        task_type="CAUSAL_LM",
    )
    arguments = TrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=config.per_device_train_batch_size,
        learning_rate=config.learning_rate,
        lr_scheduler_type=config.lr_scheduler_type,
        weight_decay=config.weight_decay,
        warmup_steps=config.warmup_steps,
        max_steps=config.max_steps,
        logging_steps=1,
        save_strategy="no",
        bf16=precision.bf16,
        use_cpu=precision.device.type == "cpu",
        seed=config.seed,
        report_to="none",
        disable_tqdm=True,
        gradient_checkpointing=config.gradient_checkpointing and not config.use_qlora,  # done above
        gradient_checkpointing_kwargs={"use_reentrant": False},
    )
    slots = model.n_point_tokens
    width = config.max_seq_length - config.n_points + slots
    rows = [padded(views[i], model.config.pad_token_id, slots, width) for i in range(len(views))]
    trainer = PlainTrainer(model=get_peft_model(model, lora), args=arguments, train_dataset=rows)
    lengths = [len(entry.tokens) for entry in views.encoded]
    order = LikeLengths(lengths, config.per_device_train_batch_size, config.max_steps, config.seed)
    trainer.order = [[item % len(rows) for item in batch] for batch in order]
    return trainer


class PlainTrainer(Trainer):
    """The Trainer, with batches in the order that ours has."""

    order: list[list[int]]

    def get_train_dataloader(self) -> DataLoader:
        loader = DataLoader(self.train_dataset, batch_sampler=self.order, collate_fn=self.data_collator)
        return self.accelerator.prepare(loader)


def load_plain_4bit(config: TrainConfig, precision: Precision) -> Qwen3WithPoints:
    """A base in 4 bits as the manual of transformers has it."""
    return network(stock=True).from_pretrained(
        config.base_model_name,
        dtype=precision.dtype,
        device_map={"": torch.device(precision.device)},
        quantization_config=BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=precision.dtype,
            llm_int8_skip_modules=["point_encoder", "lm_head"],
        ),
    )


def padded(item: dict, pad: int, slots: int, width: int) -> dict:
    """A row as tensors of a fixed length, which the default collator then stacks."""
    tokens = torch.tensor(item["tokens"])
    end = slots + len(tokens)
    input_ids, labels = torch.full((width,), pad), torch.full((width,), -100)
    input_ids[slots:end] = tokens
    labels[slots + 1 : end] = tokens[1:]
    place = torch.arange(width)
    return {
        "input_ids": input_ids,
        "attention_mask": (place < end).long(),
        "labels": labels,
        "point_mask": place < slots,
        "point_cloud": torch.from_numpy(item["point_cloud"]),
    }


class Clock(TrainerCallback):
    """Notes when each step ended, and the processor time by then; keeps the Trainer from saving."""

    def __init__(self, synchronise: Callable[[], None] = lambda: None):
        self.synchronise = synchronise
        self.ended: list[float] = []
        self.used: list[float] = []

    def on_step_end(self, args, state, control, **kwargs):
        self.synchronise()
        self.ended.append(time.perf_counter())
        self.used.append(time.process_time())
        control.should_save = False
