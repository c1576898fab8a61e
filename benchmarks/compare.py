"""Is one model better than another, or luckier? python -m benchmarks.compare BASE.json ADAPTER.json

Two reports of `cadrecode evaluate --json` on the same targets. Differences of their IoU (a failure counts 0), each with
what 90 of 100 redrawings of the targets give (bootstrap, Efron 1979), and on how many targets either is nearer.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

REDRAWN = 20_000
LEVEL = (5, 95)  # percentiles
EQUAL = 0.002  # IoU: what nobody sees


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("reports", type=Path, nargs=2)
    first, second = (json.loads(path.read_text(encoding="utf-8")) for path in arguments.parse_args().reports)
    names = {row["id"] for row in first["shapes"]}
    if names != {row["id"] for row in second["shapes"]}:
        arguments.error("the reports are of different targets")
    candidates = first["candidates"]
    print("| | median IoU | difference | mean IoU | difference | nearer, farther |\n|---|---|---|---|---|---|")
    for prefix, title in (("single_", "single sample"), ("", f"best of {candidates}")):
        if candidates > 1 or not prefix:
            print(f"| {title} | {' | '.join(_cells(_ious(first, prefix), _ious(second, prefix)))} |")


def _ious(report: dict, prefix: str) -> np.ndarray:
    """(targets,), in the order of their names."""
    return np.array([row[f"{prefix}iou"] or 0.0 for row in sorted(report["shapes"], key=lambda row: row["id"])])


def _cells(before: np.ndarray, after: np.ndarray) -> list[str]:
    drawn = np.random.default_rng(0).integers(0, len(before), (REDRAWN, len(before)))
    counts = [int((sign * (after - before) > EQUAL).sum()) for sign in (1, -1)]
    return [*_difference(np.median, before, after, drawn), *_difference(np.mean, before, after, drawn),
            f"{counts[0]}, {counts[1]} of {len(before)}"]  # fmt: skip


def _difference(statistic: Callable, before: np.ndarray, after: np.ndarray, drawn: np.ndarray) -> tuple[str, str]:
    low, high = np.percentile(statistic(after[drawn], axis=1) - statistic(before[drawn], axis=1), LEVEL)
    first, second = statistic(before), statistic(after)
    return f"{first:.3f} -> {second:.3f}", f"{second - first:+.3f} ({low:+.3f} to {high:+.3f})"


if __name__ == "__main__":
    main()
