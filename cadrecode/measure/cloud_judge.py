"""What features are worth against a cloud: how far points and surface are apart, in the IoU that this costs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from manifold3d import Manifold

from cadrecode.cloud.distance import CloudRuler
from cadrecode.measure.features import Feature
from cadrecode.measure.judge import Judge
from cadrecode.measure.proposals import Part
from cadrecode.measure.winding import patch_areas
from cadrecode.program.solid import mesh_of

LOOKED_AT = 2500, 1500  # points, and places on the surface
HOLE_SHARE = 0.1  # of their price: what the numbers of a hole have to bring
SHELL_PRICE = 0.02  # IoU that each body or cavity beyond one costs


class CloudJudge(Judge):
    """As `Judge`, for a solid that only its points are known of.

    A surface that is off by d on average misses the volume by d times its area; so much of the part's own volume is
    what the IoU loses.

    Args:
        ruler: Of the cloud, CODE.
        part: The cloud as it was measured.
    """

    def __init__(self, ruler: CloudRuler, part: Part, price: float, deadline: float):
        self.price, self.deadline = price, deadline
        self.ruler = ruler.coarse(*LOOKED_AT)
        self.surface = float(patch_areas(ruler.points).sum()) / max(part.grid.volume(part.cells), 1e-9)
        self._solids: dict[Feature, Manifold] = {}
        self._scores: dict[tuple[Feature, ...], tuple[float, float]] = {}

    def hole_pays(self, features: Sequence[Feature], other: Sequence[Feature]) -> bool:
        """By evidence alone: a hole's section was seen, so it only has to bring surface and points nearer together."""
        numbers = sum(feature.numbers for feature in other) - sum(feature.numbers for feature in features)
        return self.iou(other) > self.iou(features) + HOLE_SHARE * self.price * numbers

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
