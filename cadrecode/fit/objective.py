"""The cost of a program against a cloud: its distance, its numbers, and shells that no part has."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from cadrecode.cloud import sample_surface
from cadrecode.cloud.distance import CloudRuler, Measured
from cadrecode.errors import ProgramError
from cadrecode.fit.holes import hides_a_hole
from cadrecode.program import Program, build, mesh_of, parse, write
from cadrecode.program.solid import Manifold, bounds, sagitta_of, shells

COARSER = 3.0  # sagitta of circles while searching, in units of the final sagitta
CAVITY = 0.5  # of the cloud's size: cost of a hollow that no scanner sees; more than any distance
BODY = 0.02  # of the cloud's size: cost of each separate body that the first program did not have
BOX = 0.01  # cost of an error of the bounding box, in units of it; few points show the thickness of a thin plate
BOX_SLACK, BOX_SLACK_NOISE = 0.1, 4.0  # of the spacing and of the noise: errors of the box that cost nothing
NUMBER = 5e-6  # of the cloud's size: cost of each number, so that the shorter of two equals wins
LEAST_GAIN = 2e-5  # of the cloud's size: smaller gains are within the noise of a clean cloud
CHANCE = 2.0  # times noise / points: the gain that 1 number in 20 makes by chance when it is fitted
SURE = 3.0  # standard deviations: gain needed by another structure, which is the best of hundreds that were tried
KEPT_SOLIDS = 512
OWN_CLOUD = 7  # seed of the clouds that are drawn from programs
OWN_NOISE = 1.2  # of the estimated noise, which is low at times: the noise of those clouds


@dataclass(frozen=True)
class Evaluated:
    """A program that builds: its solid and its measurements."""

    solid: Manifold
    measured: Measured
    cost: float


class Objective:
    """The cost of programs against one cloud, and the time that is left to look for cheaper ones.

    Args:
        ruler: Measures by the cloud, in the programs' frame.
        start: The program that the search begins with; its size decides how finely circles are drawn.
        deadline: On time.monotonic().
        fine: Draw circles as finely as in the end.
        should_stop: Called between steps; True ends the search.

    Attributes:
        noise: Smaller gains do not count when a number moves; the larger of `clean` and `chance`.
        clean: The smallest gain that counts on a cloud without noise.
        chance: The same for this cloud's noise.
        is_noisy: Whether there is more noise than rounded numbers leave.
        slack: How far a side of the bounding box may be off at no cost.
        evaluations: How often a program was built and measured.
    """

    def __init__(
        self,
        ruler: CloudRuler,
        start: Program,
        deadline: float,
        *,
        fine: bool = False,
        should_stop: Callable[[], bool] | None = None,
    ):
        self.ruler, self.deadline, self.should_stop = ruler, deadline, should_stop
        self.sagitta = sagitta_of(start) * (1.0 if fine else COARSER)
        self.clean = LEAST_GAIN * ruler.size
        self.chance = CHANCE * ruler.noise / len(ruler.points)
        self.noise = max(self.clean, self.chance)
        self.is_noisy = ruler.is_noisy
        self.slack = BOX_SLACK * ruler.spacing + BOX_SLACK_NOISE * ruler.noise
        self.evaluations = 0
        self._bodies = 1
        self._solids: dict = {}
        given = self.evaluate(start)
        self._bodies = 1 if given is None else shells(given.solid)[0]

    @property
    def out_of_time(self) -> bool:
        return time.monotonic() >= self.deadline or bool(self.should_stop and self.should_stop())

    def solid(self, program: Program) -> Manifold | None:
        """The solid that `evaluate` measures; None where a program builds none."""
        if len(self._solids) > KEPT_SOLIDS:
            self._solids.clear()
        try:
            return build(program, self.sagitta, self._solids)
        except (ProgramError, ValueError, ZeroDivisionError):  # no solid; an arc or a size that has become zero
            return None

    def evaluate(self, program: Program) -> Evaluated | None:
        """Build and measure a program; None where it builds no solid."""
        self.evaluations += 1
        solid = self.solid(program)
        if solid is None:
            return None
        measured = self.ruler.measure(*mesh_of(solid))
        bodies, cavities = shells(solid)
        off = np.abs(bounds(solid) - self.ruler.box)
        box = BOX * float(np.maximum(off - self.slack, 0).sum())
        odd = CAVITY * cavities + BODY * max(bodies - self._bodies, 0) + NUMBER * weight(program)
        return Evaluated(solid, measured, measured.distance + box + odd * self.ruler.size)

    def cost_as_written(self, program: Program) -> float:
        """The cost; infinite also where the text is no program: a size or an edge that is rounded to zero."""
        try:
            parse(write(program))
        except ProgramError:
            return np.inf
        return self.cost(program)

    def told_apart(self, plain: Program, cost_plain: float, other: Program, cost_other: float) -> bool:
        """Whether the cloud is of `other` rather than of `plain`, by more than chance.

        Noise makes thin walls thicker and draws rims outward: on a noisy cloud of `plain` itself a wrong program can be
        nearer. So `other` has to gain more than it gains on such a cloud, which is drawn here (a parametric bootstrap
        of the difference; Efron and Tibshirani 1993, chapter 6).
        """
        gain = cost_plain - cost_other - self.noise
        return gain > 0 and (not self.is_noisy or gain > self._gain_on_own_cloud(plain, other))

    def hides_a_hole(self, plain: Program, other: Program) -> bool:
        """Whether `other` lacks a through hole of `plain` that the cloud plainly shows."""
        before, after = self.solid(plain), self.solid(other)
        return before is not None and after is not None and hides_a_hole(before, after, self.ruler)

    def explains_better(self, other: Program, plain: Program, noise: float) -> bool:
        """Whether `other` explains the cloud better than `plain`.

        The gain of the points by `other` must be nearer to the gain on a cloud of `other` than to that on a cloud of
        `plain`, and more than chance (Cox's comparison of models that are not nested, 1962, by drawn clouds).

        Args:
            noise: The deviation of the points, in the cloud's unit.
        """
        at_plain, at_other = self.evaluate(plain), self.evaluate(other)
        if at_other is None:
            return False
        gains = self._gains(self.ruler.points, plain, other)
        apart = at_plain.cost - at_plain.measured.gap - (at_other.cost - at_other.measured.gap)
        drawn = (self._own_cloud(program, noise) for program in (plain, other))
        if_plain, if_other = (self._gains(cloud, plain, other).mean() for cloud in drawn)
        chance = SURE * float(gains.std()) * np.sqrt(2 / len(gains))
        return bool(gains.mean() + apart - if_plain > max((if_other - if_plain) / 2, chance))

    def _gain_on_own_cloud(self, plain: Program, other: Program) -> float:
        noise = OWN_NOISE * self.ruler.noise
        return float(self._gains(self._own_cloud(plain, noise), plain, other).mean())

    def _own_cloud(self, program: Program, noise: float) -> np.ndarray:
        points, _ = sample_surface(*mesh_of(self.solid(program)), len(self.ruler.points), OWN_CLOUD)
        return points + noise * np.random.default_rng(OWN_CLOUD).standard_normal(points.shape)

    def _gains(self, points: np.ndarray, plain: Program, other: Program) -> np.ndarray:
        """(N,): how much nearer each point is to `other`."""
        to_plain, to_other = (self.ruler.soft_gaps(points, *mesh_of(self.solid(p))) for p in (plain, other))
        return to_plain - to_other

    def cost(self, program: Program) -> float:
        """The cost; infinite for a program that builds no solid."""
        evaluated = self.evaluate(program)
        return np.inf if evaluated is None else evaluated.cost


def weight(node: Any) -> int:
    """The number of numbers in a program or a part of it."""
    if isinstance(node, bool | str) or node is None:
        return 0
    if isinstance(node, int | float):
        return 1
    if isinstance(node, tuple):
        return sum(map(weight, node))
    return sum(weight(getattr(node, name)) for name in type(node).__dataclass_fields__)
