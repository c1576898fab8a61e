"""Make the sample clouds of this folder and their index.json: `python assets/clouds/make_samples.py`. Sizes in mm."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from manifold3d import Manifold

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))  # so that it also runs where the package is not installed

from cadrecode.cloud.shapes import around, bores, box, cylinder, draw_surface, hexagonal_prism, without  # noqa: E402

POINTS = {".ply": 20_000, ".npy": 20_000, ".xyz": 12_000}  # text needs twice as many bytes; all stay below 300 kB


def angle_bracket() -> Manifold:
    """Two walls of 4 mm, two screw holes in the foot, one in the back."""
    walls = box((60, 32, 45)) - box((60, 40, 45), (4, 0, 4))
    foot = [cylinder(2.75, 20, (x, 0, -22.5)) for x in (-6, 18)]
    return without(walls, *foot, cylinder(5, 20, (-30, 0, 6), "x"))


def motor_plate() -> Manifold:
    """A NEMA 17 mounting plate: a 22 mm pilot hole and four M3 holes at 31 mm."""
    corners = bores([(x, y) for x in (-15.5, 15.5) for y in (-15.5, 15.5)], 1.6)
    slots = [box((14, 4.4, 20), (0, y, 0)) for y in (-26, 26)]
    return without(box((54, 64, 5)), cylinder(11.2, 20), *corners, *slots)


def bearing_block() -> Manifold:
    """A pillow block: a foot with two holes, a round housing with a bore through it."""
    body = box((78, 24, 10), (0, 0, -14)) + cylinder(19, 18, (0, 0, 8), "y") + box((38, 14, 24), (0, 0, -3.5))
    return without(body, cylinder(11, 60, (0, 0, 8), "y"), *(cylinder(3.3, 60, (x, 0, -14)) for x in (-30, 30)))


def flange() -> Manifold:
    """A pipe flange with a hub and six bolt holes."""
    return without(cylinder(42, 10) + cylinder(22, 24, (0, 0, 9)), cylinder(15, 100), *bores(around(6, 32), 3.5))


def stepped_shaft() -> Manifold:
    """Three diameters, a flat for a set screw, a centre hole."""
    shaft = cylinder(8, 42, (-39, 0, 0), "x") + cylinder(12.5, 40, axis="x") + cylinder(10, 44, (40, 0, 0), "x")
    return without(shaft, box((24, 30, 10), (-50, 0, 12)), cylinder(2, 20, (62, 0, 0), "x"))


def channel() -> Manifold:
    """A U profile with a row of holes in its web."""
    profile = box((90, 30, 24)) - box((100, 24, 24), (0, 0, 3))
    return without(profile, *(cylinder(2.6, 20, (x, 0, -12)) for x in (-36, -12, 12, 36)))


def standoff() -> Manifold:
    """A hexagonal spacer, 10 mm across flats, threaded through."""
    return hexagonal_prism(10, 25) - cylinder(2.1, 60)


def clamp_collar() -> Manifold:
    """A split collar: a bore, a slit, and a screw across it."""
    slit = box((20, 2.5, 40), (16, 0, 0))
    return without(cylinder(20, 12), cylinder(10, 40), slit, cylinder(2.2, 60, (15.5, 0, 0), "y"))


# file, solid, title en, title zh, where it stands, sigma of the scan noise
SAMPLES = [
    ("angle_bracket.ply", angle_bracket, "Angle bracket", "角码", (120, -40, 22.5), 0),
    ("motor_plate.npy", motor_plate, "Motor plate, NEMA 17", "电机安装板 (NEMA 17)", (-18, 75, 210), 0),
    ("bearing_block.ply", bearing_block, "Bearing block, scanned", "轴承座（扫描）", (310, 55, 19), 0.08),
    ("flange.npy", flange, "Pipe flange", "管法兰", (64, 64, 5), 0),
    ("stepped_shaft.xyz", stepped_shaft, "Stepped shaft", "阶梯轴", (0, 150, 40), 0),
    ("channel.ply", channel, "Channel with holes", "带孔槽钢", (-75, -30, 12), 0),
    ("standoff.xyz", standoff, "Hexagonal standoff", "六角隔柱", (15, 15, 62.5), 0),
    ("clamp_collar.npy", clamp_collar, "Clamp collar, scanned", "夹紧环（扫描）", (-42, 18, 96), 0.05),
]


def write_ply(path: Path, points: np.ndarray) -> None:
    """A binary PLY of points, float32."""
    names = "".join(f"property float {name}\n" for name in "xyz")
    head = f"ply\nformat binary_little_endian 1.0\nelement vertex {len(points)}\n{names}end_header\n"
    path.write_bytes(head.encode() + points.astype("<f4").tobytes())


def make(folder: Path) -> None:
    """Write the clouds and index.json into a folder."""
    index = []
    for seed, (name, solid, title, title_zh, place, sigma) in enumerate(SAMPLES):
        path = folder / name
        points, _ = draw_surface(solid(), POINTS[path.suffix], seed)
        points = points + place + np.random.default_rng(seed).normal(0, sigma, points.shape)
        if path.suffix == ".ply":
            write_ply(path, points)
        elif path.suffix == ".npy":
            np.save(path, points.astype(np.float32))
        else:
            np.savetxt(path, points, fmt="%.3f")
        index.append(
            {
                "file": name,
                "title_en": title,
                "title_zh": title_zh,
                "units": "mm",
                "points": len(points),
                "source": "made by assets/clouds/make_samples.py" + (", with scan noise" if sigma else ""),
                "licence": "Apache-2.0",
            }
        )
    text = json.dumps(index, ensure_ascii=False, indent=1)
    (folder / "index.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    make(HERE)
