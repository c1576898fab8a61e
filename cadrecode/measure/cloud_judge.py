"""The score of features against a cloud: how well they explain its points.

Points are taken as a Poisson process on the surface, blurred by their noise, among strays. A point that lies on no
surface costs a few nats, surface costs one for each point that is to be expected on it, and a number costs half the
logarithm of the number of points (Schwarz 1978). So a hole of a thousandth of the volume is seen as well as a face.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from manifold3d import Manifold

from cadrecode.cloud.distance import SURE, UNEXPLAINED, CloudRuler, point_to_surface, surprise
from cadrecode.errors import ProgramError
from cadrecode.measure.features import Feature, Finished, Rim
from cadrecode.measure.judge import PRICE, Judge
from cadrecode.measure.proposals import Survey
from cadrecode.measure.smoothing import Smoothed
from cadrecode.program.language import Operation
from cadrecode.program.solid import bounds, mesh_of
from cadrecode.program.topology import Topology

MOST_POINTS = 8192  # but for small holes, see `by`
CLOSE = 1e-3  # of the size: a point so near to a surface is explained by it; noise makes it more
SHARP, SHARP_OF_NOISE = 3e-4, 3.0  # of the size, and of the noise: the same for holes of clean clouds
EVIDENCE_PRICE = PRICE  # in IoU, of so many nats as a number costs
NEAREST, NEAREST_OF_NOISE = 0.3, 0.385  # quantile of the points' distances from a body, and that of Gaussian noise
UNEVENNESS = 8.0  # so many of those distances are the unevenness of the faces
MOST_UNEVEN = 0.01  # of the size
SHELL_PRICE = 0.02  # IoU that each body or cavity beyond one costs
VOLUME_KNOWN, VOLUME_PRICE = 0.04, 1.0  # share of the volume that a clean cloud leaves open, and IoU for all beyond it
REMEMBERED = 12  # lists of features whose points are remembered


@dataclass(frozen=True)
class _Explained:
    """The cost of each point beside a body, and the body's area, volume and number of shells."""

    features: tuple[Feature, ...]
    costs: np.ndarray
    area: float
    volume: float
    shells: int


class CloudJudge(Judge):
    """As `Judge`, for a solid that only its points are known of.

    Args:
        ruler: Measures by the cloud, CODE.
        smoothed: The cloud on the middle of its faces.
        part: The cloud as it was measured.
    """

    def __init__(self, ruler: CloudRuler, smoothed: Smoothed, part: Survey, price: float, deadline: float):
        self.price, self.deadline = price, deadline
        self._cloud, self._normals = np.concatenate((ruler.all_points, ruler.further)), ruler.all_normals
        self._take(MOST_POINTS)
        self.per_area = len(self.points) / smoothed.area
        self.spacing = 1 / math.sqrt(self.per_area)  # of evenly spread points
        self.volume = max(part.grid.volume(part.cells), 1e-9)
        self.volume_known = max(VOLUME_KNOWN, smoothed.left * smoothed.area / self.volume)
        self.size, self.noise = ruler.size, smoothed.noise
        self.exact = max(CLOSE * ruler.size, smoothed.noise)
        self._settle(self.exact)
        self._solids: dict[Feature, Manifold] = {}
        self._topologies: dict[tuple[Feature, ...], Topology] = {}
        self._scores: dict[tuple[Feature, ...], tuple[float, float]] = {}
        self._recent: list[_Explained] = []
        self._reached: dict[Feature, np.ndarray] = {}  # rows of the points whose nearest surface each may change

    def settle(self, bodies: Sequence[Sequence[Feature]]) -> None:
        """Look how even the faces are, by the body whose surface most points lie near.

        A scan's faces are bent by far more than its points are off their neighbours, and many points say the same bend:
        a number has to explain the more of them.
        """
        gaps = [point_to_surface(self.points, *mesh_of(self.build(body))) for body in bodies]
        nearest = min(float(np.quantile(gap, NEAREST)) for gap in gaps)
        # points of both faces of a sheet in one neighbourhood look like noise
        self.noise = min(self.noise, nearest / NEAREST_OF_NOISE)
        self.exact = max(CLOSE * self.size, self.noise)
        uneven = UNEVENNESS * math.sqrt(max(nearest**2 - (NEAREST_OF_NOISE * self.noise) ** 2, 0.0))
        self._settle(min(max(self.exact, uneven), MOST_UNEVEN * self.size))

    def _settle(self, close: float) -> None:
        self.close = close
        self.reach = close * math.sqrt(math.expm1(UNEXPLAINED))  # farther points cost all the same
        self.nats_per_number = math.log(len(self.points)) / 2 * (close / self.exact) ** 2

    def sharper(self) -> CloudJudge:
        """A judge of the same points for which a point of a clean cloud is farther from a surface that is not its own:
        of a hole in a thin sheet, all points are near to one of the faces."""
        sharp = self._forgetful()
        if self.close == self.exact:
            sharp.exact = min(self.exact, max(SHARP * self.size, SHARP_OF_NOISE * self.noise))
            sharp._settle(sharp.exact)
        return sharp

    def _forgetful(self) -> CloudJudge:
        """A copy that remembers no points and no scores."""
        other = copy.copy(self)
        other._recent, other._scores, other._reached = [], {}, {}
        return other

    def _take(self, count: int) -> None:
        self.points = self._cloud[:count]
        known = self._normals.of(np.arange(min(count, len(self._normals.directions))))
        further = len(self.points) - len(known.directions)
        self.normals = np.pad(known.directions, ((0, further), (0, 0)))
        self.sure = np.pad(known.confidence >= SURE, (0, further))

    def by(self, count: float = math.inf) -> CloudJudge:
        """A judge by so many points of the cloud, or by all of them: what is very small is seen by these alone."""
        count = int(min(count, len(self._cloud)))
        if count == len(self.points):
            return self
        other = self._forgetful()
        other._take(count)
        other.per_area = self.per_area * count / len(self.points)
        other.spacing = 1 / math.sqrt(other.per_area)
        other._settle(self.close)
        return other

    def joined_by(self, points: np.ndarray, normals: np.ndarray) -> CloudJudge:
        """A judge of as many points again, on the same surface: the images of its own, in their order."""
        both = self._forgetful()
        both.points, both.normals = np.concatenate((self.points, points)), np.concatenate((self.normals, normals))
        both.sure = np.tile(self.sure, 2)
        both.per_area = 2 * self.per_area
        both.spacing = self.spacing / math.sqrt(2)
        both._settle(self.close)
        return both

    def hole_pays(self, features: Sequence[Feature], other: Sequence[Feature]) -> bool:
        """Whether `other`, which has features more, explains the points so much better that it pays for its numbers."""
        numbers = sum(feature.numbers for feature in other) - sum(feature.numbers for feature in features)
        return self.evidence(features, other) > self.nats_per_number * max(numbers, 1)

    def evidence(self, features: Sequence[Feature], other: Sequence[Feature]) -> float:
        """The gain of `other` in explaining the points, in nats, whatever its numbers."""
        return self._nats(tuple(features)) - self._nats(tuple(other))

    def costs(self, features: tuple[Feature, ...]) -> np.ndarray:
        """(N,) nats that each point costs: `UNEXPLAINED` for a point that lies on no surface."""
        explained = self._explained(features)
        return np.full(len(self.points), UNEXPLAINED) if explained is None else explained.costs

    def _nats(self, features: tuple[Feature, ...]) -> float:
        explained = self._explained(features)
        if explained is None:
            return np.inf
        return float(explained.costs.sum()) + self.per_area * explained.area - len(self.points)

    def _explained(self, features: tuple[Feature, ...]) -> _Explained | None:
        """None where nothing is left of the features, an outline has no area, or the body no volume."""
        for known in self._recent:
            if known.features == features:
                return known
        if features and isinstance(features[0], Finished):
            return None
        try:
            body = self.build(features) if features else Manifold()
        except ProgramError:  # an outline without area, or a rim without room
            return None
        if not body.volume() > 0:
            return None
        costs, near = self._beside(features)
        if near.any():
            costs[near] = self._costs_beside(body, near)
        explained = _Explained(features, costs, body.surface_area(), body.volume(), len(body.decompose()))
        self._recent = [explained, *self._recent[: REMEMBERED - 1]]
        return explained

    def _costs_beside(self, body: Manifold, rows: np.ndarray) -> np.ndarray:
        """(n,) nats of some points beside a body. A surface that faces the other way explains no point."""
        normals = np.where(self.sure[rows, None], self.normals[rows], 0.0)
        return surprise(self.points[rows], normals, *mesh_of(body), self.close)

    def _beside(self, features: tuple[Feature, ...]) -> tuple[np.ndarray, np.ndarray]:
        """Costs of the points by the most similar list of features, and which of them have to be computed anew."""
        best, changed = None, np.ones(len(self.points), bool)
        is_rimmed = any(isinstance(feature, Rim) for feature in features)  # any feature may move the edges of a rim
        for known in () if is_rimmed else self._recent:
            near = self._near(_differing(known.features, features))
            if near is not None and np.count_nonzero(near) < np.count_nonzero(changed):
                best, changed = known, near
        return (np.zeros(len(self.points)) if best is None else best.costs.copy()), changed

    def _near(self, features: set[Feature]) -> np.ndarray | None:
        """(N,) bool: points whose nearest surface may change with these features; None where that may be all."""
        if any(isinstance(f, Finished) or f.operation is Operation.INTERSECT for f in features):
            return None
        near = np.zeros(len(self.points), bool)
        for feature in features:
            if feature not in self._reached:
                low, high = bounds(self.solid_of(feature))
                self._reached[feature] = np.flatnonzero(
                    ((self.points > low - self.reach) & (self.points < high + self.reach)).all(axis=1)
                )
            near[self._reached[feature]] = True
        return near

    def _measure(self, features: tuple[Feature, ...]) -> tuple[float, float]:
        explained = self._explained(features)
        if explained is None:
            return -np.inf, 0.0
        like_iou = 1 - EVIDENCE_PRICE * self._nats(features) / self.nats_per_number
        numbers = sum(feature.numbers for feature in features)
        off = max(abs(math.log(explained.volume / self.volume)) - self.volume_known, 0.0)
        return like_iou - self.price * numbers - SHELL_PRICE * (explained.shells - 1) - VOLUME_PRICE * off, like_iou


def _differing(first: Sequence[Feature], second: Sequence[Feature]) -> set[Feature]:
    """Features that only one of two lists has, or that stand in another order."""
    only = set(first) ^ set(second)
    shared = [[feature for feature in features if feature not in only] for features in (first, second)]
    return only | {feature for pair in zip(*shared) if pair[0] != pair[1] for feature in pair}
