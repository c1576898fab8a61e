"""Manifold against OpenCASCADE on the same programs: how fast, and how much they agree; and how fast pairs are made.

    python -m benchmarks.kernels [--programs FILE.jsonl.gz|REPORT.json] [--count 200] [--seed 0] [--family machined]

Both kernels run in this process, one program after the other, and the seconds are the processor's. CadQuery's import
is not counted. Without --programs, or where that file is absent, the programs are invented. The programs are executed:
use trusted ones. The last line is the rate of inventing pairs of a program and its cloud of 1,024 samples.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import cadquery
import numpy as np

from cadrecode.data.stream import invent_pairs
from cadrecode.errors import ProgramError
from cadrecode.invent.draw import invent
from cadrecode.json_files import numbered_lines
from cadrecode.program import build, from_mesh, iou, parse, write
from cadrecode.program.solid import Manifold

PAIR_POINTS = 1024
TOLERANCE, ANGLE = 0.1, 0.1  # of CadQuery's tessellation: CODE units (0.05 % of a part), radians


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--programs", type=Path, help="a .jsonl.gz with `code` in each row, or a report of evaluate")
    arguments.add_argument("--count", type=int, default=200)
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--pairs", type=int, default=500, help="pairs to invent [%(default)s]")
    arguments.add_argument("--family", default="general", help="of invented programs; machined: in all of the language")
    options = arguments.parse_args()
    texts = _programs(options.programs, options.count, options.seed, options.family)

    started = time.process_time()
    ours = [build(parse(text)) for text in texts]
    volumes = np.array([solid.volume() for solid in ours])  # Manifold computes lazily
    our_seconds = time.process_time() - started

    started = time.process_time()
    theirs = [_run(text) for text in texts]
    their_seconds = time.process_time() - started

    valid = np.array([shape is not None and shape.isValid() and shape.Volume() > 0 for shape in theirs])
    errors = np.array([abs(v / s.Volume() - 1) if ok else np.nan for v, s, ok in zip(volumes, theirs, valid)])
    overlaps = np.array([_overlap(o, s) if ok else np.nan for o, s, ok in zip(ours, theirs, valid)])
    meshed = ~np.isnan(overlaps)
    print(f"programs                      {len(texts)}, of which {valid.sum()} are valid solids in CadQuery")
    print(f"parse + build, ours           {len(texts) / our_seconds:.0f} programs/s")
    print(f"CadQuery                      {len(texts) / their_seconds:.1f} programs/s")
    print(f"ratio                         {their_seconds / our_seconds:.1f} x")
    within = np.mean(errors[valid] <= 0.01)
    print(f"volume within 1 %             {within:.1%}, median {np.median(errors[valid]):.2%} off")
    print(
        f"IoU of the meshes >= 0.985    {100 * np.mean(overlaps[meshed] >= 0.985):.1f} % "
        f"of {meshed.sum()} whose CadQuery mesh is closed, median {np.median(overlaps[meshed]):.4f}"
    )
    for index in np.flatnonzero(valid & ((errors > 0.01) | (overlaps < 0.985))):
        print(
            f"  differs: volume {errors[index]:.2%}, IoU {overlaps[index]:.3f}: {texts[index].splitlines()[-1][:150]}"
        )
    print(f"pairs invented                {pairs_per_second(options.pairs):.0f} pairs/s of {PAIR_POINTS} samples")


def pairs_per_second(count: int) -> float:
    invent_pairs((0, 1), 10, n_points=PAIR_POINTS)  # the first calls load Manifold
    started = time.process_time()
    invent_pairs((0, 2), count, n_points=PAIR_POINTS)
    return count / (time.process_time() - started)


def _programs(path: Path | None, count: int, seed: int, family: str) -> list[str]:
    rng = np.random.default_rng(seed)
    if path is None or not path.exists():
        return [write(invent(rng, family)) for _ in range(count)]
    if path.suffix == ".json":
        texts = [row["program"] for row in json.loads(path.read_text())["shapes"]]
    else:
        texts = [json.loads(line)["code"] for _, line in numbered_lines(path)]
    return [texts[i] for i in rng.permutation(len(texts))[:count]]


def _run(text: str) -> cadquery.Shape | None:
    """The shape of a program in CadQuery, or None where OpenCASCADE refuses it."""
    namespace: dict = {}
    try:
        exec(text, namespace)
        return namespace["r"].combine().val()
    except Exception as error:
        print(f"  CadQuery refuses: {type(error).__name__}: {error}")
        return None


def _overlap(ours: Manifold, shape: cadquery.Shape) -> float:
    vertices, faces = shape.tessellate(TOLERANCE, ANGLE)
    try:
        theirs = from_mesh(np.array([v.toTuple() for v in vertices]), np.array(faces))
    except ProgramError:
        return float("nan")  # OpenCASCADE's tessellation has a gap
    return iou(ours, theirs)


if __name__ == "__main__":
    main()
