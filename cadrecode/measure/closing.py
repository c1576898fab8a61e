"""A side that a scanner did not see, closed by a flat face where the walls end: the side that a part stood on."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from cadrecode.cloud.distance import CloudRuler
from cadrecode.cloud.normals import Normals, turned_outward
from cadrecode.geometry import bounding_box
from cadrecode.measure.levels import end_of_walls
from cadrecode.measure.winding import INSIDE, patch_areas, surface_area, winding_numbers_at
from cadrecode.program.planes import plane_axes

FACING = 0.7  # cosine of a normal that faces along an axis
LACKING = 0.5  # of the area that faces the other way: so much more of it than of this side is missing
SEEN = 0.05  # of that area: of an unseen side no more is there
# of all that faces either way, where eyes that look in through that side may have turned it: so uneven is the sum, and
# so near to that end of the part, by its size or a quarter of its depth, is next to nothing
UNEVEN, AT_END = 0.25, 0.02
FEWEST = 100  # points: fewer show no faces
MUCH = 0.02  # of the surface: less of it says nothing about a side
THINNEST = 1e-3  # of the size: what has no depth is not closed
NO_DEPTH = 1e-5  # of the size: nearer to the plane, a point and its image are one
MOST_PLACES = 40_000  # in which a plane is divided

Side = tuple[int, int]  # axis, and -1 or 1: the way along it


def closed(ruler: CloudRuler, *, seed: int = 0) -> tuple[CloudRuler, list[Side]]:
    """A cloud with points on the flat sides that were not seen, and which these are.

    Of a closed surface, the normals weighted by area add up to nothing. A side was not seen where nothing faces its
    way, although much faces the other way.

    Args:
        ruler: Measures by the cloud, CODE. Normals that were estimated are turned outward again, without looking in
            through that side.
        seed: Chooses points, see `turned_outward`.
    Returns: The ruler itself where nothing is missing.
    """
    unseen: list[Side] = []
    if ruler.normals is None or len(ruler.points) < FEWEST:
        return ruler, unseen
    balance, estimated = _balance(ruler), ruler.normals.estimated
    waiting = list(balance)
    while waiting:
        side = max(waiting, key=lambda side: abs(balance[side].lacking))  # it tells most of where the inside is
        waiting.remove(side)
        if estimated and not balance[side].may_be_unseen():
            continue
        again, seen_again = ruler, balance
        if estimated:
            hidden = *unseen, side
            normals = turned_outward(ruler.all_points, ruler.all_normals, seed=seed, hidden_sides=hidden)
            again = CloudRuler(ruler.all_points, normals, further=ruler.further)
            seen_again = _balance(again)
        if seen_again[side].is_unseen():
            ruler = _with_side(again, side)
            balance = _balance(ruler)
            unseen.append(side)
    return ruler, unseen


@dataclass(frozen=True)
class _Facing:
    """What faces the way of a side, and the other way.

    Args:
        lacking: Area, as it is seen along the axis, by which the first is less.
        same, opposite: Areas of what faces either way nearly squarely.
        at_end: Area of these two where the part ends that way.
    """

    lacking: float
    same: float
    opposite: float
    at_end: float

    def may_be_unseen(self) -> bool:
        """Whether the sum is uneven and nothing lies across that end, whichever way its faces were turned."""
        both = self.same + self.opposite
        return abs(self.lacking) > UNEVEN * both and self.at_end < SEEN * both

    def is_unseen(self) -> bool:
        """Whether much faces the other way, and next to nothing this way."""
        return self.lacking > LACKING * self.opposite and self.same < SEEN * self.opposite


def _balance(ruler: CloudRuler) -> dict[Side, _Facing]:
    """What faces each side; nothing where little of the surface lies across an axis, or the cloud has no depth."""
    areas, sides = patch_areas(ruler.points), {}
    for axis in range(3):
        heights, facing = ruler.points[:, axis], ruler.normals.directions[:, axis]
        depth, across = float(np.ptp(heights)), np.abs(facing) > FACING
        if depth < THINNEST * ruler.size or areas[across].sum() < MUCH * areas.sum():
            facing = across = np.zeros(len(heights))
        for way in (-1, 1):
            ends = way * heights > (way * heights).max() - min(AT_END * ruler.size, depth / 4)
            same, opposite, at_end = (areas @ (across * rows) for rows in (way * facing > 0, way * facing < 0, ends))
            sides[axis, way] = _Facing(-way * float(areas @ facing), float(same), float(opposite), float(at_end))
    return sides


def _with_side(ruler: CloudRuler, side: Side) -> CloudRuler:
    """Points on the plane where the walls end, as dense as the cloud, wherever the part is between the cloud and its
    image in that plane."""
    axis, way = side
    end = way * end_of_walls(way * ruler.points[:, axis], float((way * ruler.box[:, axis]).max()), ruler.noise)
    before = way * (end - ruler.points[:, axis]) > NO_DEPTH * ruler.size
    points, directions = ruler.points[before], ruler.normals.directions[before]
    if not len(points):
        return ruler
    known, apart = ruler.all_normals, math.sqrt(surface_area(points, directions) / len(ruler.all_points))
    face = _face(points, directions, axis, end, apart)
    outward = np.zeros_like(face)
    outward[:, axis] = way
    directions = np.concatenate((known.directions, outward))
    normals = Normals(directions, np.append(known.confidence, np.ones(len(face))), known.noise, known.estimated)
    return CloudRuler(np.concatenate((ruler.all_points, face)), normals)


def _face(points: np.ndarray, directions: np.ndarray, axis: int, end: float, apart: float) -> np.ndarray:
    """(n, 3): places on the plane across an axis that lie between the points and their image in it, `apart` from each
    other in the mean."""
    image, image_directions = points.copy(), directions.copy()
    image[:, axis] = 2 * end - image[:, axis]
    image_directions[:, axis] *= -1
    u, v = sorted(plane_axes(axis))
    low, high = bounding_box(points)[:, [u, v]]
    cell = max(apart, math.sqrt(float(np.prod(high - low)) / MOST_PLACES))
    across = np.meshgrid(*(np.arange(a + cell / 2, b, cell) for a, b in zip(low, high)), indexing="ij")
    places = np.full((across[0].size, 3), end)
    places[:, u], places[:, v] = across[0].ravel(), across[1].ravel()
    both, both_directions = np.concatenate((points, image)), np.concatenate((directions, image_directions))
    numbers = winding_numbers_at(places, both, both_directions, np.tile(patch_areas(points), 2))
    face = np.repeat(places[numbers > INSIDE], round((cell / apart) ** 2), axis=0)
    if cell > apart:
        face[:, [u, v]] += np.random.default_rng(0).uniform(-cell / 2, cell / 2, (len(face), 2))
    return face
