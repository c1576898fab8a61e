"""The axis of what is turned on a lathe: every normal of a surface of revolution meets it.

A line through p along n meets the axis through c along d where n . (d x (p - c)) = 0: a turn about the axis moves no
point off the surface. Fitting d and c by it is the slippage analysis of Gelfand & Guibas (2004), for one turn.
"""

from __future__ import annotations

import numpy as np

from cadrecode.geometry import square_to

MEETS = np.sin(np.radians(6.0))  # normals that miss the axis by less, seen from their points, meet it
LEAST_SHARE = 0.75  # of the normals must meet it
WALL_LEAN, FACING = 0.2, 0.9  # cosines: of a wall's normal with the axis; of it and the way out from the axis
FARTHEST = np.cos(np.radians(2.0))  # the normals' own answer is not farther off
MOST_OF = 0.6  # of what is square to the axis lies on walls about it
FEWEST, MOST_WALLS = 40, 6  # points of a wall, and walls
CLEAR = 4.0  # times as much must turns about other axes move the surface: those of a ball all move it as little


def axis_of_revolution(points: np.ndarray, normals: np.ndarray) -> np.ndarray | None:
    """The direction of the axis, (3,) of length 1; None where there is none, or more than one, as in a ball.

    Args: points: (N, 3), any frame; normals: (N, 3) of them, of length 1, either way around.
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
    """The axis moved to where the round walls about it ask for: cylinders of one axis fitted to their points together.

    A turn w of the axis d changes the distance r of a point at height h by -h (r^ . (w x d)): linear least squares
    (Gauss-Newton) for w, for where the axis stands, and for the radius of each wall.

    Args:
        axis: (3,), within some degrees; points: (N, 3), longest side 2; normals: (N, 3) of them.
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
        kept = (wall >= 0) & facing
        kept &= np.abs(radii - _centres(radii, wall, kept)[wall]) < width * blur
        if np.count_nonzero(kept) < max(FEWEST, MOST_OF * len(radii)):  # no cylinders of one axis after all
            return given
        one_of = np.eye(wall.max() + 1)[wall[kept]]  # (K, walls)
        first, second = square_to(axis).T
        u, v, h = out[kept] @ first, out[kept] @ second, heights[kept]
        design = np.column_stack((h * u, h * v, u, v, one_of))
        answer = np.linalg.lstsq(design, radii[kept], rcond=1e-6)[0]
        axis = axis + answer[0] * first + answer[1] * second
        axis /= np.linalg.norm(axis)
        if axis @ given < FARTHEST:
            return given
        middle = middle + answer[2] * first + answer[3] * second
    return axis


def _meeting(points: np.ndarray, normals: np.ndarray, across: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Equations for the place that lines through the points along their normals, seen along the axis, meet nearest."""
    flat = normals @ across
    flat /= np.maximum(np.linalg.norm(flat, axis=1), 1e-9)[:, None]
    aside = across[None] - flat[:, :, None] * flat[:, None, :]  # (K, 3, 3)
    return aside.sum(axis=0), np.einsum("kij,kj->i", aside, points)


def _clusters(radii: np.ndarray, facing: np.ndarray, blur: float) -> np.ndarray:
    """(K,) int: which wall each point is on, by radii that many share; -1 for none."""
    found = np.full(len(radii), -1)
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
        found[inside] = number
        left &= ~inside
    return found


def _centres(radii: np.ndarray, wall: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """The median radius of each wall; 0 where it has no points."""
    on = [radii[kept & (wall == i)] for i in range(MOST_WALLS)]
    return np.array([np.median(one) if len(one) else 0.0 for one in on])


def _miss(points, normals, direction, centre) -> tuple[np.ndarray, np.ndarray]:
    """The sine between each normal and the plane of its point and the axis, (N,); and how the turn moves the points."""
    motion = np.cross(direction, points - centre)
    radius = np.linalg.norm(motion, axis=1)
    sine = np.abs(np.einsum("ij,ij->i", motion, normals)) / np.maximum(radius, 1e-9)
    return sine, motion


def _fitted(points, normals, weights) -> tuple[np.ndarray, np.ndarray, float]:
    """The turn that moves the surface least: its direction and a point of its axis; and how much clearer it is than the
    next one. Minimises sum w (m . d + n . v)^2 over unit d and any v = -d x c, with m = p x n.
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
