"""Train the embedded base from nothing, on invented parts alone.

    python -m cadrecode pretrain --config configs/pretrain_base.yaml [--resume]
    accelerate launch --multi_gpu --num_processes 2 -m cadrecode pretrain --config ...      on several GPUs, or on none

A loop of its own rather than transformers' Trainer: pairs are a stream without end, batches are sorted by length, and
the learning rate follows the clock where `minutes` is set. The same on a CPU and on a GPU, which
configs/pretrain_base_gpu.yaml is for; there nothing but numpy, manifold3d, torch, transformers and pydantic is needed.
"""

from __future__ import annotations

import functools
import itertools
import logging
import math
import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from cadrecode.config import PretrainConfig
from cadrecode.data.spread import DISTURBANCES, spread
from cadrecode.data.stream import (
    BATCHES_PER_CHUNK,
    CANDIDATES_PER_POINT,
    ChunkStream,
    InventedPairs,
    held_out_pairs,
    invent_pairs,
    oldest_needed,
    revisit,
    shapes_apart,
)
from cadrecode.errors import Message, ProgramError, RunError
from cadrecode.invent.draw import FAMILIES
from cadrecode.model.decode import generate
from cadrecode.model.devices import pick_device
from cadrecode.model.load import load_tokenizer, save_model
from cadrecode.model.network import IGNORED, new_model
from cadrecode.model.team import Team, own_device
from cadrecode.model.tokens import PAD, build_tokenizer, encode_program
from cadrecode.program import build, iou, parse
from cadrecode.runs import Run, State

log = logging.getLogger(__name__)

# programs whose fragments become tokens; OTHER_PROGRAMS of every other family
TOKENIZER_PROGRAMS = {"general": 4000, "designs": 4000}
OTHER_PROGRAMS = 200
TOKENIZER_SEED = 10**7  # apart from the seeds of training and of held-out parts
EVALUATION_PARTS = 64
HELD_OUT_PARTS = 500  # of each family, that no training may see
EVALUATION_CANDIDATES, EVALUATION_TEMPERATURE = 8, 0.7
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
class RawBatch:
    """Pairs of like length as a worker sends them, small.

    Args:
        tokens: (B, L) int32, START, program, END, then padding.
        surfaces: (B, S, 3) float16, MODEL, samples of the surfaces in random order.
    """

    tokens: np.ndarray
    surfaces: np.ndarray


def pretrain(config: PretrainConfig, *, resume: bool = False) -> Path:
    """Train the base. Returns: the folder with config.json, model.safetensors and the tokenizer.

    Raises: RunError: there is a training in the folder already and `resume` was not asked for, or none to resume.
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
    team.wait()  # all have looked into the folder; from here on the first one writes there
    run = Run.create(folder, config.to_yaml()) if team.first and not resume else Run(folder)
    torch.set_num_threads(config.threads)
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high")  # TF32, for the encoder, which autocast leaves in float32
    torch.manual_seed(config.seed)

    if team.first:
        _make_tokenizer(folder)
    team.wait()
    tokenizer = _load_tokenizer(str(folder))
    model = fresh_model(config, tokenizer).to(device)
    optimizer = torch.optim.AdamW(
        parameter_groups(model, config), lr=config.learning_rate, betas=ADAM_BETAS, fused=device.type == "cuda"
    )
    progress = Progress()
    if resume:
        progress = _load_checkpoint(checkpoint, model, optimizer)
        if team.first:
            run.clear_stop()
            run.forget_metrics_after(progress.step)  # what a killed run did after its last checkpoint is done again
        log.info("resumed at step %d, %d pairs", progress.step, progress.pairs)
    log.info("%.2f M parameters, %d words", sum(p.numel() for p in model.parameters()) / 1e6, len(tokenizer))

    held_out = held_out_pairs(
        EVALUATION_PARTS, family=config.family, n_points=config.n_points, height_steps=config.height_steps
    )
    make = functools.partial(make_chunk, config=config, tokenizer_folder=str(folder), rank=team.rank, size=team.size)
    visit, skipped = divmod(progress.step, BATCHES_PER_CHUNK)
    first = oldest_needed(visit, config.repeats)
    if team.first:
        run.set_status(State.TRAINING, step=progress.step)
    with ChunkStream(make, config.workers, first) as stream:
        chunks = revisit(iter(stream), first, visit, config.repeats)
        batches = itertools.islice((batch for chunk in chunks for batch in chunk), skipped, None)
        if config.compile:
            _compile(model, config)
        train_steps(config, run, team, model, tokenizer, optimizer, progress, batches, held_out)
    if not team.first:
        return folder
    save_model(model, tokenizer, folder, dtype=torch.bfloat16)
    _save_checkpoint(checkpoint, model, optimizer, progress)
    run.set_status(State.DONE if progress.share(config) >= 1 else State.STOPPED, step=progress.step)
    return folder


def train_steps(config, run, team, model, tokenizer, optimizer, progress, batches, held_out) -> None:
    """Steps until the time or the pairs are used up, or the run is asked to stop."""
    model.train()
    prepare = Prepare(config, tokenizer.convert_tokens_to_ids(PAD), model.n_point_tokens, model.device)
    autocast = _autocast(config, model.device)
    losses: list[torch.Tensor] = []  # on the device: looking at each would make the processor wait for it
    tokens, waited = 0, 0.0
    since = clock = time.monotonic()
    while progress.share(config) < 1 and not team.agree(run.stop_requested())[0]:
        asked = time.monotonic()
        raw = next(batches)
        waited += time.monotonic() - asked
        batch = prepare(raw, progress.step * team.size + team.rank)
        for group in optimizer.param_groups:
            group["lr"] = _learning_rate(config, progress)
        with autocast:
            loss = model(**batch).loss
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        team.average_gradients(model.parameters())
        torch.nn.utils.clip_grad_norm_(model.parameters(), config.grad_clip)
        optimizer.step()

        progress.step += 1
        progress.pairs += len(raw.tokens) * team.size
        now = time.monotonic()
        progress.seconds, clock = team.agree(progress.seconds + now - clock)[0], now
        losses.append(loss.detach())
        tokens += raw.tokens.size * team.size
        if progress.step % config.log_every == 0:
            loss = float(team.mean(torch.stack(losses).mean()))
            samples = config.batch_size * team.size * len(losses)
            if team.first:
                _log_step(run, config, progress, loss, samples, tokens, now - since, waited, optimizer)
            losses, tokens, waited, since = [], 0, 0.0, now
        if not team.first:
            continue
        if progress.step % config.checkpoint_every == 0:
            _save_checkpoint(Path(run.folder) / CHECKPOINT, model, optimizer, progress)
        if progress.step % config.eval_every == 0:
            figures = measure(model, tokenizer, held_out, config.max_tokens)
            run.log_metrics(progress.step, pairs=progress.pairs, **figures)
            save_model(model, tokenizer, run.folder, dtype=torch.bfloat16)
            model.train()


def _autocast(config: PretrainConfig, device: torch.device) -> torch.autocast:
    return torch.autocast(device.type, torch.bfloat16, enabled=config.mixed_precision == "bf16")


def _compile(model, config: PretrainConfig) -> None:
    """Compile the layers, one program for all of them and for all lengths, while the first pairs are being made."""
    for layer in model.model.layers:
        layer.compile(dynamic=True)
    model.train()
    usual = (config.batch_size, model.n_point_tokens + 77, config.hidden_size)  # what is compiled depends on the size
    embeds = torch.zeros(usual, device=model.device, requires_grad=True)
    with _autocast(config, model.device):
        loss = model.model(inputs_embeds=embeds, use_cache=False).last_hidden_state.sum()
    loss.backward()
    model.zero_grad(set_to_none=True)


class Prepare:
    """From what a worker sends to what the network takes, on its device; the same for the same step."""

    def __init__(self, config: PretrainConfig, pad_id: int, n_point_tokens: int, device: torch.device):
        self.config, self.pad_id, self.n_point_tokens, self.device = config, pad_id, n_point_tokens, device
        self.generator = torch.Generator(device)

    def __call__(self, raw: RawBatch, step: int) -> dict[str, torch.Tensor]:
        """input_ids, labels (B, T) int64; point_mask (B, T) bool; point_cloud (B, n_points, 3) float32."""
        self.generator.manual_seed(self.config.seed * 2**32 + step)
        cloud = spread(
            self._to_device(raw.surfaces),
            self.config.n_points,
            self.generator,
            **{name: getattr(self.config, name) for name in DISTURBANCES},
        )
        tokens = self._to_device(raw.tokens).long()  # (B, L)
        slots = torch.full((len(tokens), self.n_point_tokens), self.pad_id, device=self.device)
        input_ids = torch.cat((slots, tokens), dim=1)
        point_mask = torch.zeros_like(input_ids, dtype=torch.bool)
        point_mask[:, : self.n_point_tokens] = True
        labels = input_ids.masked_fill(input_ids == self.pad_id, IGNORED)
        labels[:, self.n_point_tokens] = IGNORED  # START
        # No attention mask: attention is causal and padding comes last.
        return {"input_ids": input_ids, "labels": labels, "point_mask": point_mask, "point_cloud": cloud}

    def _to_device(self, array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(array).to(self.device, non_blocking=True)


def _log_step(run, config, progress, loss, samples, tokens, seconds, waited, optimizer) -> None:
    """Raises: RunError: the loss is not a number any more."""
    share = progress.share(config)
    if not math.isfinite(loss):
        message = Message(
            "The loss became {loss} near step {step}. Resume with a lower learning_rate.", loss=loss, step=progress.step
        )
        run.set_status(State.FAILED, step=progress.step, error=message)
        raise RunError(message)
    run.log_metrics(
        progress.step,
        pairs=progress.pairs,
        loss=round(loss, 4),
        learning_rate=optimizer.param_groups[0]["lr"],
        samples_per_second=round(samples / seconds, 1),
        tokens_per_second=round(tokens / seconds),
        waiting_share=round(waited / seconds, 3),  # of the time, for pairs
    )
    eta = progress.seconds * (1 - share) / share if share > 0 else None
    run.set_status(State.TRAINING, step=progress.step, pairs=progress.pairs, eta_seconds=eta and round(eta))


def make_chunk(number: int, *, config: PretrainConfig, tokenizer_folder: str, rank: int, size: int) -> list[RawBatch]:
    """The batches of one chunk of this process's part of the stream; the same for the same number."""
    number = number * size + rank  # each process has chunks of its own
    tokenizer = _load_tokenizer(tokenizer_folder)
    encode = functools.cache(functools.partial(encode_program, tokenizer))
    pairs = invent_pairs(
        (0, config.seed, number),
        BATCHES_PER_CHUNK * config.batch_size,
        family=config.family,
        n_points=CANDIDATES_PER_POINT * config.n_points,
        turn=config.turn,
        height_steps=config.height_steps,
        apart_from=shapes_apart(config.family, config.n_points, EVALUATION_PARTS, HELD_OUT_PARTS, config.height_steps),
        keep=lambda text: len(encode(text)) <= config.max_tokens,
    )
    rows = [encode(text) for text in pairs.texts]
    by_length = np.argsort([len(row) for row in rows], kind="stable").reshape(BATCHES_PER_CHUNK, config.batch_size)
    np.random.default_rng((1, config.seed, number)).shuffle(by_length)
    surfaces, pad_id = pairs.clouds.astype(np.float16), tokenizer.convert_tokens_to_ids(PAD)
    return [RawBatch(_padded([rows[i] for i in batch], pad_id), surfaces[batch]) for batch in by_length]


def _padded(rows: list[list[int]], pad_id: int) -> np.ndarray:
    longest = max(map(len, rows))
    return np.array([row + [pad_id] * (longest - len(row)) for row in rows], np.int32)


@functools.lru_cache(maxsize=1)
def _load_tokenizer(folder: str):
    return load_tokenizer(Path(folder), "qwen3", folder)


def _make_tokenizer(folder: Path) -> None:
    """From freshly invented programs, unless this is a resumed training, which has one."""
    if (folder / "tokenizer.json").exists():
        return
    programs: list[str] = []
    for index, family in enumerate(FAMILIES):
        count = TOKENIZER_PROGRAMS.get(family, OTHER_PROGRAMS)
        programs += invent_pairs((TOKENIZER_SEED, index), count, family=family, n_points=1).texts
    build_tokenizer(programs).save_pretrained(folder)


def fresh_model(config: PretrainConfig, tokenizer):
    """The network of the settings with random weights, on the CPU."""
    encoder = {"kind": config.point_encoder, "n_points": config.n_points}
    if config.point_encoder == "patch":
        encoder |= {
            "n_tokens": config.point_tokens,
            "neighbours": config.neighbours,
            "width": config.encoder_width,
            "layers": config.encoder_layers,
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


def parameter_groups(model, config: PretrainConfig) -> list[dict]:
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


def measure(model, tokenizer, pairs: InventedPairs, max_tokens: int) -> dict[str, float]:
    """How held-out parts are rebuilt, in programs as long as those of the training; an invalid one has IoU 0.

    Returns: of greedy samples `invalid_ratio` and `median_iou`; `best_of_8_iou`, the median over parts of the greatest
        IoU among the greedy sample and 7 drawn ones. It looks at the truth, which `evaluate` does not: what there is
        to be found, whatever ranks the candidates.
    """
    model.eval()
    with torch.compiler.set_stance("force_eager"):  # decoding has another shape at every step
        greedy = generate(model, tokenizer, pairs.clouds, max_new_tokens=max_tokens)
        clouds = np.repeat(pairs.clouds, EVALUATION_CANDIDATES - 1, axis=0)
        drawn = generate(model, tokenizer, clouds, temperature=EVALUATION_TEMPERATURE, max_new_tokens=max_tokens)
    truths = [build(parse(text)) for text in pairs.texts]
    single = np.array([_iou_of(text, truth) for text, truth in zip(greedy, truths)])  # NaN: invalid
    others = [_iou_of(text, truths[i // (EVALUATION_CANDIDATES - 1)]) for i, text in enumerate(drawn)]
    every = np.nan_to_num(np.column_stack((single, np.reshape(others, (len(truths), -1)))))
    figures = {
        "invalid_ratio": np.isnan(single).mean(),
        "median_iou": np.median(every[:, 0]),
        f"best_of_{EVALUATION_CANDIDATES}_iou": np.median(every.max(axis=1)),
    }
    return {name: round(float(value), 4) for name, value in figures.items()}


def _iou_of(text: str, truth) -> float:
    """NaN where the text is no valid program."""
    try:
        return iou(build(parse(text)), truth)
    except ProgramError:
        return math.nan


def _save_checkpoint(path: Path, model, optimizer, progress: Progress) -> None:
    """Written beside and then moved into place, so that a killed run leaves the last good one."""
    half = path.with_suffix(".half")
    torch.save(
        {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "progress": vars(progress)},
        half,
    )
    os.replace(half, path)


def _load_checkpoint(path: Path, model, optimizer) -> Progress:
    held = torch.load(path, map_location=model.device, weights_only=True)
    model.load_state_dict(held["model"])
    optimizer.load_state_dict(held["optimizer"])
    return Progress(**held["progress"])
