"""Through holes that a cloud shows: no change may lose one of them for a small gain elsewhere.

The mean distance hardly sees a small hole: few points lie on its wall, and its mouths are smaller than the spacing. So
points are weighed as in measuring: as a Poisson process on the surface, some nats for a point that lies off it.
"""

from __future__ import annotations

import numpy as np

from cadrecode.cloud.distance import SURE, CloudRuler, surprise
from cadrecode.program.solid import Manifold, bounds, mesh_of, through_holes

CLOSE = 5e-4, 3.0  # of the size, and of the noise: how near to a surface its points are
MARGIN = 20.0  # times that: points farther from what has changed are explained as before
PLAIN = 4.0  # nats, e^4 to 1: so much more likely must the points be with the hole; one of a symmetric part has few


def hides_a_hole(before: Manifold, after: Manifold, ruler: CloudRuler) -> bool:
    """Whether a body has fewer through holes than another although the cloud plainly shows them.

    Args:
        ruler: Measures by the cloud, in the frame of the bodies.
    """
    if through_holes(after) >= through_holes(before):
        return False
    close = max(CLOSE[0] * ruler.size, CLOSE[1] * ruler.noise)
    near = _near_change(before, after, ruler.all_points, MARGIN * close)
    points, normals = ruler.all_points[near], None
    if ruler.all_normals is not None:
        sure = ruler.all_normals.confidence[near, None] >= SURE
        normals = np.where(sure, ruler.all_normals.directions[near], 0.0)
    lost = surprise(points, normals, *mesh_of(after), close) - surprise(points, normals, *mesh_of(before), close)
    per_area = len(ruler.all_points) / before.surface_area()
    return float(lost.sum()) + per_area * (after.surface_area() - before.surface_area()) > PLAIN


def _near_change(before: Manifold, after: Manifold, points: np.ndarray, margin: float) -> np.ndarray:
    """(N,) bool: the points in the box around what two bodies do not share."""
    near = np.zeros(len(points), bool)
    for changed in (before - after, after - before):
        if not changed.is_empty():
            low, high = bounds(changed)
            near |= ((points > low - margin) & (points < high + margin)).all(axis=1)
    return near
