"""How a scanned part is turned: the smallest rotation that brings its faces, or its axis, along the axes of the file.

The model learned from parts that stand upright, and a program's planes do too. Where nothing stands out (a ball, a
blob), where the part is upright already, or where planes along the file's axes hold their own against slanted ones,
it is left as it is: a part that is turned for no good reason is worse than one that is not.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from cadrecode.cloud import axes
from cadrecode.cloud.check import require_points_array
from cadrecode.cloud.normals import FEWEST_POINTS, given_normals, local_noise, thinnest
from cadrecode.cloud.revolution import axis_of_revolution, on_walls

ALIGNED_DEGREES = 0.5  # a part that is upright within this, or within the noise of its cloud, stays as it is
POINTS = 8192  # looked at; more make the answer no better than the scan is
SEARCHED = 1500  # of their normals, for guesses
TRIED = 6  # guesses that are made better
LEAST_SCORE = 0.2  # of `axes.score`, which is 0.11 for a ball: about a tenth of the surface along three axes
ALIKE = 0.02  # guesses that differ by less in what they explain are told apart by their boxes, then by the turn
BOX = 0.04  # what a box of twice the volume costs, of the score
OWN = 0.2  # of what slanted faces gain: what the file's own axes must explain beside it to be kept
OWN_LEAST = 0.03  # of the surface
SPUN = 0.3  # of what the file's axes do not explain: what a mere spin about one of them must
DOUBTFUL, AS_GOOD = 3.0, 0.97  # a turn of up to 3 times the noise must explain more normals than no turn does
PATCH, WIDEST = 12.0, 150  # radius of the patch that gives a normal, of the noise; its points, at most
FLAT = 0.7  # of the patches are believed: the flattest
CURVED = 2e-3  # of the half side: a patch of a cylinder is no thicker, one with an edge in it is
TIGHTER = 0.85  # of the largest footprint: where normals do not tell a turn, the smallest rectangle does if it is below
KEPT = 0.75  # of the present footprint: a part that stands upright is not turned for less


class Standing(StrEnum):
    """How a cloud was found to stand."""

    TURNED, UPRIGHT, UNCLEAR, UNASKED = "turned", "upright", "unclear", "not looked at"


@dataclass(frozen=True)
class Alignment:
    """How a cloud is turned.

    Args:
        standing: why the rotation is what it is.
        rotation: (3, 3) float64 whose columns are the part's own axes, RAW; None: it stays as it is.
        degrees: how far it is turned; 0 where it is not.
    """

    standing: Standing
    rotation: np.ndarray | None = None
    degrees: float = 0.0

    def __str__(self) -> str:
        match self.standing:
            case Standing.TURNED:
                return f"turned by {self.degrees:.1f} degrees"
            case Standing.UPRIGHT:
                return "along the axes already"
            case Standing.UNCLEAR:
                return "left as it is: neither faces nor an axis stand out"
        return "off"


UPRIGHT, UNCLEAR, UNASKED = (Alignment(one) for one in (Standing.UPRIGHT, Standing.UNCLEAR, Standing.UNASKED))


def align(points: np.ndarray, normals: np.ndarray | None = None, *, seed: int = 0) -> Alignment:
    """Find the part's own axes.

    Args:
        points: (N, 3) float, RAW.
        normals: (N, 3) of them, either way around, where the file has any; else they are estimated.
        seed: for which points are looked at.
    Returns: the smallest rotation that aligns. None within 0.5 degrees, or so small a turn that no point moves by more
        than the noise; and none where the cloud does not tell.
    Raises:  PointCloudError: wrong shape, no points, NaN or infinite values.
    """
    points = require_points_array(points)
    rng = np.random.default_rng(seed)
    if len(points) > POINTS:
        chosen = rng.choice(len(points), POINTS, replace=False)
        points, normals = points[chosen], None if normals is None else normals[chosen]
    size = float(np.ptp(points, axis=0).max())
    if len(points) < FEWEST_POINTS or not size > 0:
        return UNCLEAR
    points = (points - points.mean(axis=0)) * (2 / size)
    points, directions, noise = _normals(points, normals)
    few = directions[rng.permutation(len(directions))[:SEARCHED]]

    found = _best(points, few, rng)
    if axes.score(found, few) < LEAST_SCORE:
        axis = axis_of_revolution(points, directions)
        if axis is None:
            return UNCLEAR
        return _turned(axes.least_turn(axis), noise)
    found = _sharpened(found, points, directions, few, noise)
    own = axes.on_faces(axes.refined(np.eye(3), directions, start=1.0, rounds=6), points, directions, noise)
    if np.degrees(axes.angle(own)) < ALIGNED_DEGREES and _own_axes_hold(found, directions):
        return UPRIGHT
    turn = axes.angle(axes.nearest_to_identity(found))
    if turn < DOUBTFUL * noise and axes.score(np.eye(3), directions) > AS_GOOD * axes.score(found, directions):
        return UPRIGHT
    return _turned(found, noise)


def _normals(points: np.ndarray, normals: np.ndarray | None) -> tuple[np.ndarray, np.ndarray, float]:
    """The points whose normals are to be believed, those normals, and the noise.

    Estimated ones come from patches wide enough for the noise; where a patch bends, at an edge say, they mean nothing.
    """
    if normals is not None:
        given = given_normals(points, normals)
        known = given.confidence > 0
        if np.count_nonzero(known) > 0.5 * len(points):
            return points[known], given.directions[known], given.noise
    noise = local_noise(points)
    tree = cKDTree(points)
    reach = float(np.median(tree.query(points, k=FEWEST_POINTS)[0][:, -1]))
    wanted = FEWEST_POINTS * (PATCH * noise / reach) ** 2 if reach > 0 else 0
    count = int(np.clip(wanted, FEWEST_POINTS, min(WIDEST, len(points))))
    _, near = tree.query(points, k=count)
    directions, thickness = thinnest(points[near])
    flat = thickness <= max(CURVED, np.quantile(thickness, FLAT))
    return points[flat], directions[flat], noise


def _turned(rotation: np.ndarray, noise: float) -> Alignment:
    rotation = axes.nearest_to_identity(rotation)
    degrees = float(np.degrees(axes.angle(rotation)))
    if degrees < max(ALIGNED_DEGREES, np.degrees(noise)):  # at the half side, 1, a turn moves points by its angle
        return UPRIGHT
    return Alignment(Standing.TURNED, rotation, degrees)


def _best(points: np.ndarray, normals: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The rotation that explains most normals; of those that explain as many, the tightest box, then the least turn."""
    tried = sorted(axes.guesses(normals, rng), key=lambda guess: -axes.score(guess, normals))
    better = [axes.refined(np.eye(3), normals)]
    for guess in tried:
        if len(better) > TRIED:
            break
        if all(_apart(guess, other) > 0.5 * axes.APART for other in better[1:]):
            better.append(axes.refined(guess, normals))
    better = [axes.nearest_to_identity(one) for one in better]
    volumes = np.array([np.prod(np.ptp(points @ one, axis=0)) for one in better])
    boxes = np.log2(np.maximum(volumes, 1e-12) / max(volumes.min(), 1e-12))
    worth = np.array([axes.score(one, normals) for one in better]) - BOX * boxes
    alike = [one for one, value in zip(better, worth) if value > worth.max() - ALIKE]
    return min(alike, key=axes.angle)


def _apart(a: np.ndarray, b: np.ndarray) -> float:
    return axes.angle(axes.nearest_to_identity(a.T @ b))


def _sharpened(
    rotation: np.ndarray, points: np.ndarray, normals: np.ndarray, few: np.ndarray, noise: float
) -> np.ndarray:
    """The same rotation, as exact as the cloud allows; a turn about a round part's axis is the file's, or its box's."""
    rotation = axes.refined(rotation, normals, start=1.0, rounds=6)
    free = axes.round_about(rotation, normals)
    if free is None:
        return axes.nearest_to_identity(axes.on_faces(rotation, points, normals, noise))
    axis = axes.on_faces(rotation, points, normals, noise)[:, free]
    axis = on_walls(axis, points, normals, noise)
    upright = axes.least_turn(axis)
    return _tightened(upright, points, axis)


def _tightened(rotation: np.ndarray, points: np.ndarray, axis: np.ndarray) -> np.ndarray:
    """Turned about the axis to the smallest footprint, where one is much smaller than another."""
    which = int(np.abs(rotation.T @ axis).argmax())
    others = [(which + 1) % 3, (which + 2) % 3]
    flat = points @ rotation[:, others]  # (N, 2)
    degrees = np.arange(-45, 45)
    areas = _footprints(flat, degrees)
    if areas.min() > TIGHTER * areas.max():  # as good as round
        return rotation
    upright = axes.angle(rotation) < np.radians(ALIGNED_DEGREES)
    if upright and areas.min() > KEPT * areas[degrees == 0][0]:
        return rotation
    closer = degrees[areas.argmin()] + np.linspace(-1, 1, 21)
    best = np.radians(closer[_footprints(flat, closer).argmin()])
    return axes.nearest_to_identity(Rotation.from_rotvec(best * rotation[:, which]).as_matrix() @ rotation)


def _footprints(flat: np.ndarray, degrees: np.ndarray) -> np.ndarray:
    """(K,) areas of the rectangles around (N, 2) points, along axes turned by so many degrees."""
    angles = np.radians(degrees)
    along = flat @ np.stack((np.cos(angles), np.sin(angles)))
    across = flat @ np.stack((-np.sin(angles), np.cos(angles)))
    return np.ptp(along, axis=0) * np.ptp(across, axis=0)


def _own_axes_hold(found: np.ndarray, normals: np.ndarray) -> bool:
    """Whether faces along the file's own axes, which another rotation gives up, are a fair share of what it gains.

    A rotation that keeps one of the file's axes must gain a good part of all that stands askew about it: of a bent
    lever, one arm is no reason to turn.
    """
    own, others = axes.along(np.eye(3), normals), axes.along(found, normals)
    gained, lost = np.maximum(others - own, 0).mean(), np.maximum(own - others, 0).mean()
    spin = np.abs(found).max() > np.cos(np.radians(2 * ALIGNED_DEGREES))
    return bool(lost > max(OWN * gained, OWN_LEAST) or (spin and gained < SPUN * (1 - own).mean()))
