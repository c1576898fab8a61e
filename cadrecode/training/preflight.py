"""Checks before the first step for what would go wrong hours later: memory, disk, labels."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import torch
from transformers import PreTrainedTokenizerBase, Trainer

from cadrecode.config import TrainConfig
from cadrecode.errors import CadrecodeError, DatasetError, Message, RunError
from cadrecode.estimate import Estimate, estimate
from cadrecode.figures import GIB
from cadrecode.model.hub import find_folder
from cadrecode.model.network import IGNORED
from cadrecode.model.tokens import END, decode_program
from cadrecode.training.base import free_memory

log = logging.getLogger(__name__)

CHECKED_LABELS = 16  # pairs
SPARE_BYTES = 100 * 2**20  # log, metrics and samples beside the checkpoints


def check_memory(config: TrainConfig, longest: int, processes: int) -> Estimate:
    """Log the memory that each process of this training needs, and a warning where hardly as much is free.

    Raises: RunError: Less is free, and the settings do not say to train all the same.
    """
    expected = estimate(config, longest=longest, processes=processes)
    parts = expected.parts | {"freed blocks": expected.most_bytes - expected.peak_bytes}
    words = ", ".join(f"{name} {size / 2**20:,.0f}" for name, size in parts.items())
    log.info(
        "Expected at most: %.2f GB of %.1f GB (in MB: %s)",
        expected.most_bytes / GIB,
        expected.available_bytes / GIB,
        words,
    )
    if expected.verdict == "not_enough" and not config.force:
        raise RunError("Memory is not enough. {advice} To try all the same: --force.", advice=expected.advice)
    if expected.verdict != "enough":
        log.warning("Memory is %s. %s", "short" if expected.verdict == "tight" else "not enough", expected.advice)
    return expected


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an allocation failed; on a CPU torch raises a RuntimeError that says so."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "DefaultCPUAllocator: " in str(error)


def out_of_memory(config: TrainConfig, longest: int | None = None) -> RunError:
    """The error of a training that is out of memory: the guide's advice, in numbers for these settings."""
    batch, steps = config.per_device_train_batch_size, config.gradient_accumulation_steps
    try:
        advice = estimate(config, longest=longest).advice
    except CadrecodeError as error:  # the advice below still holds
        advice = None
        log.info("No estimate: %s", error)
    general = Message(
        "Set per_device_train_batch_size to {n} (it is {now}) and gradient_accumulation_steps to "
        "{steps}, turn on gradient_checkpointing, use --use_qlora, or take a smaller base.",
        n=min(4, max(1, batch // 2)),
        now=batch,
        steps=max(steps, 8),
    )
    return RunError("Out of memory. {advice}", advice=advice or general)


def try_longest_batch(trainer: Trainer, config: TrainConfig) -> None:
    """A forward and backward pass of the longest programs, which leaves nothing behind.

    Raises: RunError: it needs more memory than there is, or its loss is not finite.
    """
    views = trainer.train_dataset
    by_length = sorted(range(len(views)), key=lambda i: -len(views.encoded[i].tokens))
    size = config.per_device_train_batch_size
    items = (by_length * (1 + size // len(by_length)))[:size]
    batch = trainer._prepare_inputs(trainer.data_collator([views[i] for i in items]))
    tokens = max(len(views.encoded[i].tokens) for i in items)
    try:
        # Dropout draws random numbers, which must not change the run.
        with torch.random.fork_rng(), trainer.compute_loss_context_manager():
            loss = trainer.model.train()(**batch).loss
        loss.backward()
    except (RuntimeError, MemoryError) as error:
        if is_out_of_memory(error):
            raise out_of_memory(config, tokens) from error
        raise
    finally:
        trainer.model.zero_grad(set_to_none=True)
        del batch
        free_memory()
    if not loss.isfinite():
        raise RunError(
            "The loss of the longest batch is {loss} before the first step: the base is broken.", loss=float(loss)
        )
    log.info("Preflight: the longest batch (%d programs of up to %d tokens) has enough memory.", size, tokens)


def check_labels(trainer: Trainer, tokenizer: PreTrainedTokenizerBase) -> None:
    """Check that the labels are the program.

    Raises: DatasetError: decoding the labels of a pair gives another text.
    """
    views = trainer.train_dataset
    end = tokenizer.convert_tokens_to_ids(END)
    count = min(len(views), CHECKED_LABELS)
    labels = trainer.data_collator([views[i] for i in range(count)])["labels"]
    for row, entry in zip(labels, views.encoded[:count]):
        tokens = row[row != IGNORED].tolist()
        if tokens[-1] != end or decode_program(tokenizer, tokens) != entry.pair.text:
            raise DatasetError(
                "{name}: the labels do not give back the program. The tokenizer loses text.", name=entry.pair.name
            )


def check_disk(config: TrainConfig, folder: Path, trainable: int) -> None:
    """Check that the disk has room for the checkpoints and merged models to come.

    Args:
        trainable: number of trainable parameters.
    Raises: RunError: it has not, how much is needed, and what would help.
    """
    checkpoint = 3 * 4 * trainable  # the adapter, and Adam's two moments
    merged = sum(path.stat().st_size for path in find_folder(config.base_model_name).glob("*.safetensors"))
    in_all = -(-config.max_steps // config.save_steps)
    count = min(in_all, (config.save_total_limit or in_all) + 1)  # the next is written before the oldest is deleted
    needed = count * (checkpoint + merged * config.merge_at_checkpoints) + 4 * trainable
    needed += 2 * merged * config.auto_merge_final + SPARE_BYTES
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise RunError(
            "{folder} has {free:.1f} GB free; up to {needed:.1f} GB will be written: {n} checkpoints "
            "of {size:.2f} GB{more}. Make room, or set save_total_limit lower{or_else}.",
            folder=folder,
            free=free / GIB,
            needed=needed / GIB,
            n=count,
            size=(checkpoint + merged * config.merge_at_checkpoints) / GIB,
            more=Message(" and a merged model") if config.auto_merge_final else "",
            or_else=Message(", or merge_final_only true") if config.merge_at_checkpoints else "",
        )
    log.info("Disk: up to %.2f GB will be written, %.0f GB are free.", needed / GIB, free / GIB)
