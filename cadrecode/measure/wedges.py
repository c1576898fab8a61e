"""Parts of a turn: they begin and end at flat faces whose planes go through the line."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np

THROUGH = 2e-4  # of a unit normal: how far it may be from the direction of turning
SAME_ANGLE = 3.0  # degrees
LEAST_FACE = 1e-3  # of the size squared
MOST_FACES = 2  # of either kind
ROUND = 90.0, 45.0, 30.0, 15.0  # degrees: ends that a person would choose, the likeliest first


def wedges_about(
    places: np.ndarray, facing: np.ndarray, areas: np.ndarray, size: float, through: float = THROUGH
) -> list[tuple[float, float]]:
    """Where the material between two end faces begins, and by how much it is turned: degrees, largest faces first.

    Args:
        places: (N, 2) from the line, on the plane across it.
        facing: (N, 2), the part of the unit normals in that plane.
        areas: (N,) that each place stands for.
        size: Longest side.
    """
    away = np.hypot(*places.T)
    beside = away > 1e-6 * size
    out = places[beside] / away[beside, None]
    turning = out[:, 0] * facing[beside, 1] - out[:, 1] * facing[beside, 0]
    angles = np.degrees(np.arctan2(out[:, 1], out[:, 0]))
    first, last = (
        _peaks(angles[way * turning > 1 - through], areas[beside][way * turning > 1 - through], LEAST_FACE * size**2)
        for way in (-1, 1)
    )
    return [(start, min((end - start) % 360 for end in last)) for start in first if last]


def _peaks(angles: np.ndarray, areas: np.ndarray, least: float) -> list[float]:
    """The angles at which most area stands."""
    found: list[float] = []
    left = areas.copy()
    while len(found) < MOST_FACES and left.sum() > least:
        # the angle about which most stands, and the mean there
        bins = np.bincount(np.round(angles % 360).astype(int) % 360, left, minlength=360)
        wide = bins + np.roll(bins, 1) + np.roll(bins, -1)
        off = (angles - int(wide.argmax()) + 180) % 360 - 180
        near = (np.abs(off) < SAME_ANGLE) & (left > 0)
        if left[near].sum() <= least:
            break
        found.append(float((wide.argmax() + np.average(off[near], weights=left[near])) % 360))
        left[near] = 0
    return found


def longest_run(flags: Sequence[bool]) -> tuple[int, int] | None:
    """The first index and the length of the longest run of true flags on a circle; None where all or none are true."""
    if all(flags) or not any(flags):
        return None
    first = [index for index, flag in enumerate(flags) if flag and not flags[index - 1]]
    length = [next(step for step in itertools.count() if not flags[(index + step) % len(flags)]) for index in first]
    return max(zip(first, length), key=lambda run: run[1])


def roundest(first: float, last: float, otherwise: float) -> float:
    """The angle between two others, going up from the first, that a person would choose; degrees."""
    last = first + (last - first) % 360
    for step in ROUND:
        if (angle := step * math.ceil(first / step)) <= last:
            return angle
    return otherwise
