"""Fine-tune an adapter: LoRA on a base in full precision, or QLoRA on one held in 4 bits.

The loop is transformers' Trainer; ours are the data, the run folder and the merging. This file is the table of
contents: read programs, load the base, attach the adapter, fit, save and check, merge into a fresh base.
"""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import traceback
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from transformers import TrainingArguments, set_seed
from transformers.utils.logging import disable_progress_bar

from cadrecode.config import TrainConfig
from cadrecode.data.batches import Collate, EncodedPair, Views, encode
from cadrecode.data.dataset import require
from cadrecode.data.pairs import Programs
from cadrecode.errors import CadrecodeError, ConfigError, Message, RunError, joined
from cadrecode.model import adapters, sharding
from cadrecode.model.team import Team
from cadrecode.runs import Run, State, checkpoint_problems, checkpoint_step
from cadrecode.training.base import Precision, Stopped, fetch_base, free_memory, load_base, loss_of
from cadrecode.training.card import compare, write_card
from cadrecode.training.checkpoints import origin_of, refuse_strangers
from cadrecode.training.heap import is_scarce, return_freed_blocks
from cadrecode.training.preflight import check_disk, check_labels, out_of_memory, say_estimate, try_longest_batch
from cadrecode.training.reading import read_programs
from cadrecode.training.saving import check_saved, merge_beside, size_mb
from cadrecode.training.trackers import prepare_tracker
from cadrecode.training.trainer import AdapterTrainer
from cadrecode.training.watch import RunFolder

log = logging.getLogger(__name__)

CHECKED_PAIRS = 4  # pairs on which a saved adapter must have the loss of the one in memory
ADAPTER_FILES = (adapters.CONFIG_FILE, adapters.WEIGHTS_FILE)
DISK_FULL = Message(
    "The disk is full. Make room; the last complete checkpoint is whole: --resume_from_checkpoint last."
)


def train(config: TrainConfig, run: Run) -> Path:
    """Fine-tune an adapter; everything is written into the run's folder, whose layout is the guide's.

    Returns: the folder of the adapter; of the merged model where the settings do not keep the adapter; of the newest
        checkpoint where the run was stopped.
    Raises:  ConfigError, DatasetError, RunError: in words, and also noted in the run's status.
    """
    disable_progress_bar()  # log.txt is read as text
    warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing.*")  # PEFT asks transformers by its old name
    with _outcome_noted(config, run):
        checkpoint = _checkpoint_to_resume(config, run)
        _check_possible(config, run)
        set_seed(config.seed)
        team = Team.join(Precision.of(config).device)
        programs, validation = read_programs(config, run, team)
        if any(team.agree(run.stop_requested())):
            return _stopped(run)
        try:
            fetch_base(config, run)
        except Stopped:
            return _stopped(run)
        fitted = fit(config, run, programs, validation, checkpoint, team)
        team.leave()
        if not team.first:
            return run.folder
        free_memory()  # of the live model: from here on everything is loaded afresh from what was saved
        if fitted.stopped:
            return _stopped(run)
        check_saved(config, run.folder, fitted.batch, fitted.loss)
        folder = finish(config, run)
        run.set_status(State.DONE, step=config.max_steps, total=config.max_steps)
        return folder


# --- fitting


@dataclass(frozen=True)
class Fitted:
    """What is left of the live model: whether it was stopped, and its loss on a batch, to check what was saved."""

    stopped: bool
    batch: dict[str, torch.Tensor] | None = None
    loss: float = 0.0


def fit(
    config: TrainConfig,
    run: Run,
    programs: Programs,
    validation: Programs | None,
    checkpoint: Path | None,
    team: Team,
) -> Fitted:
    """Train, and save the adapter into the run's folder unless the run was stopped."""
    precision = Precision.of(config)
    model, tokenizer = load_base(config, replace(precision, device=torch.device("cpu")) if team.shards else precision)
    fresh_encoder = model.fresh_encoder
    room = _room_for_tokens(config, model)
    pairs, report = encode(programs, tokenizer, room)
    log.info("%s", report.summary())
    held, reports = [], {"train": report.to_dict()}
    if validation is not None:
        held, val_report = encode(validation, tokenizer, room)
        log.info("%s", val_report.summary())
        reports["validation"] = val_report.to_dict()
    if team.first:
        (run.folder / "data.json").write_text(json.dumps(reports, indent=1), encoding="utf-8")
    origin = origin_of(config, pairs, team.size)
    if checkpoint is not None:
        refuse_strangers(checkpoint, origin)
    longest = max(report.token_lengths)
    expected = say_estimate(config, longest, team.size)
    if precision.device.type == "cpu" and is_scarce(config, expected) and return_freed_blocks():
        log.info("Memory counts: freed blocks go back to the system at once, which takes some time.")
    model = attach(config, model)
    if team.shards:
        part = sharding.share_out(model, precision.device)
        log.info("The base is shared out: %.1f MB of it in each of %d processes.", part / 2**20, team.size)
    check_disk(config, run.folder, adapters.count_parameters(model)[0])
    views = Views(
        pairs,
        config.n_points,
        seed=config.seed,
        noise_probability=config.noise_probability,
        noise_std=config.noise_std,
    )
    held_views = Views(held, config.n_points, seed=config.seed) if held else None
    trainer = AdapterTrainer(
        origin=origin,
        encoder_rate=config.encoder_learning_rate,
        model=model,
        args=training_arguments(config, run, precision, evaluate_first=checkpoint is None and not fresh_encoder),
        processing_class=tokenizer,
        data_collator=Collate(tokenizer.pad_token_id, model.get_base_model().n_point_tokens),
        train_dataset=views,
        eval_dataset=held_views,
    )
    check_labels(trainer, tokenizer)
    try_longest_batch(trainer, config)
    watch = RunFolder(
        run, config, lambda folder: merge_beside(config, folder, run), tokenizer, held_views, longest, team
    )
    trainer.add_callback(watch)
    if checkpoint is not None:
        run.forget_metrics_after(checkpoint_step(checkpoint))
        log.info("Going on from %s", checkpoint)
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    if watch.stopped:
        return Fitted(stopped=True)
    batch = trainer._prepare_inputs(_check_batch(trainer, pairs, config))
    loss = loss_of(model, batch)  # of all processes: where the base is shared out, none can compute it alone
    if not team.first:
        return Fitted(stopped=False)
    if config.keep_best:
        best = trainer.state
        log.info("Kept: the weights of step %s, with eval_loss %s", best.best_global_step, best.best_metric)
    scores = compare(run, trainer.state.best_global_step if config.keep_best else None)
    for who, figures in scores.items():
        log.info("%s: %s", who, "  ".join(f"{k} {v:.4f}" for k, v in figures.items() if v is not None))
    run.set_status(State.SAVING, scores=scores)
    counts = adapters.save_adapter(model, tokenizer, run.folder)
    write_card(run.folder, config, report, scores)
    log.info(
        "Adapter saved: %d LoRA and %d encoder tensors, %s numbers, %.1f MB",
        counts.lora_tensors,
        counts.encoder_tensors,
        f"{counts.parameters:,}",
        size_mb(run.folder / adapters.WEIGHTS_FILE),
    )
    return Fitted(stopped=False, batch={key: value.cpu() for key, value in batch.items()}, loss=loss)


def attach(config: TrainConfig, model):
    """The fresh adapter, and what it takes, measured."""
    if config.quantization is not None:
        adapters.prepare_for_kbit(model, gradient_checkpointing=config.gradient_checkpointing)
    elif config.gradient_checkpointing:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    held_mb = model.get_memory_footprint() / 2**20
    if config.init_from_adapter is not None:
        _refuse_other_adapter(Path(config.init_from_adapter), config)
        model = adapters.load_adapter(model, config.init_from_adapter, trainable=True)
        log.info("Going on from the adapter in %s", config.init_from_adapter)
    else:
        model = adapters.attach_lora(
            model,
            r=config.lora_r,
            alpha=config.lora_alpha,
            dropout=config.lora_dropout,
            target_modules=config.lora_target_modules,
            use_rslora=config.use_rslora,
            use_dora=config.use_dora,
        )
    trainable, total = adapters.count_parameters(model)
    log.info(
        "%s: held in %.0f MB (%s); trainable %s of %s parameters (%.2f %%)",
        config.base_model_name,
        held_mb,
        config.quantization or str(model.dtype).removeprefix("torch."),
        f"{trainable:,}",
        f"{total:,}",
        100 * trainable / total,
    )
    return model


def training_arguments(config: TrainConfig, run: Run, precision: Precision, evaluate_first: bool) -> TrainingArguments:
    """The settings as transformers' Trainer takes them. Args: evaluate_first: before the first step, too."""
    arguments = TrainingArguments(
        output_dir=str(run.folder),
        per_device_train_batch_size=config.per_device_train_batch_size,
        per_device_eval_batch_size=config.per_device_train_batch_size,
        gradient_accumulation_steps=config.gradient_accumulation_steps,
        learning_rate=config.learning_rate,
        lr_scheduler_type=config.lr_scheduler_type,
        weight_decay=config.weight_decay,
        max_grad_norm=config.max_grad_norm,
        warmup_steps=config.warmup_steps,
        max_steps=config.max_steps,
        eval_strategy="steps" if config.do_eval else "no",
        eval_steps=config.eval_steps if config.do_eval else None,
        eval_on_start=config.do_eval and evaluate_first,
        save_strategy="steps",
        save_steps=config.save_steps,
        save_total_limit=config.save_total_limit,
        load_best_model_at_end=config.keep_best,
        metric_for_best_model="eval_loss" if config.keep_best else None,
        greater_is_better=False if config.keep_best else None,
        logging_steps=config.logging_steps,
        logging_first_step=True,
        logging_nan_inf_filter=False,  # it would report the average in place of a loss that is no number
        seed=config.seed,
        bf16=precision.bf16,
        fp16=precision.fp16,
        use_cpu=precision.device.type == "cpu",
        ddp_find_unused_parameters=False,  # every step uses all of an adapter; to look for more walks the whole graph
        dataloader_num_workers=min(config.num_workers, max(0, (os.cpu_count() or 1) - 1)),
        remove_unused_columns=False,
        prediction_loss_only=True,
        label_names=["labels"],
        report_to=config.tracker,
        trackio_static_space_id=False,  # else trackio would publish the figures on the hub at the end
        run_name=config.experiment_name,
        disable_tqdm=True,
    )
    if precision.device.type == "cuda":
        arguments._n_gpu = 1  # else Trainer wraps the model in DataParallel wherever it sees two GPUs
    return arguments


def _room_for_tokens(config: TrainConfig, model) -> int:
    """Longest program, in tokens with START and END, that fits the settings and the model."""
    room = min(config.max_seq_length - config.n_points, model.config.max_position_embeddings - model.n_point_tokens)
    wanted = model.point_settings.n_points
    if config.n_points < model.n_point_tokens or (wanted != config.n_points and model.point_settings.kind == "fourier"):
        raise ConfigError(
            "n_points is {n_points}; {base} reads {wanted} points.",
            n_points=config.n_points,
            base=config.base_model_name,
            wanted=wanted,
        )
    return room


# --- the end


def finish(config: TrainConfig, run: Run) -> Path:
    """Merge at the end, where asked for, and keep or drop the adapter. Returns the folder to use."""
    free_memory()
    if not config.auto_merge_final:
        return run.folder
    merged = merge_beside(config, run.folder, run)
    if config.keep_lora_final:
        return run.folder
    for name in (*ADAPTER_FILES, "README.md"):
        (run.folder / name).unlink(missing_ok=True)
    return merged


# --- small steps


def _check_possible(config: TrainConfig, run: Run) -> None:
    """What can be known to fail before anything heavy is loaded."""
    require(config.train_data_path)
    if config.more_train_data is not None:
        require(config.more_train_data)
    prepare_tracker(config.tracker, run.folder)
    sharding.require_possible(config.quantization)
    for advice in config.advice():
        log.warning("%s", advice)


def _checkpoint_to_resume(config: TrainConfig, run: Run) -> Path | None:
    """The checkpoint that the settings name, checked. Raises: RunError: why it cannot be resumed from."""
    wanted = config.resume_from_checkpoint
    if wanted is None:
        return None
    folder = run.latest_checkpoint() if wanted in ("last", "true", "True") else Path(wanted)
    problems = checkpoint_problems(folder)
    if problems:
        raise RunError(
            "{checkpoint} cannot be resumed from: {why}.", checkpoint=folder, why=joined("{first}; {second}", problems)
        )
    if checkpoint_step(folder) >= config.max_steps:
        raise RunError(
            "{folder} has all of max_steps ({max_steps}) behind it. Raise max_steps to go on.",
            folder=folder,
            max_steps=config.max_steps,
        )
    _refuse_other_adapter(folder, config)
    return folder


def _refuse_other_adapter(folder: Path, config: TrainConfig) -> None:
    """Raises: RunError, ModelError: no adapter, or one of another shape than the settings ask for, and which."""
    adapters.adapter_base(folder)
    saved = json.loads((folder / adapters.CONFIG_FILE).read_text(encoding="utf-8"))
    for name, then, now in (
        ("lora_r", saved["r"], config.lora_r),
        ("lora_alpha", saved["lora_alpha"], config.lora_alpha),
        ("lora_target_modules", sorted(saved["target_modules"]), sorted(config.lora_target_modules)),
        ("use_rslora", saved.get("use_rslora", False), config.use_rslora),
        ("use_dora", saved.get("use_dora", False), config.use_dora),
    ):
        if then != now:
            raise RunError(
                "{folder} was trained with {name} {then}, and the settings say {now}.",
                folder=folder,
                name=name,
                then=then,
                now=now,
            )


def _check_batch(trainer: AdapterTrainer, pairs: list[EncodedPair], config: TrainConfig) -> dict[str, torch.Tensor]:
    views = Views(pairs[:CHECKED_PAIRS], config.n_points, seed=config.seed)
    return trainer.data_collator([views[i] for i in range(len(views))])


def _stopped(run: Run) -> Path:
    checkpoints = run.checkpoints()
    run.set_status(State.STOPPED)
    if not checkpoints:
        log.info("Stopped before there was anything to save.")
        return run.folder
    log.info("Stopped. Go on with --resume_from_checkpoint %s", checkpoints[-1])
    return checkpoints[-1]


@contextlib.contextmanager
def _outcome_noted(config: TrainConfig, run: Run) -> Iterator[None]:
    """Whatever ends the run early is written into its status before it is raised."""
    run.claim()
    try:
        yield
    except CadrecodeError as error:
        run.set_status(State.FAILED, error=str(error))
        raise
    except torch.OutOfMemoryError as error:
        told = out_of_memory(config)
        run.set_status(State.FAILED, error=str(told))
        raise told from error
    except BaseException as error:
        log.error("%s", traceback.format_exc())
        full = isinstance(error, OSError) and error.errno == errno.ENOSPC
        run.set_status(State.FAILED, error=DISK_FULL if full else f"{type(error).__name__}: {error}")
        raise
