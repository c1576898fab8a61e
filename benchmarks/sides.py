"""The two sides of the training benchmarks: ours, and what one writes by the manuals of PEFT and transformers.

Both train the same network, adapter and pairs with the same optimizer. `plain` is all else as it comes: programs padded
to max_seq_length, the default collator, logits of every position, PEFT's own preparation of 4-bit bases. Only the order
of its batches is ours, so that losses can be compared; where all rows are of one length, its time is that of any order.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model, prepare_model_for_kbit_training
from torch.utils.data import DataLoader
from transformers import BitsAndBytesConfig, Qwen3ForCausalLM, Trainer, TrainerCallback, TrainingArguments

from cadrecode.data.batches import Collate, LikeLengths
from cadrecode.model.network import Qwen3WithPoints
from cadrecode.runs import Run
from cadrecode.training.finetune import AdapterTrainer, attach, training_arguments


class StockQwen3ForCausalLM(Qwen3WithPoints):
    """Our network with transformers' own forward: the logits of every position, and its own loss."""

    def forward(self, input_ids=None, attention_mask=None, point_cloud=None, point_mask=None, labels=None, **kwargs):
        if kwargs.get("inputs_embeds") is None and point_cloud is not None:
            kwargs["inputs_embeds"] = self._embed(input_ids, point_cloud, point_mask)
            input_ids = None
        return Qwen3ForCausalLM.forward(
            self, input_ids=input_ids, attention_mask=attention_mask, labels=labels, **kwargs
        )


def network(stock: bool) -> type:
    """Our network, or the same with transformers' own forward."""
    return StockQwen3ForCausalLM if stock else Qwen3WithPoints


def our_trainer(config, precision, model, views, folder: Path):
    """As `cadrecode.training.fit` builds it: `attach` and `training_arguments` are its steps."""
    model = attach(config, model)
    return AdapterTrainer(
        origin={},
        model=model,
        args=training_arguments(config, Run(folder), precision, evaluate_first=False),
        data_collator=Collate(model.get_base_model().config.pad_token_id, model.get_base_model().n_point_tokens),
        train_dataset=views,
    )


def plain_trainer(config, precision, model, views, folder: Path):
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


def load_plain_4bit(config, precision):
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
    """Notes when each step ended, and how much of the processor it had by then; keeps the Trainer from saving."""

    def __init__(self, synchronise: Callable[[], None] = lambda: None):
        self.synchronise = synchronise
        self.ended: list[float] = []
        self.used: list[float] = []

    def on_step_end(self, args, state, control, **kwargs):
        self.synchronise()
        self.ended.append(time.perf_counter())
        self.used.append(time.process_time())
        control.should_save = False
