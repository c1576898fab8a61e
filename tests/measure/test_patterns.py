"""Equal shapes on a circle or in rows are written as an array."""

import numpy as np
import pytest

from cadrecode.measure import from_mesh
from cadrecode.measure.patterns import pattern_of, places_numbers
from cadrecode.program import build, iou, mesh_of, parse, write
from cadrecode.program.language import Circle, Grid, Ring, points_of


def rounded(places, decimals=2):
    return tuple((round(x, decimals) + 0.0, round(y, decimals) + 0.0) for x, y in places)


@pytest.mark.parametrize(
    "ring", [Ring((0, 0), 75, 0, 360, 6), Ring((10, -20), 40, 22.5, 360, 8), Ring((5, 0), 60, -90, 360, 5)]
)
def test_places_on_a_circle_are_a_ring(ring):
    pattern = pattern_of(rounded(points_of(ring)), turns=True)
    assert isinstance(pattern, Ring)
    assert (pattern.count, pattern.radius) == (ring.count, pytest.approx(ring.radius, abs=0.01))
    apart = np.array(points_of(pattern))[:, None] - np.array(points_of(ring))[None]
    assert np.hypot(*apart.transpose(2, 0, 1)).min(axis=1).max() < 0.03


@pytest.mark.parametrize(
    ("ring", "first"),
    [
        (Ring((0, 0), 30, -120, 360, 3), 0),
        (Ring((0, 0), 30, -180, 360, 4), 0),
        (Ring((0, 0), 30, -179.98, 360, 6), 0),
        (Ring((0, 0), 30, 179.98, 360, 6), 0),
        (Ring((4, 0), 30, -157.48, 360, 8), 22.5),
        (Ring((0, 0), 30, -90, 360, 7), 12.86),
        (Ring((0, 0), 30, -89.99, 360, 3), 30),
    ],
)
def test_a_full_circle_begins_at_its_first_angle_from_zero(ring, first):
    pattern = pattern_of(rounded(points_of(ring)), turns=True)
    assert (pattern.first, pattern.sweep) == (first, 360)


@pytest.mark.parametrize(
    "grid", [Grid((0, 0), 160, 90, 2, 2), Grid((-12.5, 7), 20, 15, 4, 3), Grid((0, 30), 25, 25, 5, 1)]
)
def test_places_in_rows_are_a_grid(grid):
    assert pattern_of(rounded(points_of(grid)), turns=False) == grid


def test_shapes_that_must_not_turn_are_on_no_ring():
    places = rounded(points_of(Ring((0, 0), 75, 0, 360, 6)))
    assert pattern_of(places, turns=False) == places


@pytest.mark.parametrize(
    "places",
    [
        ((0.0, 0.0), (10.0, 0.0)),
        ((0.0, 0.0), (10.0, 0.0), (25.0, 0.0)),
        ((0.0, 0.0), (10.0, 0.0), (0.0, 10.0), (11.0, 10.0)),
    ],
    ids=["two", "uneven", "askew"],
)
def test_other_places_stay_a_list(places):
    assert pattern_of(places, turns=True) == places
    assert places_numbers(places) == 2 * len(places)


def test_a_bolt_circle_is_read_back_as_one():
    text = (
        "import cadquery as cq\nr=cq.Workplane('XY').sketch().circle(100).parray(70,0,360,6).circle(8,mode='s')"
        ".reset().circle(30,mode='s').finalize().extrude(20)"
    )
    solid = build(parse(text))
    best, *_ = from_mesh(*mesh_of(solid), seconds=60)
    rings = [
        step.places
        for part in best.program.solids()
        for step in part.sketch.steps
        if isinstance(step.shape, Circle) and isinstance(step.places, Ring)
    ]
    (ring,) = rings
    assert (ring.center, ring.radius, ring.count, ring.first % 60) == ((0, 0), 70, 6, 0)
    assert iou(solid, build(parse(write(best.program)))) > 0.998
