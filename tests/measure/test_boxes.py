"""Boxes for scanned parts with uneven faces: the plain one first, then the best with round edges."""

import numpy as np
import pytest

from cadrecode.fit import ruler_for
from cadrecode.measure.boxes import boxes
from cadrecode.program import build, parse
from cadrecode.program.language import Corners
from cadrecode.program.solid import sample
from cadrecode.scoring import ByDistance, build_program, unevenness

PLANE = "import cadquery as cq\nr=cq.Workplane('{}',origin=(0,0,0)).sketch()"
CAN = PLANE + ".rect(180,98).vertices().fillet(33).finalize().extrude(150)"
BULGE = 4.0  # CODE


def boxes_of(text: str, along: int) -> list:
    """The boxes for a can whose two ends are bowls."""
    points, normals = sample(build(parse(text)), 6000, np.random.default_rng(0))
    ends = np.abs(normals[:, along]) > 0.9
    apart = np.linalg.norm(np.delete(points, along, axis=1)[ends], axis=1) / 90
    points[ends, along] -= np.sign(normals[ends, along]) * BULGE * (1 - apart**2)
    ruler = ruler_for(points)
    assert unevenness(ruler) > 0
    yardstick = ByDistance(ruler)
    return list(boxes(ruler, lambda program: yardstick.key(yardstick.measured(build_program(program)))))


@pytest.mark.parametrize(("plane", "along"), [("XY", 2), ("YZ", 0), ("ZX", 1)])
def test_a_can_with_bowls_for_ends_has_round_edges(plane, along):
    plain, can = boxes_of(CAN.format(plane), along)
    assert len(plain.solids()[0].sketch.steps) == 1
    extrusion = can.solids()[0]
    assert extrusion.plane.normal[along] == 1
    rect, corners = extrusion.sketch.steps
    assert sorted((rect.shape.width, rect.shape.height)) == pytest.approx([98, 180], abs=0.5)
    assert isinstance(corners, Corners)
    assert corners.size == pytest.approx(33, abs=2)
