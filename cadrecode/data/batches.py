"""From pairs to the tensors of the network's forward: tokens, views of clouds, batches of programs of similar length.

Everything random is drawn from (seed, epoch, pair), so that a resumed run gets the batches of an uninterrupted run.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
import torch
from torch.utils.data import Dataset, Sampler
from transformers import PreTrainedTokenizerBase

from cadrecode.data.pairs import DatasetReport, Pair, Programs, Skipped
from cadrecode.data.pool import pieces_on_disk
from cadrecode.data.rows import COUNT_WEIGHT, counts_in, with_row_lengths
from cadrecode.data.views import view
from cadrecode.errors import DatasetError, Message
from cadrecode.model.network import IGNORED
from cadrecode.model.tokens import decode_program, encode_program

GROUPED_BATCHES = 50  # batches that are sorted by length together: little padding, and still random


@dataclass(frozen=True)
class EncodedPair:
    """A pair and its program as token numbers, with START before and END after.

    Args:
        tokens: (T,) int32.
        counts: Places in them of tokens that say how many of something there are.
    """

    pair: Pair
    tokens: np.ndarray
    counts: tuple[int, ...] = ()


def encode(
    programs: Programs, tokenizer: PreTrainedTokenizerBase, max_tokens: int
) -> tuple[list[EncodedPair], DatasetReport]:
    """The tokens of each program, whose rows are spelled by their length.

    Programs of more than `max_tokens`, and programs that their tokens do not give back, are left out and listed.

    Raises: DatasetError: no program is left.
    """
    usable, too_long, lossy = [], [], []
    for pair in programs.pairs:
        pair = replace(pair, text=with_row_lengths(pair.text))
        tokens = encode_program(tokenizer, pair.text)
        if decode_program(tokenizer, tokens) != pair.text:
            lossy.append(
                Skipped(pair.name, Message("the base's tokenizer cannot spell it: its tokens give another text"))
            )
        elif len(tokens) > max_tokens:
            reason = Message("{n} tokens; there is room for {most}", n=len(tokens), most=max_tokens)
            too_long.append((len(tokens), Skipped(pair.name, reason)))
        else:
            usable.append((pair, np.array(tokens, np.int32)))
    if programs.pairs and len(lossy) == len(programs.pairs):
        raise DatasetError("The base's tokenizer cannot spell a single program of {source}.", source=programs.source)
    if programs.pairs and not usable:
        raise DatasetError(
            "Every program of {source} is longer than {max_tokens} tokens. Raise max_seq_length, or use "
            "a base with longer sequences.",
            source=programs.source,
            max_tokens=max_tokens,
        )
    lengths = [len(tokens) for _, tokens in usable]
    stored = pieces_on_disk([tokens for _, tokens in usable]) if usable else []
    encoded = [
        EncodedPair(pair, tokens, _places_of_counts(tokenizer, pair.text)) for (pair, _), tokens in zip(usable, stored)
    ]
    too_long.sort(key=lambda entry: -entry[0])
    longest = max([*lengths, *(length for length, _ in too_long)], default=0)
    left_out = [entry for _, entry in too_long]
    skipped = [*programs.skipped, *lossy]
    return encoded, DatasetReport(programs.source, len(encoded), skipped, left_out, lengths, longest)


def _places_of_counts(tokenizer: PreTrainedTokenizerBase, text: str) -> tuple[int, ...]:
    """The places of the tokens that spell counts: those of the text up to a number, and up to its end, tell them."""

    def length(end: int) -> int:
        return len(encode_program(tokenizer, text[:end])) - 1  # without END

    return tuple(place for start, end in counts_in(text) for place in range(length(start), length(end)))


class Views(Dataset):
    """Pairs as the network reads them: item `epoch * len(pairs) + i` is the view of pair i in that epoch.

    Args:
        n_points: points of each cloud that are spread over it.
        heard: points that follow them, for the encoder's spectrum.
        noise_probability: share of clouds with Gaussian noise; 0 for evaluation.
        noise_std: standard deviation of the noise, MODEL units.
        partial_probability: share of clouds that are seen from one side.
    """

    def __init__(
        self,
        encoded: Sequence[EncodedPair],
        n_points: int,
        heard: int = 0,
        *,
        seed: int = 0,
        noise_probability: float = 0.0,
        noise_std: float = 0.0,
        partial_probability: float = 0.0,
    ):
        self.encoded, self.n_points, self.heard, self.seed = encoded, n_points, heard, seed
        self.noise_probability, self.noise_std = noise_probability, noise_std
        self.partial_probability = partial_probability

    def __len__(self) -> int:
        return len(self.encoded)

    def __getitem__(self, item: int) -> dict:
        """{"tokens": (T,) int32, "counts": places in them, "point_cloud": (n_points + heard, 3 or with normals 6)}.

        The cloud is float32, MODEL.
        """
        epoch, index = divmod(int(item), len(self.encoded))
        rng = np.random.default_rng([self.seed, epoch, index])
        entry = self.encoded[index]
        one_sided = self.partial_probability > 0 and rng.random() < self.partial_probability
        cloud = view(entry.pair.points, self.n_points, rng, one_sided, self.heard)
        if rng.random() < self.noise_probability:
            cloud[:, :3] += rng.normal(0, self.noise_std, (len(cloud), 3)).astype(np.float32)
        return {"tokens": entry.tokens, "counts": entry.counts, "point_cloud": cloud}


class LikeLengths(Sampler[list[int]]):
    """Batches of programs of similar length for a whole run: epoch after epoch, each in a new order.

    Yields lists of items as `Views` numbers them. Padding costs time, and a fixed order harms learning. So a shuffled
    epoch is cut into pieces of GROUPED_BATCHES batches, each piece is sorted by length, and its batches are shuffled.
    """

    def __init__(self, lengths: Sequence[int], batch_size: int, n_batches: int, seed: int = 0):
        self.lengths, self.batch_size, self.n_batches, self.seed = np.asarray(lengths), batch_size, n_batches, seed

    def __len__(self) -> int:
        return self.n_batches

    def __iter__(self) -> Iterator[list[int]]:
        return islice(self._endless(), self.n_batches)

    def _endless(self) -> Iterator[list[int]]:
        count, carried = len(self.lengths), np.array([], np.int64)
        for epoch in itertools.count():
            rng = np.random.default_rng([self.seed, epoch])
            items = np.concatenate((carried, rng.permutation(count) + epoch * count))
            whole = len(items) // self.batch_size * self.batch_size
            carried = items[whole:]  # so that every batch is full, even where a data set is smaller than a batch
            yield from self._grouped(items[:whole], rng)

    def _grouped(self, items: np.ndarray, rng: np.random.Generator) -> Iterator[list[int]]:
        size = self.batch_size * GROUPED_BATCHES
        for start in range(0, len(items), size):
            piece = items[start : start + size]
            piece = piece[np.argsort(self.lengths[piece % len(self.lengths)], kind="stable")]
            batches = piece.reshape(-1, self.batch_size)
            for i in rng.permutation(len(batches)):
                yield batches[i].tolist()


class Share(Sampler[list[int]]):
    """The part of each batch that one of several processes trains on; together they train on the whole batch."""

    def __init__(self, order: LikeLengths, rank: int, processes: int):
        self.order, self.rank, self.processes = order, rank, processes

    def __len__(self) -> int:
        return len(self.order)

    def __iter__(self) -> Iterator[list[int]]:
        for batch in self.order:
            yield batch[self.rank :: self.processes]


class Collate:
    """Items of `Views` -> a batch for the network's forward, padded on the right to its longest program.

    Args:
        pad_id: the token of padding, and of the point slots, where tokens are ignored.
        n_point_tokens: slots of a cloud.
    """

    def __init__(self, pad_id: int, n_point_tokens: int):
        self.pad_id, self.n_point_tokens = pad_id, n_point_tokens

    def __call__(self, items: Sequence[dict]) -> dict[str, torch.Tensor]:
        """input_ids, labels (B, T) int64; loss_weights (B, T), point_cloud (B, N, 3) float32; point_mask (B, T) bool.

        Labels are the program and END; points, START and padding are ignored. Their weights have a mean of 1 in each
        program, so that a loss is a mean per token with and without counts. There is no attention_mask: padding is on
        the right, which a causal model does not attend to, and without a mask attention is fastest and keeps least.
        """
        slots = self.n_point_tokens
        width = slots + max(len(item["tokens"]) for item in items)
        input_ids = torch.full((len(items), width), self.pad_id)
        labels, weights = torch.full((len(items), width), IGNORED), torch.ones(len(items), width)
        for row, item in enumerate(items):
            tokens = torch.tensor(item["tokens"], dtype=torch.int64)
            end = slots + len(tokens)
            input_ids[row, slots:end] = tokens
            labels[row, slots + 1 : end] = tokens[1:]
            weights[row, [slots + place for place in item["counts"]]] = COUNT_WEIGHT
            weights[row, slots + 1 : end] /= weights[row, slots + 1 : end].mean()
        point_mask = torch.zeros((len(items), width), dtype=torch.bool)
        point_mask[:, :slots] = True
        clouds = torch.from_numpy(np.stack([item["point_cloud"] for item in items]))
        return {
            "input_ids": input_ids,
            "labels": labels,
            "loss_weights": weights,
            "point_mask": point_mask,
            "point_cloud": clouds,
        }
