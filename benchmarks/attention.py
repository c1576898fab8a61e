"""Attention of a training step in bfloat16 on one core, ours against torch's: python -m benchmarks.attention

The shape is the embedded base's: 8 rows, 10 heads, 5 of keys, 32 wide. Forward and backward, the median of some rounds.
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch
from torch.nn import functional

from cadrecode.model.attention import CausalAttention

ROWS, HEADS, GROUPS, WIDTH = 8, 10, 5, 32
LENGTHS = (80, 115, 170, 264)  # 64 point tokens and a program; the last is the longest that the base can learn


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rounds", type=int, default=15, help="of each [%(default)s]")
    rounds = arguments.parse_args().rounds
    torch.set_num_threads(1)
    print("| positions | torch's, ms | ours, ms | torch's / ours |\n|---|---|---|---|")
    for length in LENGTHS:
        theirs, ours = seconds(length, rounds)
        print(f"| {length} | {1000 * theirs:.1f} | {1000 * ours:.1f} | {theirs / ours:.1f} |")


def seconds(length: int, rounds: int) -> tuple[float, float]:
    """Of torch's and of ours, taken in turns."""

    def drawn(heads: int) -> torch.Tensor:
        return torch.randn(ROWS, heads, length, WIDTH, dtype=torch.bfloat16, requires_grad=True)

    query, key, value = drawn(HEADS), drawn(GROUPS), drawn(GROUPS)
    grad = torch.randn(ROWS, HEADS, length, WIDTH, dtype=torch.bfloat16)
    ways = (
        lambda: functional.scaled_dot_product_attention(query, key, value, is_causal=True, enable_gqa=True),
        lambda: CausalAttention.apply(query, key, value, WIDTH**-0.5),
    )
    took = ([], [])
    for round_ in range(rounds + 1):
        for way, times in zip(ways, took):
            started = time.perf_counter()
            way().backward(grad)
            if round_:  # the first of each only warms up
                times.append(time.perf_counter() - started)
    return statistics.median(took[0]), statistics.median(took[1])


if __name__ == "__main__":
    main()
