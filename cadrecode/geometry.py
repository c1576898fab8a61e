"""Numbers about triangles and points that several rooms need: normals, areas, points on a surface, farthest points."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_BLOCK_FACES = 1 << 16  # triangles handled together, so that a large mesh needs little more memory than it has
_CACHE_POINTS = 1 << 14  # points handled together, so that the working arrays stay in the processor's cache


def unit(vectors: np.ndarray) -> np.ndarray:
    """(..., 3) vectors scaled to length 1; a zero vector stays zero."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)


def square_to(axis: np.ndarray) -> np.ndarray:
    """(3, 2): two unit columns that are at right angles to an axis of length 1, and to each other."""
    first = np.cross(axis, np.eye(3)[int(np.abs(axis).argmin())])
    first /= np.linalg.norm(first)
    return np.column_stack((first, np.cross(axis, first)))


def bounding_box(points: np.ndarray) -> np.ndarray:
    """(N, k) points -> (2, k): the lowest and the highest corner of the box around them."""
    return np.array((points.min(axis=0), points.max(axis=0)))


def polygon_area(corners: np.ndarray) -> float:
    """The area within a polygon of (N, 2) corners, by the shoelace formula; negative where they run clockwise."""
    x, y = corners.T
    return float(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2


def perimeter(corners: np.ndarray) -> float:
    """The length of all sides of a polygon of (N, 2) corners."""
    return float(np.hypot(*(np.roll(corners, -1, axis=0) - corners).T).sum())


def is_simple(corners: np.ndarray, near: float) -> bool:
    """Whether a closed polygon of (N, 2) corners neither crosses itself nor comes nearer to itself than `near`."""
    ends = np.roll(corners, -1, axis=0)
    sides, ways = ends - corners, corners[:, None] - corners  # from the beginning of side j to corner i
    lengths = np.maximum((sides**2).sum(axis=1), 1e-18)
    along = np.clip((ways * sides).sum(axis=2) / lengths, 0, 1)
    gaps = np.linalg.norm(ways - along[..., None] * sides, axis=2)
    index = np.arange(len(corners))
    gaps[index, index] = gaps[(index + 1) % len(index), index] = np.inf  # a side's own two corners
    if gaps.min() < near:
        return False
    turns = sides[:, 0] * ways[..., 1] - sides[:, 1] * ways[..., 0] > 0  # corner i is to the left of side j
    parted = turns != np.roll(turns, -1, axis=0)  # side i has an end on either side of the line of side j
    parted[index, (index + 1) % len(index)] = False  # neighbours meet
    return not (parted & parted.T).any()


def nearest_on_rims(places: np.ndarray, polygons: Sequence[np.ndarray]) -> np.ndarray:
    """(n, 2) places, closed polygons of (m, 2) corners each -> (n, 2): the nearest place to each on their edges."""
    starts, ends = np.concatenate(polygons), np.concatenate([np.roll(polygon, -1, axis=0) for polygon in polygons])
    ways = ends - starts
    shares = ((places[:, None] - starts) * ways).sum(axis=2) / np.maximum((ways**2).sum(axis=1), 1e-12)
    feet = starts + np.clip(shares, 0, 1)[..., None] * ways
    nearest = np.linalg.norm(feet - places[:, None], axis=2).argmin(axis=1)
    return feet[np.arange(len(places)), nearest]


def corner_crosses(corners: np.ndarray) -> np.ndarray:
    """(F, 3 corners, 3) -> (F, 3): vectors along the normals of triangles, as long as twice their area."""
    return np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])


def face_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(F, 3) float64 unit normals; zero for a triangle without area."""
    return unit(corner_crosses(np.asarray(vertices, np.float64)[faces]))


def area_vectors(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Vectors along the normals of triangles, as long as their shares of the area.

    They are in units of the size of the whole, so that neither nanometres nor light years leave the range of numbers.

    Args:
        vertices: (V, 3) float.
        faces: (F, 3) int.
    Returns: (F, 3) float64; all zero where the surface has no size.
    """
    vectors = np.zeros((len(faces), 3))
    blocks = [slice(start, start + _BLOCK_FACES) for start in range(0, len(faces), _BLOCK_FACES)]
    with np.errstate(over="ignore", invalid="ignore"):
        low, high = np.full(3, np.inf), np.full(3, -np.inf)
        for block in blocks:
            used = vertices[faces[block].ravel()]
            low, high = np.minimum(low, used.min(axis=0)), np.maximum(high, used.max(axis=0))
        size = np.max(high - low)
        if 0 < size < np.inf:
            for block in blocks:
                a, b, c = (vertices[faces[block, corner]] for corner in range(3))
                vectors[block] = np.cross((b - a) / size, (c - a) / size)
    return vectors


def turned_left(direction: np.ndarray) -> np.ndarray:
    """(2,): a direction turned by a right angle, counterclockwise."""
    return np.array((-direction[1], direction[0]))


def lines_meet(place: np.ndarray, direction: np.ndarray, other: np.ndarray, other_direction: np.ndarray) -> np.ndarray:
    """(2,): where two lines meet, each given by a place on it and its direction, (2,). They must not be parallel."""
    aside = turned_left(other_direction)
    return place + ((other - place) @ aside) / (direction @ aside) * direction


def weld(vertices: np.ndarray, step: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Join the vertices that lie in one place, or with `step` in one cell of a grid of that width.

    Args:
        vertices: (N, 3) float.
        step: 0 joins equal vertices alone.
    Returns: (V, 3) float64 vertices, and (N,) int64: where each of the given ones is among them.
    """
    vertices = np.asarray(vertices, np.float64) + 0.0  # -0.0 becomes 0.0, so that both are one vertex
    cells = np.round((vertices - vertices.min(axis=0)) / step) if step and len(vertices) else vertices
    order = np.lexsort(cells.T[::-1])
    new = np.zeros(len(vertices), bool)
    new[:1] = True
    for column in cells.T:  # one at a time takes a third of the memory
        ordered = column[order]
        new[1:] |= ordered[1:] != ordered[:-1]
    number = np.empty(len(vertices), np.int64)
    number[order] = np.cumsum(new) - 1
    return vertices[order[new]], number


def three_cornered(faces: np.ndarray) -> np.ndarray:
    """The triangles (M, 3) of some whose three vertices differ: welding folds others into an edge or a point."""
    a, b, c = faces.T
    return faces[(a != b) & (b != c) & (c != a)]


def edge_numbers(triangles: np.ndarray, n_vertices: int) -> np.ndarray:
    """(3 F,) int64: a number for each side of triangles, (F, 3) int, the same for sides with the same two ends."""
    a, b, c = triangles.T
    sides = (a, b), (b, c), (c, a)
    return np.concatenate([np.minimum(*ends) * n_vertices + np.maximum(*ends) for ends in sides])


def fold_into_triangle(square: np.ndarray) -> np.ndarray:
    """(2, N) places in the unit square -> (2, N): those beyond its diagonal folded back, so that u + v <= 1."""
    return np.where(square.sum(axis=0) > 1, 1 - square, square)


def places_on(
    corners: np.ndarray, areas: np.ndarray, shares: np.ndarray, within: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Places on a surface, in proportion to its area.

    Args:
        corners: (F, 3 corners, 3) float, the triangles.
        areas: (F,) float in any unit, some of them above 0.
        shares: (N,) float in [0, 1): each chooses the triangle that this share of the whole area reaches into.
        within: (2, N) float, where in its triangle each place lies, from `fold_into_triangle`.
    Returns: (N, 3) places, and (N,) int64 the numbers of their triangles, which all have an area.
    """
    reached = np.cumsum(areas)
    last = np.searchsorted(reached, reached[-1])  # rounding must not go past the last triangle that has an area
    chosen = np.minimum(np.searchsorted(reached, shares * reached[-1], side="right"), last)
    a, b, c = corners[chosen].transpose(1, 0, 2)
    u, v = within[:, :, None]
    return a + u * (b - a) + v * (c - a), chosen


def farthest_points(points: np.ndarray, n: int, starts: np.ndarray) -> np.ndarray:
    """Choose n points of each cloud, each the farthest from those before it.

    Args:
        points: (B, N, 3) float, finite, any frame.
        n: how many to choose from each cloud.
        starts: (B,) int, the first row chosen in each.
    Returns: (B, n) int64 rows. Where a cloud has fewer than n different points, its order repeats.
    Raises:  ValueError: wrong shape, no points.
    """
    if points.ndim != 3 or points.shape[2] != 3 or not points.shape[1]:
        raise ValueError(f"Farthest-point sampling needs clouds of shape (B, N, 3), N >= 1; got {points.shape}.")
    chosen = np.empty((len(points), n), np.int64)
    step = max(1, _CACHE_POINTS // points.shape[1])
    for i in range(0, len(points), step):
        chosen[i : i + step] = _farthest(points[i : i + step], n, np.asarray(starts)[i : i + step])
    return chosen


def _farthest(points: np.ndarray, n: int, starts: np.ndarray) -> np.ndarray:
    """(b, N, 3), (b,) -> (b, n). Squared distances in float32 of centred, scaled clouds, one array for each axis."""
    low, high = points.min(axis=1, keepdims=True), points.max(axis=1, keepdims=True)
    scale = np.maximum((high - low).max(axis=2, keepdims=True), np.finfo(np.float32).tiny)
    scaled = ((points - low) / scale).astype(np.float32)
    axes = [np.ascontiguousarray(scaled[:, :, k]) for k in range(3)]  # (b, N) each
    nearest = np.full(axes[0].shape, np.inf, np.float32)  # squared distance to the nearest chosen point
    square, term = np.empty_like(nearest), np.empty_like(nearest)
    clouds = np.arange(len(points))
    chosen = np.empty((len(points), n), np.int64)
    distinct = np.full(len(points), n)
    current = starts
    for i in range(n):
        chosen[:, i] = current
        for k, axis in enumerate(axes):
            np.subtract(axis, axis[clouds, current][:, None], out=term)
            np.multiply(term, term, out=square if k == 0 else term)
            if k:
                np.add(square, term, out=square)
        np.minimum(nearest, square, out=nearest)
        current = nearest.argmax(axis=1)
        used_up = nearest[clouds, current] == 0  # every different point is chosen
        distinct[used_up & (distinct == n)] = i + 1
    for row in np.flatnonzero(distinct < n):
        chosen[row] = np.resize(chosen[row, : distinct[row]], n)
    return chosen
