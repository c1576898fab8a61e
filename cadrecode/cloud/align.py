"""How a scanned part is turned: the smallest rotation that brings its faces, or its axis, along the axes of the file.

The model is trained on parts that stand upright, and the planes of a program do too. A cloud stays as it is where it
has no clear axes (a ball, a blob), where it is upright already, and where planes along the file's axes outweigh slanted
ones: a needless turn does more harm than a missing turn.
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
POINTS = 8192  # points used; more do not make the answer better
SEARCHED = 1500  # normals used for the first guesses
TRIED = 6  # guesses that are refined
LEAST_SCORE = 0.2  # least `axes.score` of a part with faces along three axes; a ball has 0.11
ALIKE = 0.02  # of guesses whose scores differ by less, the least turn is taken
BOX = 0.04  # reduction of the score for a bounding box of twice the volume
OWN = 0.2  # the file's axes stay if the share of normals that they alone explain is this part of the turn's gain
OWN_LEAST = 0.03  # and at least this share of the surface
SPUN = 0.3  # share of the unexplained normals that a turn about an axis of the file must explain
DOUBTFUL, AS_GOOD = 3.0, 0.97  # turns of less than 3 times the noise must raise the score by 3 %
SMALL_TURN, LEVEL = np.radians(5.0), 4e-3  # turns by less have to put more points on one level; levels, in half sides
TURNS = 1.0, 0.5, 0.25, 0.12, 0.06, 0.03  # degrees, of `_levelled`
BETTER, CLEARLY = 1.03, 1.2  # times as many points on one level, of one such turn, and of all together
PATCH, WIDEST = 12.0, 150  # radius of a normal's patch in units of the noise, and the most points in it
FLAT = 0.7  # share of the patches, the flattest, whose normals are used
CURVED = 2e-3  # thickness of a patch on a cylinder, in half sides; a patch with an edge in it is thicker
SAME_AXIS = np.cos(np.radians(3.0))  # of the axis that the normals meet, and the free axis of the rotation
TIGHTER = 0.85  # a round part is turned to its smallest footprint if that is below this part of its largest
KEPT = 0.75  # and, where it stands upright, below this share of its present footprint


class Standing(StrEnum):
    """How a cloud stands."""

    TURNED, UPRIGHT, UNCLEAR, SKIPPED = "turned", "upright", "unclear", "skipped"


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


UPRIGHT, UNCLEAR, SKIPPED = (Alignment(s) for s in (Standing.UPRIGHT, Standing.UNCLEAR, Standing.SKIPPED))


def align(points: np.ndarray, normals: np.ndarray | None = None, *, seed: int = 0) -> Alignment:
    """Find the part's own axes.

    Args:
        points: (N, 3) float, RAW.
        normals: (N, 3) normals of the file, of either sign; estimated if None.
        seed: chooses the points that are used.
    Returns: the smallest rotation that aligns; none below 0.5 degrees, where no point would move by more than the
        noise, and where the cloud has no clear axes.
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

    rotation = _best(points, few, rng)
    if axes.score(rotation, few) < LEAST_SCORE:
        axis = axis_of_revolution(points, directions)
        if axis is None:
            return UNCLEAR
        return _turned(axes.least_turn(axis), noise)
    rotation = _levelled(_sharpened(rotation, points, directions, noise), points)
    own = axes.on_faces(axes.refined(np.eye(3), directions, start=1.0, rounds=6), points, directions, noise)
    if np.degrees(axes.angle(own)) < ALIGNED_DEGREES and _own_axes_hold(rotation, directions):
        return UPRIGHT
    turn = axes.angle(axes.nearest_to_identity(rotation))
    if turn < SMALL_TURN and _crowding(points) >= _crowding(points @ rotation):
        return UPRIGHT
    if turn < DOUBTFUL * noise and axes.score(np.eye(3), directions) > AS_GOOD * axes.score(rotation, directions):
        return UPRIGHT
    return _turned(rotation, noise)


def _normals(points: np.ndarray, normals: np.ndarray | None) -> tuple[np.ndarray, np.ndarray, float]:
    """The points with reliable normals, those normals, and the noise.

    Estimated normals come from patches wide enough for the noise. Patches that bend, as at edges, are left out.
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


def _crowding(points: np.ndarray) -> float:
    """How many pairs of points have the same x, y or z: of a sheet that is as thin as its points are apart, the patches
    lean to all sides, but its faces are level.

    Args:
        points: (N, 3), a part of size 2.
    """
    places = np.floor(points / LEVEL).astype(int)
    places -= places.min(axis=0)
    return float(sum((np.bincount(column) / len(points)) @ (np.bincount(column) / len(points)) for column in places.T))


def _levelled(rotation: np.ndarray, points: np.ndarray) -> np.ndarray:
    """The rotation, turned by a little where that brings clearly more points onto one level."""
    first = most = _crowding(points @ rotation)
    level = rotation
    for degrees in TURNS:
        turns = Rotation.from_rotvec(np.radians(degrees) * np.concatenate((np.eye(3), -np.eye(3)))).as_matrix()
        moved = True
        while moved:
            values = [_crowding(points @ level @ turn) for turn in turns]
            moved = max(values) > BETTER * most
            if moved:
                level, most = level @ turns[int(np.argmax(values))], max(values)
    return axes.nearest_to_identity(level) if most > CLEARLY * first else rotation


def _turned(rotation: np.ndarray, noise: float) -> Alignment:
    rotation = axes.nearest_to_identity(rotation)
    degrees = float(np.degrees(axes.angle(rotation)))
    if degrees < max(ALIGNED_DEGREES, np.degrees(noise)):  # at the half side, 1, a turn moves points by its angle
        return UPRIGHT
    return Alignment(Standing.TURNED, rotation, degrees)


def _best(points: np.ndarray, normals: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The rotation of the best score, with a bonus for a tight box; among equals, the least turn."""
    tried = sorted(axes.guesses(normals, rng), key=lambda guess: -axes.score(guess, normals))
    better = [axes.refined(np.eye(3), normals)]
    for guess in tried:
        if len(better) > TRIED:
            break
        if all(_apart(guess, other) > 0.5 * axes.APART for other in better[1:]):
            better.append(axes.refined(guess, normals))
    better = [axes.nearest_to_identity(rotation) for rotation in better]
    volumes = np.array([np.prod(np.ptp(points @ rotation, axis=0)) for rotation in better])
    boxes = np.log2(np.maximum(volumes, 1e-12) / max(volumes.min(), 1e-12))
    worth = np.array([axes.score(rotation, normals) for rotation in better]) - BOX * boxes
    alike = [rotation for rotation, value in zip(better, worth) if value > worth.max() - ALIKE]
    return min(alike, key=axes.angle)


def _apart(a: np.ndarray, b: np.ndarray) -> float:
    return axes.angle(axes.nearest_to_identity(a.T @ b))


def _sharpened(rotation: np.ndarray, points: np.ndarray, normals: np.ndarray, noise: float) -> np.ndarray:
    """The rotation as exact as the cloud allows. About the axis of a round part: as in the file, or to a tight box."""
    rotation = axes.refined(rotation, normals, start=1.0, rounds=6)
    free = axes.round_about(rotation, normals)
    if free is None:
        return axes.nearest_to_identity(axes.on_faces(rotation, points, normals, noise))
    axis = axis_of_revolution(points, normals)
    if axis is None or abs(axis @ rotation[:, free]) < SAME_AXIS:
        axis = axes.on_faces(rotation, points, normals, noise)[:, free]
    axis = on_walls(axis * np.sign(axis @ rotation[:, free]), points, normals, noise)
    upright = axes.least_turn(axis)
    return _tightened(upright, points, axis)


def _tightened(rotation: np.ndarray, points: np.ndarray, axis: np.ndarray) -> np.ndarray:
    """Turned about the axis to the smallest footprint, where footprints differ much."""
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


def _own_axes_hold(rotation: np.ndarray, normals: np.ndarray) -> bool:
    """Whether the faces along the file's axes that a rotation gives up are a fair share of the faces that it gains.

    A rotation about an axis of the file must explain a good part of all that is slanted: a single slanted arm of a bent
    lever is no reason to turn it.
    """
    own, others = axes.along(np.eye(3), normals), axes.along(rotation, normals)
    gained, lost = np.maximum(others - own, 0).mean(), np.maximum(own - others, 0).mean()
    spin = np.abs(rotation).max() > np.cos(np.radians(2 * ALIGNED_DEGREES))
    return bool(lost > max(OWN * gained, OWN_LEAST) or (spin and gained < SPUN * (1 - own).mean()))
