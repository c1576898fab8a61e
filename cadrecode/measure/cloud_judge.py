"""What features are worth against a cloud: how far points and surface are apart, in the IoU that this costs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from manifold3d import Manifold

from cadrecode.cloud.distance import CloudRuler, point_to_surface
from cadrecode.measure.features import Feature
from cadrecode.measure.judge import Judge
from cadrecode.measure.proposals import Part
from cadrecode.measure.winding import patch_areas
from cadrecode.program.solid import bounds, mesh_of

LOOKED_AT = 2500, 1500  # points, and places on the surface
SHELL_PRICE = 0.02  # IoU that each body or cavity beyond one costs
EVIDENCE_POINTS = 20_000
CLOSE = 1e-3  # of the size: a point so near to a surface is explained by it; noise makes it more
UNEXPLAINED = 5.0  # nats: what a point costs that lies on no surface
NUMBER_NATS = 4.5  # what a number costs: half the logarithm of the number of points (Schwarz 1978)


class CloudJudge(Judge):
    """As `Judge`, for a solid that only its points are known of.

    A surface that is off by d on average misses the volume by d times its area; so much of the part's own volume is
    what the IoU loses. A small feature is judged by the points that it explains: points are a Poisson process on the
    surface, so that surface without points costs a nat for each point to expect there.

    Args:
        ruler: Of the cloud, CODE.
        part: The cloud as it was measured.
    """

    def __init__(self, ruler: CloudRuler, part: Part, price: float, deadline: float):
        self.price, self.deadline = price, deadline
        self.ruler = ruler.coarse(*LOOKED_AT)
        area = float(patch_areas(ruler.points).sum())
        self.surface = area / max(part.grid.volume(part.cells), 1e-9)
        self.points = ruler.all_points[:EVIDENCE_POINTS]
        self.per_area = len(self.points) / area
        self.close = max(CLOSE * ruler.size, ruler.noise)
        self._solids: dict[Feature, Manifold] = {}
        self._scores: dict[tuple[Feature, ...], tuple[float, float]] = {}
        self._costs: tuple[tuple[Feature, ...], Manifold, np.ndarray] | None = None  # of the features judged last

    def hole_pays(self, features: Sequence[Feature], other: Sequence[Feature]) -> bool:
        """Whether `other`, which has features more, explains the points so much better that it pays for its numbers."""
        numbers = sum(feature.numbers for feature in other) - sum(feature.numbers for feature in features)
        return self.evidence(features, other) > NUMBER_NATS * max(numbers, 1)

    def evidence(self, features: Sequence[Feature], other: Sequence[Feature]) -> float:
        """How much better `other`, which has features more, explains the points, in nats."""
        before = tuple(features)
        if self._costs is None or self._costs[0] != before:
            body = self.build(before)
            self._costs = before, body, self._cost(self.points, body)
        _, body, costs = self._costs
        changed = self.build(other)
        if changed.is_empty():
            return -np.inf
        near = np.zeros(len(self.points), bool)
        for feature in other:
            if feature not in before:
                low, high = bounds(self.solid_of(feature))
                margin = 4 * self.close
                near |= ((self.points > low - margin) & (self.points < high + margin)).all(axis=1)
        gain = float((costs[near] - self._cost(self.points[near], changed)).sum())
        return gain - self.per_area * (changed.surface_area() - body.surface_area())

    def _cost(self, points: np.ndarray, body: Manifold) -> np.ndarray:
        """(n,) nats, of points that lie off a body's surface."""
        if not len(points):
            return np.zeros(0)
        return np.minimum(np.log1p((point_to_surface(points, *mesh_of(body)) / self.close) ** 2), UNEXPLAINED)

    def _measure(self, features: tuple[Feature, ...]) -> tuple[float, float]:
        if not features:
            return -np.inf, 0.0
        body = self.build(features)
        if body.is_empty():
            return -np.inf, 0.0
        distance = self.ruler.distance(*mesh_of(body))
        like_iou = 1 - distance * self.surface
        numbers = sum(feature.numbers for feature in features)
        return like_iou - self.price * numbers - SHELL_PRICE * (len(body.decompose()) - 1), like_iou
