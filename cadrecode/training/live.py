"""The live model of a training: load the base, attach an adapter, train it, save it."""

from __future__ import annotations

import json
import logging
import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from transformers import EarlyStoppingCallback, PreTrainedModel, PreTrainedTokenizerBase, TrainerState

from cadrecode.adapters import CONFIG_FILE, WEIGHTS_FILE
from cadrecode.config import TrainConfig
from cadrecode.data.batches import Collate, EncodedPair, Views, encode
from cadrecode.data.pairs import DatasetReport
from cadrecode.errors import ConfigError, Message, RunError
from cadrecode.estimate import is_scarce
from cadrecode.heap import return_freed_blocks
from cadrecode.model import adapters, sharding
from cadrecode.model.adapters import PeftModel
from cadrecode.model.team import Team
from cadrecode.runs import Run, State, checkpoint_step
from cadrecode.training.base import Precision, load_base, loss_of
from cadrecode.training.card import compare, worse_than_base, write_card
from cadrecode.training.checkpoints import origin_of, refuse_strangers
from cadrecode.training.preflight import check_disk, check_labels, check_memory, try_longest_batch
from cadrecode.training.reading import RunPrograms
from cadrecode.training.saving import merge_beside, size_mb
from cadrecode.training.trainer import SCORE, AdapterTrainer, training_arguments
from cadrecode.training.watch import RunFolder

log = logging.getLogger(__name__)

NO_TOKENS = np.zeros(0, np.int32)  # of a pair whose cloud alone is used
CHECKED_PAIRS = 4  # a saved adapter must have the live model's loss on these


@dataclass(frozen=True)
class Trained:
    """The end of a live model: whether it was stopped, its steps, and a batch with its loss, to check what is saved."""

    stopped: bool
    steps: int = 0
    batch: dict[str, torch.Tensor] | None = None
    loss: float = 0.0


def train_adapter(
    config: TrainConfig, run: Run, data: RunPrograms, checkpoint: Path | None, team: Team, done: bool
) -> Trained:
    """Train an adapter, and save it into the run's folder unless the run was stopped.

    Args:
        done: Whether the run was done before.
    """
    precision = Precision.of(config)
    model, tokenizer = load_base(config, replace(precision, device=torch.device("cpu")) if team.shards else precision)
    if model.point_settings.columns > 3:
        data = data.with_normals()
    evaluate_first = checkpoint is None and not model.fresh_encoder
    pairs, held, report = _encode(config, run, data, model, tokenizer, team)
    config = with_steps(config, len(pairs), team.size)
    origin = origin_of(config, pairs, team.size, data.held_out)
    if checkpoint is not None:
        refuse_finished(checkpoint, config.max_steps, done)
        refuse_strangers(checkpoint, origin)
    longest = max(report.token_lengths)
    wrapped = _attached(config, run, model, longest, precision, team)
    points = (config.n_points, model.point_settings.heard_points)
    trainer = AdapterTrainer(
        origin=origin,
        encoder_rate=config.encoder_learning_rate,
        model=wrapped,
        args=training_arguments(config, run, precision, evaluate_first=evaluate_first),
        processing_class=tokenizer,
        data_collator=Collate(tokenizer.pad_token_id, model.n_point_tokens),
        train_dataset=Views(
            pairs,
            *points,
            seed=config.seed,
            noise_probability=config.noise_probability,
            noise_std=config.noise_std,
            partial_probability=config.partial_probability,
        ),
        eval_dataset=Views(held, *points, seed=config.seed) if held else None,
    )
    check_labels(trainer, tokenizer)
    try_longest_batch(trainer, config)
    asked = data.validation.pairs if data.validation is not None and held else []  # also the too long
    asked_views = Views([EncodedPair(pair, NO_TOKENS) for pair in asked], *points, seed=config.seed)
    watch = RunFolder(
        run, config, lambda folder: merge_beside(config, folder, run), tokenizer, asked_views, longest, team
    )
    trainer.add_callback(watch)
    if config.early_stopping is not None:
        trainer.add_callback(EarlyStoppingCallback(config.early_stopping))  # after `watch`, which adds the score
    _take_steps(config, run, trainer, checkpoint)
    if watch.stopped:
        return Trained(stopped=True)
    checked = Views(pairs[:CHECKED_PAIRS], *points, seed=config.seed)
    batch = trainer._prepare_inputs(trainer.data_collator([checked[i] for i in range(len(checked))]))
    loss = loss_of(wrapped, batch)  # in all processes: where the base is shared out, none can compute it alone
    if not team.first:
        return Trained(stopped=False)
    _save(config, run, trainer, report)
    cpu_batch = {key: value.cpu() for key, value in batch.items()}
    return Trained(stopped=False, steps=trainer.state.global_step, batch=cpu_batch, loss=loss)


def _take_steps(config: TrainConfig, run: Run, trainer: AdapterTrainer, checkpoint: Path | None) -> None:
    """Train from the start, or go on from a checkpoint: there may be no step left after it."""
    if checkpoint is not None:
        run.forget_metrics_after(checkpoint_step(checkpoint))
        log.info("Going on from %s", checkpoint)
    if checkpoint is not None and checkpoint_step(checkpoint) == config.max_steps:
        _load_trained(trainer, checkpoint, config)
    else:
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)


def _attached(
    config: TrainConfig, run: Run, model: PreTrainedModel, longest: int, precision: Precision, team: Team
) -> PeftModel:
    """The base with its adapter, where memory and disk have room for the training.

    Args:
        longest: Tokens of the longest program.
    Raises: RunError: too little memory, or too little room on the disk.
    """
    expected = check_memory(config, longest, team.size)
    scarce = is_scarce(config, expected.peak_bytes, expected.available_bytes)
    if precision.device.type == "cpu" and scarce and return_freed_blocks():
        log.info("Memory is short: freed blocks go back to the system at once, which takes some time.")
    wrapped = attach(config, model)
    if team.shards:
        part = sharding.share_out(wrapped, precision.device)
        log.info("The base is shared out: %.1f MB of it in each of %d processes.", part / 2**20, team.size)
    check_disk(config, run.folder, adapters.count_parameters(wrapped)[0])
    return wrapped


def with_steps(config: TrainConfig, pairs: int, processes: int) -> TrainConfig:
    """The settings with max_steps as num_train_epochs asks for it."""
    if config.num_train_epochs is None:
        return config
    a_step = config.per_device_train_batch_size * config.gradient_accumulation_steps * processes
    counted = config.changed(max_steps=math.ceil(config.num_train_epochs * pairs / a_step), num_train_epochs=None)
    log.info("%g passes over %d programs are %d steps.", config.num_train_epochs, pairs, counted.max_steps)
    for advice in counted.advice():
        log.warning("%s", advice)
    return counted


def refuse_finished(checkpoint: Path, max_steps: int, done: bool) -> None:
    """Raises: RunError: no step is left after a checkpoint, in a run that did not fail after its last step."""
    if checkpoint_step(checkpoint) > max_steps or (done and checkpoint_step(checkpoint) == max_steps):
        raise RunError(
            "{folder} has done all of its max_steps ({max_steps}). Raise max_steps to continue.",
            folder=checkpoint,
            max_steps=max_steps,
        )


def _load_trained(trainer: AdapterTrainer, checkpoint: Path, config: TrainConfig) -> None:
    """Load a checkpoint after which there is no step left. (The Trainer would take one more.)"""
    trainer.state = TrainerState.load_from_json(str(checkpoint / "trainer_state.json"))
    best = trainer.state.best_model_checkpoint
    trainer._load_from_checkpoint(best if config.keep_best and best else str(checkpoint))


def _encode(
    config: TrainConfig,
    run: Run,
    data: RunPrograms,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    team: Team,
) -> tuple[list[EncodedPair], list[EncodedPair], DatasetReport]:
    """Training and validation programs in tokens, and the report of the former; both reports go into data.json."""
    room = _room_for_tokens(config, model)
    pairs, report = encode(data.training, tokenizer, room)
    log.info("%s", report.summary())
    if warning := report.warning(config.n_points):
        log.warning("%s", warning)
    held: list[EncodedPair] = []
    reports = {"train": report.to_dict()}
    if data.validation is not None:
        written = [pair for pair in data.validation.pairs if pair.text]
        held, validation_report = encode(replace(data.validation, pairs=written), tokenizer, room)
        log.info("%s", validation_report.summary())
        if validation_report.too_long:
            log.warning("They are held out all the same: the loss leaves them out, the sample programs do not.")
        reports["validation"] = validation_report.to_dict()
    if team.first:
        (run.folder / "data.json").write_text(json.dumps(reports, indent=1), encoding="utf-8")
    return pairs, held, report


def _room_for_tokens(config: TrainConfig, model: PreTrainedModel) -> int:
    """Tokens of the longest program, with START and END, that settings and model allow."""
    room = min(config.max_seq_length - config.n_points, model.config.max_position_embeddings - model.n_point_tokens)
    wanted = model.point_settings.n_points
    is_exact = model.point_settings.kind == "fourier" or model.point_settings.heard_points > 0
    if config.n_points < model.n_point_tokens or (wanted != config.n_points and is_exact):
        raise ConfigError(
            "n_points is {n_points}; {base} reads {wanted} points.",
            n_points=config.n_points,
            base=config.base_model_name,
            wanted=wanted,
        )
    if wanted != config.n_points:
        log.warning("n_points is %d; %s was trained with %d points.", config.n_points, config.base_model_name, wanted)
    return room


def attach(config: TrainConfig, model: PreTrainedModel) -> PeftModel:
    """Give the base a fresh adapter, or the adapter of `init_from_adapter`, and log its measured size."""
    if config.quantization is not None:
        adapters.prepare_for_kbit(model, gradient_checkpointing=config.gradient_checkpointing)
    elif config.gradient_checkpointing:
        model.activation_checkpointing_enable(activation_checkpointing_kwargs={"use_reentrant": False})
    held_mb = model.get_memory_footprint() / 2**20
    if config.init_from_adapter is not None:
        refuse_other_adapter(Path(config.init_from_adapter), config)
        wrapped = adapters.load_adapter(model, config.init_from_adapter, trainable=True)
        log.info("Going on from the adapter in %s", config.init_from_adapter)
    else:
        wrapped = adapters.attach_lora(
            model,
            r=config.lora_r,
            alpha=config.lora_alpha,
            dropout=config.lora_dropout,
            target_modules=config.lora_target_modules,
            use_rslora=config.use_rslora,
            use_dora=config.use_dora,
            ranks=config.ranks,
            init=config.init_lora_weights,
        )
    trainable, total = adapters.count_parameters(wrapped)
    log.info(
        "%s: held in %.0f MB (%s); trainable %s of %s parameters (%.2f %%)",
        config.base_model_name,
        held_mb,
        config.quantization or str(model.dtype).removeprefix("torch."),
        f"{trainable:,}",
        f"{total:,}",
        100 * trainable / total,
    )
    return wrapped


def refuse_other_adapter(folder: Path, config: TrainConfig) -> None:
    """Raises: RunError, ModelError: no adapter, or an adapter of another shape than the settings describe."""
    adapters.adapter_base(folder)
    saved = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
    halves = 2 if config.changes_base and config.init_from_adapter is None else 1  # see model.beginnings
    ranks = sorted((name, rank // halves) for name, rank in (saved.get("rank_pattern") or {}).items())
    for name, then, now in (
        ("lora_r", saved["r"] // halves, config.lora_r),
        ("lora_alpha", saved["lora_alpha"] // halves, config.lora_alpha),
        ("rank_pattern", ranks, sorted(config.ranks.items())),
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


def _ended_early(config: TrainConfig, steps: int) -> Message | None:
    """A note that early_stopping ended a training; None where all of its steps were done."""
    if config.early_stopping is None or steps >= config.max_steps:
        return None
    early = Message(
        "Ended early, at step {step:,} of {total:,}. Evaluations in a row without a gain: {n} (early_stopping). The "
        "best weights were kept.",
        step=steps,
        total=config.max_steps,
        n=config.early_stopping,
    )
    log.info("%s", early)
    return early


def _save(config: TrainConfig, run: Run, trainer: AdapterTrainer, report: DatasetReport) -> None:
    """Save the adapter with its card, and note how the base and the adapter were evaluated."""
    best = trainer.state
    if config.keep_best:
        log.info("Kept: the weights of step %s, the best by %s", best.best_global_step, SCORE)
    scores = compare(run, best.best_global_step if config.keep_best else None)
    for name, figures in scores.items():
        log.info("%s: %s", name, "  ".join(f"{k} {v:.4f}" for k, v in figures.items() if v is not None))
    worse = worse_than_base(scores)
    if worse:
        log.warning("%s", worse)
    run.set_status(State.SAVING, scores=scores, worse=worse, ended_early=_ended_early(config, best.global_step))
    counts = adapters.save_adapter(trainer.model, trainer.processing_class, run.folder)
    write_card(run.folder, config, report, scores)
    log.info(
        "Adapter saved: %d LoRA and %d encoder tensors, %s numbers, %.1f MB",
        counts.lora_tensors,
        counts.encoder_tensors,
        f"{counts.parameters:,}",
        size_mb(run.folder / WEIGHTS_FILE),
    )
