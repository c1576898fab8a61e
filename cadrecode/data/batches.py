"""From pairs to the tensors that the network's forward takes: tokens, views of clouds, batches of like length.

What is random is drawn from (seed, epoch, pair), so that a resumed run sees what an uninterrupted one would.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.utils.data import Dataset, Sampler

from cadrecode.cloud import farthest_point_sample
from cadrecode.data.dataset import DatasetReport, Pair, Programs, Skipped
from cadrecode.data.pool import pieces_on_disk
from cadrecode.errors import DatasetError
from cadrecode.model.tokens import decode_program, encode_program

IGNORED = -100  # a label that asks for nothing
GROUPED_BATCHES = 50  # batches sorted by length together: enough to pad little, few enough to stay random


@dataclass(frozen=True)
class EncodedPair:
    """A pair and its program as token numbers, with START before and END after."""

    pair: Pair
    tokens: np.ndarray  # (T,) int32


def encode(programs: Programs, tokenizer, max_tokens: int) -> tuple[list[EncodedPair], DatasetReport]:
    """Token numbers of each program; those of more than `max_tokens` are left out, and listed; so are those whose
    tokens do not give back the program.

    Raises: DatasetError: none is left.
    """
    kept, too_long, lossy = [], [], []
    for pair in programs.pairs:
        tokens = encode_program(tokenizer, pair.text)
        if decode_program(tokenizer, tokens) != pair.text:
            lossy.append(Skipped(pair.name, "the base's tokenizer cannot spell it: its tokens give another text"))
        elif len(tokens) > max_tokens:
            too_long.append(Skipped(pair.name, f"{len(tokens)} tokens; there is room for {max_tokens}"))
        else:
            kept.append((pair, np.array(tokens, np.int32)))
    if programs.pairs and len(lossy) == len(programs.pairs):
        raise DatasetError(f"The base's tokenizer cannot spell a single program of {programs.source}.")
    if programs.pairs and not kept:
        raise DatasetError(
            f"Every program of {programs.source} is longer than {max_tokens} tokens. Raise max_seq_length, or use a "
            "base with longer sequences."
        )
    lengths = [len(tokens) for _, tokens in kept]
    stored = pieces_on_disk([tokens for _, tokens in kept]) if kept else []
    kept = [EncodedPair(pair, tokens) for (pair, _), tokens in zip(kept, stored)]
    return kept, DatasetReport(programs.source, len(kept), [*programs.skipped, *lossy], too_long, lengths)


def view(points: np.ndarray, n_points: int, rng: np.random.Generator) -> np.ndarray:
    """What the model sees of a cloud: points spread over a random half of it. (P, 3) -> (n_points, 3) float32."""
    seen = min(len(points), max(n_points, len(points) // 2))
    subset = np.asarray(points[rng.permutation(len(points))[:seen]], np.float32)
    order = farthest_point_sample(subset, min(n_points, seen), seed=int(rng.integers(2**31)))
    return subset[np.resize(order, n_points)]


class Views(Dataset):
    """Pairs as the network gets them; item `epoch * len(pairs) + i` is pair i as it looks in that epoch.

    Args:
        n_points: points of each cloud.
        noise_probability, noise_std: share of clouds with Gaussian noise, and its size in MODEL units; 0 to evaluate.
    """

    def __init__(
        self,
        encoded: Sequence[EncodedPair],
        n_points: int,
        *,
        seed: int = 0,
        noise_probability: float = 0.0,
        noise_std: float = 0.0,
    ):
        self.encoded, self.n_points, self.seed = encoded, n_points, seed
        self.noise_probability, self.noise_std = noise_probability, noise_std

    def __len__(self) -> int:
        return len(self.encoded)

    def __getitem__(self, item: int) -> dict:
        """{"tokens": (T,) int32, "point_cloud": (n_points, 3) float32 MODEL}."""
        epoch, index = divmod(int(item), len(self.encoded))
        rng = np.random.default_rng([self.seed, epoch, index])
        entry = self.encoded[index]
        cloud = view(entry.pair.points, self.n_points, rng)
        if rng.random() < self.noise_probability:
            cloud = cloud + rng.normal(0, self.noise_std, cloud.shape).astype(np.float32)
        return {"tokens": entry.tokens, "point_cloud": cloud}


class LikeLengths(Sampler[list[int]]):
    """Batches of programs of like length, for the whole of a run: epoch after epoch, each in a new order.

    Yields lists of items as `Views` numbers them. Padding costs time; a fixed order would cost learning. So a shuffled
    epoch is cut into pieces of GROUPED_BATCHES batches, each piece sorted by length, and its batches shuffled again.
    """

    def __init__(self, lengths: Sequence[int], batch_size: int, n_batches: int, seed: int = 0):
        self.lengths, self.batch_size, self.n_batches, self.seed = np.asarray(lengths), batch_size, n_batches, seed

    def __len__(self) -> int:
        return self.n_batches

    def __iter__(self) -> Iterator[list[int]]:
        made, epoch, count = 0, 0, len(self.lengths)
        carried: list[int] = []
        while made < self.n_batches:
            rng = np.random.default_rng([self.seed, epoch])
            items = np.concatenate((np.array(carried, np.int64), rng.permutation(count) + epoch * count))
            whole = len(items) // self.batch_size * self.batch_size
            carried = items[whole:].tolist()  # so that every batch is full, also where a data set is smaller than one
            for batch in self._grouped(items[:whole], rng):
                yield batch
                made += 1
                if made == self.n_batches:
                    return
            epoch += 1

    def _grouped(self, items: np.ndarray, rng: np.random.Generator) -> Iterator[list[int]]:
        size = self.batch_size * GROUPED_BATCHES
        for start in range(0, len(items), size):
            piece = items[start : start + size]
            piece = piece[np.argsort(self.lengths[piece % len(self.lengths)], kind="stable")]
            batches = piece.reshape(-1, self.batch_size)
            for i in rng.permutation(len(batches)):
                yield batches[i].tolist()


class Share(Sampler[list[int]]):
    """What one of several processes gets of each batch: together they see what one process alone would."""

    def __init__(self, order: LikeLengths, rank: int, processes: int):
        self.order, self.rank, self.processes = order, rank, processes

    def __len__(self) -> int:
        return len(self.order)

    def __iter__(self) -> Iterator[list[int]]:
        for batch in self.order:
            yield batch[self.rank :: self.processes]


class Collate:
    """Items of `Views` -> one batch for the network's forward, padded on the right to its longest program.

    Args:
        pad_id: token number in padding, and in the point slots (what stands there is not looked at).
        n_point_tokens: slots that a cloud takes.
    """

    def __init__(self, pad_id: int, n_point_tokens: int):
        self.pad_id, self.n_point_tokens = pad_id, n_point_tokens

    def __call__(self, items: Sequence[dict]) -> dict[str, torch.Tensor]:
        """input_ids, labels (B, T) int64; point_mask (B, T) bool; point_cloud (B, N, 3) float32.

        No attention_mask: padding stands on the right, where a causal model never looks from a word that is asked
        for, and without a mask the attention kernels are at their fastest and keep the least.

        Labels ask for the program and END: not for the points, START, or padding.
        """
        slots = self.n_point_tokens
        width = slots + max(len(item["tokens"]) for item in items)
        input_ids = torch.full((len(items), width), self.pad_id)
        labels = torch.full((len(items), width), IGNORED)
        for row, item in enumerate(items):
            tokens = torch.tensor(item["tokens"], dtype=torch.int64)
            end = slots + len(tokens)
            input_ids[row, slots:end] = tokens
            labels[row, slots + 1 : end] = tokens[1:]
        point_mask = torch.zeros((len(items), width), dtype=torch.bool)
        point_mask[:, :slots] = True
        clouds = torch.from_numpy(np.stack([item["point_cloud"] for item in items]))
        return {
            "input_ids": input_ids,
            "labels": labels,
            "point_mask": point_mask,
            "point_cloud": clouds,
        }
