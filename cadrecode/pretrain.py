"""Train the embedded base from nothing, on invented parts alone.

    python -m cadrecode pretrain --config configs/pretrain_base.yaml [--resume]

A loop of its own rather than transformers' Trainer: pairs are a stream without end, batches are sorted by length, and
the learning rate follows the clock where `minutes` is set.
"""

from __future__ import annotations

import functools
import logging
import math
import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from cadrecode.config import PretrainConfig
from cadrecode.data.batches import Collate
from cadrecode.data.stream import BATCHES_PER_CHUNK, ChunkStream, Pairs, held_out_pairs, make_pairs
from cadrecode.errors import ProgramError, RunError
from cadrecode.model.decode import generate
from cadrecode.model.load import load_tokenizer, save_model
from cadrecode.model.network import new_model
from cadrecode.model.tokens import PAD, build_tokenizer, encode_program
from cadrecode.program import build, iou, parse
from cadrecode.program.invent import FAMILIES
from cadrecode.runs import Run, State

log = logging.getLogger(__name__)

TOKENIZER_PROGRAMS = {"general": 4000}  # programs whose fragments become tokens; OTHER_PROGRAMS of every other family
OTHER_PROGRAMS = 200
TOKENIZER_SEED = 10**7  # apart from the seeds of training and of held-out parts
EVALUATION_PARTS = 64
FINAL_LEARNING_RATE = 0.02  # of the largest, where the cosine ends
ADAM_BETAS = (0.9, 0.98)
CHECKPOINT = "checkpoint.pt"


@dataclass
class Progress:
    """What a resumed run continues from."""

    step: int = 0
    pairs: int = 0
    seconds: float = 0.0

    def share(self, config: PretrainConfig) -> float:
        """How much of the training is done, 0 to 1."""
        shares = [0.0]
        if config.minutes is not None:
            shares.append(self.seconds / (60 * config.minutes))
        if config.max_pairs is not None:
            shares.append(self.pairs / config.max_pairs)
        return min(1.0, max(shares))


@dataclass(frozen=True)
class EncodedChunk:
    """Batches ready for the network: token ids a row, and clouds (B, n_points, 3) float32 MODEL."""

    batches: list[tuple[list[list[int]], np.ndarray]]


def pretrain(config: PretrainConfig, *, resume: bool = False) -> Path:
    """Train the base. Returns: the folder with config.json, model.safetensors and the tokenizer.

    Raises: RunError: there is a training in the folder already and `resume` was not asked for, or none to resume.
    """
    folder = Path(config.output_path)
    checkpoint = folder / CHECKPOINT
    if checkpoint.exists() and not resume:
        raise RunError(
            f"{folder} holds a training already. Add --resume to continue it, or choose another output_path."
        )
    if resume and not checkpoint.exists():
        raise RunError(f"{folder} holds no {CHECKPOINT} to resume from. Leave --resume out to begin.")
    run = Run(folder) if resume else Run.create(folder, config.to_yaml())
    torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)

    tokenizer = _tokenizer(folder)
    model = _fresh_model(config, tokenizer)
    optimizer = torch.optim.AdamW(_parameter_groups(model, config), lr=config.learning_rate, betas=ADAM_BETAS)
    progress = Progress()
    if resume:
        progress = _load_checkpoint(checkpoint, model, optimizer)
        run.clear_stop()
        run.forget_metrics_after(progress.step)  # what a killed run did after its last checkpoint is done again
        log.info("resumed at step %d, %d pairs", progress.step, progress.pairs)
    log.info("%.2f M parameters, %d words", sum(p.numel() for p in model.parameters()) / 1e6, len(tokenizer))

    held_out = held_out_pairs(EVALUATION_PARTS, family=config.family, n_points=config.n_points)
    make = functools.partial(_make_chunk, config=config, tokenizer_folder=str(folder))
    first, skipped = divmod(progress.step, BATCHES_PER_CHUNK)
    collate = Collate(tokenizer.convert_tokens_to_ids(PAD), model.n_point_tokens)
    run.set_status(State.TRAINING, step=progress.step)
    with ChunkStream(make, config.workers, first) as chunks:
        batches = (batch for chunk in chunks for batch in chunk.batches)
        for _ in range(skipped):
            next(batches)
        _loop(config, run, model, tokenizer, optimizer, progress, batches, held_out, collate)
    save_model(model, tokenizer, folder, dtype=torch.bfloat16)
    _save_checkpoint(checkpoint, model, optimizer, progress)
    run.set_status(State.DONE if progress.share(config) >= 1 else State.STOPPED, step=progress.step)
    return folder


def _loop(config, run, model, tokenizer, optimizer, progress, batches, held_out, collate) -> None:
    """Steps until the time or the pairs are used up, or the run is asked to stop."""
    model.train()
    autocast = torch.autocast("cpu", torch.bfloat16, enabled=config.mixed_precision == "bf16")
    losses: list[float] = []
    tokens, since = 0, time.monotonic()
    clock = time.monotonic()
    while progress.share(config) < 1 and not run.stop_requested():
        rows, clouds = next(batches)
        batch = collate([{"tokens": row, "point_cloud": cloud} for row, cloud in zip(rows, clouds)])
        del batch["attention_mask"]  # attention is causal and padding comes last: a mask would only cost time
        for group in optimizer.param_groups:
            group["lr"] = _learning_rate(config, progress)
        with autocast:
            loss = model(**batch).loss
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), config.grad_clip)
        optimizer.step()

        progress.step += 1
        progress.pairs += len(rows)
        now = time.monotonic()
        progress.seconds, clock = progress.seconds + now - clock, now
        losses.append(float(loss.detach()))
        tokens += sum(map(len, rows))
        if progress.step % config.log_every == 0:
            _log_step(run, config, progress, losses, tokens, now - since, optimizer)
            losses, tokens, since = [], 0, now
        if progress.step % config.checkpoint_every == 0:
            _save_checkpoint(Path(run.folder) / CHECKPOINT, model, optimizer, progress)
        if progress.step % config.eval_every == 0:
            run.log_metrics(progress.step, pairs=progress.pairs, **measure(model, tokenizer, held_out))
            save_model(model, tokenizer, run.folder, dtype=torch.bfloat16)
            model.train()


def _log_step(run, config, progress, losses, tokens, seconds, optimizer) -> None:
    share = progress.share(config)
    run.log_metrics(
        progress.step,
        pairs=progress.pairs,
        loss=round(float(np.mean(losses)), 4),
        learning_rate=optimizer.param_groups[0]["lr"],
        samples_per_second=round(config.batch_size * len(losses) / seconds, 1),
        tokens_per_second=round(tokens / seconds),
    )
    eta = progress.seconds * (1 - share) / share if share > 0 else None
    run.set_status(State.TRAINING, step=progress.step, pairs=progress.pairs, eta_seconds=eta and round(eta))


def _make_chunk(number: int, *, config: PretrainConfig, tokenizer_folder: str) -> EncodedChunk:
    tokenizer = _load_tokenizer(tokenizer_folder)
    pairs = make_pairs(
        (0, config.seed, number),
        BATCHES_PER_CHUNK * config.batch_size,
        family=config.family,
        n_points=config.n_points,
        noise_probability=config.noise_probability,
        noise_std=config.noise_std,
        keep=lambda text: len(encode_program(tokenizer, text)) <= config.max_tokens,
    )
    rows = [encode_program(tokenizer, text) for text in pairs.texts]
    by_length = np.argsort([len(row) for row in rows], kind="stable").reshape(BATCHES_PER_CHUNK, config.batch_size)
    np.random.default_rng((1, config.seed, number)).shuffle(by_length)
    return EncodedChunk([([rows[i] for i in batch], pairs.clouds[batch]) for batch in by_length])


@functools.lru_cache(maxsize=1)
def _load_tokenizer(folder: str):
    return load_tokenizer(Path(folder), "qwen3", folder)


def _tokenizer(folder: Path):
    """The tokenizer of a resumed training, or one made from freshly invented programs."""
    if (folder / "tokenizer.json").exists():
        return _load_tokenizer(str(folder))
    programs: list[str] = []
    for index, family in enumerate(FAMILIES):
        count = TOKENIZER_PROGRAMS.get(family, OTHER_PROGRAMS)
        programs += make_pairs((TOKENIZER_SEED, index), count, family=family, n_points=1).texts
    tokenizer = build_tokenizer(programs)
    tokenizer.save_pretrained(folder)
    return tokenizer


def _fresh_model(config: PretrainConfig, tokenizer):
    return new_model(
        tokenizer,
        hidden_size=config.hidden_size,
        intermediate_size=config.intermediate_size,
        num_hidden_layers=config.num_hidden_layers,
        num_attention_heads=config.num_attention_heads,
        num_key_value_heads=config.num_key_value_heads,
        head_dim=config.head_dim,
        max_position_embeddings=config.max_position_embeddings,
        point_encoder={
            "kind": "patch",
            "n_points": config.n_points,
            "n_tokens": config.point_tokens,
            "neighbours": config.neighbours,
            "width": config.encoder_width,
            "layers": config.encoder_layers,
        },
    )


def _parameter_groups(model, config: PretrainConfig) -> list[dict]:
    """Matrices are pulled towards zero; norms, biases and embeddings are not."""
    decayed, free = [], []
    for name, parameter in model.named_parameters():
        (decayed if parameter.dim() > 1 and "embed" not in name else free).append(parameter)
    return [{"params": decayed, "weight_decay": config.weight_decay}, {"params": free, "weight_decay": 0.0}]


def _learning_rate(config: PretrainConfig, progress: Progress) -> float:
    """Linear warm-up, then a cosine down to FINAL_LEARNING_RATE of the largest."""
    warm = min(1.0, (progress.step + 1) / max(1, config.warmup_steps))
    cosine = (1 + math.cos(math.pi * progress.share(config))) / 2
    return config.learning_rate * warm * (FINAL_LEARNING_RATE + (1 - FINAL_LEARNING_RATE) * cosine)


def measure(model, tokenizer, pairs: Pairs) -> dict[str, float]:
    """Greedy samples for held-out parts: `invalid_ratio` and `median_iou` (an invalid program has IoU 0)."""
    model.eval()
    ious: list[float] = []
    invalid = 0
    for text, truth in zip(generate(model, tokenizer, pairs.clouds), pairs.texts):
        try:
            ious.append(iou(build(parse(text)), build(parse(truth))))
        except ProgramError:
            invalid += 1
            ious.append(0.0)
    return {"invalid_ratio": round(invalid / len(ious), 4), "median_iou": round(float(np.median(ious)), 4)}


def _save_checkpoint(path: Path, model, optimizer, progress: Progress) -> None:
    """Written beside and then moved into place, so that a killed run leaves the last good one."""
    half = path.with_suffix(".half")
    torch.save(
        {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "progress": vars(progress)},
        half,
    )
    os.replace(half, path)


def _load_checkpoint(path: Path, model, optimizer) -> Progress:
    held = torch.load(path, weights_only=True)
    model.load_state_dict(held["model"])
    optimizer.load_state_dict(held["optimizer"])
    return Progress(**held["progress"])
