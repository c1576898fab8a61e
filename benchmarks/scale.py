"""How fast data sets are made, and what a million and a hundred million pairs would take.

    python -m benchmarks.scale [--rows 2000] [--meshes 40] [--price 0.05]

Runs `build-dataset` with 1 and 2 workers on invented parts, on the programs of invented parts in a .jsonl, and on their
meshes, which are measured. Nothing is held out here, since finding the held-out shapes takes the same seconds for any
data set. Prints what ran, and then what follows from it: both tables say which they are.

Rows a second follow the wall clock, and so whatever else the machine does. The processor's milliseconds for a row do
not: plans are made of these. A worker's are without what it takes to start, which does not depend on the rows. The
command's own share, which writes the files and compares shapes, is what one machine has to do however many others help;
it is the same for all sources, and plans take that of the invented parts, which has the most rows.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from cadrecode.build_dataset import PROGRAMS_PER_UNIT, build_dataset
from cadrecode.data.dataset import load_programs
from cadrecode.parallel import Workers, processor_time
from cadrecode.program import build, mesh_of, parse

PLANS = (10**6, 10**8)  # pairs
CORES = (2, 64, 1024)  # workers of a plan
SHAPES = 10**6  # numbers in the set whose memory is measured
SEED = 4  # of the programs and meshes, which are not those of the invented source


@dataclass(frozen=True)
class Ran:
    """One run of build-dataset.

    Args:
        ours, theirs: Milliseconds of the processor for a row: of the command, of its workers.
    """

    source: str
    workers: int
    rows: int
    seconds: float
    ours: float
    theirs: float
    row_bytes: float
    lost: float  # share of parts that became no row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=2000, help="of invented parts and of programs [%(default)s]")
    parser.add_argument("--meshes", type=int, default=40, help="that are measured [%(default)s]")
    parser.add_argument("--price", type=float, default=0.05, help="of a core for an hour, assumed [%(default)s]")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        start = start_up(Path(folder))
        runs = list(all_runs(Path(folder), options.rows, options.meshes, start))
    print_runs(runs, start)
    print_plan(runs, memory_of_shapes(), options.price)


def start_up(folder: Path) -> float:
    """Seconds of the processor that two workers take to start: a data set of two units, which take little more."""
    with spent() as used:
        build_dataset(_programs(folder, 2 * PROGRAMS_PER_UNIT), folder / "start", apart_from=[], workers=Workers(2))
    return used["theirs"]


def all_runs(folder: Path, rows: int, meshes: int, start: float) -> Iterator[Ran]:
    """Each source with one worker and with two."""
    for source, path, count in (
        ("invented", "invent:general", rows),
        ("programs", _programs(folder, rows), None),
        ("meshes", _meshes(folder, meshes), None),
    ):
        for workers in (1, 2):
            yield run(source, path, folder / f"{source}-{workers}", count, workers, start if workers > 1 else 0.0)


def _programs(folder: Path, count: int) -> str:
    path = folder / "programs.jsonl"
    pairs = load_programs(f"invent:general:{count}", seed=SEED).pairs
    path.write_text("".join(json.dumps({"id": pair.name, "code": pair.text}) + "\n" for pair in pairs), "utf-8")
    return str(path)


def _meshes(folder: Path, count: int) -> str:
    path, arrays = folder / "meshes.npz", {}
    for pair in islice(load_programs(f"invent:general:{count}", seed=SEED).pairs, count):
        arrays[f"{pair.name}_v"], arrays[f"{pair.name}_f"] = mesh_of(build(parse(pair.text)))
    np.savez(path, **arrays)
    return str(path)


@contextmanager
def spent() -> Iterator[dict[str, float]]:
    """Seconds: by the wall clock, of this process, and of the processes that it has ended within."""
    result: dict[str, float] = {}
    kinds = {"ours": resource.RUSAGE_SELF, "theirs": resource.RUSAGE_CHILDREN}
    before, began = {name: _seconds(kind) for name, kind in kinds.items()}, time.perf_counter()
    yield result
    result["seconds"] = time.perf_counter() - began
    result.update({name: _seconds(kind) - before[name] for name, kind in kinds.items()})


def _seconds(who: int) -> float:
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime


def run(source: str, path: str, out: Path, count: int | None, workers: int, start: float) -> Ran:
    """Build a data set. Limits of time are the processor's."""
    with processor_time(), spent() as used:
        made = build_dataset(path, out, count, apart_from=[], workers=Workers(workers))
    rows = made["rows"]
    stored = sum(shard["bytes"] for shard in made["shards"])
    lost = 1 - rows / (made["entries"] - made["unused"])
    ours, theirs = 1000 * used["ours"] / rows, 1000 * (used["theirs"] - start) / rows
    return Ran(source, workers, rows, used["seconds"], ours, theirs, stored / rows, lost)


def memory_of_shapes() -> float:
    """Bytes for each number in the set of shapes that are there already."""
    drawn = np.random.default_rng(0).integers(-(2**63), 2**63, SHAPES)
    tracemalloc.start()
    numbers = {int(number) for number in drawn}
    used = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return used / len(numbers)


def print_runs(runs: list[Ran], start: float) -> None:
    print(f"\nrun; two workers take {start:.1f} s of the processor to start\n")
    print("| source | workers | rows | rows/s | ms a row, workers | ms a row, command | KB a row | failed or twins |")
    print("|---|---|---|---|---|---|---|---|")
    for ran in runs:
        print(
            f"| {ran.source} | {ran.workers} | {ran.rows:,} | {ran.rows / ran.seconds:.1f} | {ran.theirs:.1f} | "
            f"{ran.ours:.1f} | {ran.row_bytes / 1000:.1f} | {ran.lost:.1%} |"
        )


def print_plan(runs: list[Ran], shape_bytes: float, price: float) -> None:
    """What follows for other numbers of pairs, from the runs with two workers."""
    constants = f"{shape_bytes:.0f} bytes of memory for a shape; {price} for an hour of a core"
    print(f"\nprojected, from the runs with 2 workers; {constants}\n")
    cores = " | ".join(f"{count:,} workers" for count in CORES)
    print(f"| source | pairs | core hours | cost | {cores} | disk | memory for shapes |")
    print("|---|---|---|---|" + "---|" * len(CORES) + "---|---|")
    helped = [ran for ran in runs if ran.workers == 2]
    for ran in helped:
        for pairs in PLANS:
            hours, ours = pairs * ran.theirs / 3.6e6, pairs * helped[0].ours / 3.6e6
            times = " | ".join(f"{max(hours / count, ours):,.1f} h" for count in CORES)
            print(
                f"| {ran.source} | {pairs:,} | {hours + ours:,.1f} | {(hours + ours) * price:,.2f} | {times} | "
                f"{pairs * ran.row_bytes / 1e9:,.0f} GB | {pairs * shape_bytes / 1e9:.1f} GB |"
            )


if __name__ == "__main__":
    main()
