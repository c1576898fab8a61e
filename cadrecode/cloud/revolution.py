"""The axis of a surface of revolution: every normal of such a surface meets it.

A line through p along n meets the axis through c along d where n . (d x (p - c)) = 0: a turn about the axis moves no
point off the surface. Fitting d and c by it is the slippage analysis of Gelfand & Guibas (2004), for a single turn.
"""

from __future__ import annotations

import numpy as np

from cadrecode.geometry import square_to

MEETS = np.sin(np.radians(6.0))  # a normal meets the axis if it misses it by less than this, seen from its point
LEAST_SHARE = 0.75  # share of the normals that must meet the axis
WALL_LEAN, FACING = 0.2, 0.9  # cosines: of a wall's normal with the axis; of it and the way out from the axis
FARTHEST = np.cos(np.radians(2.0))  # largest correction of the axis that the normals give
MOST_OF = 0.6  # least share of the points with normals square to the axis that must lie on round walls
FEWEST, MOST_WALLS = 40, 6  # points of a wall, and walls
CLEAR = 4.0  # turns about other axes must move the surface so many times as much; a ball has no such axis


def axis_of_revolution(points: np.ndarray, normals: np.ndarray) -> np.ndarray | None:
    """The direction of the axis, (3,) of length 1; None where there is no axis, or several, as in a ball.

    Args:
        points: (N, 3), any frame.
        normals: (N, 3) of length 1 and either sign, of the points.
    """
    centred = points - points.mean(axis=0)
    best, best_share = None, LEAST_SHARE
    for start in np.linalg.eigh(centred.T @ centred)[1].T:
        direction, centre = start, np.zeros(3)
        clear = 0.0
        for _ in range(12):
            miss, _ = _miss(centred, normals, direction, centre)
            weights = 1 / (1 + (miss / MEETS) ** 2)
            direction, centre, clear = _fitted(centred, normals, weights)
        miss, _ = _miss(centred, normals, direction, centre)
        share = float(np.mean(miss < MEETS))
        if clear > CLEAR and share > best_share:
            best, best_share = direction, share
    return best


def on_walls(axis: np.ndarray, points: np.ndarray, normals: np.ndarray, noise: float) -> np.ndarray:
    """The axis, corrected: coaxial cylinders are fitted to the round walls about it, all together.

    A turn w of the axis d changes the distance r of a point at height h by -h (r^ . (w x d)): linear least squares
    (Gauss-Newton) for w, for where the axis stands, and for the radius of each wall.

    Args:
        axis: (3,), within some degrees.
        points: (N, 3), longest side 2.
        normals: (N, 3), of the points.
        noise: how far points lie off their walls.
    """
    walls = np.abs(normals @ axis) < WALL_LEAN
    if np.count_nonzero(walls) < FEWEST:
        return axis
    given, points, normals = axis, points[walls], normals[walls]
    blur = max(noise, 2e-3)
    across = np.eye(3) - np.outer(axis, axis)
    middle = np.linalg.lstsq(*_meeting(points, normals, across), rcond=None)[0]
    for width in (6, 4, 3, 3, 3):
        heights = (points - middle) @ axis
        out = (points - middle) - heights[:, None] * axis
        radii = np.linalg.norm(out, axis=1)
        out /= np.maximum(radii, 1e-9)[:, None]
        facing = np.abs(np.einsum("ij,ij->i", out, normals)) > FACING  # a flat or a pocket is not about the axis
        wall = _clusters(radii, facing, blur)
        on = (wall >= 0) & facing
        on &= np.abs(radii - _centres(radii, wall, on)[wall]) < width * blur
        if np.count_nonzero(on) < max(FEWEST, MOST_OF * len(radii)):  # no coaxial cylinders after all
            return given
        of_wall = np.eye(wall.max() + 1)[wall[on]]  # (K, walls)
        first, second = square_to(axis).T
        u, v, h = out[on] @ first, out[on] @ second, heights[on]
        design = np.column_stack((h * u, h * v, u, v, of_wall))
        answer = np.linalg.lstsq(design, radii[on], rcond=1e-6)[0]
        axis = axis + answer[0] * first + answer[1] * second
        axis /= np.linalg.norm(axis)
        if axis @ given < FARTHEST:
            return given
        middle = middle + answer[2] * first + answer[3] * second
    return axis


def _meeting(points: np.ndarray, normals: np.ndarray, across: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Equations for the place nearest to all lines through the points along their normals, seen along the axis."""
    flat = normals @ across
    flat /= np.maximum(np.linalg.norm(flat, axis=1), 1e-9)[:, None]
    aside = across[None] - flat[:, :, None] * flat[:, None, :]  # (K, 3, 3)
    return aside.sum(axis=0), np.einsum("kij,kj->i", aside, points)


def _clusters(radii: np.ndarray, facing: np.ndarray, blur: float) -> np.ndarray:
    """(K,) int: the wall of each point, by radii that many points share; -1 for none."""
    walls = np.full(len(radii), -1)
    left = facing.copy()
    for number in range(MOST_WALLS):
        if np.count_nonzero(left) < FEWEST:
            break
        bins = np.arange(radii[left].min(), radii[left].max() + 6 * blur, 3 * blur)
        counts, edges = np.histogram(radii[left], bins)
        best = int(counts.argmax())
        if counts[best] < FEWEST:
            break
        inside = left & (np.abs(radii - (edges[best] + 1.5 * blur)) < 6 * blur)
        walls[inside] = number
        left &= ~inside
    return walls


def _centres(radii: np.ndarray, wall: np.ndarray, on: np.ndarray) -> np.ndarray:
    """The median radius of each wall; 0 where it has no points."""
    of_walls = [radii[on & (wall == i)] for i in range(MOST_WALLS)]
    return np.array([np.median(wall_radii) if len(wall_radii) else 0.0 for wall_radii in of_walls])


def _miss(
    points: np.ndarray, normals: np.ndarray, direction: np.ndarray, centre: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The sine between each normal and the plane of its point and the axis, (N,); and how the turn moves the points."""
    motion = np.cross(direction, points - centre)
    radius = np.linalg.norm(motion, axis=1)
    sine = np.abs(np.einsum("ij,ij->i", motion, normals)) / np.maximum(radius, 1e-9)
    return sine, motion


def _fitted(points: np.ndarray, normals: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """The turn that moves the surface least: its direction, a point of its axis, and how clear it is: the ratio of the
    motion of the next best turn to its own. Minimises sum w (m . d + n . v)^2 over unit d and v = -d x c; m = p x n.
    """
    moments = np.cross(points, normals)
    turns = (moments * weights[:, None]).T @ moments
    mixed = (moments * weights[:, None]).T @ normals
    moves = (normals * weights[:, None]).T @ normals
    inverse = np.linalg.pinv(moves, rcond=1e-4, hermitian=True)
    values, vectors = np.linalg.eigh(turns - mixed @ inverse @ mixed.T)
    direction = vectors[:, 0]
    move = -inverse @ mixed.T @ direction
    return direction, np.cross(direction, move), float(values[1] / max(values[0], 1e-9 * values[2]))
