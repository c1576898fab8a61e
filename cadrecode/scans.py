"""Clouds as scanners give them: noise, few points, sides that were not seen, holes, lone points, a table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cadrecode.cloud import sample_surface
from cadrecode.data.views import seen_from_one_place, visible_from
from cadrecode.errors import ConfigError, Message
from cadrecode.geometry import bounding_box

POINTS = 8192
EYE = 3.0  # of the longest side: how far from the part's middle a scanner stands
HOLES, HOLE = 3, 0.12  # balls without points: how many, and their radius as a share of the longest side
STRAYS = 0.01  # of the points: lone points in a box of 1.5 times the part's sides
TABLE = 2.0  # times the part's longest side


@dataclass(frozen=True)
class Scan:
    """How a cloud is sampled on a solid.

    Args:
        points: How many; those that a flaw hides are missing.
        noise: Standard deviation of each coordinate, of the longest side.
        flaw: One of FLAWS, or nothing.
    """

    points: int = POINTS
    noise: float = 0.0
    flaw: str = ""

    @classmethod
    def of_report(cls, report: dict) -> Scan:
        """The scan that a report's clouds were sampled with."""
        return cls(**{name: report[name] for name in ("points", "noise", "flaw") if name in report})

    @property
    def name(self) -> str:
        """The flaw, else the noise, else the number of points, in words."""
        if self.flaw:
            return self.flaw
        if self.noise:
            return Message("noise of {share:.2%}", share=self.noise)
        return Message("{count:,} points", count=self.points)

    def of(self, vertices: np.ndarray, faces: np.ndarray, seed: int) -> np.ndarray:
        """(n, 3) points without normals, in the frame of the mesh; the same for the same seed.

        Raises: ConfigError: there is no such flaw. PointCloudError: the mesh has no area.
        """
        if self.flaw and self.flaw not in FLAWS:
            raise ConfigError("There is no flaw {flaw!r}: one of {flaws}.", flaw=self.flaw, flaws=", ".join(FLAWS))
        points, _ = sample_surface(vertices, faces, self.points, seed)
        rng = np.random.default_rng(seed)
        noisy = points + rng.normal(0, self.noise * _longest(points), points.shape)
        return FLAWS[self.flaw](noisy, rng) if self.flaw else noisy


def _longest(points: np.ndarray) -> float:
    return float(np.ptp(points, axis=0).max())


def _without_a_side(points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The points that are seen from five of six directions, by hidden-point removal."""
    missing = int(rng.integers(6))
    return points[np.unique(np.concatenate([_seen(points, way) for way in range(6) if way != missing]))]


def _from_one_side(points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return points[_seen(points, int(rng.integers(6)))]


def _aslant(points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return points[seen_from_one_place(points, int(rng.integers(2**31)))]


def _seen(points: np.ndarray, way: int) -> np.ndarray:
    """The numbers of the points that are seen from +x, -x, +y, -y, +z or -z."""
    eye = bounding_box(points).mean(axis=0) + EYE * _longest(points) * np.eye(3)[way // 2] * (1 - 2 * (way % 2))
    return visible_from(points, eye)


def _with_holes(points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    kept = np.ones(len(points), bool)
    for middle in points[rng.permutation(len(points))[:HOLES]]:
        kept &= np.linalg.norm(points - middle, axis=1) > HOLE * _longest(points)
    return points[kept]


def _with_strays(points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    low, sides = points.min(axis=0), np.ptp(points, axis=0)
    count = round(STRAYS * len(points))
    return np.concatenate((points, rng.uniform(low - sides / 4, low + 1.25 * sides, (count, 3))))


def _on_a_table(points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """With a square of points below the lowest, as dense as the part."""
    side = TABLE * _longest(points)
    square = rng.uniform(-side / 2, side / 2, (len(points), 2)) + bounding_box(points[:, :2]).mean(axis=0)
    return np.concatenate((points, np.column_stack((square, np.full(len(points), points[:, 2].min())))))


FLAWS: dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {
    Message("a side missing"): _without_a_side,
    Message("one side alone"): _from_one_side,
    Message("seen aslant"): _aslant,
    Message("holes"): _with_holes,
    Message("lone points"): _with_strays,
    Message("table"): _on_a_table,
}
SWEEP = (
    *(Scan(noise=noise) for noise in (0.0, 0.0025, 0.005, 0.01)),
    *(Scan(points=points) for points in (256, 1024, 2048, 65_536)),
    *(Scan(flaw=flaw) for flaw in FLAWS),
)
CLEANED = {"lone points": "outliers", "table": "all"}  # by flaw: the setting with which a person would rebuild it
