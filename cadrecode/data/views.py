"""The model's view of a part: points of its surface, perhaps from one side, with normals where it reads them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import ConvexHull, QhullError

from cadrecode.cloud import farthest_point_sample
from cadrecode.cloud.distance import nearest_on_surface
from cadrecode.data.pairs import Pair
from cadrecode.data.pool import on_disk
from cadrecode.frames import CODE_PER_MODEL
from cadrecode.geometry import bounding_box, corner_crosses, unit
from cadrecode.program import build, from_mesh, mesh_of, parse

if TYPE_CHECKING:
    from cadrecode.program.solid import Manifold

MOST_PLACES = 3  # from which a part is seen
NEAREST, FARTHEST = 4.0, 8.0  # MODEL, of such a place from the part's middle; the part reaches 1
FLIP = 30.0  # radius of the mirroring sphere, by the farthest distance: more shows hidden points, less hides slanted
BOX_SLACK = 0.02  # MODEL: the program is in the frame of the whole part, so what is seen must have its box
LEAST_SLANT = 0.4  # of the smallest component of a way to the largest: three sides are seen
TRIES = 4  # directions, before the whole part is shown


def view(
    points: np.ndarray, n_points: int, rng: np.random.Generator, one_sided: bool = False, heard: int = 0
) -> np.ndarray:
    """The points that the model reads, spread over a random half of a cloud.

    Args:
        points: (P, 3) MODEL, or (P, 6) with normals.
        one_sided: leave out what cannot be seen from one side of the part.
        heard: further points, of all that is seen; they repeat where there are fewer.
    Returns: (n_points + heard, 3 or 6) float32.
    """
    seen = np.asarray(points[rng.permutation(len(points))], np.float32)
    if one_sided:
        seen = seen[seen_from_a_side(seen[:, :3], rng)]
    half = seen[: max(n_points, len(seen) // 2)]
    order = farthest_point_sample(half[:, :3], min(n_points, len(half)), seed=int(rng.integers(2**31)))
    return seen[np.concatenate((np.resize(order, n_points), np.arange(heard) % len(seen)))]


def seen_from_a_side(points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Choose what a scanner sees from a few places that all lie on one of the six sides of a part.

    Args:
        points: (P, 3) MODEL.
    Returns: (Q,) row numbers; all rows where no such view has the part's bounding box.
    """
    box = bounding_box(points)
    for _ in range(TRIES):
        axis, sign = rng.integers(3), rng.choice((-1, 1))
        places = rng.normal(size=(rng.integers(1, MOST_PLACES + 1), 3))
        places[:, axis] = sign * np.abs(places[:, axis])
        places *= rng.uniform(NEAREST, FARTHEST, (len(places), 1)) / np.linalg.norm(places, axis=1, keepdims=True)
        seen = np.unique(np.concatenate([visible_from(points, place) for place in places]))
        if np.abs(bounding_box(points[seen]) - box).max() <= BOX_SLACK:
            return seen
    return np.arange(len(points))


def seen_from_one_place(points: np.ndarray, seed: int) -> np.ndarray:
    """Choose what a scanner sees that stands still, aslant to all sides. (P, 3), any frame -> (Q,) row numbers."""
    rng = np.random.default_rng(seed)
    low, high = bounding_box(points)
    way = rng.choice((-1, 1), 3) * rng.uniform(LEAST_SLANT, 1, 3)
    away = NEAREST * np.linalg.norm(high - low) / 2
    return visible_from(points, (low + high) / 2 + away * way / np.linalg.norm(way))


def visible_from(points: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Hidden-point removal (Katz, Tal and Basri 2007): mirrored outward on a sphere about the eye, what is seen is on
    the convex hull.

    Args:
        points: (P, 3).
        place: (3,), the eye, outside of the part.
    Returns: (Q,) row numbers, ascending.
    """
    ways = np.asarray(points, np.float64) - place
    distances = np.linalg.norm(ways, axis=1, keepdims=True)
    flipped = ways * (2 * FLIP * distances.max() / distances - 1)
    try:
        hull = ConvexHull(np.concatenate((flipped, np.zeros((1, 3)))))
    except QhullError:  # all points in a plane through the eye
        return np.arange(len(points))
    return np.sort(hull.vertices[hull.vertices < len(points)])


def true_solid(pair: Pair) -> Manifold:
    """The surface of a pair's cloud, CODE: its mesh, or else its program's part."""
    return build(parse(pair.text)) if pair.mesh is None else from_mesh(*pair.mesh)


def with_normals(pairs: Iterable[Pair]) -> Iterator[Pair]:
    """Pairs whose points, (P, 6) float16 on disk, carry the outward normal of their program's part where it is nearest.

    CAD-Recode v1 was trained with normals.
    """
    return on_disk(replace(pair, points=np.hstack((pair.points, _normals(pair)))) for pair in pairs)


def _normals(pair: Pair) -> np.ndarray:
    """(P, 3) float16."""
    vertices, faces = mesh_of(true_solid(pair))
    places = np.asarray(pair.points, np.float64) * CODE_PER_MODEL
    nearest = nearest_on_surface(places, vertices, faces)[1]
    return unit(corner_crosses(vertices[faces[nearest]])).astype(np.float16)
