"""How small a hole is found, by the number of points: python -m benchmarks.holes

A plate of 200 x 150 x 5 mm with seven holes at odd places is sampled evenly and measured. A cell: how many of them the
program has where they are, how many holes elsewhere, and the mean error of the diameters.
"""

from __future__ import annotations

import argparse

import numpy as np

import cadrecode
from cadrecode.cloud import Cloud, sample_surface
from cadrecode.parallel import processor_time
from cadrecode.program import build, mesh_of, parse

PLACES = (-80, -60), (71, -55), (-33, 60), (82, 41), (5, 0), (30, 20), (-60, 11)
PLATE = "r=cq.Workplane('XY').box(200,150,5).faces('>Z').workplane().pushPoints({places}).hole({diameter})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, nargs="+", default=[8192, 20_000, 100_000, 1_000_000])
    parser.add_argument("--diameters", type=float, nargs="+", default=[1, 1.5, 2, 3, 5], help="mm")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    print(f"| points | {' | '.join(f'{diameter:g} mm' for diameter in options.diameters)} |")
    print("|---" * (1 + len(options.diameters)) + "|")
    for count in options.points:
        cells = [cell(count, diameter, options.seed) for diameter in options.diameters]
        print(f"| {count:,} | {' | '.join(cells)} |", flush=True)


def cell(count: int, diameter: float, seed: int) -> str:
    program = "import cadquery as cq\n" + PLATE.format(places=list(PLACES), diameter=diameter)
    points, _ = sample_surface(*mesh_of(build(parse(program))), count, seed)
    with processor_time():
        part = cadrecode.reconstruct(Cloud(points, None, "plate.xyz", "cloud"), source="measured", seed=seed)
    rings = [ring for ring in build(parse(part.program)).slice(0).to_polygons() if np.ptp(ring, axis=0).max() < 20]
    found = [ring for place in PLACES for ring in rings if np.hypot(*(_middle(ring) - place)) < diameter / 4]
    errors = [abs(float(np.ptp(ring, axis=0).mean()) - diameter) for ring in found]
    text = f"{len(found)} of {len(PLACES)}"
    if found:
        text += f", {np.mean(errors):.2f} mm"
    if len(rings) > len(found):
        text += f", {len(rings) - len(found)} elsewhere"
    return text


def _middle(ring: np.ndarray) -> np.ndarray:
    return (ring.min(axis=0) + ring.max(axis=0)) / 2


if __name__ == "__main__":
    main()
