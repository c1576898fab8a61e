"""Which way the axes of a part point, by the normals of its surface and the planes that its points lie on.

Faces of machined parts lie across three axes at right angles to each other (the "Manhattan world" of Coughlan & Yuille
1999), and the walls of extrusions and revolutions are parallel to such an axis. The score of a rotation is the share of
normals that it explains so. Rotations are (3, 3), their columns the part's axes; normals may have either sign.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

SPREAD = np.radians(4.0)  # deviation of a face's normals; noise of 1 % makes 2 to 3 degrees
WALL = 0.35  # weight of a normal square to an axis; a normal along an axis has 1
PEAKS = 8  # most directions that many normals share
APART = np.radians(15.0)  # least angle between two of them
PAIRS = 400  # pairs of normals whose cross product is tried as an axis
SPINS = 2.5  # the turn about an axis is known if this many times more normals lie along the others than by chance
LEAST_KNOWN = 0.03  # and this share of all normals
CHANCE = np.sqrt(2 * np.pi) * SPREAD / (np.pi / 2)  # normals square to an axis that lie along another by chance

_PLANE_SPREAD = np.radians(12.0)  # deviation of a face's normals before the axes are known well
_PLANE_FLAT, _FLAT_SPREAD = 0.55, np.radians(4.0)  # share of them that lie so near; a strip of a cylinder has a third
_FEWEST_SHARE = 0.004  # least share of the points that makes a face
_FACES = 8  # most faces along an axis
_STEP = 0.01  # between the heights at which faces are searched
# Distances from a plane. The first are wide, for axes that lean; the others narrow, for the two sides of a sheet.
_WIDTHS = (0.02, 0.008, 0.004, 0.004), (0.004, 0.004, 0.004, 0.004)
_PRIOR = np.radians(0.5)  # expected error of the rotation that the normals give
_DRAFT = np.radians((2.0, 1.0, 0.6, 0.4, 0.3))  # of a round each: faces that lean more against the others weigh less


def along(rotation: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """(N,) in [0, 1]: how near each normal lies to an axis."""
    nearest = np.abs(normals @ rotation).max(axis=1)
    return _near(np.sqrt(np.maximum(1 - nearest**2, 0)))


def score(rotation: np.ndarray, normals: np.ndarray) -> float:
    """The share of normals that the axes explain, in [0, 1]; about 0.1 where normals point everywhere."""
    square = _near(np.abs(normals @ rotation).min(axis=1))
    return float(np.maximum(along(rotation, normals), WALL * square).mean())


def _near(sine: np.ndarray, spread: float = SPREAD) -> np.ndarray:
    return np.exp(-0.5 * (sine / spread) ** 2)


def angle(rotation: np.ndarray) -> float:
    """The angle of a rotation, radians."""
    return float(Rotation.from_matrix(rotation).magnitude())


def nearest_to_identity(rotation: np.ndarray) -> np.ndarray:
    """The least turn among the 24 rotations with the same three axes."""
    turned = rotation @ _CUBE
    return turned[int(np.trace(turned, axis1=1, axis2=2).argmax())]


_CUBE = Rotation.create_group("O").as_matrix()  # (24, 3, 3): the rotations of a cube


def least_turn(axis: np.ndarray) -> np.ndarray:
    """The smallest rotation that brings an axis of the file onto a direction, whatever its sign."""
    which = int(np.abs(axis).argmax())
    axis = axis * np.sign(axis[which])
    start = np.eye(3)[which]
    cross = np.cross(start, axis)
    sine = np.linalg.norm(cross)
    if sine < 1e-12:
        return np.eye(3)
    return Rotation.from_rotvec(cross / sine * np.arctan2(sine, axis[which])).as_matrix()


# --- guesses


def guesses(normals: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
    """Rotations to start from: pairs of directions that many normals share, or are square to.

    Args:
        normals: (N, 3), some 1,500.
    """
    peaks = _peaks(normals)
    first = [*peaks, *_square_to_many(normals, peaks, rng)]
    rotations = []
    for axis in first:
        rotations.append(least_turn(axis))
        for other in (*peaks, *np.eye(3)):
            second = other - axis * (axis @ other)
            length = np.linalg.norm(second)
            if length > 0.2:
                second /= length
                rotations.append(np.column_stack((axis, second, np.cross(axis, second))))
    return rotations


def _peaks(normals: np.ndarray) -> list[np.ndarray]:
    """Directions that many normals share, the most frequent first."""
    near = np.abs(normals @ normals.T) > np.cos(1.5 * SPREAD)
    left = np.ones(len(normals), bool)
    peaks: list[np.ndarray] = []
    for _ in range(PEAKS):
        counts = near[:, left].sum(axis=1) * left
        best = int(counts.argmax())
        if counts[best] < 0.01 * len(normals):
            break
        peaks.append(_mean_axis(normals[near[best]]))
        left &= np.abs(normals @ peaks[-1]) < np.cos(APART)
    return peaks


def _mean_axis(directions: np.ndarray) -> np.ndarray:
    return np.linalg.eigh(directions.T @ directions)[1][:, 2]


def _square_to_many(normals: np.ndarray, peaks: list[np.ndarray], rng: np.random.Generator) -> list[np.ndarray]:
    """Directions that many normals are square to, such as the axis of an extrusion, a bore or a shaft."""
    pairs = normals[rng.integers(len(normals), size=(PAIRS, 2))]
    crosses = np.cross(pairs[:, 0], pairs[:, 1])
    crosses = np.vstack([crosses, [np.cross(a, b) for i, a in enumerate(peaks) for b in peaks[:i]] or np.eye(3)])
    lengths = np.linalg.norm(crosses, axis=1)
    tried = crosses[lengths > 0.3] / lengths[lengths > 0.3, None]
    directions: list[np.ndarray] = []
    if len(tried):
        explained = _near(np.abs(tried @ normals.T)).mean(axis=1)
        for index in np.argsort(-explained):
            if all(abs(tried[index] @ other) < np.cos(APART) for other in directions):
                directions.append(tried[index])
            if len(directions) == 4:
                break
    return directions


# --- refinement


def refined(rotation: np.ndarray, normals: np.ndarray, *, start: float = 2.0, rounds: int = 12) -> np.ndarray:
    """Turn the axes to where the normals near them point: least squares, reweighted (a redescending M-estimator).

    Args:
        rotation: (3, 3), where to start.
        normals: (N, 3).
        start: width of the first weights, in units of SPREAD.
        rounds: how often the points are weighted anew.
    """
    for number in range(rounds):
        spread = SPREAD * max(start * (1 - number / (rounds / 2)), 0.6)
        hessian, gradient = np.zeros((3, 3)), np.zeros(3)
        cosines = normals @ rotation
        sizes = np.abs(cosines)
        which, flat = sizes.argmax(axis=1), sizes.argmin(axis=1)
        rows = np.arange(len(normals))
        on = _near(np.sqrt(np.maximum(1 - sizes[rows, which] ** 2, 0)), spread)
        square = WALL * _near(sizes[rows, flat], spread)
        for i in range(3):
            axis = rotation[:, i]
            mine = (which == i) & (on >= square)
            if mine.any():  # the axis turned by w is axis + w x axis, and should be the normal
                cross = _cross(axis)
                signed = normals[mine] * np.sign(cosines[mine, i])[:, None]
                hessian += on[mine].sum() * cross.T @ cross
                gradient += cross @ (on[mine] @ (signed - axis))
            mine = (flat == i) & (square > on)
            if mine.any():  # the normal should be square to it
                lever = np.cross(axis, normals[mine])
                hessian += (lever * square[mine, None]).T @ lever
                gradient -= lever.T @ (square[mine] * cosines[mine, i])
        if not hessian.any():
            break
        step = np.linalg.solve(hessian + 1e-3 * np.trace(hessian) * np.eye(3), gradient)
        rotation = Rotation.from_rotvec(step).as_matrix() @ rotation
    return rotation


def _cross(v: np.ndarray) -> np.ndarray:
    """(3, 3): v x w as a matrix times w."""
    return np.array([[0, -v[2], v[1]], [v[2], 0, -v[0]], [-v[1], v[0], 0]])


def round_about(rotation: np.ndarray, normals: np.ndarray) -> int | None:
    """The number of the axis about which the part is round, so that normals leave the turn about it open; or None."""
    cosines = np.abs(normals @ rotation)
    on = _near(np.sqrt(np.maximum(1 - cosines**2, 0)))  # (N, 3)
    square = _near(cosines)
    for i in np.argsort(-(on + WALL * square).sum(axis=0)):
        along_others = on.mean(axis=0).sum() - on[:, i].mean()
        if along_others < max(SPINS * CHANCE * square[:, i].mean(), LEAST_KNOWN):
            return int(i)
    return None


def on_faces(rotation: np.ndarray, points: np.ndarray, normals: np.ndarray, noise: float) -> np.ndarray:
    """The axes turned to fit the planes of all faces across them together.

    A face of N points gives its direction sqrt(N) times better than a normal does, and better the wider it is.

    Args:
        rotation: (3, 3), within some degrees.
        points: (N, 3), longest side 2.
        normals: (N, 3), of the points.
        noise: how far points lie off their faces.
    """
    blur = max(noise, 1e-3)
    faces = [(i, scatter) for i in range(3) for scatter in _faces_along(rotation[:, i], points, normals, blur)]
    prior = (blur / _PRIOR) ** 2
    for draft in _DRAFT:
        hessian, gradient = prior * np.eye(3), np.zeros(3)
        for i, scatter in faces:
            axis = rotation[:, i]
            weight = _upright_weight(axis, scatter, blur, draft)
            cross = _cross(axis)
            hessian += weight * cross.T @ scatter @ cross
            gradient += weight * cross.T @ scatter @ axis
        rotation = Rotation.from_rotvec(np.linalg.solve(hessian, gradient)).as_matrix() @ rotation
    return rotation


def _upright_weight(axis: np.ndarray, scatter: np.ndarray, blur: float, draft: float) -> float:
    """The weight of a face, in [0, 1]: low where it leans against the axis by more than its own uncertainty."""
    values, vectors = np.linalg.eigh(scatter)
    leans = vectors[:, 1:].T @ axis  # sines, towards its two widths
    uncertain = blur / np.sqrt(np.maximum(values[1:], 1e-12))
    return float(np.exp(-0.5 * (leans**2 / (draft**2 + uncertain**2)).sum()))


def _faces_along(axis: np.ndarray, points: np.ndarray, normals: np.ndarray, blur: float):
    """The (3, 3) scatter of the points about their middle, of each plane nearly square to an axis."""
    cosines = np.abs(normals @ axis)
    left = cosines > np.cos(_PLANE_SPREAD)
    fewest = max(_FEWEST_SHARE * len(points), 12)
    for _ in range(_FACES):
        if np.count_nonzero(left) < fewest:
            return
        heights = points[left] @ axis
        bins = np.arange(heights.min(), heights.max() + 3 * _STEP * blur, max(2 * blur, _STEP))
        counts, edges = np.histogram(heights, np.append(bins, bins[-1] + max(2 * blur, _STEP)))
        level = float(edges[int(counts.argmax())] + edges[int(counts.argmax()) + 1]) / 2
        tried = [_plane(points, left, axis, level, blur, widths, fewest) for widths in _WIDTHS]
        inside = max(tried, key=np.count_nonzero)
        if np.count_nonzero(inside) < fewest:
            left &= np.abs(points @ axis - level) >= max(2 * blur, _STEP)
            continue
        left &= ~inside
        scatter, normal = _scatter(points[inside])
        flat = np.mean(cosines[inside] > np.cos(_FLAT_SPREAD))
        if flat > _PLANE_FLAT and abs(normal @ axis) > np.cos(np.radians(4)):
            yield scatter


def _plane(
    points: np.ndarray,
    left: np.ndarray,
    normal: np.ndarray,
    level: float,
    blur: float,
    widths: tuple[float, ...],
    fewest: float,
) -> np.ndarray:
    """(N,) bool: points of a plane that is fitted to the points within ever smaller distances."""
    inside = np.zeros(len(points), bool)
    for width in widths:
        inside = left & (np.abs(points @ normal - level) < max(3 * blur, width))
        if np.count_nonzero(inside) < fewest:
            break
        _, turned = _scatter(points[inside])
        normal = turned * np.sign(turned @ normal)
        level = float(points[inside].mean(axis=0) @ normal)
    return inside


def _scatter(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    centred = points - points.mean(axis=0)
    scatter = centred.T @ centred
    return scatter, np.linalg.eigh(scatter)[1][:, 0]
