"""How many pairs of a pretraining are parts to measure on, by their shape: drawn freely, and as the stream gives them.

python -m benchmarks.duplicates [--draws 5000] [--config configs/pretrain_base.yaml] [--targets FILE.npz]

The draws are those that the config's seed begins with, and are compared by `program.solid.signature` (bounding box,
volume and surface, to about a thousandth) with the invented parts that `evaluate` measures on. `--targets` are meshes
of real designs. Their sides are no whole numbers, so that a part counts as one of them where nothing but rounding
tells them apart: the sides within a CODE unit and an IoU of at least SAME. No stream can leave those out that has not
seen the file; they are counted.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from manifold3d import Manifold

from cadrecode.config import PretrainConfig
from cadrecode.data.stream import BATCHES_PER_CHUNK, CANDIDATES_PER_POINT, make_pairs, shapes_apart
from cadrecode.invent.held_out import held_out_signatures
from cadrecode.pretrain import EVALUATION_PARTS, HELD_OUT_PARTS
from cadrecode.program import build, iou, parse
from cadrecode.program.solid import bounds, signature
from cadrecode.scoring import Target
from cadrecode.scoring.targets import Shape, load_targets

SAME = 0.985  # IoU


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--draws", type=int, default=5000)
    arguments.add_argument("--config", type=Path, default=Path("configs/pretrain_base.yaml"))
    arguments.add_argument("--targets", type=Path, help="meshes: <id>_v and <id>_f in an .npz, or a folder")
    options = arguments.parse_args()
    config = PretrainConfig.load(options.config, {})
    held = held_out_signatures(config.family, HELD_OUT_PARTS)
    apart = shapes_apart(config.family, config.n_points, EVALUATION_PARTS, HELD_OUT_PARTS, config.height_steps)
    free, given = (drawn(config, options.draws, left_out) for left_out in ((), apart))
    for name, solids in (("drawn freely", free), ("as the stream gives them", given)):
        found = [one for one in map(signature, solids) if one in held]
        print(
            f"{config.family}, {name}: {len(found)} of {len(solids):,} draws are among the {len(held)} shapes of "
            f"{HELD_OUT_PARTS} held-out parts ({len(set(found))} of those)"
        )
    if options.targets:
        print(of_targets(given, options.targets))


def drawn(config: PretrainConfig, count: int, apart_from) -> list[Manifold]:
    """The solids of the first pairs of a training."""
    texts: list[str] = []
    for number in range(-(-count // (BATCHES_PER_CHUNK * config.batch_size))):
        texts += make_pairs(
            (0, config.seed, number),
            BATCHES_PER_CHUNK * config.batch_size,
            family=config.family,
            n_points=CANDIDATES_PER_POINT * config.n_points,
            turn=config.turn,
            height_steps=config.height_steps,
            apart_from=apart_from,
        ).texts
    return [build(parse(text)) for text in texts[:count]]


def of_targets(solids: list[Manifold], path: Path) -> str:
    """How many of them are targets, within rounding, and how many of the targets they are."""
    shapes = [shape for shape in load_targets(path) if isinstance(shape, Shape)]
    targets = [Target.of(shape.id, shape.vertices, shape.faces).solid for shape in shapes]
    corners = np.array([np.concatenate(bounds(target)) for target in targets])  # (T, 6)
    found, seen = 0, set()
    for solid in solids:
        near = np.abs(corners - np.concatenate(bounds(solid))).max(axis=1) <= 1
        same = [index for index in np.flatnonzero(near) if iou(solid, targets[index]) >= SAME]
        found += bool(same)
        seen.update(same)
    where = f"are one of {len(targets)} within rounding ({len(seen)} of those)"
    return f"{path.name}: {found} of {len(solids):,} draws {where}"


if __name__ == "__main__":
    main()
