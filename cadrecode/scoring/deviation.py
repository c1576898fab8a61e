"""How far a cloud's points lie from a part, and on which side: the numbers, and a coloured cloud."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cadrecode.figures import length
from cadrecode.formats.ply_write import write_ply

MOST_POINTS = 200_000  # measured in half a second; more say nothing new, and no viewer shows them apart
QUICK_POINTS = 8192  # where a person waits for the number; the ranking uses as many

# Blue, white and red of Moreland 2009, whose ends colour-blind people can tell apart.
INSIDE, ON, OUTSIDE = (59, 76, 192), (240, 240, 240), (180, 4, 38)


@dataclass(frozen=True)
class Deviation:
    """Signed distances of a cloud's points to a solid's surface, in the cloud's unit: positive outside of it.

    Args:
        mean: The mean distance, without signs; so are `rms`, `p95` and `max`.
        bias: Mean of the signed distances: above 0, the points lie outside, and the part is too small.
        points: (N, 3) float64, the points that were measured.
        signed: (N,) float64, their distances.
    """

    mean: float
    bias: float
    rms: float
    p95: float
    max: float
    points: np.ndarray = field(repr=False, compare=False)
    signed: np.ndarray = field(repr=False, compare=False)

    @property
    def limit(self) -> float:
        """The distance at which the colours end, on both sides: 95 % of the points are nearer."""
        return self.p95

    def within(self, tolerance: float) -> float:
        """The share of the points that lie no farther away."""
        return float((np.abs(self.signed) <= tolerance).mean())

    def figures(self) -> dict[str, float | int]:
        """The numbers, for a report."""
        names = ("mean", "bias", "rms", "p95", "max")
        return {"points": len(self.signed)} | {name: float(f"{getattr(self, name):.6g}") for name in names}

    def colours(self) -> np.ndarray:
        """(N, 3) uint8, of `points`."""
        return colours(self.signed, self.limit)

    def write_ply(self, path: Path, unit: str = "mm") -> Path:
        """The points in their colours, with their distances as the property `deviation`. Binary PLY."""
        red, green, blue = self.colours().T
        columns = {"red": red, "green": green, "blue": blue, "deviation": self.signed.astype(np.float32)}
        return write_ply(path, self.points, columns, [f"unit {unit}", f"deviation: {self.legend(unit)}"])

    def legend(self, unit: str) -> str:
        """The legend of the colours, in ASCII."""
        limit = length(self.limit, unit)
        return f"blue -{limit} (inside of the part), white 0, red +{limit} (outside)"


def deviation_of(
    points: np.ndarray, vertices: np.ndarray, faces: np.ndarray, *, most: int = MOST_POINTS, seed: int = 0
) -> Deviation:
    """Measure a cloud against a solid.

    Args:
        points: (N, 3), RAW.
        vertices: (n, 3), RAW.
        faces: (m, 3), with `vertices` a closed mesh as Manifold makes it.
        most: A larger cloud is thinned to this many points.
        seed: For which of them.
    """
    from cadrecode.cloud.signed import signed_distance  # igl: only where something is measured

    points = np.asarray(points, np.float64)
    if len(points) > most:
        points = points[np.sort(np.random.default_rng(seed).choice(len(points), most, replace=False))]
    signed = signed_distance(points, vertices, faces)
    sizes = np.abs(signed)
    return Deviation(
        mean=float(sizes.mean()),
        bias=float(signed.mean()),
        rms=float(np.sqrt((signed**2).mean())),
        p95=float(np.quantile(sizes, 0.95)),
        max=float(sizes.max()),
        points=points,
        signed=signed,
    )


def colours(signed: np.ndarray, limit: float) -> np.ndarray:
    """(N,) signed distances -> (N, 3) uint8: blue at -limit and beyond, white at 0, red at limit and beyond."""
    share = np.clip(np.asarray(signed, np.float64) / max(limit, np.finfo(float).tiny), -1, 1)[:, None]
    end = np.where(share < 0, INSIDE, OUTSIDE)
    return np.round(ON + np.abs(share) * (end - np.array(ON, float))).astype(np.uint8)
