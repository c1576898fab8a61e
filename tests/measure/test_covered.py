"""Outlines without what other features fill."""

import numpy as np
import pytest

from cadrecode.measure.covered import uncovered
from cadrecode.measure.features import Prism, program_of
from cadrecode.measure.judge import PRICE, Judge
from cadrecode.measure.mesh import read
from cadrecode.program import build
from cadrecode.program.language import Line, Loop, Operation, Rect, SketchStep

FOOT = Prism(Operation.UNION, 2, -60.0, -30.0, (SketchStep(Rect(200, 60)),))
CORNERS = [(-30, -70), (-30, -48), (30, -48), (30, 48), (-30, 48), (-30, 70), (-60, 70)]  # (z, x)
WINGED = Loop((-60.0, -70.0), tuple(Line((float(z), float(x))) for z, x in CORNERS))


def housing(low: float, high: float) -> Prism:
    return Prism(Operation.UNION, 1, low, high, (SketchStep(WINGED),))


def without_covered(*features: Prism) -> tuple[Prism, ...]:
    solid = build(program_of(features))
    return uncovered(features, read(solid).readers, Judge(solid, PRICE, np.inf))


def test_a_section_across_a_foot_and_what_stands_on_it_leaves_out_the_foot():
    foot, stands = without_covered(FOOT, housing(-18.0, 18.0))
    (step,) = stands.steps
    assert foot == FOOT
    assert (step.shape.width, step.shape.height) == pytest.approx((60, 96))
    assert step.places == ((0, 0),)


def test_an_outline_that_goes_on_beyond_the_foot_is_kept():
    features = FOOT, housing(-18.0, 45.0)
    assert without_covered(*features) == features
