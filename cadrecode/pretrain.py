"""Train the embedded base from nothing, on invented parts alone.

    python -m cadrecode pretrain --config configs/pretrain_base.yaml [--resume]
    accelerate launch --multi_gpu --num_processes 2 -m cadrecode pretrain --config ...      on several GPUs, or on none

The loop is our own, not transformers' Trainer, because pairs are an endless stream, batches are sorted by length, and
the learning rate follows the clock where `minutes` is set. It is the same on a CPU and on a GPU, for which there is
configs/pretrain_base_gpu.yaml; a GPU machine needs only numpy, manifold3d, torch, transformers and pydantic.
"""

from __future__ import annotations

import functools
import itertools
import logging
import math
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from cadrecode.config import PretrainConfig, ReconstructConfig
from cadrecode.data.chunks import EVALUATION_PARTS, Prepare, RawBatch, make_chunk, make_tokenizer, read_tokenizer
from cadrecode.data.stream import BATCHES_PER_CHUNK, ChunkStream, InventedPairs, held_out_pairs, oldest_needed, revisit
from cadrecode.errors import Message, ProgramError, RunError
from cadrecode.model.decode import generate
from cadrecode.model.devices import pick_device
from cadrecode.model.load import save_model
from cadrecode.model.network import Qwen3WithPoints, new_model
from cadrecode.model.team import Team, own_device
from cadrecode.model.tokens import PAD
from cadrecode.program import build, iou, parse
from cadrecode.program.solid import Manifold
from cadrecode.runs import Run, State

log = logging.getLogger(__name__)

EVALUATION = ReconstructConfig()  # as many candidates, and drawn as freely, as a person's
FINAL_LEARNING_RATE = 0.02  # share of the largest learning rate at the end of the cosine
ADAM_BETAS = (0.9, 0.98)
CHECKPOINT = "checkpoint.pt"


@dataclass
class Elapsed:
    """How far a training has come; a resumed run continues from here."""

    step: int = 0
    pairs: int = 0
    seconds: float = 0.0

    def share(self, config: PretrainConfig) -> float:
        """The share of the training that is done, 0 to 1."""
        shares = [0.0]
        if config.minutes is not None:
            shares.append(self.seconds / (60 * config.minutes))
        if config.max_pairs is not None:
            shares.append(self.pairs / config.max_pairs)
        return min(1.0, max(shares))


def pretrain(config: PretrainConfig, *, resume: bool = False) -> Path:
    """Train the base.

    Returns: the folder with config.json, model.safetensors and the tokenizer.
    Raises: RunError: the folder holds a training and `resume` is False, or none and `resume` is True.
    """
    folder = Path(config.output_path)
    checkpoint = folder / CHECKPOINT
    if checkpoint.exists() and not resume:
        raise RunError(
            "{folder} holds a training already. Add --resume to continue it, or choose another output_path.",
            folder=folder,
        )
    if resume and not checkpoint.exists():
        raise RunError(
            "{folder} holds no {checkpoint} to resume from. Leave --resume out to begin.",
            folder=folder,
            checkpoint=CHECKPOINT,
        )
    device = own_device(pick_device(config.device))
    team = Team.join(device)
    try:
        return _pretrain(config, folder, device, team, resume)
    finally:
        team.leave()


def _pretrain(config: PretrainConfig, folder: Path, device: torch.device, team: Team, resume: bool) -> Path:
    checkpoint = folder / CHECKPOINT
    team.wait()  # all processes have looked into the folder; from here on the first writes there
    run = Run.create(folder, config.to_yaml()) if team.first and not resume else Run(folder)
    torch.set_num_threads(config.threads)
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high")  # TF32, for the encoder, which autocast leaves in float32
    torch.manual_seed(config.seed)

    if team.first:
        make_tokenizer(folder)
    team.wait()
    tokenizer = read_tokenizer(str(folder))
    model = fresh_model(config, tokenizer).to(device)
    optimizer = torch.optim.AdamW(
        parameter_groups(model, config), lr=config.learning_rate, betas=ADAM_BETAS, fused=device.type == "cuda"
    )
    elapsed = Elapsed()
    if resume:
        elapsed = _load_checkpoint(checkpoint, model, optimizer)
        if team.first:
            run.clear_stop()
            run.forget_metrics_after(elapsed.step)  # steps of a killed run after its last checkpoint are done again
        log.info("resumed at step %d, %d pairs", elapsed.step, elapsed.pairs)
    log.info("%.2f M parameters, %d words", sum(p.numel() for p in model.parameters()) / 1e6, len(tokenizer))

    held_out = held_out_pairs(
        EVALUATION_PARTS,
        family=config.family,
        n_points=config.n_points,
        height_steps=config.height_steps,
        heard=config.frequencies > 0,
    )
    make = functools.partial(make_chunk, config=config, tokenizer_folder=str(folder), rank=team.rank, size=team.size)
    visit, skipped = divmod(elapsed.step, BATCHES_PER_CHUNK)
    first = oldest_needed(visit, config.repeats)
    if team.first:
        run.set_status(State.TRAINING, step=elapsed.step)
    with ChunkStream(make, config.workers, first) as stream:
        chunks = revisit(iter(stream), first, visit, config.repeats)
        batches = itertools.islice((batch for chunk in chunks for batch in chunk), skipped, None)
        if config.compile:
            _compile(model, config)
        train_steps(Training(config, run, team, model, tokenizer, optimizer, elapsed), batches, held_out)
    if not team.first:
        return folder
    save_model(model, tokenizer, folder, dtype=torch.bfloat16)
    _save_checkpoint(checkpoint, model, optimizer, elapsed)
    run.set_status(State.DONE if elapsed.share(config) >= 1 else State.STOPPED, step=elapsed.step)
    return folder


@dataclass
class Training:
    """Everything that a step changes or looks at."""

    config: PretrainConfig
    run: Run
    team: Team
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    optimizer: torch.optim.Optimizer
    elapsed: Elapsed


@dataclass
class Logged:
    """The sums since the last entry of the log."""

    since: float  # seconds of the monotonic clock
    losses: list[torch.Tensor] = field(default_factory=list)  # on the device: reading each would wait for it
    tokens: int = 0
    waited: float = 0.0  # seconds


def train_steps(training: Training, batches: Iterator[RawBatch], held_out: InventedPairs | None) -> None:
    """Train until the time or the pairs are used up, or the run is asked to stop."""
    config, team, model, elapsed = training.config, training.team, training.model, training.elapsed
    model.train()
    prepare = Prepare(config, training.tokenizer.convert_tokens_to_ids(PAD), model.n_point_tokens, model.device)
    clock = time.monotonic()
    logged = Logged(clock)
    while elapsed.share(config) < 1 and not team.agree(training.run.stop_requested())[0]:
        began = time.monotonic()
        raw = next(batches)
        logged.waited += time.monotonic() - began
        loss = _step(training, prepare(raw, elapsed.step * team.size + team.rank))
        elapsed.step += 1
        elapsed.pairs += len(raw.tokens) * team.size
        now = time.monotonic()
        elapsed.seconds, clock = team.agree(elapsed.seconds + now - clock)[0], now
        logged.losses.append(loss)
        logged.tokens += raw.tokens.size * team.size
        if elapsed.step % config.log_every == 0:
            mean = float(team.mean(torch.stack(logged.losses).mean()))
            if team.first:
                _log_steps(training, logged, mean, now)
            logged = Logged(now)
        if team.first:
            _save_and_evaluate(training, held_out)


def _step(training: Training, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """A step of the optimizer. Returns: the loss, on the device."""
    config, model, optimizer = training.config, training.model, training.optimizer
    for group in optimizer.param_groups:
        group["lr"] = _learning_rate(config, training.elapsed)
    with _autocast(config, model.device):
        loss = model(**batch).loss
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    training.team.average_gradients(model.parameters())
    torch.nn.utils.clip_grad_norm_(model.parameters(), config.grad_clip)
    optimizer.step()
    return loss.detach()


def _save_and_evaluate(training: Training, held_out: InventedPairs | None) -> None:
    """Write a checkpoint and evaluate, where it is time for it."""
    config, run, model, step = training.config, training.run, training.model, training.elapsed.step
    if step % config.checkpoint_every == 0:
        _save_checkpoint(run.folder / CHECKPOINT, model, training.optimizer, training.elapsed)
    if step % config.eval_every == 0 and held_out is not None:
        figures = measure(model, training.tokenizer, held_out, config.max_tokens)
        run.log_metrics(step, pairs=training.elapsed.pairs, **figures)
        save_model(model, training.tokenizer, run.folder, dtype=torch.bfloat16)
        model.train()


def _autocast(config: PretrainConfig, device: torch.device) -> torch.autocast:
    return torch.autocast(device.type, torch.bfloat16, enabled=config.mixed_precision == "bf16")


def _compile(model: PreTrainedModel, config: PretrainConfig) -> None:
    """Compile the layers, for all lengths at once, while workers make the first pairs."""
    for layer in model.model.layers:
        layer.compile(dynamic=True)
    model.train()
    shape = (config.batch_size, model.n_point_tokens + 77, config.hidden_size)  # a usual one: sizes decide the kernels
    embeds = torch.zeros(shape, device=model.device, requires_grad=True)
    with _autocast(config, model.device):
        loss = model.model(inputs_embeds=embeds, use_cache=False).last_hidden_state.sum()
    loss.backward()
    model.zero_grad(set_to_none=True)


def _log_steps(training: Training, logged: Logged, loss: float, now: float) -> None:
    """Raises: RunError: the loss is not finite."""
    config, run, elapsed = training.config, training.run, training.elapsed
    share, seconds = elapsed.share(config), now - logged.since
    if not math.isfinite(loss):
        message = Message(
            "The loss became {loss} near step {step}. Resume with a lower learning_rate.", loss=loss, step=elapsed.step
        )
        run.set_status(State.FAILED, step=elapsed.step, error=message)
        raise RunError(message)
    samples = config.batch_size * training.team.size * len(logged.losses)
    run.log_metrics(
        elapsed.step,
        pairs=elapsed.pairs,
        loss=round(loss, 4),
        learning_rate=training.optimizer.param_groups[0]["lr"],
        samples_per_second=round(samples / seconds, 1),
        tokens_per_second=round(logged.tokens / seconds),
        waiting_share=round(logged.waited / seconds, 3),  # share of the time in which the training waited for pairs
    )
    eta = elapsed.seconds * (1 - share) / share if share > 0 else None
    run.set_status(State.TRAINING, step=elapsed.step, pairs=elapsed.pairs, eta_seconds=eta and round(eta))


def fresh_model(config: PretrainConfig, tokenizer: PreTrainedTokenizerBase) -> Qwen3WithPoints:
    """The network of the settings with random weights, on the CPU."""
    encoder = {"kind": config.point_encoder, "n_points": config.n_points}
    if config.point_encoder == "patch":
        encoder |= {
            "n_tokens": config.point_tokens,
            "neighbours": config.neighbours,
            "width": config.encoder_width,
            "layers": config.encoder_layers,
            "frequencies": config.frequencies,
        }
    return new_model(
        tokenizer,
        hidden_size=config.hidden_size,
        intermediate_size=config.intermediate_size,
        num_hidden_layers=config.num_hidden_layers,
        num_attention_heads=config.num_attention_heads,
        num_key_value_heads=config.num_key_value_heads,
        head_dim=config.head_dim,
        max_position_embeddings=config.max_position_embeddings,
        point_encoder=encoder,
    )


def parameter_groups(model: torch.nn.Module, config: PretrainConfig) -> list[dict]:
    """Weight decay for matrices; none for norms, biases and embeddings."""
    decayed: list[torch.nn.Parameter] = []
    free: list[torch.nn.Parameter] = []
    for name, parameter in model.named_parameters():
        (decayed if parameter.dim() > 1 and "embed" not in name else free).append(parameter)
    return [{"params": decayed, "weight_decay": config.weight_decay}, {"params": free, "weight_decay": 0.0}]


def _learning_rate(config: PretrainConfig, elapsed: Elapsed) -> float:
    """Linear warm-up, then a cosine down to FINAL_LEARNING_RATE of the largest."""
    warm = min(1.0, (elapsed.step + 1) / max(1, config.warmup_steps))
    cosine = (1 + math.cos(math.pi * elapsed.share(config))) / 2
    return config.learning_rate * warm * (FINAL_LEARNING_RATE + (1 - FINAL_LEARNING_RATE) * cosine)


def measure(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, pairs: InventedPairs, max_tokens: int
) -> dict[str, float]:
    """How well held-out parts are rebuilt, in programs of up to `max_tokens`; an invalid program has IoU 0.

    Returns: `invalid_ratio` and `median_iou` of greedy samples; `best_of_8_iou`, the median over parts of the largest
        IoU among the greedy sample and 7 drawn samples. Unlike `evaluate`, it ranks candidates by the true part: an
        upper bound, whatever ranks the candidates.
    """
    model.eval()
    with torch.compiler.set_stance("force_eager"):  # decoding has another shape at every step
        greedy = generate(model, tokenizer, pairs.clouds, max_new_tokens=max_tokens)
        clouds = np.repeat(pairs.clouds, EVALUATION.candidates - 1, axis=0)
        drawn = generate(model, tokenizer, clouds, temperature=EVALUATION.temperature, max_new_tokens=max_tokens)
    truths = [build(parse(text)) for text in pairs.texts]
    single = np.array([_iou_of(text, truth) for text, truth in zip(greedy, truths)])  # NaN: invalid
    others = [_iou_of(text, truths[i // (EVALUATION.candidates - 1)]) for i, text in enumerate(drawn)]
    every = np.nan_to_num(np.column_stack((single, np.reshape(others, (len(truths), -1)))))
    figures = {
        "invalid_ratio": np.isnan(single).mean(),
        "median_iou": np.median(every[:, 0]),
        f"best_of_{EVALUATION.candidates}_iou": np.median(every.max(axis=1)),
    }
    return {name: round(float(value), 4) for name, value in figures.items()}


def _iou_of(text: str, truth: Manifold) -> float:
    """NaN where the text is no valid program."""
    try:
        return iou(build(parse(text)), truth)
    except ProgramError:
        return math.nan


def _save_checkpoint(path: Path, model: torch.nn.Module, optimizer: torch.optim.Optimizer, elapsed: Elapsed) -> None:
    """Write beside the checkpoint and move into its place, so that a killed run leaves the last good one."""
    half = path.with_suffix(".half")
    values = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "progress": vars(elapsed)}
    torch.save(values, half)
    os.replace(half, path)


def _load_checkpoint(path: Path, model: PreTrainedModel, optimizer: torch.optim.Optimizer) -> Elapsed:
    held = torch.load(path, map_location=model.device, weights_only=True)
    model.load_state_dict(held["model"])
    optimizer.load_state_dict(held["optimizer"])
    return Elapsed(**held["progress"])
