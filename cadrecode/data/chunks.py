"""Chunks of a pretraining: the tokenizer, batches of invented pairs as workers send them, and tensors of them."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from transformers import PreTrainedTokenizerBase

from cadrecode.config import PretrainConfig
from cadrecode.data.spread import DISTURBANCES, spread
from cadrecode.data.stream import BATCHES_PER_CHUNK, CANDIDATES_PER_POINT, invent_pairs, shapes_apart
from cadrecode.invent.draw import FAMILIES
from cadrecode.invent.families import MACHINED
from cadrecode.model.load import load_tokenizer
from cadrecode.model.network import IGNORED
from cadrecode.model.tokens import PAD, build_tokenizer, encode_program

# programs of each family whose fragments become tokens; OTHER_PROGRAMS of every other family
TOKENIZER_PROGRAMS = {"general": 4000, "designs": 4000}
OTHER_PROGRAMS = 200
TOKENIZER_SEED = 10**7  # apart from the seeds of training and of held-out parts
EVALUATION_PARTS = 64
HELD_OUT_PARTS = 500  # of each family, that no training may see


@dataclass(frozen=True)
class RawBatch:
    """Pairs of similar length, in few bytes, as a worker sends them.

    Args:
        tokens: (B, L) int32, START, program, END, then padding.
        surfaces: (B, S, 3) float16, MODEL, samples of the surfaces, in random order.
    """

    tokens: np.ndarray
    surfaces: np.ndarray


class Prepare:
    """Turns a `RawBatch` into the network's inputs, on its device. Randomness depends on the seed and the step."""

    def __init__(self, config: PretrainConfig, pad_id: int, n_point_tokens: int, device: torch.device):
        self.config, self.pad_id, self.n_point_tokens, self.device = config, pad_id, n_point_tokens, device
        self.generator = torch.Generator(device)

    def __call__(self, raw: RawBatch, step: int) -> dict[str, torch.Tensor]:
        """input_ids, labels (B, T) int64; point_mask (B, T) bool; point_cloud (B, N, 3) float32."""
        self.generator.manual_seed(self.config.seed * 2**32 + step)
        cloud = spread(
            self._to_device(raw.surfaces),
            self.config.n_points,
            self.generator,
            heard=raw.surfaces.shape[1] if self.config.frequencies else 0,
            **{name: getattr(self.config, name) for name in DISTURBANCES},
        )
        tokens = self._to_device(raw.tokens).long()  # (B, L)
        slots = torch.full((len(tokens), self.n_point_tokens), self.pad_id, device=self.device)
        input_ids = torch.cat((slots, tokens), dim=1)
        point_mask = torch.zeros_like(input_ids, dtype=torch.bool)
        point_mask[:, : self.n_point_tokens] = True
        labels = input_ids.masked_fill(input_ids == self.pad_id, IGNORED)
        labels[:, self.n_point_tokens] = IGNORED  # START
        # No attention mask: attention is causal, and padding comes last.
        return {"input_ids": input_ids, "labels": labels, "point_mask": point_mask, "point_cloud": cloud}

    def _to_device(self, array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(array).to(self.device, non_blocking=True)


def make_chunk(number: int, *, config: PretrainConfig, tokenizer_folder: str, rank: int, size: int) -> list[RawBatch]:
    """The batches of a chunk, the same for the same number.

    Args:
        rank, size: which process of how many this is; each has chunks of its own.
    """
    number = number * size + rank
    tokenizer = read_tokenizer(tokenizer_folder)
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
def read_tokenizer(folder: str) -> PreTrainedTokenizerBase:
    """The tokenizer in a training's folder."""
    return load_tokenizer(Path(folder), "qwen3", folder)


def make_tokenizer(folder: Path) -> None:
    """Make the tokenizer from freshly invented programs; a folder of a resumed training holds it already."""
    if (folder / "tokenizer.json").exists():
        return
    programs: list[str] = []
    for index, family in enumerate(family for family in FAMILIES if family != MACHINED):
        count = TOKENIZER_PROGRAMS.get(family, OTHER_PROGRAMS)
        programs += invent_pairs((TOKENIZER_SEED, index), count, family=family, n_points=1).texts
    build_tokenizer(programs).save_pretrained(folder)
