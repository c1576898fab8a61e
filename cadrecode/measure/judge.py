"""The score of features against the exact solid.

Volume alone would leave out every small hole: a screw hole of 0.3 % of the volume does not pay for its numbers. So a
through hole too few or too many has a price of its own, and so has what the surface lacks or has too much: four blind
holes for screws are 0.2 % of the volume of a motor and 1.6 % of its surface.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence

import numpy as np
from manifold3d import Manifold

from cadrecode.errors import ProgramError
from cadrecode.measure.features import Drilled, Feature, Finished, Rim
from cadrecode.program.finishing import drilled
from cadrecode.program.rims import blended
from cadrecode.program.shapes import build_solid
from cadrecode.program.solid import iou, joined, through_holes
from cadrecode.program.topology import Topology

PRICE = 0.0004  # IoU that a number must bring
HOLE_PRICE = 0.012  # IoU that the right count of through holes is worth, each
BODY_PRICE = 0.03  # and the right count of bodies
AREA_PRICE = 0.25  # and that each share of the surface is worth by which its area is off
SAGITTA = 0.05  # CODE: how finely circles are drawn


class Judge:
    """The score of features against the exact solid.

    Args:
        solid: CODE.
        price: IoU that a number must bring.
        deadline: On time.thread_time().
    """

    def __init__(self, solid: Manifold, price: float, deadline: float):
        self.solid, self.price, self.deadline = solid, price, deadline
        self.shells, self.holes = len(solid.decompose()), through_holes(solid)
        self.area = solid.surface_area()
        self._solids: dict[Feature, Manifold] = {}
        self._topologies: dict[tuple[Feature, ...], Topology] = {}
        self._scores: dict[tuple[Feature, ...], tuple[float, float]] = {}

    @property
    def out_of_time(self) -> bool:
        return time.thread_time() >= self.deadline

    def solid_of(self, feature: Feature) -> Manifold:
        if feature not in self._solids:
            self._solids[feature] = build_solid(feature.solid(), SAGITTA)
        return self._solids[feature]

    def build(self, features: Sequence[Feature]) -> Manifold:
        """The solid; rims and drilled holes come last, as in a program."""
        features = sorted(features, key=lambda feature: isinstance(feature, Finished))
        body = self.solid_of(features[0])
        for index, feature in enumerate(features[1:], 1):
            if isinstance(feature, Rim):
                body = self._rimmed(features[:index], body, feature)
                continue
            if isinstance(feature, Drilled):
                body = drilled(body, feature.hole, SAGITTA)
                continue
            body = joined(body, self.solid_of(feature), feature.operation)
        return body

    def _rimmed(self, before: Sequence[Feature], body: Manifold, rim: Rim) -> Manifold:
        """The body with a rim more. The edges of the last few bodies are remembered: many rims are tried on one.

        Raises: ProgramError: there is no such edge, or no room beside it.
        """
        key = tuple(before)
        if key not in self._topologies:
            self._topologies = {key: Topology(body), **dict(itertools.islice(self._topologies.items(), 3))}
        segments = self._topologies[key].chosen_edges(rim.faces, rim.edges)
        if not segments:
            raise ProgramError("There is no edge to {blend}.", blend=str(rim.blend))
        return blended(body, self._topologies[key], segments, rim.finish, SAGITTA)

    def makes_a_solid(self, features: Sequence[Feature]) -> bool:
        """Whether the features can be built: of few points, outlines are read across the axis that they turn about."""
        try:
            return not self.build(features).is_empty()
        except ProgramError:
            return False

    def score(self, features: Sequence[Feature]) -> float:
        return self._judged(features)[0]

    def iou(self, features: Sequence[Feature]) -> float:
        return self._judged(features)[1]

    def is_torn(self, features: Sequence[Feature]) -> bool:
        """Whether there are other through holes or bodies than the solid has."""
        return any(self._wrong(self.build(features)))

    def _wrong(self, body: Manifold) -> tuple[int, int]:
        """The number of through holes and bodies that a solid has too few or too many."""
        shells = body.decompose()
        return abs(sum(shell.genus() for shell in shells) - self.holes), abs(len(shells) - self.shells)

    def hole_pays(self, features: Sequence[Feature], other: Sequence[Feature]) -> bool:
        """Whether `other`, which has a hole more, is worth more."""
        return self.score(other) > self.score(features) + 1e-9

    def _judged(self, features: Sequence[Feature]) -> tuple[float, float]:
        key = tuple(features)
        if key not in self._scores:
            self._scores[key] = self._measure(key)
        return self._scores[key]

    def _measure(self, features: tuple[Feature, ...]) -> tuple[float, float]:
        if not features or isinstance(features[0], Finished):
            return -np.inf, 0.0
        try:
            body = self.build(features)
        except ProgramError:  # an edge that is not there, or no room for its fillet
            return -np.inf, 0.0
        if body.is_empty():
            return -np.inf, 0.0
        overlap = iou(body, self.solid)
        wrong_holes, wrong_bodies = self._wrong(body)
        price = self.price * sum(feature.numbers for feature in features)
        price += HOLE_PRICE * wrong_holes + BODY_PRICE * wrong_bodies
        price += AREA_PRICE * min(abs(body.surface_area() / self.area - 1), 1.0)
        return overlap - price, overlap


def with_hole(features: tuple[Feature, ...], other: tuple[Feature, ...], judge: Judge) -> tuple[Feature, ...]:
    """The features with a hole more where the hole is worth it."""
    return other if judge.hole_pays(features, other) else features


def better(best: tuple[Feature, ...], other: tuple[Feature, ...], judge: Judge) -> tuple[Feature, ...]:
    """The features of the higher score; the first where the scores are equal."""
    return other if judge.score(other) > judge.score(best) + 1e-9 else best
